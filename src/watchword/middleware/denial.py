"""Refusals as HTTP: status, challenge (RFC 6750, section 3) and problem document (RFC 9457)."""

from dataclasses import dataclass
from typing import Any, Final

from watchword.core.encoding import encode_json
from watchword.errors import ErrorCode, MalformedError, UnauthenticatedError, UnavailableError, WatchwordError
from watchword.middleware.requirement import InsufficientError

_UNTOLD: Final = (500, "Internal Server Error", "")
_STATUS: Final[dict[ErrorCode, tuple[int, str, str]]] = {
    ErrorCode.MALFORMED: (400, "Bad Request", "invalid_request"),
    ErrorCode.UNAUTHENTICATED: (401, "Unauthorized", "invalid_token"),
    ErrorCode.FORBIDDEN: (403, "Forbidden", "insufficient_scope"),
    ErrorCode.UNAVAILABLE: (503, "Service Unavailable", ""),
}
"""Status, title and RFC 6750 error. Another code is a fault of ours: 500, which tells nothing."""
_TITLE_DETAIL: Final[dict[int, str]] = {
    400: "One Authorization header is needed.",
    401: "A valid access token for this application is needed.",
    403: "This caller may not do this.",
    503: "Who is calling cannot be checked now. Try again later.",
}


class NoCredentialsError(UnauthenticatedError):
    """The request proves nothing, or in a way that we do not take: no error is named (RFC 6750, 3.1)."""

    def __init__(self) -> None:
        super().__init__("no_credentials")


class RepeatedCredentialsError(MalformedError):
    """Two Authorization headers: which one counts would be a guess."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal, ready to send."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def denial_of(error: WatchwordError, *, realm: str) -> Denial:
    """The answer to `error`. `realm` is the application's origin, which needs no quoting."""
    status, title, challenge = _STATUS.get(error.code, _UNTOLD)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": str(error.code),
    }
    if status in _TITLE_DETAIL:
        problem["detail"] = _TITLE_DETAIL[status]
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    if challenge:
        headers.append((b"www-authenticate", _challenge(error, challenge, realm).encode()))
    if isinstance(error, UnavailableError):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if isinstance(error, InsufficientError):
        problem["level"] = error.requirement.level
        problem["scope"] = " ".join(sorted(error.requirement.scopes))
    body = encode_json(problem)
    return Denial(status, [*headers, (b"content-length", str(len(body)).encode())], body)


def _challenge(error: WatchwordError, name: str, realm: str) -> str:
    parts = [f'Bearer realm="{realm}"']
    if not isinstance(error, NoCredentialsError):
        parts.append(f'error="{name}"')
    if isinstance(error, InsufficientError) and error.requirement.scopes:
        parts.append(f'scope="{" ".join(sorted(error.requirement.scopes))}"')
    return ", ".join(parts)
