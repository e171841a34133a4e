"""Errors on the control socket: one table from `ErrorCode` to numbers of JSON-RPC, and the way back."""

from collections.abc import Mapping
from typing import Any, Final

from watchword.errors import ErrorCode, WatchwordError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
_OURS: Final = -32000
"""JSON-RPC leaves -32000 to -32099 to servers."""

NUMBERS: Final[Mapping[ErrorCode, int]] = {
    ErrorCode.INTERNAL: INTERNAL_ERROR,
    ErrorCode.MALFORMED: INVALID_PARAMS,
    ErrorCode.TOO_LARGE: _OURS - 1,
    ErrorCode.UNSUPPORTED_MEDIA: _OURS - 2,
    ErrorCode.METHOD_NOT_ALLOWED: METHOD_NOT_FOUND,
    ErrorCode.MISDIRECTED: _OURS - 4,
    ErrorCode.TIMEOUT: _OURS - 5,
    ErrorCode.NOT_FOUND: _OURS - 6,
    ErrorCode.REFUSED: _OURS - 7,
    ErrorCode.UNAUTHENTICATED: _OURS - 8,
    ErrorCode.FORBIDDEN: _OURS - 9,
    ErrorCode.CONFLICT: _OURS - 10,
    ErrorCode.BEGIN_AGAIN: _OURS - 11,
    ErrorCode.KEY_UNKNOWN: _OURS - 12,
    ErrorCode.OVERLOADED: _OURS - 13,
    ErrorCode.UNAVAILABLE: _OURS - 14,
    ErrorCode.INVALID_CONFIG: _OURS - 15,
    ErrorCode.WRONG_PASSWORD: _OURS - 16,
    ErrorCode.DAMAGED: _OURS - 17,
    ErrorCode.NOT_TRUSTED: _OURS - 18,
    ErrorCode.UNREACHABLE: _OURS - 19,
    ErrorCode.TOO_MANY: _OURS - 20,
}


def describe(error: WatchwordError, request: str = "") -> dict[str, Any]:
    """The `error` member of an answer. `data.code` is what clients decide by; `request` is the call's id."""
    data = {"code": error.code.value, "detail": error.detail}
    return {
        "code": NUMBERS[error.code],
        "message": error.detail or error.code.value,
        "data": {**data, "request_id": request} if request else data,
    }


class ControlError(WatchwordError):
    """An error that came over the socket; of the class for its code (see `remote_error`)."""

    to_operator = True


_REMOTE: Final[Mapping[ErrorCode, type[ControlError]]] = {
    code: type(f"Remote{code.name.title().replace('_', '')}Error", (ControlError,), {"code": code})
    for code in ErrorCode
}


def remote_error(code: str, detail: str) -> ControlError:
    """The error of the class for `code`; a code that we do not know is an internal error."""
    known = code if code in set(ErrorCode) else ErrorCode.INTERNAL
    found = _REMOTE[ErrorCode(known)]
    return found(detail) if detail else found()
