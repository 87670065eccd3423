"""Templates whose scripts carry the response's nonce, also those that Datasette brings.

Datasette writes scripts into its pages. The nonce is put into the text of its
templates, before any value is: a script that a value brings has none, and the
browser does not run it.
"""

import re
from collections.abc import Callable
from typing import Any

from jinja2 import BaseLoader, Environment

from replayproxy.dashboard.formats import FILTERS
from replayproxy.dashboard.web_guard import nonce

_SCRIPT = re.compile(r"<script\b(?![^>]*\bnonce=)", re.IGNORECASE)
_HANDLERS = {' onclick="openColumnChooser()"': " data-opens-columns"}
"""Handlers cannot have a nonce: Datasette 1.0's, and what replayproxy.js makes of them."""


class NonceLoader(BaseLoader):
    """Another loader's templates, with a nonce at each script."""

    def __init__(self, inner: BaseLoader) -> None:
        self._inner = inner

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """The template's text."""
        text, path, up_to_date = self._inner.get_source(environment, template)
        return with_nonce(text), path, up_to_date

    def list_templates(self) -> list[str]:
        """The other loader's."""
        return self._inner.list_templates()


def with_nonce(template: str) -> str:
    """The template's text with a nonce at each script, and without inline handlers we know of.

    >>> with_nonce('<script src="a.js">')
    '<script nonce="{{ csp_nonce() }}" src="a.js">'
    """
    for handler, replacement in _HANDLERS.items():
        template = template.replace(handler, replacement)
    return _SCRIPT.sub('<script nonce="{{ csp_nonce() }}"', template)


def prepare(environment: Environment, **more: Any) -> None:
    """Make Datasette's environment ours: nonces, and the filters and globals that we use."""
    if environment.loader is not None:
        environment.loader = NonceLoader(environment.loader)
    environment.globals["csp_nonce"] = nonce
    environment.globals.update(more)
    environment.filters.update(FILTERS)
