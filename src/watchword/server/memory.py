"""Giving back what the start needed and the running server does not."""

import ctypes
import gc


def give_back_free_memory() -> None:
    """Collect garbage, and return the freed pages to the system where the C library can (glibc's malloc_trim).

    Starting reads every page of a small database and compiles every pattern: some 6 MiB of an idle server otherwise.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
