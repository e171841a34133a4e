"""New files, whole or not at all: written under another name, synced, then put in place where nothing stands."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from watchword.errors import ConflictError, InvalidConfigError, UnavailableError
from watchword.server.data_directory import sync_directory

SYNC_EVERY: Final = 4 << 20
"""Bytes between syncs: one sync at the end of a large file would make the server's own wait behind it."""
_MODE: Final = 0o600
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class SyncedFile:
    """A file that is on its way to the disk while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._unsynced = 0
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        self._file.flush()
        os.fdatasync(self._file.fileno())
        self._unsynced = 0


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[SyncedFile]:
    """Write to a new file of mode 0600 that stands at `path` once the block ends well, and is gone otherwise.

    Raises:
        ConflictError: something stands there.
        UnavailableError: it cannot be written.
    """
    if os.path.lexists(path):
        raise ConflictError(f"{path} is there already: name a new file")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with _told(path):
        descriptor = os.open(partial, _FLAGS, _MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            synced = SyncedFile(file)
            with _told(path):
                yield synced
                synced.sync()
        with _told(path):
            _put(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_new(path: Path, content: bytes) -> None:
    """`new_file` with all of its content."""
    with new_file(path) as file:
        file.write(content)


def _put(partial: Path, path: Path) -> None:
    """A link takes the place of nobody: whoever made the file meanwhile keeps it."""
    try:
        os.link(partial, path, follow_symlinks=False)
    except FileExistsError:
        raise ConflictError(f"{path} is there already: name a new file") from None
    except PermissionError:  # a file system without links
        if os.path.lexists(path):
            raise ConflictError(f"{path} is there already: name a new file") from None
        partial.replace(path)
    sync_directory(path.parent)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def open_to_read(path: Path) -> Iterator[BinaryIO]:
    """Raises `InvalidConfigError` when there is no such file, or it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidConfigError(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file
        except OSError as error:
            raise UnavailableError(f"{path} cannot be read: {error.strerror}") from None
