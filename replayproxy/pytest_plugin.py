"""The pytest plugin: `@pytest.mark.replay`, the fixture `replayproxy`, and what is told of it.

Rule: a run that does not use it pays for reading this file, and for nothing else: all
that plays or records is imported when the first test asks for a cassette.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from replayproxy.testing.plugin_state import PluginState
    from replayproxy.testing.session import CassetteSession

MARKER = "replay"
FIXTURES = ("replayproxy", "replayproxy_class", "replayproxy_module", "replayproxy_session")
MODES = ("replay", "record", "replay-or-record", "rerecord")
UNPLAYED = ("warn", "fail", "ignore")

_FAILED = pytest.StashKey[bool]()
_STATE = pytest.StashKey["PluginState"]()

type _Scope = Literal["function", "class", "module", "session"]


class UnplayedWarning(UserWarning):
    """A test asked for less than its cassette has."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; TESTING.md describes them."""
    group = parser.getgroup("replayproxy", "recorded LLM traffic (replayproxy)")
    group.addoption(
        "--replayproxy-mode",
        choices=MODES,
        default=None,
        help="replay (default): never the network; record: live, renews what is asked in the "
        "cassettes; replay-or-record: live where there is no cassette; rerecord: live, the "
        "cassettes hold what this run asks and no more",
    )
    parser.addini(
        "replayproxy_upstream",
        type="linelist",
        help="the API's base URL; several, one a line, as NAME=URL "
        "(default: https://api.openai.com/v1)",
    )
    parser.addini(
        "replayproxy_cassette_dir",
        default="cassettes",
        help="where cassettes are, beside the test file (default: cassettes)",
    )
    parser.addini(
        "replayproxy_speed", default="instant", help="instant (default), original, or a factor"
    )
    for name, what in (
        ("ignore", "JSON paths that do not count when a recording is looked for"),
        ("normalize", "REGEX=TEXT that is replaced before, or uuid, date, tmp"),
        ("match_on", "what must be the same, too: host, header:NAME"),
    ):
        parser.addini(f"replayproxy_{name}", type="linelist", help=what)
    parser.addini(
        "replayproxy_unplayed",
        default="warn",
        help="of a test that asks for less than its cassette has: warn (default), fail, ignore",
    )
    parser.addini(
        "replayproxy_with_keys",
        type="bool",
        default=False,
        help="record even bodies that seem to hold API keys (default: false)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker; and a worker of pytest-xdist takes part in the run of the others."""
    config.addinivalue_line(
        "markers",
        "replay(name=None, *, speed=, ignore=, normalize=, match_on=, upstream=, unplayed=, "
        "mode=): answer this test's LLM requests from a cassette, named after the test or as "
        "given. See the fixture `replayproxy`.",
    )
    if run := getattr(config, "workerinput", {}).get("replayproxy_run"):
        from replayproxy.run_folder import join

        join(Path(run))
    if config.getini("replayproxy_unplayed") not in UNPLAYED:
        raise pytest.UsageError(f"replayproxy_unplayed must be one of {', '.join(UNPLAYED)}")


def _state(config: pytest.Config) -> PluginState:
    if _STATE not in config.stash:
        from replayproxy.testing.plugin_state import PluginState

        config.stash[_STATE] = PluginState(config)
    return config.stash[_STATE]


# -- fixtures ----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _replayproxy_of_marked_tests(request: pytest.FixtureRequest) -> None:
    """A marked test gets its cassette before any other fixture asks something."""
    if request.node.get_closest_marker(MARKER) and not set(FIXTURES) & set(request.fixturenames):
        request.getfixturevalue("replayproxy")


@pytest.fixture
def replayproxy(request: pytest.FixtureRequest) -> Iterator[CassetteSession]:
    """The test's cassette: `base_url` and `api_key` for a client, `exchanges` to look at."""
    yield from _session(request, "function")


@pytest.fixture(scope="class")
def replayproxy_class(request: pytest.FixtureRequest) -> Iterator[CassetteSession]:
    """One cassette for all tests of a class."""
    yield from _session(request, "class")


@pytest.fixture(scope="module")
def replayproxy_module(request: pytest.FixtureRequest) -> Iterator[CassetteSession]:
    """One cassette for all tests of a module."""
    yield from _session(request, "module")


@pytest.fixture(scope="session")
def replayproxy_session(request: pytest.FixtureRequest) -> Iterator[CassetteSession]:
    """One cassette for the whole run."""
    yield from _session(request, "session")


def _session(request: pytest.FixtureRequest, scope: _Scope) -> Iterator[CassetteSession]:
    state = _state(request.config)
    with _foreseen():
        use = state.open(request, scope)
    yield use.session
    use.session.passed = not request.node.stash.get(_FAILED, False)
    with _foreseen():
        state.close(use)
    if use.unplayed and state.unplayed_of(use) == "warn" and use.session.passed:
        request.node.warn(UnplayedWarning("\n".join(use.unplayed)))


class _foreseen:  # noqa: N801 (used like a function)
    """A foreseeable fault is one line, without a traceback."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        from replayproxy.errors import ReplayproxyError

        if isinstance(error, ReplayproxyError):
            pytest.fail(f"replayproxy: {error}", pytrace=False)


# -- reports -----------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What was missed before this test began is not its fault."""
    if _STATE in item.config.stash:
        item.config.stash[_STATE].begin()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that asked for what was not recorded fails, and its report ends with what."""
    report = yield
    if _STATE in item.config.stash:
        item.config.stash[_STATE].add_to(report)
    if report.failed:
        for node in item.listchain():
            node.stash[_FAILED] = True
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Workers of pytest-xdist take turns at cassettes in one folder."""
    from replayproxy.run_folder import run_folder

    node.workerinput["replayproxy_run"] = str(run_folder())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """What a worker counted."""
    if counted := getattr(node, "workeroutput", {}).get("replayproxy"):
        _state(node.config).tally.add(counted)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells what it counted."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None and _STATE in session.config.stash:
        output["replayproxy"] = session.config.stash[_STATE].tally.as_plain()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line for the run."""
    if _STATE in config.stash:
        tell: Callable[[str], None] = terminalreporter.write_line
        for line in config.stash[_STATE].summary():
            tell(line)
