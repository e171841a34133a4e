"""Connections that ended before a byte of the request was sent: they are tried again, which does no harm.

A server closes most new connections of an address that is banned before TLS, and may close any when it has no room.
Whoever has a device comes in all the same, with a little patience.
"""

import ssl
from typing import Final

import httpx

from watchword.client.answers import causes_of

PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4)
"""Before each further try."""
_CLOSED: Final = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_CLOSED_BY_NAME: Final = frozenset({"BrokenResourceError", "EndOfStream"})
"""The same in words of the library that runs asynchronous connections."""


def was_cut_off(error: BaseException) -> bool:
    """Whether the other end closed the connection while it was made: nothing of a request was sent.

    A connection that was refused is none of these: nothing listens there, and waiting is the caller's to choose.
    """
    return isinstance(error, httpx.ConnectError) and any(map(_is_closing, causes_of(error)))


def _is_closing(cause: BaseException) -> bool:
    return isinstance(cause, _CLOSED) or type(cause).__name__ in _CLOSED_BY_NAME
