"""aigateway-py: every resource it has. Secrets are told by their length only.

What is `streamed` is what the async client gets: the SDK has no streams.
"""

import asyncio
import hashlib
import json
import os
from typing import Any

from aigateway import AIgateway, AIgatewayError, AsyncAIgateway

HOSTS: dict[str, Any] = {}
if media := os.environ.get("MEDIA"):
    HOSTS = {"base_url": os.environ["API"], "media_base_url": media}
EVAL = {"name": "e", "metric": "exact", "candidate_models": ["a/b", "c/d"], "dataset": []}


def hidden(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: len(value) if name in names else value for name, value in answer.items()}


def ask_all() -> list[Any]:
    with AIgateway(api_key="sk-aig-test", tag="matrix", **HOSTS) as client:
        video = client.jobs.create_video(prompt="a river", model="m/video")
        started = [video, client.jobs.create_music(prompt="a song", model="m/music")]
        started.append(client.jobs.create_3d(prompt="a cup", model="m/3d"))
        done = client.jobs.wait(video.id, poll_interval_seconds=0.01)
        cancelled = client.jobs.cancel(started[1].id)
        after = client.jobs.get(started[1].id)
        film = client.files.download(video.id, "film.mp4")
        signed = hidden(client.files.signed_url(video.id, "film.mp4", expires_in=60), "token")
        signed["url"] = signed["url"].partition("?")[0]
        account = hidden(client.sub_accounts.create(name="acme"), "key")
        accounts = [client.sub_accounts.list(), client.sub_accounts.get("sa_1")]
        client.sub_accounts.delete("sa_1")
        try:
            client.sub_accounts.get("sa_1")
        except AIgatewayError as error:
            gone = [str(error), error.status_code, error.type]
        evals = [client.evals.create(**EVAL), client.evals.list(), client.evals.get("ev_1")]
        replays = [
            client.replays.run(source_request_id="req_1", target_model="a/b", shadow=True),
            client.replays.list(limit=5),
            client.replays.get("rp_1"),
        ]
        secrets = [
            hidden(answer, "secret")
            for answer in (client.webhook_secret.get(), client.webhook_secret.rotate())
        ]
        models = [client.models.list(modality="text"), client.models.get("anthropic/claude-x")]
    return [
        [job.raw for job in (*started, done, cancelled, after)],
        [len(film), hashlib.sha256(film).hexdigest(), signed],
        [account, accounts, gone, evals, replays, secrets, models],
    ]


async def ask_asynchronously() -> list[Any]:
    async with AsyncAIgateway(api_key="sk-aig-test", **HOSTS) as client:
        job = await client.jobs.create_video(prompt="another river", model="m/video")
        done = await client.jobs.wait(job.id, poll_interval_seconds=0.01)
        film = await client.files.download(job.id, "film.mp4")
        return [job.raw, done.raw, len(film), await client.models.list()]


print(json.dumps({"plain": ask_all(), "streamed": asyncio.run(ask_asynchronously())}))
