"""The dashboard: Datasette over one database, read-only, with pages of our own.

    build(path)     a Datasette application
    serve(path)     the same, listening

Rule: modules here know nothing of Datasette, but for `launcher` and `exchange_routes`,
and none is needed to import this one. What Datasette reads (plugin, templates, charts,
queries) is in `dashboards/`; its plugin only translates between the two.
"""

from replayproxy.dashboard.launcher import build, serve

__all__ = ["build", "serve"]
