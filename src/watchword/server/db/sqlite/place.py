"""What must be true of the database's files before they are opened: ours alone, and really ours."""

import os
import stat
from pathlib import Path
from typing import Final

from watchword.errors import InvalidConfigError
from watchword.server.data_directory import sync_directory

SUFFIXES: Final = ("-wal", "-shm", "-journal", "-mark")
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022


def check_directory(directory: Path) -> None:
    """Raise `InvalidConfigError` unless we alone can write here."""
    try:
        found = directory.stat()
    except OSError as error:
        raise InvalidConfigError(
            f"The data directory {directory} cannot be used: {error.strerror}."
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise InvalidConfigError(f"{directory} is not a directory.")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise InvalidConfigError(f"The data directory {directory} cannot be written.")
    if found.st_mode & _OTHERS_WRITE:
        raise InvalidConfigError(
            f"Others can write in the data directory {directory}: run “chmod 700” on it."
        )


def check_file(path: Path) -> None:
    """Raise `InvalidConfigError` unless `path` is missing, or a plain file that is ours and closed to others."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidConfigError(f"The database file {path} cannot be used: {error.strerror}.") from None
    if stat.S_ISLNK(found.st_mode):
        raise InvalidConfigError(f"The database file {path} is a symbolic link: name the file itself.")
    if not stat.S_ISREG(found.st_mode):
        raise InvalidConfigError(f"{path} is not a file.")
    if found.st_nlink > 1:
        raise InvalidConfigError(f"The database file {path} has a second name (a hard link): remove it.")
    if found.st_uid != os.geteuid():
        raise InvalidConfigError(f"The database file {path} belongs to another user.")
    if found.st_mode & _OTHERS:
        raise InvalidConfigError(f"Others can use the database file {path}: run “chmod 600” on it.")
    if not found.st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
        raise InvalidConfigError(f"The database file {path} is read-only.")


def check_place(path: Path) -> None:
    """Check the directory, the database and the files that stand beside it."""
    check_directory(path.parent)
    for file in (path, *(path.with_name(path.name + suffix) for suffix in SUFFIXES)):
        check_file(file)


def create(path: Path) -> bool:
    """Make the file, empty and closed to others, and say whether it was made; its name is on disk on return."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise InvalidConfigError(f"The database file {path} cannot be made: {error.strerror}.") from None
    os.close(descriptor)
    sync_directory(path.parent)
    return True
