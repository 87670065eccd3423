"""Variables are set for a while, and nothing of them stays."""

import os
from contextlib import ExitStack

import pytest

from replayproxy.environment import PLACEHOLDER_KEY
from replayproxy.testing.environment import (
    api_key,
    applied,
    inherited,
    secrets,
    variables,
)
from replayproxy.testing.settings import parse_upstreams

KEY = "sk-0123456789abcdef"
URLS = {"openai": "http://127.0.0.1:1/v1"}


def test_blocks_may_end_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "mine")
    monkeypatch.delenv("A_URL", raising=False)
    first, second = ExitStack(), ExitStack()

    first.enter_context(applied({"A_URL": "1", "A_KEY": "x"}))
    second.enter_context(applied({"A_URL": "2"}))
    both = (os.environ["A_URL"], os.environ["A_KEY"], inherited()["A_KEY"])
    first.close()
    one = (os.environ["A_URL"], os.environ["A_KEY"])
    second.close()

    assert both == ("2", "x", "mine")
    assert one == ("2", "mine")
    assert "A_URL" not in os.environ
    assert "A_URL" not in inherited()


def test_the_real_key_is_there_only_while_something_live_is_asked() -> None:
    (upstream,) = parse_upstreams([])
    there = {"OPENAI_API_KEY": KEY}

    assert api_key(upstream, live=True, inherited=there) == KEY
    assert api_key(upstream, live=False, inherited=there) == PLACEHOLDER_KEY
    assert api_key(upstream, live=True, inherited={}) == PLACEHOLDER_KEY
    assert "OPENAI_API_KEY" not in variables(URLS, live=True, inherited=there)
    assert variables(URLS, live=False, inherited=there)["OPENAI_API_KEY"] == PLACEHOLDER_KEY
    assert secrets((upstream,), there) == {KEY}


def test_a_proxy_of_the_users_is_not_on_the_way() -> None:
    found = variables(URLS, live=False, inherited={"NO_PROXY": ".corp"})

    assert found["NO_PROXY"] == ".corp,127.0.0.1,localhost"
    assert found["OPENAI_BASE_URL"] == found["OPENAI_API_BASE"] == URLS["openai"]
