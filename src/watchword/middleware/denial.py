"""Refusals as HTTP: status, challenge (RFC 6750, section 3; RFC 9470) and problem document (RFC 9457)."""

from dataclasses import dataclass
from typing import Any, Final

from watchword.core.encoding import encode_json
from watchword.errors import ErrorCode, UnavailableError, WatchwordError
from watchword.middleware.refusals import InsufficientError, NoCredentialsError, StaleLoginError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A refusal, ready to send."""

    status: int
    title: str
    code: ErrorCode
    headers: list[tuple[bytes, bytes]]
    body: bytes
    request_id: str

    @property
    def text_headers(self) -> list[tuple[str, str]]:
        """As WSGI and frameworks want them, in the usual capitals."""
        return [(name.decode().title(), value.decode()) for name, value in self.headers]


def denial_of(error: WatchwordError, *, realm: str, request_id: str) -> Denial:
    """The answer to `error`. `realm` is the application's origin, which needs no quoting."""
    status, title, challenge = _STATUS.get(error.code, _UNTOLD)
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    if challenge:
        headers.append((b"www-authenticate", _challenge(error, challenge, realm).encode()))
    if isinstance(error, UnavailableError):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    code = error.code if error.code in _STATUS else ErrorCode.INTERNAL
    body = encode_json(_problem(error, status, title, code) | {"request_id": request_id})
    headers.append((b"content-length", str(len(body)).encode()))
    return Denial(status=status, title=title, code=code, headers=headers, body=body, request_id=request_id)


def _problem(error: WatchwordError, status: int, title: str, code: ErrorCode) -> dict[str, Any]:
    problem: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "code": str(code)}
    if status in _TITLE_DETAIL:
        problem["detail"] = _TITLE_DETAIL[status]
    if isinstance(error, InsufficientError):
        problem["level"] = error.requirement.level
        problem["scope"] = " ".join(sorted(error.requirement.scopes))
    if isinstance(error, StaleLoginError):
        problem["detail"] = "A more recent login is needed."
        problem["max_age"] = error.max_age
    return problem


def _challenge(error: WatchwordError, name: str, realm: str) -> str:
    parts = [f'Bearer realm="{realm}"']
    if isinstance(error, StaleLoginError):
        parts.append(f'error="insufficient_user_authentication", max_age="{error.max_age}"')
    elif not isinstance(error, NoCredentialsError):
        parts.append(f'error="{name}"')
    if isinstance(error, InsufficientError) and error.requirement.scopes:
        parts.append(f'scope="{" ".join(sorted(error.requirement.scopes))}"')
    return ", ".join(parts)
