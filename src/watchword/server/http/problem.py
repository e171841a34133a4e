"""The HTTP edge's table from error code to status, and problem documents (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchword.core.encoding import encode_json
from watchword.core.ids import RequestId
from watchword.errors import ErrorCode, OverloadedError, Quota, TooManyError, UnavailableError, WatchwordError
from watchword.server.http.reply import Reply

PROBLEM_TYPE: Final = "application/problem+json"
_URN: Final = "urn:watchword:problem:"
_SERVER_FAULT: Final = 500
_CHALLENGE: Final = 'Bearer realm="watchword"'


@dataclass(frozen=True, slots=True)
class Kind:
    """How a code looks from outside."""

    status: int
    title: str


INTERNAL_TITLE: Final = "Internal error"
_INTERNAL: Final = Kind(_SERVER_FAULT, INTERNAL_TITLE)
KINDS: Final[Mapping[ErrorCode, Kind]] = {
    ErrorCode.INTERNAL: _INTERNAL,
    ErrorCode.MALFORMED: Kind(400, "The request does not parse"),
    ErrorCode.TOO_LARGE: Kind(413, "The request is too large"),
    ErrorCode.UNSUPPORTED_MEDIA: Kind(415, "This content type is not accepted here"),
    ErrorCode.METHOD_NOT_ALLOWED: Kind(405, "This method is not allowed here"),
    ErrorCode.MISDIRECTED: Kind(421, "This host is not served here"),
    ErrorCode.TIMEOUT: Kind(408, "The request took too long"),
    ErrorCode.NOT_FOUND: Kind(404, "There is nothing here"),
    ErrorCode.REFUSED: Kind(403, "Refused"),
    ErrorCode.UNAUTHENTICATED: Kind(401, "Authentication is needed"),
    ErrorCode.FORBIDDEN: Kind(403, "Not allowed"),
    ErrorCode.CONFLICT: Kind(409, "It was changed by somebody else"),
    ErrorCode.BEGIN_AGAIN: Kind(409, "Begin again"),
    ErrorCode.KEY_UNKNOWN: Kind(409, "Sealed to a key that is not in use"),
    ErrorCode.TOO_MANY: Kind(429, "Too many requests"),
    ErrorCode.OVERLOADED: Kind(503, "Too much work is waiting"),
    ErrorCode.UNAVAILABLE: Kind(503, "Not available at the moment"),
    # Faults of our own, and codes that belong to other edges: outwardly all the same.
    ErrorCode.INVALID_CONFIG: _INTERNAL,
    ErrorCode.WRONG_PASSWORD: _INTERNAL,
    ErrorCode.DAMAGED: _INTERNAL,
    ErrorCode.NOT_TRUSTED: _INTERNAL,
    ErrorCode.UNREACHABLE: _INTERNAL,
}
_SILENT: Final = frozenset({ErrorCode.REFUSED, ErrorCode.UNAUTHENTICATED})
"""Codes whose answers are the same byte for byte whatever the reason."""


def problem_reply(
    error: WatchwordError, request_id: RequestId, *, headers: Mapping[str, str] | None = None
) -> Reply:
    """The problem document of `error`. A fault of ours (5xx) and a refusal of credentials show no detail."""
    kind = KINDS[error.code]
    code = ErrorCode.INTERNAL if kind is _INTERNAL else error.code
    document = {"type": _URN + code, "title": kind.title, "status": kind.status, "code": code.value}
    if error.detail and kind.status < _SERVER_FAULT and code not in _SILENT:
        document["detail"] = error.detail
    document["request_id"] = str(request_id)
    return Reply(
        kind.status, encode_json(document), {"content-type": PROBLEM_TYPE, **_extra(error), **(headers or {})}
    )


def internal_reply(request_id: RequestId) -> Reply:
    """What an unexpected exception looks like from outside: an id, and nothing else."""
    return problem_reply(WatchwordError(), request_id)


def retry_headers(error: WatchwordError) -> Mapping[str, str]:
    """When to try again, for an error that passes, and which quota is used up, if that is what it is."""
    if isinstance(error, TooManyError) and error.quota is not None:
        return {"retry-after": str(error.retry_after), **_quota_headers(error.quota, error.retry_after)}
    if isinstance(error, OverloadedError | UnavailableError | TooManyError):
        return {"retry-after": str(error.retry_after)}
    return {}


def _extra(error: WatchwordError) -> Mapping[str, str]:
    if error.code is ErrorCode.UNAUTHENTICATED:
        return {"www-authenticate": _CHALLENGE}
    return retry_headers(error)


def _quota_headers(quota: Quota, retry_after: int) -> Mapping[str, str]:
    """What is left of a quota that is used up (draft-ietf-httpapi-ratelimit-headers-10)."""
    return {
        "ratelimit-policy": f'"{quota.name}";q={quota.limit};w={quota.window_s}',
        "ratelimit": f'"{quota.name}";r=0;t={retry_after}',
    }
