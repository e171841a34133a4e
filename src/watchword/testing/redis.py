"""A real Redis for tests, as a pytest fixture: import `redis_server`, or name this module as a plugin."""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from watchword.testing import components

_START_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.005


@dataclass(slots=True)
class RedisServer:
    """One redis-server with a socket in a directory of its own; it keeps nothing on disk."""

    program: Path
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="wwredis")))
    options: list[str] = field(default_factory=list)
    """Further ones for the command line, such as `--maxmemory`, `10mb`."""
    config: Path | None = None
    """A `redis.conf` to start from."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> Path:
        return self.directory / "s"

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def start(self) -> None:
        """Start, and wait until it answers. One that was stopped starts empty, on the same socket."""
        command = [
            str(self.program), *([str(self.config)] if self.config else []),
            "--port", "0", "--unixsocket", str(self.path), "--save", "", "--appendonly", "no",
            "--dir", str(self.directory), *self.options,
        ]  # fmt: skip
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  # our own arguments
        for _ in range(int(_START_SECONDS / _POLL_SECONDS)):
            with contextlib.suppress(OSError):
                self.command("PING")
                return
            time.sleep(_POLL_SECONDS)
        raise RuntimeError("Redis did not start: " + (self.directory / "log").read_text()[-2000:])

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it; everything in it is forgotten."""
        if self.process is not None:
            self.resume()
            self.process.send_signal(how)
            self.process.wait(_START_SECONDS)
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """It stays, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """Forget everything, in the same run."""
        self.command("FLUSHALL")

    def command(self, *arguments: str) -> bytes:
        """The first bytes of the answer to a command, as they come."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_START_SECONDS)
            connection.connect(str(self.path))
            connection.sendall(_packed(arguments))
            return connection.recv(65_536)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def _signal(self, which: signal.Signals) -> None:
        if self.process is None:
            raise RuntimeError("Redis does not run")
        self.process.send_signal(which)


def _packed(arguments: tuple[str, ...]) -> bytes:
    texts = (f"${len(text.encode())}\r\n{text}\r\n" for text in arguments)
    return f"*{len(arguments)}\r\n{''.join(texts)}".encode()


def create() -> RedisServer:
    """One that is not started; skips or fails the test that asks where no redis-server is installed."""
    return RedisServer(components.require("redis-server"))


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A running Redis of this test alone."""
    server = create()
    try:
        server.start()
        yield server
    finally:
        server.remove()
