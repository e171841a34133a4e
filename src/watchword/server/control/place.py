"""The socket's file: made for us alone, a dead server's replaced, a live server's left alone; and who calls."""

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from watchword.errors import ForbiddenError, InvalidConfigError

_MODE: Final = 0o600
_MAX_PATH: Final = 107
"""Bytes of `sun_path`, less its end."""
_CREDENTIALS: Final = struct.Struct("3i")
_BACKLOG: Final = 16
_PROBE_S: Final = 1.0

PeerCheck = Callable[[socket.socket], int]
"""The uid of the process at the other end; raises `ForbiddenError` when it may not call."""


def owner_or_root(connection: socket.socket) -> int:
    """The caller's uid, as the kernel knows it, if it is ours or root's."""
    return check_uid(peer_uid(connection), own=os.geteuid())


def peer_uid(connection: socket.socket) -> int:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return int(uid)


def check_uid(uid: int, *, own: int) -> int:
    if uid not in {own, 0}:
        raise ForbiddenError("only the user that runs the server, and root, may use its control socket")
    return uid


def listen(path: Path) -> tuple[socket.socket, int]:
    """A listening socket at `path`, of mode 0600 before anybody can connect, and its file's inode (for `remove`).

    Raises:
        InvalidConfigError: a live server listens there, or something else stands there, or it cannot be made.
    """
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _addressable(path) as address:
            listener.bind(address)
        path.chmod(_MODE)
        listener.listen(_BACKLOG)
        inode = path.lstat().st_ino
    except OSError as error:
        listener.close()
        raise InvalidConfigError(f"the control socket {path} cannot be made: {error.strerror}") from None
    listener.setblocking(False)
    return listener, inode


def connect(path: Path, *, timeout_s: float) -> socket.socket:
    """A connection to the server that listens at `path`. Raises `OSError`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with _addressable(path) as address:
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


def _clear(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidConfigError(f"the control socket {path} cannot be looked at: {error.strerror}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise InvalidConfigError(f"{path} stands where the control socket belongs: move it away")
    if _answers(path):
        raise InvalidConfigError(f"another server answers on the control socket {path}")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _answers(path: Path) -> bool:
    """Whether a process listens. One that is too busy to take us (EAGAIN, a time-out) is alive."""
    try:
        connect(path, timeout_s=_PROBE_S).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def _addressable(path: Path) -> Iterator[str]:
    """A spelling of `path` that fits into a socket's address, however deep the data directory lies."""
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
