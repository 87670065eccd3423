"""Vega-Lite specs to SVG, on the server: no script in the browser, nothing from a CDN.

A spec names its data, `{"data": {"name": "cost_over_time"}}`: the named query
that gives its rows. A string that is a whole `$word` stands for a value the page
knows (`"$time_unit"`, `"$exchanges_url"`). `charts/theme.json` is the look of all.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from replayproxy.dashboard.formats import visible

type Rows = Sequence[Mapping[str, Any]]

MAX_TEXT = 200
MAX_CACHED = 200
_SVG = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset(
    f"{_SVG}{name}"
    for name in "svg g path rect line text tspan a defs clipPath linearGradient stop circle".split()
)
_LINKS = ("href", "{http://www.w3.org/1999/xlink}href")
_HERE = "http://replayproxy.invalid"
"""Links are absolute while Vega has them: it would resolve them against its own site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSpec:
    """One chart, as its file describes it.

    Attributes:
        title: what its card is headed.
        note: a few words beside the title.
        datasets: the names of the data it draws.
    """

    name: str
    title: str
    note: str
    description: str
    datasets: tuple[str, ...]
    spec: Mapping[str, Any]


def read_specs(folder: Path) -> list[ChartSpec]:
    """The charts of a folder, in the order of their file names."""
    return [_read_spec(path) for path in sorted(folder.glob("*.vl.json"))]


def _read_spec(path: Path) -> ChartSpec:
    spec = json.loads(path.read_text(encoding="utf-8"))
    title = spec.pop("title", {})
    return ChartSpec(
        name=path.name.removesuffix(".vl.json"),
        title=title.get("text", ""),
        note=title.get("subtitle", ""),
        description=spec.get("description", ""),
        datasets=tuple(dict.fromkeys(_dataset_names(spec))),
        spec=spec,
    )


def _dataset_names(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        data = node.get("data")
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            yield data["name"]
        for child in node.values():
            yield from _dataset_names(child)
    elif isinstance(node, list):
        for child in node:
            yield from _dataset_names(child)


class Charts:
    """Renders, and remembers what it rendered."""

    def __init__(self, theme: Path) -> None:
        self._theme = json.loads(theme.read_text(encoding="utf-8"))
        self._known: OrderedDict[str, Markup] = OrderedDict()
        # One thread: vl-convert has one JavaScript engine for each that calls it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replayproxy-charts")

    async def render(
        self, chart: ChartSpec, data: Mapping[str, Rows], words: Mapping[str, Any]
    ) -> Markup:
        """The chart as an SVG element that is safe to stand in a page."""
        spec = _filled_in(chart.spec, words)
        rows = {name: data[name] for name in chart.datasets}
        key = hashlib.sha256(json.dumps([spec, rows]).encode()).hexdigest()
        if key not in self._known:
            text = json.dumps({**spec, "datasets": _tamed(rows), "config": self._theme})
            loop = asyncio.get_running_loop()
            self._known[key] = await loop.run_in_executor(self._thread, _to_svg, text)
        self._known.move_to_end(key)
        while len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)
        return self._known[key]

    def warm_up(self) -> None:
        """Start the engine, which takes a second, before somebody waits for it."""
        self._thread.submit(_to_svg, json.dumps({"mark": "bar", "data": {"values": []}}))

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _filled_in(node: Any, words: Mapping[str, Any]) -> Any:
    if isinstance(node, Mapping):
        return {key: _filled_in(child, words) for key, child in node.items()}
    if isinstance(node, list):
        return [_filled_in(child, words) for child in node]
    if isinstance(node, str) and node.startswith("$") and node[1:] in words:
        word = _tamed(words[node[1:]])
        return f"{_HERE}{word}" if node.endswith("_url") else word
    return node


def _tamed(node: Any) -> Any:
    """Without the characters that make vl-convert abort the whole process, and not too long."""
    if isinstance(node, str):
        return visible(node[:MAX_TEXT])
    if isinstance(node, Mapping):
        return {key: _tamed(child) for key, child in node.items()}
    return [_tamed(child) for child in node] if isinstance(node, list | tuple) else node


def _to_svg(spec: str) -> Markup:
    import vl_convert

    return checked(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))


def checked(svg: str) -> Markup:
    """The SVG as markup, if there is nothing in it but shapes, text and links into this site.

    Names that models were given end up in charts. vl-convert escapes them; here
    is where we would find out if it ever did not.

    Raises:
        ValueError: there is something else in it.
    """
    # What is parsed was made by vl-convert, without a DTD, from data without control characters.
    root = ElementTree.fromstring(svg)  # noqa: S314
    for element in root.iter():
        if element.tag not in _ELEMENTS:
            raise ValueError(f"a chart must not contain {element.tag}")
        for name, value in element.attrib.items():
            if name.lower().startswith("on"):
                raise ValueError(f"a chart must not have the attribute {name}")
            if name in _LINKS and not value.startswith(f"{_HERE}/"):
                raise ValueError(f"a chart must not link to {value!r}")
    return Markup(svg.replace(f'href="{_HERE}/', 'href="/'))  # noqa: S704 - checked above
