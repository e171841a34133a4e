"""Reading what came back, or did not: the errors that the server named, and why nobody answered, in words that help."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final

import httpx

from watchword.core.encoding import decode_json
from watchword.errors import (
    BeginAgainError,
    ErrorCode,
    MalformedError,
    NotTrustedError,
    OverloadedError,
    RefusedError,
    TooLargeError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
    WatchwordError,
)

_MAX_PROBLEM: Final = 65536
_MAX_DETAIL: Final = 500
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SECONDS: Final = re.compile(r"[0-9]{1,9}\Z")
_NO_DATE: Final = 3600.0
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_NOT_YET: Final = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_OTHER_NAMES: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_MAX_CAUSES: Final = 20


def error_of(status: int, body: bytes, *, retry_after: float = 1.0) -> WatchwordError:
    """The error that a problem document names, with its request id; a bare one for what is none of ours."""
    try:
        problem = decode_json(body, max_size=_MAX_PROBLEM)
        code = ErrorCode(problem["code"])
        detail = str(problem.get("detail", ""))[:_MAX_DETAIL]
        request_id = str(problem.get("request_id", ""))
    except (MalformedError, TooLargeError, KeyError, TypeError, ValueError, AttributeError):
        return UnavailableError(f"the server answered with status {status} and no problem document")
    error = _named(code, detail, max(1, round(retry_after)))
    if _REQUEST_ID.match(request_id):
        error.request_id = request_id
    return error


def _named(code: ErrorCode, detail: str, retry_after: int) -> WatchwordError:
    special: dict[ErrorCode, Callable[[], WatchwordError]] = {
        ErrorCode.REFUSED: lambda: RefusedError("by_server"),
        ErrorCode.UNAUTHENTICATED: lambda: UnauthenticatedError("by_server"),
        ErrorCode.BEGIN_AGAIN: BeginAgainError,
        ErrorCode.TOO_MANY: lambda: TooManyError(retry_after),
        ErrorCode.OVERLOADED: lambda: OverloadedError(retry_after),
        ErrorCode.UNAVAILABLE: lambda: UnavailableError(detail, retry_after=retry_after),
    }
    if code in special:
        return special[code]()
    kinds = {kind.code: kind for kind in WatchwordError.__subclasses__()}
    return kinds[code](detail) if code in kinds else WatchwordError(detail)


def retry_after_of(headers: httpx.Headers) -> float:
    """Seconds that an answer asks us to wait (RFC 9110, section 10.2.3); 0 without the header.

    A date in place of seconds counts as an hour: ours never sends one, and clocks differ.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return 0.0
    return float(text) if _SECONDS.match(text) else _NO_DATE


def says_invalid_token(answer: httpx.Response) -> bool:
    """Whether an app refuses the token itself (RFC 6750, section 3.1): a fresh one may be taken."""
    challenge = answer.headers.get("www-authenticate", "")
    return answer.status_code == httpx.codes.UNAUTHORIZED and 'error="invalid_token"' in challenge


def unreachable(error: BaseException, place: str, *, is_app: bool = False) -> WatchwordError:
    """Why `place` (an origin: our server, or an app) gave no answer, and what to do."""
    for cause in causes_of(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotTrustedError(f"{place} is not trusted: {_certificate(cause, is_app=is_app)}")
        if isinstance(cause, socket.gaierror):
            return UnreachableError(f"the name in {place} does not resolve: is it spelled right?")
        if isinstance(cause, ConnectionRefusedError):
            return UnreachableError(f"no server answers at {place}: nothing listens there; is it running?")
    return UnreachableError(_failure(error, place))


def _failure(error: BaseException, place: str) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"no server answers at {place}: no connection in time; is a firewall between?"
    if isinstance(error, httpx.ConnectError):
        return f"no server answers at {place}"
    if isinstance(error, httpx.TimeoutException):
        return f"the connection to {place} failed: no answer in time"
    return f"the connection to {place} failed: it was closed before the answer"


def _certificate(error: ssl.SSLCertVerificationError, *, is_app: bool) -> str:
    if error.verify_code in (_EXPIRED, _NOT_YET):
        return "its certificate is not valid at this time; check the clocks of both machines"
    if error.verify_code in _OTHER_NAMES:
        return "its certificate is for another name; call it by the name that its operator gave it"
    if is_app:
        return "its certificate is not signed by a root of this machine; name its own by app_ca_file"
    return (
        "its certificate is not signed by the root that is pinned for it; "
        "if the operator has made a new authority, get its new ca.pem from them; "
        "if another authority made its certificate, name that with --tls-ca (tls_ca)"
    )


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """`error` and what led to it, through libraries that wrap, and groups of attempts."""
    waiting = [error]
    for _ in range(_MAX_CAUSES):
        if not waiting:
            return
        found = waiting.pop(0)
        yield found
        waiting += [cause for cause in (found.__cause__, found.__context__) if cause is not None]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions
