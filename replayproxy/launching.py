"""A user's command as our child: as if we were not there.

It has our standard input and output, and the terminal if we had it: a group of its own
in front, as a shell starts one. So Ctrl-C and Ctrl-Z reach it once and directly, and
what is sent to us is passed on to its whole group.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from replayproxy.errors import CommandError
from replayproxy.stopping import StopSignals

_IS_POSIX = os.name == "posix"


def check(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """See that there is such a program, before anything is begun.

    Raises:
        CommandError: it is not there (127), or not one that can be run (126).
    """
    name = command[0]
    if shutil.which(name, path=environment.get("PATH")):
        return
    if os.path.exists(name) and os.sep in name:  # noqa: PTH110 (a name is no path yet)
        raise CommandError(name=name, exists=True)
    raise CommandError(name=name, exists=False)


async def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    stop: StopSignals,
    *,
    stdout: int | None = None,
) -> int:
    """Run it to its end; its exit code as shells have it: 128 and the signal that ended it.

    A signal that we get goes to it and its children; a second one ends them at once.
    `stdout` is a file descriptor to write to instead of ours.

    Raises:
        CommandError: it could not be started.
    """
    if stop.number is not None:  # told to stop before there was anything to stop
        return 128 + stop.number
    child = _Child(command, environment, stdout)
    stop.listeners.append(child.send)
    ended = asyncio.ensure_future(asyncio.to_thread(child.wait))
    urged = asyncio.ensure_future(stop.urged.wait())
    await asyncio.wait({ended, urged}, return_when=asyncio.FIRST_COMPLETED)
    urged.cancel()
    stop.listeners.remove(child.send)
    if not ended.done():
        child.send(signal.SIGKILL if _IS_POSIX else signal.SIGTERM)
    return await ended


class _Child:
    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], stdout: int | None
    ) -> None:
        self._terminal = _Terminal()
        try:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdout=stdout,
                process_group=0 if _IS_POSIX else None,
            )
        except OSError as error:
            raise CommandError(
                name=command[0], exists=not isinstance(error, FileNotFoundError)
            ) from error
        self._terminal.give(self._process.pid)

    def send(self, number: int) -> None:
        """To it and all that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            if _IS_POSIX:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end, and stop along with it if it is stopped (Ctrl-Z)."""
        try:
            code = self._followed() if _IS_POSIX else self._process.wait()
        finally:
            self._terminal.take_back()
        return code if code >= 0 else 128 - code

    def _followed(self) -> int:
        pid = self._process.pid
        while True:
            _, status = os.waitpid(pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                self._process.returncode = os.waitstatus_to_exitcode(status)
                return self._process.returncode
            wants_terminal = os.WSTOPSIG(status) in {signal.SIGTTIN, signal.SIGTTOU}
            if not self._terminal.given and not wants_terminal:
                continue  # whoever stopped it will let it go on
            if not (self._terminal.given and wants_terminal):  # it has it by now
                self._terminal.take_back()
                os.kill(os.getpid(), signal.SIGSTOP)  # until the shell says `fg` or `bg`
                self._terminal.give(pid)
            self.send(signal.SIGCONT)


class _Terminal:
    """The terminal that we are in front of, if we are.

    Attributes:
        given: the child is in front of it now.
    """

    def __init__(self) -> None:
        self.given = False
        self._file: int | None = None
        if _IS_POSIX:
            with suppress(OSError):
                self._file = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)

    def give(self, group: int) -> None:
        """Let another group of processes be in front of it, if we are."""
        if self._file is not None:
            with suppress(OSError), _undisturbed():
                if os.tcgetpgrp(self._file) == os.getpgrp():
                    os.tcsetpgrp(self._file, group)
                    self.given = True

    def take_back(self) -> None:
        """Be in front of it again."""
        if self.given and self._file is not None:
            self.given = False
            with suppress(OSError), _undisturbed():
                os.tcsetpgrp(self._file, os.getpgrp())


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Whoever is not in front of the terminal is stopped when it touches it: not us, now."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
