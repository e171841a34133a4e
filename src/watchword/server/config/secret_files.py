"""Small files that settings name: read whole, with a bound, and only if no stranger can read what is secret."""

import os
import stat
from pathlib import Path
from typing import Final

from watchword.errors import InvalidConfigError

MAX_SIZE: Final = 1 << 17
"""Bytes: a chain of eight large certificates has 20 thousand."""
_OTHERS: Final = 0o027
"""What others may do with a secret file is nothing; its group may read it, as Debian's ssl-cert does."""


def read_line(path: Path) -> bytes:
    """The first line of a secret file, without its end. Raises as `read_file`."""
    return read_file(path, secret=True).partition(b"\n")[0].removesuffix(b"\r")


def read_file(path: Path | None, *, secret: bool) -> bytes:
    """Raises `InvalidConfigError` with a phrase that the file's name stands before."""
    if path is None:
        raise InvalidConfigError("is missing")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold us up
        with open(handle, "rb") as file:  # noqa: PTH123  # a descriptor has no Path
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise InvalidConfigError("is not a file")
            if secret and status.st_mode & _OTHERS:
                raise InvalidConfigError(
                    f"can be used by others: run “chmod 600 {path}”; if it was ever so, it is known: make a new one"
                )
            content = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise InvalidConfigError(f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_SIZE:
        raise InvalidConfigError(f"is longer than {MAX_SIZE} bytes")
    return content
