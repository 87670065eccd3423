"""A real, headless Chromium, driven over its DevTools pipe: no driver, no library.

A `Visit` says what a page did: console errors, CSP reports, requests, its title.
"""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_S = 30.0
SETTLE_S = 0.4
"""How long after its load a page has for what it does later."""


@dataclass(kw_only=True)
class Visit:
    """What happened while a page was open."""

    title: str = ""
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    session: str = ""


def find() -> str | None:
    """The browser's path, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def required() -> str:
    """The browser's path. Without one the test is skipped; in CI that is a failure."""
    path = find()
    if path is None and os.environ.get("CI"):
        pytest.fail("CI tests in a real browser: apt-get install chromium")
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    return path


class Chromium:
    """One browser."""

    def __init__(self, path: str, profile: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        arguments = [
            path,
            "--headless",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]
        # Chromium reads the protocol on descriptor 3 and writes it on 4.
        self._process = subprocess.Popen(
            [
                "sh",
                "-c",
                f'exec "$@" 3</dev/fd/{to_browser} 4>/dev/fd/{from_browser}',
                "sh",
                *arguments,
            ],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._received = b""
        self._number = 0
        self._visit = Visit()

    def visit(self, url: str, *, width: int = 1300, dark: bool = False) -> Visit:
        """Open a page in a tab of its own and wait until it has settled."""
        self._visit = visit = Visit()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        visit.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", visit.session)
        metrics = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", visit.session, **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", visit.session, features=[scheme])
        self.call("Page.navigate", visit.session, url=url)
        self.wait_for_load()
        visit.title = str(self.evaluate("document.title"))
        return visit

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page that is open."""
        answer = self.call(
            "Runtime.evaluate", self._visit.session, expression=expression, returnByValue=True
        )
        return answer["result"].get("value")

    def wait_for_load(self) -> None:
        """Wait until the page that is coming is there, and has settled."""
        self._wait_for("Page.loadEventFired")
        self._listen(SETTLE_S)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """One command; what happens meanwhile is noted."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(PATIENCE_S)
            assert answer is not None, f"no answer to {method}"
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        os.close(self._out)
        os.close(self._in)

    def _wait_for(self, method: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (event := self._next(deadline - time.monotonic())) is not None:
            self._note(event)
            if event.get("method") == method:
                return
        raise AssertionError(f"no {method}")

    def _listen(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (event := self._next(deadline - time.monotonic())) is not None:
            self._note(event)

    def _next(self, patience_s: float) -> dict[str, Any] | None:
        deadline = time.monotonic() + patience_s
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            data = os.read(self._in, 1 << 20)
            assert data, "the browser has ended"
            self._received += data
        text, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        happened = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self._visit.requests.append(happened["request"]["url"])
            case "Log.entryAdded" if happened["entry"]["level"] in {"error", "warning"}:
                entry = happened["entry"]
                self._visit.complaints.append(f"{entry['text']} {entry.get('url', '')}")
            case "Runtime.exceptionThrown":
                self._visit.complaints.append(json.dumps(happened["exceptionDetails"])[:500])
            case "Runtime.consoleAPICalled" if happened["type"] in {"error", "warning", "assert"}:
                self._visit.complaints.append(json.dumps(happened["args"])[:500])
            case "Page.javascriptDialogOpening":
                self._visit.complaints.append(f"dialog: {happened['message']}")
            case _:
                pass


@contextmanager
def running(path: str) -> Iterator[Chromium]:
    """A browser with a fresh profile, for a `with` block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(path, Path(profile))
        try:
            yield browser
        finally:
            browser.close()
