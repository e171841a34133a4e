"""Secrets in environment variables: read once, then gone, also from what the kernel shows of this process."""

import contextlib
import os
from collections.abc import Mapping, MutableMapping
from typing import Final

ROOT_KEY_VARIABLE: Final = "WATCHWORD_ROOT_KEY"


def wipe(environ: Mapping[str, str], name: str) -> None:
    """Overwrite the value of `name` in this process's own memory, if `environ` is the real environment.

    `os.environ.pop` alone leaves the text in the block that `/proc/PID/environ` shows. The copy in `os.environ`
    itself stays until it is taken out.
    """
    if environ is not os.environ or name not in environ:
        return
    import ctypes  # noqa: PLC0415  # only where there is a secret: the import costs ten milliseconds

    with contextlib.suppress(AttributeError, OSError):  # a system without getenv in its C library
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        address = getenv(name.encode())
        if address:
            ctypes.memset(address, ord("x"), len(ctypes.string_at(address)))


def take(environ: MutableMapping[str, str], name: str) -> str | None:
    """The value of `name`, which is then gone from the environment."""
    wipe(environ, name)
    return environ.pop(name, None)
