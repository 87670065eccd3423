"""A job that is polled: AIgateway's own SDK waits for it, live and in a replay."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from aigateway import AIgateway

from tests.clients.gateway import FILM, STATES, serving_gateway
from tests.end_to_end.commands import listed, serving


def wait(url: str) -> list[Any]:
    """Make a film and wait for it: what it was told, poll by poll; the film; its id."""
    told: list[str] = []

    def listen(response: httpx.Response) -> None:
        if "/v1/jobs/" in str(response.url):
            told.append(json.loads(response.read())["status"])

    with AIgateway(api_key="sk-aig-test", base_url=url, media_base_url=f"{url}/media") as client:
        client._client.event_hooks = {"response": [listen]}
        job = client.jobs.create_video(prompt="a river", model="m/video")
        done = client.jobs.wait(job.id, poll_interval_seconds=0.02)
        return [*told, client.files.download(job.id, "film.mp4"), done.id == job.id, done.raw]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("polling")
    with serving_gateway() as port:
        origin = f"http://127.0.0.1:{port}"
        upstreams = (f"--upstream={origin}", f"--upstream=/media={origin}")
        with serving("record", *upstreams, cwd=folder) as recorder:
            told = wait(recorder.url)
    assert told[:6] == [*STATES, FILM, True]
    return folder, told


@pytest.mark.parametrize("speed", ["instant", "original", "0.5", "100"])
def test_a_job_goes_through_its_states_in_order_at_any_speed(
    speed: str, recorded: tuple[Path, list[Any]]
) -> None:
    folder, live = recorded
    upstreams = ("--upstream=http://127.0.0.1:9", "--upstream=/media=http://127.0.0.1:9")

    with serving("replay", "--speed", speed, *upstreams, cwd=folder) as player:
        told = wait(player.url)

    assert told == live
    assert player.words.endswith(" 0 misses\n")


def test_a_client_that_polls_more_often_stays_at_the_last_state(
    recorded: tuple[Path, list[Any]],
) -> None:
    folder, live = recorded
    (path,) = {row["path"] for row in listed(folder) if "/jobs/job_" in row["path"]
               and "/files/" not in row["path"]}  # fmt: skip

    with serving("replay", "--speed", "instant", cwd=folder) as player:
        told = [httpx.get(player.url + path).json()["status"] for _ in range(len(STATES) + 3)]

    assert told == [*STATES, *["completed"] * 3]
    assert live[-1]["status"] == "completed"
