"""What recording costs beside a gateway that logs: LiteLLM's proxy, in front of one upstream."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target, of_pairs
from tests.benchmarks.load import Way, ask, connected, short, stream, stream_all
from tests.benchmarks.measuring import cpu_s, in_turns, median
from tests.benchmarks.peers import LITELLM, Running, UnavailableError, running
from tests.benchmarks.servers import upstream
from tests.end_to_end.commands import serving

_NAME = "LiteLLM proxy"
_CONFIG = """
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_base: "{origin}/v1", api_key: none}}
litellm_settings: {{telemetry: false}}
# it listens on this machine only, and for a minute
general_settings: {{dangerously_permit_weak_or_unset_master_key: true}}
"""
# what it would fetch from its makers' servers at its start
_OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}


def measure(effort: Effort, folder: Path) -> Report:
    """Ours and theirs, in turns."""
    try:
        version = LITELLM.install(effort)
        with ExitStack() as stack:
            origin = stack.enter_context(upstream())
            config = folder / "litellm.yaml"
            config.write_text(_CONFIG.format(origin=origin))
            theirs = stack.enter_context(
                running(
                    lambda port: [
                        *(LITELLM.program("litellm"), "--config", str(config)),
                        *("--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"),
                    ],
                    folder,
                    **_OFFLINE,
                )
            )
            child = stack.enter_context(serving("record", "--upstream", origin, cwd=folder))
            ours = Running(child.url, child.process.pid)
            return Report(figures=list(_figures(effort, origin, ours, theirs, version)))
    except (UnavailableError, AssertionError) as error:
        return Report(figures=[Figure(what="record: CPU", against=_NAME, note=str(error)[:120])])


def _figures(
    effort: Effort, origin: str, ours: Running, theirs: Running, version: str
) -> Iterator[Figure]:
    direct_ms = _first_byte_ms(origin)
    measures: dict[str, tuple[Callable[[Running], float], float]] = {
        "CPU per chunk, us": (_cpu_per_chunk, 1 / 5),
        "CPU per short exchange, us": (_cpu_per_exchange, 1 / 8),
        "added time to first byte, ms": (lambda it: _first_byte_ms(it.url) - direct_ms, 1 / 8),
    }
    for server in (ours, theirs):
        _cpu_per_exchange(server)  # warm
    for what, (figure, limit) in measures.items():
        yield of_pairs(
            f"record: {what}",
            in_turns(lambda: figure(ours), lambda: figure(theirs), effort.rounds(3)),  # noqa: B023
            against=f"{_NAME} {version}",
            target=Target(limit=limit),
        )


def _cpu_per_chunk(server: Running) -> float:
    before_s = cpu_s(server.pid)
    stream_all(Way(server.url), [[stream(number, gap_ms=20)] for number in range(5)])
    time.sleep(0.3)
    return (cpu_s(server.pid) - before_s) / 500 * 1e6


def _cpu_per_exchange(server: Running) -> float:
    before_s = cpu_s(server.pid)
    _first_byte_ms(server.url)
    time.sleep(0.3)
    return (cpu_s(server.pid) - before_s) / 50 * 1e6


def _first_byte_ms(url: str) -> float:
    with connected(Way(url)) as connection:
        return median(ask(connection, short(number))[0] for number in range(50)) * 1e3
