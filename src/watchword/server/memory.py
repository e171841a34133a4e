"""Memory that is not ours: giving back what the start needed, and seeing in time that there is none left."""

import ctypes
import gc
import mmap
from typing import Final

ROOM: Final = 8 << 20
"""Bytes that must be to be had before anything new begins: some ten handshakes, or a login's work."""


def give_back_free_memory() -> None:
    """Collect garbage, and return the freed pages to the system where the C library can (glibc's malloc_trim).

    Starting reads every page of a small database and compiles every pattern: some 6 MiB of an idle server otherwise.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def has_room() -> bool:
    """Whether `ROOM` could be had now: asked of the system, and given back at once, which takes microseconds.

    Who begins work without it fails in the middle of it, in libraries that were not written for that: at the very end
    of memory some of them end the process.
    """
    try:
        mmap.mmap(-1, ROOM, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError):
        return False
    return True
