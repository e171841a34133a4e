"""The entry point: what it imports loads only under its hand, so that Ctrl-C has an answer from the first moment."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

_INTERRUPTED: Final = 130
_USAGE: Final = 2


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While modules load an interrupt ends the process at once: an exception could be swallowed by a module."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _load() -> Callable[[], None]:
    """The commands; where the distribution was installed without what they need, a sentence that says how to add it."""
    try:
        from watchword.cli.main import main
    except ModuleNotFoundError as error:
        if str(error.name).startswith("watchword"):
            raise
        sys.stderr.write(
            f"watchword: this needs “{error.name}”, which is not installed: pip install “watchword[server]”, or"
            " “watchword[client]” for a client alone\n"
        )
        sys.exit(_USAGE)
    return main


def main() -> None:
    """Run `watchword`."""
    try:
        with loading():
            run = _load()
        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
