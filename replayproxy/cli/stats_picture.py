"""The statistics as a picture: cost, tokens and latency of each group, side by side."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import vl_convert

from replayproxy.cli.text import count, dollars, plural
from replayproxy.dashboard.formats import visible
from replayproxy.shipped import dashboards_path
from replayproxy.store.statistics import Statistics

_MAX_GROUPS = 30
_MAX_NAME = 80
_SCALE = 2.0
_COLOUR = "#4269d0"


def draw(found: Statistics, *, by: str, as_png: bool) -> bytes:
    """PNG or SVG bytes; the last groups are left out if there are more than fit."""
    spec = json.dumps(_spec(found, by))
    if as_png:
        return bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE, allowed_base_urls=[]))
    return vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]).encode()


def _spec(found: Statistics, by: str) -> dict[str, Any]:
    theme = json.loads((dashboards_path() / "charts" / "theme.json").read_text(encoding="utf-8"))
    # days: the latest; else the dearest
    groups = found.groups[-_MAX_GROUPS:] if by == "day" else found.groups[:_MAX_GROUPS]
    # control characters in a name would make vl-convert abort the process
    values = [
        {**asdict(group), "name": visible(group.name or f"no {by}")[:_MAX_NAME]} for group in groups
    ]
    names = [value["name"] for value in values]
    y = {"field": "name", "type": "nominal", "axis": None, "scale": {"domain": names}}
    named = {**y, "axis": {"title": None, "grid": False, "labelLimit": 320}}
    panels = [
        _bars(named, "cost, USD", "cost_usd", "$.3~r"),
        _bars(y, "output tokens", "output_tokens", ".3~s"),
        _percentiles(y, "TTFT, s: p50 to p99, | p95", "ttft"),
        _percentiles(y, "duration, s: likewise", "duration"),
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {
            "text": _title(found, by),
            "subtitle": _subtitle(found),
            "anchor": "start",
            "fontSize": 15,
            "fontWeight": "bold",
            "offset": 14,
        },
        "data": {"values": values},
        "hconcat": panels,
        "spacing": 24,
        "padding": 16,
        "config": {
            **theme,
            "background": "white",
            "title": {"fontSize": 11, "fontWeight": "normal", "color": "#475569"},
        },
    }


def _title(found: Statistics, by: str) -> str:
    total = found.total
    return f"{plural(total.exchanges, 'exchange')}, {dollars(total.cost_usd)}, by {by}"


def _subtitle(found: Statistics) -> str:
    total = found.total
    facts = [
        f"{count(total.input_tokens)} tokens in, {count(total.output_tokens)} out",
        plural(total.errors, "error"),
    ]
    if total.exchanges_without_cost:
        facts.append(f"{count(total.exchanges_without_cost)} without a cost")
    if total.replays:
        avoided = dollars(total.avoided_cost_usd)
        facts.append(f"{plural(total.replays, 'replay')} avoided {avoided}")
    return ", ".join(facts)


def _bars(y: Mapping[str, Any], title: str, field: str, number_format: str) -> dict[str, Any]:
    return {
        "title": title,
        "width": 170,
        "height": {"step": 22},
        "mark": {"type": "bar", "color": _COLOUR},
        "encoding": {
            "y": y,
            "x": {
                "field": field,
                "type": "quantitative",
                "axis": {"format": number_format, "tickCount": 3, "grid": True},
            },
        },
    }


def _percentiles(y: Mapping[str, Any], title: str, measure: str) -> dict[str, Any]:
    """From the median to the 99th percentile, with a mark at the 95th."""
    transform = [
        {"calculate": f"datum.{measure}_p{percent}_ms / 1000", "as": f"p{percent}"}
        for percent in (50, 95, 99)
    ]

    def layer(mark: Mapping[str, Any], field: str, **more: Any) -> dict[str, Any]:
        x = {"field": field, "type": "quantitative", "axis": {"tickCount": 3, "grid": True}}
        return {"mark": {**mark, "color": _COLOUR}, "encoding": {"y": y, "x": x, **more}}

    return {
        "title": title,
        "width": 170,
        "height": {"step": 22},
        "transform": [{"filter": f"datum.{measure}_p50_ms !== null"}, *transform],
        "layer": [
            layer({"type": "rule", "strokeWidth": 2}, "p50", x2={"field": "p99"}),
            layer({"type": "tick", "thickness": 2, "size": 10}, "p95"),
            layer({"type": "point", "filled": True, "size": 60}, "p50"),
        ],
    }
