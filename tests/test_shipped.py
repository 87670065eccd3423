from pathlib import Path

import pytest

from replayproxy import shipped
from replayproxy.errors import ReplayproxyError


def test_addons_and_dashboards_are_found() -> None:
    assert shipped.addons_path("recorder.py").is_file()
    assert (shipped.dashboards_path() / "metadata.yaml").is_file()


def test_what_is_missing_is_named_with_the_way_out() -> None:
    with pytest.raises(ReplayproxyError, match=r"addons/nothing\.py is missing .*Install it again"):
        shipped.addons_path("nothing.py")


def test_the_wheels_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, beside = tmp_path / "replayproxy/_shipped/addons", tmp_path / "addons"
    for folder in (inside, beside):
        folder.mkdir(parents=True)
        (folder / "a.py").touch()
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "replayproxy")

    assert shipped.addons_path("a.py") == inside / "a.py"
    (inside / "a.py").unlink()
    assert shipped.addons_path("a.py") == beside / "a.py"
