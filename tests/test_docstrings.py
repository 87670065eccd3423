"""The examples in the package's docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import replayproxy

MODULES = [
    module.name
    for module in pkgutil.walk_packages(replayproxy.__path__, "replayproxy.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_give_what_they_say(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0
