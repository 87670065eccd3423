"""The built package works where nothing else is: `make wheel-test`, not part of `make test`.

It builds the source distribution, the wheel from that, and installs the wheel into two
clean environments: bare, and with every extra. That takes a minute or two.
"""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(900)

REPOSITORY = Path(__file__).parents[2]

EXTRAS_PACKAGES = (
    "mitmproxy",
    "datasette",
    "opentelemetry",
    "genai_prices",
    "openai",
    "vl_convert",
)

NEEDS_AN_EXTRA = (
    "replayproxy._shipped",
    "replayproxy.certificates",
    "replayproxy.cli.stats_picture",
    "replayproxy.dashboard.",
    "replayproxy.demo.client",
    "replayproxy.demo.verdict",
    "replayproxy.flows",
    "replayproxy.mending",
    "replayproxy.proxy",
    "replayproxy.routing",
    "replayproxy.telemetry.exporting",
    "replayproxy.telemetry.metrics",
    "replayproxy.telemetry.sdk",
    "replayproxy.pytest_plugin",
    "replayproxy.testing.plugin_state",
    "replayproxy.transfer.mitmproxy_flows",
)
"""How the names start of the only modules that may fail to import in the base install."""

IMPORT_ALL = f"""
import importlib, importlib.util, pkgutil, replayproxy

for package in {EXTRAS_PACKAGES}:
    assert importlib.util.find_spec(package) is None, package
for module in pkgutil.walk_packages(replayproxy.__path__, "replayproxy."):
    if not module.name.startswith({NEEDS_AN_EXTRA}) and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A clean virtual environment, and an empty folder to work in."""

    folder: Path
    work: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment without this session's settings."""
        inherited = {"PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE"}
        variables = {
            name: value
            for name, value in os.environ.items()
            if name in inherited or name.startswith("PIP_")
        }
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=self.work,
            env=variables | {"HOME": os.fspath(self.work)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @property
    def package(self) -> Path:
        """Where `replayproxy` is installed."""
        return next(self.folder.glob("lib/python*/site-packages/replayproxy"))


def environment_with(requirement: str, folder: Path) -> Environment:
    """A new environment in `folder` into which `requirement` is installed."""
    venv.create(folder / "venv", with_pip=True)
    (folder / "work").mkdir()
    subprocess.run(
        [folder / "venv/bin/python", "-m", "pip", "install", "-qq", requirement], check=True
    )
    return Environment(folder=folder / "venv", work=folder / "work")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, REPOSITORY], check=True)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The bare install."""
    return environment_with(os.fspath(wheel), tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The install with every extra."""
    return environment_with(f"{wheel}[all]", tmp_path_factory.mktemp("all"))


def test_the_wheel_holds_the_package_with_its_types_and_licence_and_nothing_else(
    wheel: Path,
) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"replayproxy"}
    assert "replayproxy/py.typed" in names
    assert "replayproxy/environment/node_proxy.cjs" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_neither_wheel_nor_source_distribution_holds_a_database_or_a_cache(
    built: Path, wheel: Path
) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = archive.getnames() + zipfile.ZipFile(wheel).namelist()

    private = [n for n in names if n.endswith((".db", ".pyc")) or "/.venv" in n]
    # the golden databases of the tests are ours
    assert [n for n in private if "/tests/data/schema_" not in n] == []


def test_the_command_says_its_version_and_its_help(base: Environment, wheel: Path) -> None:
    version = base.run("replayproxy", "--version")
    usage = base.run("replayproxy", "--help")

    assert (version.returncode, usage.returncode) == (0, 0)
    assert wheel.name.split("-")[1] in version.stdout
    assert "record" in usage.stdout


def test_every_module_of_the_base_imports_without_any_extra(base: Environment) -> None:
    imported = base.run("python", "-W", "error", "-c", IMPORT_ALL)

    assert imported.stderr == ""
    assert "replayproxy.cli" in imported.stdout.split()


@pytest.mark.parametrize(("command", "extra"), [("record", "proxy"), ("dashboard", "dashboard")])
def test_a_missing_extra_is_one_line_that_says_how_to_get_it(
    base: Environment, command: str, extra: str
) -> None:
    refused = base.run("replayproxy", command, "--listen", "127.0.0.1:0")

    assert refused.returncode == 2
    assert f"replayproxy[{extra}]" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


ASKS = """
import json, os, urllib.request
import pytest

@pytest.mark.replay
def test_it(replayproxy):
    body = json.dumps({"model": "m", "messages": []}).encode()
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    assert b"Hi" in urllib.request.urlopen(url, body).read()
    assert replayproxy.exchanges[0].text == "Hi"
"""

CASSETTE = """
replayproxy-cassette: 1
exchanges:
- request:
    method: POST
    url: https://api.openai.com/v1/chat/completions
    json: {model: m, messages: []}
  response:
    headers: |
      Content-Type: application/json
    json: {choices: [{index: 0, message: {role: assistant, content: Hi}}]}
"""


def test_the_base_install_and_pytest_are_all_that_a_replay_needs(base: Environment) -> None:
    installed = base.run("python", "-m", "pip", "install", "-qq", "pytest")
    (base.work / "test_asks.py").write_text(ASKS)
    cassettes = base.work / "cassettes" / "test_asks"
    cassettes.mkdir(parents=True)
    (cassettes / "test_it.yaml").write_text(CASSETTE)

    ran = base.run("python", "-m", "pytest", "-W", "error", "test_asks.py")

    assert installed.returncode == 0, installed.stderr
    assert "replayproxy: 1 replayed, 0 missed, 0 unplayed" in ran.stdout
    assert ran.returncode == 0


def test_addons_and_dashboards_are_shipped_as_files(full: Environment) -> None:
    for folder in ("addons", "dashboards"):
        source = REPOSITORY / folder
        expected = {
            path.relative_to(source)
            for path in source.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        shipped = full.package / "_shipped" / folder
        assert expected
        assert {path for path in expected if not (shipped / path).is_file()} == set()


@pytest.mark.parametrize("addon", sorted(path.name for path in REPOSITORY.glob("addons/*.py")))
def test_mitmdump_loads_the_shipped_addon(full: Environment, addon: str) -> None:
    script = full.package / "_shipped" / "addons" / addon
    no_flows = full.work / "no.flows"
    no_flows.touch()

    # Reads no flows at all, and ends.
    loaded = full.run("mitmdump", "--no-server", "-r", str(no_flows), "-s", str(script))

    assert loaded.returncode == 0, loaded.stderr + loaded.stdout
    assert "error" not in (loaded.stdout + loaded.stderr).lower()


def test_the_demo_of_the_full_install_succeeds(full: Environment) -> None:
    demo = full.run("replayproxy", "demo")

    assert demo.returncode == 0, demo.stderr + demo.stdout
