"""Every exception of the package, one tree.

    ReplayproxyError            what, where, what to do next; `exit_code` for the CLI
    |- UsageError               an option or argument makes no sense              (2)
    |  `- MissingExtraError     a feature needs an extra that is not installed    (2)
    |- CommandError             the user's command cannot be run              (126, 127)
    |- ListenError              the address cannot be listened on                 (1)
    |- ReplayMiss               a request has no recorded answer (left)           (1)
    |  `- NotRecorded           nothing was recorded that answers it              (1)
    |- UnknownExchangeError     no exchange has this id                           (1)
    |- UnansweredError          an upstream gave no whole answer                  (1)
    |- CassetteError            a cassette file cannot be used, or not written    (1)
    `- DatabaseError            the database cannot be used                       (3)

Fields come first, text second: `str(error)` is one line for a person.
"""

from pathlib import Path


class ReplayproxyError(Exception):
    """Base of all foreseeable faults. Never shown as a traceback."""

    exit_code = 1


class UsageError(ReplayproxyError):
    """The command line, an option or a configuration value makes no sense."""

    exit_code = 2


class MissingExtraError(UsageError):
    """A feature was asked for whose packages are not installed."""

    def __init__(self, *, feature: str, extra: str, module: str) -> None:
        self.feature = feature
        self.extra = extra
        self.module = module
        super().__init__(
            f"{feature} needs the {extra!r} extra ({module} is not installed). "
            f"Install it with: pipx install --force 'replayproxy[all]'  "
            f"(or: pip install 'replayproxy[{extra}]')"
        )


class CommandError(ReplayproxyError):
    """The command that was to be run is not there, or cannot be run. Exit codes are the shell's."""

    def __init__(self, *, name: str, exists: bool) -> None:
        self.name = name
        self.exit_code = 126 if exists else 127
        if exists:
            why = "cannot be run. Is it a program, and may you run it (chmod +x)?"
        elif name.startswith("-"):
            why = "was not found: the command comes last, our options before it"
        else:
            why = "was not found. Is it on PATH? One in this folder is ./" + name.lstrip("./")
        super().__init__(f"the command {name!r} {why}")


class ListenError(ReplayproxyError):
    """The listen address cannot be bound."""

    def __init__(self, *, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = reason
        super().__init__(
            f"cannot listen on {host}:{port}: {reason}. "
            f"Choose another address with --listen {host}:0 (0 picks a free port)."
        )


class ReplayMiss(ReplayproxyError):
    """A replayed request has no recorded answer. The message is what the client is told."""


class NotRecorded(ReplayMiss):
    """Nothing was recorded that answers it; `explaining` knows what was recorded instead."""


class UnknownExchangeError(ReplayproxyError):
    """No exchange of the database has the id that was asked for."""

    def __init__(self, *, exchange_id: int, path: Path) -> None:
        self.exchange_id = exchange_id
        self.path = path
        super().__init__(
            f"{path} has no exchange {exchange_id}. See what is there with: "
            f"replayproxy list --db {path}"
        )


class UnansweredError(ReplayproxyError):
    """A request of ours got no whole answer; the message says why."""


class CassetteError(ReplayproxyError):
    """A cassette file, or another file of recordings, cannot be used; it is left as it was."""

    def __init__(self, *, path: Path | None, reason: str, hint: str = "") -> None:
        self.path = path
        self.reason = reason
        self.hint = hint
        where = path or "this cassette"
        super().__init__(f"cannot use {where}: {reason}. {hint}".rstrip())


class DatabaseError(ReplayproxyError):
    """The database file cannot be used; it is left as it was."""

    exit_code = 3

    def __init__(self, *, path: Path, reason: str, hint: str) -> None:
        self.path = path
        self.reason = reason
        self.hint = hint
        super().__init__(f"cannot use the database {path}: {reason}. {hint}")
