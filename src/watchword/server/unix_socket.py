"""The file of a Unix socket: a dead server's is replaced, a live one's left alone, and ours taken away at the end."""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from watchword.errors import InvalidConfigError

MAX_PATH: Final = 107
"""Bytes of `sun_path`, less its end."""
_PROBE_S: Final = 1.0


def clear(path: Path, what: str) -> None:
    """Make `path` free for a socket. `what` it is, for the error: "control socket".

    Raises:
        InvalidConfigError: a live server listens there, or something else stands there.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidConfigError(f"the {what} {path} cannot be looked at: {error.strerror}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise InvalidConfigError(f"{path} stands where the {what} belongs: move it away")
    if _answers(path):
        raise InvalidConfigError(f"another server answers on the {what} {path}")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def connect(path: Path, *, timeout_s: float) -> socket.socket:
    """A connection to the server that listens at `path`. Raises `OSError`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with addressable(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def remove(path: Path, inode: int) -> None:
    """Take the socket away, unless another one stands there by now."""
    with contextlib.suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


@contextlib.contextmanager
def addressable(path: Path) -> Iterator[str]:
    """A spelling of `path` that fits into a socket's address, however deep its directory lies."""
    if len(os.fsencode(path)) <= MAX_PATH:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _answers(path: Path) -> bool:
    """Whether a process listens. One that is too busy to take us (EAGAIN, a time-out) is alive."""
    try:
        connect(path, timeout_s=_PROBE_S).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:
        return True
    return True
