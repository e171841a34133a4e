"""The socket that requests come to: an address and port, or a file for a proxy on the same machine."""

import contextlib
import fcntl
import grp
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from watchword.errors import InvalidConfigError
from watchword.server import unix_socket

Address = tuple[str, int]
"""Host and port; for a Unix socket "unix:PATH" and 0."""
UNIX_SCHEME: Final = "unix:"
UNSENT: Final = 128 * 1024
"""Bytes of an answer that the kernel takes and has not sent. Left to itself it takes four megabytes: who does not read
would make it hold those, and we would take the answer as sent."""
_WHAT: Final = "socket"


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket that does not listen yet; port 0 picks one (see `getsockname`).

    `host` is an IP address or "localhost". Raises `InvalidConfigError` when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit these
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise InvalidConfigError(f"cannot listen on {host}:{port}: {reason}") from None
    bound.setblocking(False)
    return bound


@contextlib.contextmanager
def bind_unix(path: Path, *, mode: int, group: str | None) -> Iterator[socket.socket]:
    """A socket bound to `path`, closed to all but owner and `group`; it does not listen yet. Gone after the block.

    The file `PATH.lock` beside it is held meanwhile, so that of two servers one takes a dead one's place.
    Raises `InvalidConfigError` when another server has it, or it cannot be made.
    """
    with _locked(path):
        unix_socket.clear(path, _WHAT)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            inode = _make(bound, path, mode, group)
            try:
                yield bound
            finally:
                unix_socket.remove(path, inode)
        finally:
            bound.close()


def address_of(bound: socket.socket) -> Address:
    name = bound.getsockname()
    return (f"{UNIX_SCHEME}{name}", 0) if bound.family == socket.AF_UNIX else (name[0], name[1])


def show_address(address: Address) -> str:
    """As it stands in `listen`."""
    host, port = address
    if host.startswith(UNIX_SCHEME):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _make(bound: socket.socket, path: Path, mode: int, group: str | None) -> int:
    """The inode of the new file. Nobody can connect before `listen`, so its mode is in time."""
    try:
        bound.bind(str(path))
        if group is not None:
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
        path.chmod(mode)
        bound.setblocking(False)
        return path.lstat().st_ino
    except KeyError:
        path.unlink(missing_ok=True)
        raise InvalidConfigError(f"socket.group: there is no group “{group}”") from None
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise InvalidConfigError(f"the {_WHAT} {path} cannot be made: {error.strerror}") from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InvalidConfigError(f"the {_WHAT}'s lock {lock} cannot be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidConfigError(f"another server uses the {_WHAT} {path}") from None
        yield
    finally:
        os.close(handle)
