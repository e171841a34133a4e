"""What a forked worker must begin anew (FAULTS M17): locks that another thread held, fetches whose thread is gone.

An application that is loaded before its server forks (gunicorn's `preload_app`) makes its verifier in the parent.
Keys and verified tokens are good in each child; randomness is the system's, asked anew each time.
"""

import os
from typing import Final, Protocol
from weakref import WeakSet


class Forked(Protocol):
    def reset_after_fork(self) -> None:
        """Called in the child, before anything else runs there."""
        ...


_KNOWN: Final[WeakSet["Forked"]] = WeakSet()


def reset_in_children(one: Forked) -> None:
    """Have `one` reset in each process that is forked from this one, for as long as it lives."""
    _KNOWN.add(one)


def _reset_all() -> None:
    for one in list(_KNOWN):
        one.reset_after_fork()


if hasattr(os, "register_at_fork"):  # where processes fork
    os.register_at_fork(after_in_child=_reset_all)
