"""The blocking driver of flows: HTTPS through httpx, stretching in this thread, errors as the server named them."""

import ssl
from collections.abc import Callable
from typing import Final

import httpx
import msgspec

from watchword import __version__
from watchword.client.drive import drive
from watchword.client.effects import Call, Effect, Flow, Reply, Stretch, T
from watchword.core.encoding import decode_json
from watchword.core.secret import Secret
from watchword.crypto.passwords import StretchParams, stretch
from watchword.errors import (
    BeginAgainError,
    ErrorCode,
    MalformedError,
    NotTrustedError,
    OverloadedError,
    RefusedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
    WatchwordError,
)

MAX_ANSWER: Final = 1 << 20
TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
"""Seconds. A login answers in milliseconds; what takes ten seconds will not answer at all."""
StretchProgress = Callable[[Callable[[], Secret]], Secret]
"""Runs a stretch and shows that something happens."""


def pinned_context(root_pem: str) -> ssl.SSLContext:
    """TLS to a server whose certificate chains to this root alone, by RFC 5280 to the letter, and carries its name.

    A name in the subject is none: those are not bound by what a root may sign for.
    """
    context = ssl.create_default_context(cadata=root_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    return context


class Transport:
    """One server, reached over TLS under the pinned root alone."""

    def __init__(self, server: str, root_pem: str, *, progress: StretchProgress | None = None) -> None:
        context = pinned_context(root_pem)
        self._client = httpx.Client(
            base_url=server,
            verify=context,
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": f"watchword/{__version__}"},
        )
        self._progress = progress or (lambda work: work())

    def close(self) -> None:
        self._client.close()

    def run(self, flow: Flow[T]) -> T:
        """Drive `flow` to its end. Raises what it raises, and `UnreachableError`, `NotTrustedError`."""
        return drive(flow, self._perform)

    def stretch(self, password: Secret, salt: bytes, params: StretchParams) -> Secret:
        """`crypto.passwords.stretch`, shown to whoever waits for it."""
        return self._progress(lambda: stretch(password, salt, params))

    def _perform(self, effect: Effect) -> Reply:
        if isinstance(effect, Stretch):
            return self.stretch(effect.password, effect.salt, effect.params)
        return self._call(effect)

    def _call(self, call: Call) -> bytes:
        headers = {}
        if call.access_token is not None:
            headers["Authorization"] = f"Bearer {call.access_token.reveal().decode()}"
        content = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(call.body)
        status, body = self._send(call, headers, content)
        if status >= 300:  # noqa: PLR2004  # HTTP: not a success
            raise error_of(status, body)
        return body

    def _send(self, call: Call, headers: dict[str, str], content: bytes | None) -> tuple[int, bytes]:
        """Status and body of the answer, read up to MAX_ANSWER."""
        try:
            with self._client.stream(call.method, call.path, headers=headers, content=content) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        raise MalformedError("the server's answer is too long")
                return answer.status_code, body
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise NotTrustedError(
                    "the server's certificate is not signed by the root that is pinned for it"
                ) from error
            raise UnreachableError(f"no server answers at {self._client.base_url}") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UnreachableError(f"the connection to {self._client.base_url} failed") from error


def error_of(status: int, body: bytes) -> WatchwordError:
    """The error that a problem document names; a bare one for what is no problem document of ours."""
    try:
        problem = decode_json(body, max_size=65536)
        code = ErrorCode(problem["code"])
        detail = str(problem.get("detail", ""))[:500]
    except (MalformedError, TooLargeError, KeyError, TypeError, ValueError):
        return UnavailableError(f"the server answered with status {status} and no problem document")
    special: dict[ErrorCode, Callable[[], WatchwordError]] = {
        ErrorCode.REFUSED: lambda: RefusedError("by_server"),
        ErrorCode.UNAUTHENTICATED: lambda: UnauthenticatedError("by_server"),
        ErrorCode.BEGIN_AGAIN: BeginAgainError,
        ErrorCode.OVERLOADED: OverloadedError,
    }
    if code in special:
        return special[code]()
    kinds = {kind.code: kind for kind in WatchwordError.__subclasses__()}
    return kinds[code](detail) if code in kinds else WatchwordError(detail)
