"""The socket's file: made for us alone, a dead server's replaced, a live server's left alone; and who calls."""

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchword.errors import ForbiddenError, InvalidConfigError
from watchword.server.unix_socket import addressable, clear, connect, remove

__all__ = ["PeerCheck", "check_uid", "connect", "listen", "owner_or_root", "peer_uid", "refusing", "remove"]

_MODE: Final = 0o600
_CREDENTIALS: Final = struct.Struct("3i")
_BACKLOG: Final = 16

PeerCheck = Callable[[socket.socket], int]
"""The uid of the process at the other end; raises `ForbiddenError` when it may not call."""


def owner_or_root(connection: socket.socket) -> int:
    """The caller's uid, as the kernel knows it, if it is ours or root's."""
    return check_uid(peer_uid(connection), own=os.geteuid())


def refusing(is_front: Callable[[int], bool]) -> PeerCheck:
    """`owner_or_root`, and no process that `is_front` knows by its pid.

    That is a tripwire and no wall: who runs code in a front has our uid, and may let a child of the front call.
    """

    def check(connection: socket.socket) -> int:
        if is_front(_credentials(connection)[0]):
            raise ForbiddenError("a front has no business with the control socket")
        return owner_or_root(connection)

    return check


def peer_uid(connection: socket.socket) -> int:
    return _credentials(connection)[1]


def _credentials(connection: socket.socket) -> tuple[int, int]:
    """The pid and the uid of who connected."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return int(pid), int(uid)


def check_uid(uid: int, *, own: int) -> int:
    if uid not in {own, 0}:
        raise ForbiddenError("only the user that runs the server, and root, may use its control socket")
    return uid


def listen(path: Path) -> tuple[socket.socket, int]:
    """A listening socket at `path`, of mode 0600 before anybody can connect, and its file's inode (for `remove`).

    Raises:
        InvalidConfigError: a live server listens there, or something else stands there, or it cannot be made.
    """
    clear(path, "control socket")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with addressable(path) as address:
            listener.bind(address)
        path.chmod(_MODE)
        listener.listen(_BACKLOG)
        inode = path.lstat().st_ino
    except OSError as error:
        listener.close()
        raise InvalidConfigError(f"the control socket {path} cannot be made: {error.strerror}") from None
    listener.setblocking(False)
    return listener, inode
