"""One process at a time on one data directory: a lock that the kernel drops with its holder, and a nonce in it."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Final, Self

from watchword.core.encoding import encode_b64u
from watchword.core.entropy import Entropy
from watchword.errors import InvalidConfigError

_NONCE_SIZE: Final = 16
_MAX_SIZE: Final = 128
_NO_LOCKS: Final = "The file system of the data directory does not lock files: use a local one."


class DataLock:
    """Held from `take` to `release`, or to the end of the process."""

    def __init__(self, path: Path, descriptor: int, content: bytes) -> None:
        self._path = path
        self._descriptor = descriptor
        self._content = content

    @classmethod
    def take(cls, path: Path, entropy: Entropy) -> Self:
        """Take the lock file `path`, made when missing.

        Raises:
            InvalidConfigError: another process holds it, or the file system does not lock, or is full.
        """
        descriptor = _open(path)
        try:
            _lock(descriptor)
            _check_that_locks_exclude(path)
            content = f"{os.getpid()} {encode_b64u(entropy.bytes(_NONCE_SIZE))}\n".encode()
            _write(path, descriptor, content)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, content)

    def is_ours(self) -> bool:
        """Whether the file at the path is still the one that we hold (somebody may have removed or replaced it)."""
        try:
            return self._path.read_bytes() == self._content
        except OSError as error:
            return error.errno in (errno.EMFILE, errno.ENFILE)  # too many files open: we cannot look now

    def release(self) -> None:
        """Let go; the file stays (removing it would let two processes lock two files)."""
        os.close(self._descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidConfigError(f"The lock file {path} cannot be opened: {error.strerror}.") from None


def _write(path: Path, descriptor: int, content: bytes) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)
    except OSError as error:
        raise InvalidConfigError(f"The lock file {path} cannot be written: {error.strerror}.") from None


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, _MAX_SIZE, 0).partition(b" ")[0].decode(errors="replace")
        name = f"process {holder}" if holder.isdigit() else "another process"
        raise InvalidConfigError(f"The data directory is in use by {name}.") from None
    except OSError:
        raise InvalidConfigError(_NO_LOCKS) from None


def _check_that_locks_exclude(path: Path) -> None:
    """Some network file systems grant every lock: try to take ours a second time."""
    second = _open(path)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except OSError:
        raise InvalidConfigError(_NO_LOCKS) from None
    finally:
        os.close(second)
    raise InvalidConfigError(_NO_LOCKS)
