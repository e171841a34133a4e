"""Where a restore grows: a hidden directory inside the data directory, which nobody serves while it is there.

Inside, and not beside: the parent often belongs to another user, and a data directory may be a mount point.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from watchword.errors import ConflictError, InvalidConfigError
from watchword.server.data_directory import RESTORING, prepare_data_directory, sync_directory

ALLOWED: Final = frozenset({"watchword.toml", "root.key", "lock", "lost+found"})
"""What may stand in an empty data directory: settings and the root key, put there beforehand."""
_MODE: Final = 0o700


@contextlib.contextmanager
def staged(data: Path) -> Iterator[Path]:
    """An empty directory in `data`, gone at the end; `data` too, when it was made here and nothing came into it.

    Raises:
        ConflictError: `data` holds something already.
        InvalidConfigError: `data` cannot be used.
    """
    existed = data.exists()
    prepare_data_directory(data)
    check_empty(data)
    stage = data / RESTORING
    try:
        try:
            stage.mkdir(mode=_MODE)
        except OSError as error:
            raise InvalidConfigError(f"{stage} cannot be made: {error.strerror}") from None
        yield stage
        if not existed:
            sync_directory(data.parent)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if not existed:
            with contextlib.suppress(OSError):
                if _only_lock(data):
                    (data / "lock").unlink(missing_ok=True)
                data.rmdir()
        else:
            sync_directory(data)


def check_empty(data: Path) -> None:
    """Raise `ConflictError` unless nothing in `data` could be overwritten."""
    found = sorted(each.name for each in data.iterdir() if each.name not in ALLOWED)
    if RESTORING in found:
        raise ConflictError(f"a restore into {data} was cut off: remove what is in it, and restore again")
    if found:
        raise ConflictError(f"{data} holds data already ({found[0]}): restore into a new directory")


def put_file(stage: Path, place: Path, content: bytes) -> None:
    """Write a file in the stage, synced and closed to others, then move it to its place on the same disk."""
    written = (stage if place.is_relative_to(stage.parent) else place.parent) / f".{place.name}.new"
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    place.parent.mkdir(mode=_MODE, exist_ok=True)
    written.rename(place)
    sync_directory(place.parent)


def _only_lock(data: Path) -> bool:
    return [each.name for each in data.iterdir()] == ["lock"]
