"""The exit codes, and the one table from `ErrorCode` to them. They are contract for scripts."""

import enum
from collections.abc import Mapping
from typing import Final

from watchword.errors import ErrorCode


class ExitCode(enum.IntEnum):
    DONE = 0
    REFUSED = 1
    USAGE = 2
    """Also a configuration that permits no start."""
    UNREACHABLE = 3
    INTERNAL = 4
    INTERRUPTED = 130
    """128 + SIGINT, as shells have it."""
    PIPE_CLOSED = 141
    """128 + SIGPIPE: whoever read our output has gone."""


EXIT_CODES: Final[Mapping[ErrorCode, ExitCode]] = {
    ErrorCode.INTERNAL: ExitCode.INTERNAL,
    ErrorCode.MALFORMED: ExitCode.USAGE,
    ErrorCode.TOO_LARGE: ExitCode.USAGE,
    ErrorCode.UNSUPPORTED_MEDIA: ExitCode.INTERNAL,
    ErrorCode.METHOD_NOT_ALLOWED: ExitCode.INTERNAL,
    ErrorCode.MISDIRECTED: ExitCode.REFUSED,
    ErrorCode.TIMEOUT: ExitCode.UNREACHABLE,
    ErrorCode.NOT_FOUND: ExitCode.REFUSED,
    ErrorCode.REFUSED: ExitCode.REFUSED,
    ErrorCode.UNAUTHENTICATED: ExitCode.REFUSED,
    ErrorCode.FORBIDDEN: ExitCode.REFUSED,
    ErrorCode.CONFLICT: ExitCode.REFUSED,
    ErrorCode.BEGIN_AGAIN: ExitCode.REFUSED,
    ErrorCode.KEY_UNKNOWN: ExitCode.REFUSED,
    ErrorCode.TOO_MANY: ExitCode.REFUSED,
    ErrorCode.OVERLOADED: ExitCode.UNREACHABLE,
    ErrorCode.UNAVAILABLE: ExitCode.UNREACHABLE,
    ErrorCode.INVALID_CONFIG: ExitCode.USAGE,
    ErrorCode.WRONG_PASSWORD: ExitCode.REFUSED,
    ErrorCode.DAMAGED: ExitCode.REFUSED,
    ErrorCode.NOT_TRUSTED: ExitCode.REFUSED,
    ErrorCode.UNREACHABLE: ExitCode.UNREACHABLE,
}
SENTENCES: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.INTERNAL: "internal error",
    ErrorCode.MALFORMED: "the input is not understood",
    ErrorCode.TOO_LARGE: "the input is too large",
    ErrorCode.UNSUPPORTED_MEDIA: "the server does not understand this client",
    ErrorCode.METHOD_NOT_ALLOWED: "the server does not understand this client",
    ErrorCode.MISDIRECTED: "the server does not answer to this name",
    ErrorCode.TIMEOUT: "it took too long",
    ErrorCode.NOT_FOUND: "there is no such thing",
    ErrorCode.REFUSED: "refused",
    ErrorCode.UNAUTHENTICATED: "you are not signed in",
    ErrorCode.FORBIDDEN: "you may not do this",
    ErrorCode.CONFLICT: "it was changed meanwhile; look again",
    ErrorCode.BEGIN_AGAIN: "it took too long; try again",
    ErrorCode.KEY_UNKNOWN: "the server's keys have changed; try again",
    ErrorCode.TOO_MANY: "too many attempts; try again later",
    ErrorCode.OVERLOADED: "the server is busy; try again in a moment",
    ErrorCode.UNAVAILABLE: "the server cannot do this now; nothing was changed",
    ErrorCode.INVALID_CONFIG: "the configuration permits no start",
    ErrorCode.WRONG_PASSWORD: "wrong password",
    ErrorCode.DAMAGED: "stored data fails its checks",
    ErrorCode.NOT_TRUSTED: "this is not the server that we know",
    ErrorCode.UNREACHABLE: "the server is not reachable",
}
"""What an error without words of its own says to people."""
