"""Where the files that are read as files are: `addons/` and `dashboards/`.

They lie beside the package in a checkout or an editable install, and inside it
(`_shipped/`) once it was installed from a wheel.
"""

from pathlib import Path

from replayproxy.errors import ReplayproxyError

_PACKAGE = Path(__file__).resolve().parent


def addons_path(name: str) -> Path:
    """The mitmproxy script of this name: `addons_path("recorder.py")`.

    Raises:
        ReplayproxyError: this installation has no such file.
    """
    return _find("addons", name)


def dashboards_path() -> Path:
    """The Datasette folder: plugins, templates, charts, queries.

    Raises:
        ReplayproxyError: this installation has no such folder.
    """
    return _find("dashboards", "")


def _find(folder: str, name: str) -> Path:
    places = (_PACKAGE / "_shipped" / folder / name, _PACKAGE.parent / folder / name)
    for place in places:
        if place.exists():
            return place
    raise ReplayproxyError(
        f"{folder}/{name} is missing from this installation (looked in "
        f"{' and '.join(str(place.parent if name else place) for place in places)}). "
        f"Install it again with: pipx install --force 'replayproxy[all]'"
    )
