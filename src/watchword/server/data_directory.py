"""The directory that holds all that a server keeps: made closed to others, and refused when it is not ours alone.

Its lock is the database layer's (`DATA/lock`).
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from watchword.errors import InvalidConfigError

_MODE: Final = 0o700
_OTHERS: Final = 0o077
RESTORING: Final = ".restoring"
"""A restore at work, or one that was cut off."""


def prepare_data_directory(path: Path) -> None:
    """Make `path` (and its parents) when missing, with mode 0700; then check it.

    Raises:
        InvalidConfigError: it cannot be made, is no directory, belongs to another user, or others may enter it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=_MODE, exist_ok=True)
    except FileExistsError:
        raise InvalidConfigError(f"the data directory {path} is not a directory") from None
    except OSError as error:
        raise InvalidConfigError(f"the data directory {path} cannot be made: {error.strerror}") from None
    check_data_directory(path)


def check_data_directory(path: Path) -> None:
    """Raise `InvalidConfigError` unless `path` is a directory that is ours and closed to others."""
    try:
        found = path.stat()
    except OSError as error:
        raise InvalidConfigError(f"the data directory {path} cannot be used: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise InvalidConfigError(f"the data directory {path} is not a directory")
    if found.st_uid != os.geteuid():
        raise InvalidConfigError(
            f"the data directory {path} belongs to another user (uid {found.st_uid}): run as that user"
        )
    if found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise InvalidConfigError(
            f"the data directory {path} has mode {mode:04o}, so others may enter it: run “chmod 700 {path}”"
        )


def write_file(path: Path, content: bytes) -> None:
    """Put a small file there that others may read; whole or not at all, and left alone if it says this already.

    Raises:
        InvalidConfigError: it cannot be written; the text names it.
    """
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:  # compare: public, as in all such files
            return
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise InvalidConfigError(f"{path} cannot be written: {error.strerror}") from None


def remove_file(path: Path) -> None:
    """Take a file away if it is there. Raises `InvalidConfigError` when that cannot be done."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidConfigError(f"{path} cannot be removed: {error.strerror}") from None


def sync_directory(path: Path) -> None:
    """The names in it are on disk on return."""
    _sync(path, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """What was written to it, by whomever, is on disk on return."""
    _sync(path)


def _sync(path: Path, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
