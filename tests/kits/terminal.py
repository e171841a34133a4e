"""A person at a terminal: a program on a pseudo-terminal that is read and typed into."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Self

_LIMIT_SECONDS = 120.0
_PRESSES = 3
_PRESS_SECONDS = 8.0
_CHUNK = 65536


class Terminal:
    """One program with a terminal of its own as its controlling one, so that Ctrl-C reaches it."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        ours, theirs = pty.openpty()
        self._fd = ours
        self._shown = b""
        self._read = 0
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            env={**environ, "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    @property
    def shown(self) -> str:
        """Everything that stood on the screen so far."""
        return self._shown.decode(errors="replace").replace("\r\n", "\n")

    def expect(self, text: str) -> str:
        """Wait until `text` is shown after what was expected before; returns everything up to it."""
        wanted = text.encode()
        ends = time.monotonic() + _LIMIT_SECONDS
        while (place := self._shown.find(wanted, self._read)) < 0:
            if not self._more(ends - time.monotonic()):
                raise AssertionError(f"expected {text!r}, and saw {self.shown!r}")
        before = self._shown[self._read : place]
        self._read = place + len(wanted)
        return before.decode(errors="replace")

    def send(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def answer(self, prompt: str, line: str) -> None:
        self.expect(prompt)
        self.send(f"{line}\n")

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code.

        A key may be lost while a program that asks changes the terminal's mode; then a person presses it again.
        """
        for _ in range(_PRESSES):
            self.send("\x03")
            if (code := self._ended(_PRESS_SECONDS)) is not None:
                return code
        raise AssertionError(f"Ctrl-C did not end it: {self.shown!r}")

    def _ended(self, seconds: float) -> int | None:
        ends = time.monotonic() + seconds
        while self._more(ends - time.monotonic()):
            pass
        try:
            return self.process.wait(max(0.1, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        ends = time.monotonic() + _LIMIT_SECONDS
        while self._more(ends - time.monotonic()):
            pass
        return self.process.wait(max(1.0, ends - time.monotonic()))

    def _more(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self._fd, _CHUNK)
        except OSError:  # the other side has closed: Linux says EIO
            return False
        self._shown += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._fd)
