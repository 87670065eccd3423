"""Variables as shells and files spell them."""

import json
import shlex
from collections.abc import Callable, Mapping


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _powershell(name: str, value: str) -> str:
    quoted = value.replace("'", "''")
    return f"$env:{name} = '{quoted}'"


def _dotenv(name: str, value: str) -> str:
    if all(c.isalnum() or c in "-_./:,@%+=" for c in value):
        return f"{name}={value}"
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'{name}="{quoted}"'


_LINES: dict[str, Callable[[str, str], str]] = {
    "sh": _sh,
    "fish": _fish,
    "powershell": _powershell,
    "dotenv": _dotenv,
}
FORMATS = (*_LINES, "json")


def spelled(variables: Mapping[str, str], form: str) -> str:
    r"""All of them, a line each; or one JSON object.

    >>> spelled({"A": "it's", "B": ""}, "sh")
    'export A=\'it\'"\'"\'s\'\nexport B=\'\''
    >>> spelled({"A": "it's"}, "fish"), spelled({"A": "it's"}, "powershell")
    ("set -gx A 'it\\'s'", "$env:A = 'it''s'")
    >>> spelled({"A": "a b", "B": "http://127.0.0.1:1"}, "dotenv")
    'A="a b"\nB=http://127.0.0.1:1'
    """
    if form == "json":
        return json.dumps(dict(variables), indent=2)
    return "\n".join(_LINES[form](name, value) for name, value in variables.items())
