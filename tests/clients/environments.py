"""Where the clients live: environments below build/clients, made once."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
_FOLDER = ROOT / "build" / "clients"
_INSTALL_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Packages of PyPI or npm that get along.

    Attributes:
        packages: none: this very interpreter has them.
    """

    name: str
    packages: tuple[str, ...] = ()
    npm: bool = False

    @property
    def folder(self) -> Path:
        return _FOLDER / self.name

    def install(self) -> None:
        """Make it, if it is not there as it should be.

        Raises:
            subprocess.CalledProcessError: it cannot be made; its stderr says why.
        """
        done = self.folder / "installed"
        asked = "\n".join(self.packages)
        if not self.packages or (done.exists() and done.read_text() == asked):
            return
        print(f"installing {', '.join(self.packages)}", file=sys.stderr)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.npm:
            command = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
            command += ["--prefix", str(self.folder), *self.packages]
        else:
            venv.create(self.folder, with_pip=True, clear=True)
            command = [str(self.folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            command += ["--disable-pip-version-check", *self.packages]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S)
        done.write_text(asked)

    def command(self, program: str) -> list[str]:
        """How a program of ours is run in it."""
        if self.npm:
            # modules are looked for from where the program is
            for source in PROGRAMS.glob("*.mjs"):
                (self.folder / source.name).write_bytes(source.read_bytes())
            return ["node", str(self.folder / program)]
        python = str(self.folder / "bin" / "python") if self.packages else sys.executable
        return [python, str(PROGRAMS / program)]


HERE = Environment(name="here")
PYTHON = Environment(
    name="python",
    packages=(
        "aigateway-py", "aiohttp", "anthropic", "httpx", "langchain-openai", "llm", "openai",
        "pydantic-ai-slim[openai]", "requests",
    ),
)  # fmt: skip
LITELLM = Environment(name="litellm", packages=("litellm",))
# undici 6 is for Node 18, which is what Debian has
NODE_OPENAI = Environment(name="node-openai", packages=("openai", "undici@6"), npm=True)
NODE = Environment(
    name="node",
    packages=("@ai-sdk/openai-compatible", "@anthropic-ai/sdk", "ai", "openai", "undici"),
    npm=True,
)
