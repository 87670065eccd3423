"""The chart that CONTRIBUTING.md adds is drawn."""

import asyncio
import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from replayproxy.dashboard import sql_functions
from replayproxy.dashboard.asked import Asked, Span
from replayproxy.dashboard.charts import Charts, read_specs
from replayproxy.dashboard.named_sql import read_queries
from replayproxy.shipped import dashboards_path
from replayproxy.store.connection import open_for_reading
from replayproxy.store.sql import as_dict
from tests.dashboards.sample import varied, write

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def test_the_example_of_a_chart_is_drawn_with_links_and_tooltips(tmp_path: Path) -> None:
    (sql,), (spec,) = (
        re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
        for language in ("sql", "json")
    )
    (tmp_path / "endings.sql").write_text(sql)
    (tmp_path / "7-endings.vl.json").write_text(spec)
    (chart,), query = read_specs(tmp_path), read_queries(tmp_path)["endings"]
    now = datetime.now(UTC)
    asked = Asked.read({"range": "24h"}, Span(now - timedelta(days=1), now), now)
    with closing(open_for_reading(write(tmp_path / "a.db", *varied())).conn) as connection:
        sql_functions.register(connection)
        cursor = connection.execute(query.sql, asked.parameters)
        rows = [as_dict(cursor, row) for row in cursor]

    charts = Charts(dashboards_path() / "charts" / "theme.json")
    words = {**asked.words, "exchanges_url": "/replayproxy/exchanges"}
    svg = asyncio.run(charts.render(chart, {"endings": rows}, words))
    charts.close()

    assert (chart.title, chart.datasets) == ("Cut short", ("endings",))
    assert query.title == "How exchanges ended"
    assert json.loads(spec)["description"] == chart.description
    assert 'aria-label="client_closed: 1"' in svg
    assert 'href="/replayproxy/exchanges?outcome__exact=client_closed&amp;started_at__gte=' in svg
