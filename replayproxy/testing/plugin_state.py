"""What the pytest plugin knows during a run: settings, cassettes in use, what was counted."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from replayproxy.run_folder import run_folder
from replayproxy.settings_file import match_rules
from replayproxy.testing import report as reporting
from replayproxy.testing.naming import cassette_path, name_of
from replayproxy.testing.session import CassetteSession, Result
from replayproxy.testing.settings import Mode, Settings, parse_mode, parse_upstreams

_MARKER = "replay"
_KNOWN = frozenset(
    {"name", "speed", "ignore", "normalize", "match_on", "upstream", "unplayed", "mode"}
)


@dataclass(slots=True, eq=False, kw_only=True)
class Use:
    """A cassette in use.

    Attributes:
        unplayed: once it is over, what to tell if it did not.
        seen: how many misses, and refused hosts, were there before the running test.
    """

    session: CassetteSession
    settings: Settings
    unplayed_rule: str
    unplayed: list[str] = field(default_factory=list)
    seen: tuple[int, int] = (0, 0)


class Tally:
    """What all cassettes of a run come to; of several processes, added up."""

    def __init__(self) -> None:
        self.replayed = self.missed = self.recorded = 0
        self.avoided = Decimal(0)
        self.written: set[str] = set()
        self._playable: dict[str, int] = {}
        self._played: dict[str, set[int]] = {}

    def count(self, result: Result) -> None:
        """One use of a cassette."""
        path = str(result.settings.path)
        self.replayed += len(result.played)
        self.missed += len(result.misses)
        self.avoided += result.avoided
        self.recorded += result.recorded
        if result.recorded:
            self.written.add(path)
        self._note(path, result.playable, result.played)

    def add(self, plain: dict[str, Any]) -> None:
        """What another process counted."""
        self.replayed += plain["replayed"]
        self.missed += plain["missed"]
        self.recorded += plain["recorded"]
        self.avoided += Decimal(plain["avoided"])
        self.written.update(plain["written"])
        for path, (playable, played) in plain["played"].items():
            self._note(path, playable, played)

    def as_plain(self) -> dict[str, Any]:
        """For another process."""
        return {
            "replayed": self.replayed,
            "missed": self.missed,
            "recorded": self.recorded,
            "avoided": str(self.avoided),
            "written": sorted(self.written),
            "played": {
                path: (playable, sorted(self._played[path]))
                for path, playable in self._playable.items()
            },
        }

    @property
    def unplayed(self) -> int:
        """What the cassettes have that no test asked for."""
        return sum(n - len(self._played[path]) for path, n in self._playable.items())

    def _note(self, path: str, playable: int, played: Iterable[int]) -> None:
        self._playable[path] = max(playable, self._playable.get(path, 0))
        self._played.setdefault(path, set()).update(played)


class PluginState:
    """Of one process."""

    def __init__(self, config: pytest.Config) -> None:
        self.tally = Tally()
        self._config = config
        self._open: list[Use] = []

    # -- cassettes -----------------------------------------------------------------------------

    def open(self, request: pytest.FixtureRequest, scope: str) -> Use:
        """The cassette of a test, or of a wider scope.

        Raises:
            ReplayproxyError: it cannot be used, or is not described in a way that makes sense.
        """
        marker = _marker(request)
        settings = self._settings(request, scope, marker)
        session = CassetteSession(settings)
        use = Use(
            session=session,
            settings=settings,
            unplayed_rule=marker.get("unplayed") or self._ini("unplayed"),
        )
        self._open.append(use)
        return use

    def close(self, use: Use) -> None:
        """Its test, or the last of its tests, is over.

        Raises:
            ReplayproxyError: what was recorded cannot be kept.
        """
        self._open.remove(use)
        use.unplayed = self._unplayed(use)
        try:
            use.session.close()
        finally:
            self.tally.count(use.session.result())

    def unplayed_of(self, use: Use) -> str:
        """What to do about what was not asked for."""
        return use.unplayed_rule if use.settings.own else "ignore"

    # -- reports -------------------------------------------------------------------------------

    def begin(self) -> None:
        """A test begins."""
        for use in self._open:
            result = use.session.result()
            use.seen = (len(result.misses), len(result.refused))

    def add_to(self, report: pytest.TestReport) -> None:
        """What the test that is running asked for and did not get; it fails if it passed."""
        for use in self._open:
            result = use.session.result()
            misses, refused = result.misses[use.seen[0] :], result.refused[use.seen[1] :]
            use.seen = (len(result.misses), len(result.refused))
            if misses or refused:
                lines = reporting.told(result, misses, root=self._config.rootpath)
                self._fail(report, "\n".join(lines))
            elif report.when == "call" and report.passed and self.unplayed_of(use) == "fail":
                self._fail(report, "\n".join(self._unplayed(use)))

    def summary(self) -> list[str]:
        """One line of what was replayed, one of what was recorded."""
        tally, lines = self.tally, []
        if tally.replayed or tally.missed or not tally.recorded:
            saved = reporting.dollars(tally.avoided)
            lines.append(
                f"replayproxy: {tally.replayed} replayed, {tally.missed} missed, "
                f"{tally.unplayed} unplayed, {saved} avoided"
            )
        if tally.recorded:
            lines.append(
                f"replayproxy: {tally.recorded} recorded into {len(tally.written)} cassettes"
            )
        return lines

    def _fail(self, report: pytest.TestReport, text: str) -> None:
        if not text:
            return
        if report.passed and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            report.longrepr = f"replayproxy: {text}"
        elif report.failed:
            report.sections.append(("replayproxy", text))

    def _unplayed(self, use: Use) -> list[str]:
        if not use.settings.own or not (left := use.session.unplayed):
            return []
        return reporting.unplayed(left, use.settings.path, root=self._config.rootpath)

    # -- settings ------------------------------------------------------------------------------

    def _settings(
        self, request: pytest.FixtureRequest, scope: str, marker: dict[str, Any]
    ) -> Settings:
        config = self._config
        mode = config.getoption("--replayproxy-mode") or marker.get("mode") or Mode.REPLAY
        root = config.rootpath
        return Settings(
            path=self._path(request, scope, marker.get("name")),
            mode=parse_mode(mode),
            upstreams=parse_upstreams(
                _listed(marker.get("upstream")) or config.getini("replayproxy_upstream")
            ),
            speed=str(marker.get("speed") or self._ini("speed")),
            rules=match_rules(
                root / "replayproxy.db",
                ignore=(*self._ini("ignore"), *_listed(marker.get("ignore"))),
                normalize=(*self._ini("normalize"), *_listed(marker.get("normalize"))),
                on=(*self._ini("match_on"), *_listed(marker.get("match_on"))),
            ),
            record_command=shlex.join(
                ["pytest", "--replayproxy-mode=record", *filter(None, [request.node.nodeid])]
            ),
            own=scope == "function" and not marker.get("name"),
            with_keys=self._ini("with_keys"),
            run=run_folder(),
        )

    def _path(self, request: pytest.FixtureRequest, scope: str, name: str | None) -> Path:
        folder = self._config.rootpath if scope == "session" else request.path.parent
        cassettes = self._ini("cassette_dir")
        if name is None or scope != "function":
            name = _own_name(request, scope)
        return cassette_path(folder, name, cassettes=cassettes)

    def _ini(self, name: str) -> Any:
        return self._config.getini(f"replayproxy_{name}")


def _own_name(request: pytest.FixtureRequest, scope: str) -> str:
    match scope:
        case "session":
            return "session"
        case "module":
            return request.path.stem
        case "class":
            cls = getattr(request, "cls", None)
            return name_of(request.path.stem, cls.__qualname__ if cls else request.node.name)
        case _:
            parent = request.node.getparent(pytest.Class)
            return name_of(request.path.stem, request.node.name, class_name=parent and parent.name)


def _marker(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the closest marker says."""
    marker = request.node.get_closest_marker(_MARKER)
    if marker is None:
        return {}
    given: dict[str, Any] = dict(zip(("name",), marker.args, strict=False)) | marker.kwargs
    if len(marker.args) > 1 or (unknown := sorted(given.keys() - _KNOWN)):
        what = ", ".join(unknown) if len(marker.args) <= 1 else "more than one name"
        raise pytest.UsageError(
            f"{request.node.nodeid}: @pytest.mark.replay does not know {what}. "
            f"It takes: {', '.join(sorted(_KNOWN))}."
        )
    return given


def _listed(value: object) -> list[str]:
    match value:
        case None:
            return []
        case str():
            return [value]
        case dict():
            return [f"{name}={url}" for name, url in value.items()]
        case _:
            return [str(item) for item in value]  # type: ignore[attr-defined]
