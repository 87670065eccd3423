"""A stand-in for AIgateway's endpoints besides chat: what its SDK gets, as its API says it.

Ids and secrets are other ones with every answer, so that a replay can be told from it.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

STATES = ("queued", "processing", "processing", "completed")
FILM = bytes(range(256)) * 257
_MADE = {
    "/v1/videos/generations": "video",
    "/v1/audio/music": "audio",
    "/v1/3d/generations": "3d",
}


class Gateway:
    """What it knows."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, Any]] = {}
        self._polls: dict[str, Iterator[int]] = {}
        self._deleted = False

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status, and JSON or bytes."""
        if method == "POST" and (modality := _MADE.get(path)):
            return 202, self._new_job(modality, body)
        match (method, *path.removeprefix("/v1/").split("/")):
            case ("GET", "jobs", job_id):
                return 200, self._polled(job_id)
            case ("DELETE", "jobs", job_id):
                self._jobs[job_id]["status"] = "failed"
                return 200, self._jobs[job_id]
            case ("GET", "files", "jobs", job_id, name, "signed"):
                token = uuid4().hex
                url = f"https://media.aigateway.sh/v1/files/jobs/{job_id}/{name}?token={token}"
                return 200, {"url": url, "token": token, "expires_in": 60}
            case ("GET", "files", "jobs", *_):
                return 200, FILM
            case _:
                return self._account_or_other(method, path)

    def _account_or_other(self, method: str, path: str) -> tuple[int, Any]:
        account = {"id": "sa_1", "name": "acme", "request": uuid4().hex}
        match method, path.removeprefix("/v1/"):
            case "POST", "sub-accounts":
                self._deleted = False
                return 201, {**account, "key": "sk-" + "aig-" + uuid4().hex}
            case "GET", "sub-accounts/sa_1" if self._deleted:
                return 404, {"error": {"message": "no such account", "type": "not_found"}}
            case "DELETE", "sub-accounts/sa_1":
                self._deleted = True
                return 200, {"deleted": True}
            case ("GET", "webhook-secret") | ("POST", "webhook-secret/rotate"):
                return 200, {"secret": "whsec_" + uuid4().hex}
            case "GET", ("sub-accounts" | "evals" | "replays" | "models") as what:
                return 200, {"data": [{"id": f"{what}/{uuid4().hex}"}]}
            case _:
                return 200, {**account, "path": path, "latency_source_ms": 12}

    def _new_job(self, modality: str, body: Any) -> dict[str, Any]:
        job_id = f"job_{uuid4().hex}"
        self._polls[job_id] = count()
        self._jobs[job_id] = {
            "id": job_id,
            "status": "queued",
            "modality": modality,
            "model": body["model"],
        }
        return self._jobs[job_id]

    def _polled(self, job_id: str) -> dict[str, Any]:
        job = self._jobs[job_id]
        if job["status"] != "failed":
            job["status"] = STATES[min(next(self._polls[job_id]), len(STATES) - 1)]
        if job["status"] == "completed":
            job["result_url"] = f"https://media.aigateway.sh/v1/files/jobs/{job_id}/film.mp4"
        return job


@contextmanager
def serving_gateway() -> Iterator[int]:
    """A gateway on a free port of the loopback, for a `with` block."""
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = gateway.answer(self.command, urlsplit(self.path).path, body)
            is_json = not isinstance(answer, bytes)
            data = json.dumps(answer).encode() if is_json else answer
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if is_json else "video/mp4")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET  # noqa: N815 (their names)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
