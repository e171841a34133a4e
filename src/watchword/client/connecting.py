"""What both transports share: TLS contexts, options of httpx, and the shape of what they give."""

import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx

from watchword.client.answers import unreachable
from watchword.client.steps import Send
from watchword.client.trust import SYSTEM_ROOTS
from watchword.errors import MalformedError, WatchwordError

_NOT_OF_THE_BODY: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def pinned_context(root_pem: str) -> ssl.SSLContext:
    """TLS to a server whose certificate chains to these roots alone, by RFC 5280 to the letter, and carries its name.

    `root_pem` as in `TrustedServer`. A name in the subject is none: those are not bound by what a root may sign for.
    """
    context = ssl.create_default_context(cadata=root_pem)
    if SYSTEM_ROOTS in root_pem:
        context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    return context


def app_context(roots_pem: str | None) -> ssl.SSLContext:
    """TLS to apps: under these roots alone, or else the system's."""
    context = ssl.create_default_context(cadata=roots_pem) if roots_pem else ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def options(context: ssl.SSLContext) -> dict[str, Any]:
    """Of an httpx client that takes nothing from the environment, follows nothing, and keeps no cookies."""
    return {
        "verify": context,
        "follow_redirects": False,
        "trust_env": False,
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    }


class Body:
    """Collects an answer's body, up to a size."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._data = bytearray()

    def add(self, chunk: bytes) -> None:
        """Raises `MalformedError`."""
        self._data += chunk
        if len(self._data) > self._max_size:
            raise MalformedError("the server's answer is too long")

    def answer_of(self, streamed: httpx.Response) -> httpx.Response:
        """The answer as a whole; headers that spoke of the body as it was sent are left out."""
        headers = [
            (name, value)
            for name, value in streamed.headers.multi_items()
            if name.lower() not in _NOT_OF_THE_BODY
        ]
        return httpx.Response(
            streamed.status_code, headers=headers, content=bytes(self._data), request=streamed.request
        )


def error_in(send: Send, error: Exception) -> WatchwordError:
    """What an exception of httpx means."""
    if isinstance(error, httpx.DecodingError):
        return MalformedError("the answer's encoding is damaged")
    url = httpx.URL(send.url)
    return unreachable(error, f"{url.scheme}://{url.netloc.decode('ascii')}", is_app=send.server is None)
