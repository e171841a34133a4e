"""What a forked worker must begin anew: locks that another thread held, fetches whose thread is gone.

An application that is loaded before its server forks (gunicorn's `preload_app`) makes its verifier in the parent.
Keys and verified tokens are good in each child; randomness is the system's, asked anew each time. A module that another
thread has half loaded would stay so in a child for ever: forks wait until `LOADING` is free.
"""

import os
import threading
from typing import Final, Protocol
from weakref import WeakSet


class Forked(Protocol):
    def reset_after_fork(self) -> None:
        """Called in the child, before anything else runs there."""
        ...


LOADING: Final = threading.Lock()
"""Held by a thread of ours while it loads modules."""
_LONGEST_LOAD_S: Final = 5.0
_KNOWN: Final[WeakSet["Forked"]] = WeakSet()
_waited: Final[list[bool]] = []
"""Whether the fork that is under way got hold of `LOADING`."""


def reset_in_children(one: Forked) -> None:
    """Have `one` reset in each process that is forked from this one, for as long as it lives."""
    _KNOWN.add(one)


def _await_modules() -> None:
    """With an end: the thread that loads may itself wait for a module that the forking one has begun to load."""
    _waited.append(LOADING.acquire(timeout=_LONGEST_LOAD_S))


def _go_on() -> None:
    if _waited.pop():
        LOADING.release()


def _reset_all() -> None:
    _go_on()
    for one in list(_KNOWN):
        one.reset_after_fork()


if hasattr(os, "register_at_fork"):  # where processes fork
    os.register_at_fork(before=_await_modules, after_in_parent=_go_on, after_in_child=_reset_all)
