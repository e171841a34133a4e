"""A person's terminal with a shell in it: commands are typed one after another, and what one sets the next one has.

Programs see a real terminal, so they ask, draw and end as they do in front of a reader.
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from tests.kits.shown import matches, on_screen

LIMIT_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 30.0
_PRESS_SECONDS: Final = 8.0
_PATIENCE_SECONDS: Final = 1.0  # then look whether the shell is still there
_CHUNK: Final = 65536
_ROWS, _COLUMNS = 50, 200
# Reads the name of a script, runs it in this same shell, and says how it ended: on the terminal, so that this comes
# behind all output, in an escape sequence that no screen shows. Ctrl-C is for what runs, not for the shell.
# The leader of a session gets the first terminal that it opens for its own.
_LOOP: Final = r"""
exec 0<>"$1" 1>&0 2>&0
trap : INT
while IFS= read -r script <&9; do
    . "$script" 9<&-
    printf '\033]ended %s\007' "$?"
done
"""
_ENDED: Final = re.compile(rb"\x1b\]ended (\d+)\x07")


class Screen:
    """A terminal with `bash` in `folder`. `answers` are what is typed at prompts, by the prompt's text."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], answers: Mapping[str, str] | None = None
    ) -> None:
        self.answers = dict(answers or {})
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        commands, self._commands = os.pipe()
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-c", f"exec 9<&{commands}{_LOOP}", "bash", os.ttyname(theirs)],
            cwd=folder,
            env={**environ, "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            pass_fds=[commands],
            start_new_session=True,
        )
        os.close(theirs)
        os.close(commands)
        self._raw = b""
        self._began = self._answered = 0
        self._code: int | None = None

    @property
    def shown(self) -> str:
        """Everything that stood here so far."""
        return on_screen(self._raw)

    @property
    def since(self) -> str:
        """What stood here since the last command was typed."""
        return on_screen(self._raw[self._began :])

    def run(self, script: Path, *, seconds: float = LIMIT_SECONDS) -> int:
        """Type the command that lies in `script`, and return the code that it ends with."""
        self.begin(script)
        until = time.monotonic() + seconds
        while self._code is None:
            self._more(until)
        return self._code

    def begin(self, script: Path) -> None:
        """Type a command and do not wait for its end."""
        self._began = self._answered = len(self._raw)
        self._code = None
        os.write(self._commands, f"{script}\n".encode())

    def wait_for(self, wanted: Sequence[str], *, seconds: float = LIMIT_SECONDS) -> None:
        """Wait until what runs shows these lines. Raises `AssertionError` if it ends before."""
        until = time.monotonic() + seconds
        while not matches(wanted, self.since, begins=True):
            assert self._code is None, f"it ended with {self._code}:\n{self.since}"
            self._more(until)

    def interrupt(self) -> int:
        """Press Ctrl-C, again if nothing ends, and return the code that the running command ends with."""
        until = time.monotonic() + _STOP_SECONDS
        pressed = 0.0
        while self._code is None:
            if time.monotonic() - pressed > _PRESS_SECONDS:
                os.write(self._terminal, b"\x03")
                pressed = time.monotonic()
            self._more(until)
        return self._code

    def drain(self) -> None:
        """Read what stands there already, so that a program that says much need not wait for a reader."""
        while self._read(0):
            pass

    def _more(self, until: float) -> None:
        """Wait for what comes next. Raises `AssertionError` when the time is over, or the shell."""
        left = until - time.monotonic()
        assert left > 0, f"it takes too long, or shows something else; so far:\n{self.since}"
        if not self._read(left) and self.process.poll() is not None:
            raise AssertionError(f"the shell itself ended:\n{self.since}")

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], min(seconds, _PATIENCE_SECONDS))
        data = b""
        if ready:
            with contextlib.suppress(OSError):  # the other side has closed: Linux says EIO
                data = os.read(self._terminal, _CHUNK)
        self._raw += data
        self._answer()
        ended = _ENDED.search(self._raw, self._began)
        self._code = int(ended[1]) if ended else None
        return bool(data)

    def _answer(self) -> None:
        """Type once for each prompt: an open line that ends in a space. The longest text that fits counts."""
        line = self._raw[self._answered :].rpartition(b"\n")[2]
        asked = [prompt for prompt in self.answers if prompt.encode() in line]
        if asked and line.endswith(b" "):
            self._answered = len(self._raw)
            os.write(self._terminal, f"{self.answers[max(asked, key=len)]}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what still runs, and whatever it left behind in this terminal's group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_STOP_SECONDS)
        os.close(self._terminal)
        os.close(self._commands)
