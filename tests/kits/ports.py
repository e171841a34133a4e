"""A port for a program that must be told its own, kept from everybody else until the program takes it."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def kept_port() -> Iterator[int]:
    """A port of 127.0.0.1 that the system chose and gives to nobody else.

    Bound and not listening, it can be bound once more with SO_REUSEADDR, as every server does; a port that was let go
    could be somebody's by then.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]
