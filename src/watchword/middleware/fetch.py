"""Fetching the issuer's key set: one GET over TLS, to one address that the application's author wrote down.

No redirect is followed, no proxy of the environment is used, nothing in a token has a say, and size and time
are bounded. It blocks: `keys` runs it in a thread. The HTTP and TLS modules are loaded at the first fetch.
"""

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from watchword.errors import (
    InvalidConfigError,
    MalformedError,
    NotTrustedError,
    TooLargeError,
    UnreachableError,
)
from watchword.middleware.fork import LOADING
from watchword.protocol.tokens import audience_of

if TYPE_CHECKING:
    import socket
    import ssl
    from http.client import HTTPConnection, HTTPResponse

WELL_KNOWN: Final = "/.well-known/jwks.json"
MAX_SIZE: Final = 64 * 1024
"""Bytes: sixteen keys take about three thousand."""
TIMEOUT_SECONDS: Final = 5
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=([0-9]{1,9})(?=$|[\s,])")
_PIN: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"\Z')


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What the server said. `body` is None when nothing changed since the `etag` that was sent."""

    body: bytes | None
    etag: str | None
    max_age: int | None
    """Seconds for which the server calls it fresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the keys are and why we believe the machine that answers there.

    `ca_file` is a PEM file of the roots to trust, read at each fetch; `pin` the `key_pin` of the server's
    certificate, which then counts alone; with neither, the system's roots count.
    """

    issuer: str
    ca_file: str | None = None
    pin: str | None = None

    def __post_init__(self) -> None:
        if self.pin is not None and (self.ca_file is not None or not _PIN.match(self.pin)):
            raise InvalidConfigError("pin: 43 characters of base64url, and then no ca_file")

    def fetch(self, etag: str | None = None) -> Fetched:
        """Ask once.

        Raises:
            UnreachableError: no answer in time, or another answer than the key set.
            NotTrustedError: somebody else answers there.
            TooLargeError: more than MAX_SIZE bytes.
            InvalidConfigError: `ca_file` cannot be read.
        """
        _load()
        import ssl  # noqa: PLC0415  # loaded by now, as below
        from http.client import HTTPException  # noqa: PLC0415

        try:
            return self._ask(etag)
        except ssl.SSLCertVerificationError:
            raise NotTrustedError("the issuer's certificate does not verify") from None
        except (OSError, HTTPException, ValueError) as error:
            raise UnreachableError(type(error).__name__) from None

    def _ask(self, etag: str | None) -> Fetched:
        from threading import Timer  # noqa: PLC0415  # loaded with the rest, at the first fetch

        connection = self._connection()
        connection.connect()
        # A timeout of the socket bounds each wait; this bounds their sum, against a server that drips. It keeps the
        # socket, since the connection hands that to the response once the headers are there.
        watchdog = Timer(TIMEOUT_SECONDS, _hang_up, (connection.sock,))
        watchdog.daemon = True
        watchdog.start()
        try:
            self._check_pin(connection)
            self._check_plain(connection.sock.getpeername()[0])
            headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
            connection.request("GET", WELL_KNOWN, headers=headers | ({"If-None-Match": etag} if etag else {}))
            return _read(connection.getresponse(), conditional=etag is not None)
        finally:
            watchdog.cancel()
            connection.close()

    def _connection(self) -> "HTTPConnection":
        from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415  # slow to load

        scheme, _, authority = self.issuer.partition("://")
        if scheme == "http":  # `audience_of` allows that for this machine alone
            return HTTPConnection(authority, timeout=TIMEOUT_SECONDS)
        return HTTPSConnection(authority, timeout=TIMEOUT_SECONDS, context=self._context())

    def _context(self) -> "ssl.SSLContext":
        import ssl  # noqa: PLC0415  # slow to load

        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError:
            raise InvalidConfigError(f"ca_file {self.ca_file} cannot be read") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.hostname_checks_common_name = (
            False  # names in the subject are not bound by what a root may sign for
        )
        if self.pin is not None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # `_check_pin` decides instead, before anything is sent
        return context

    def _check_pin(self, connection: "HTTPConnection") -> None:
        if self.pin is None:
            return
        import hmac  # noqa: PLC0415  # only where a pin is used, as below
        import ssl  # noqa: PLC0415

        certificate = (
            connection.sock.getpeercert(True) if isinstance(connection.sock, ssl.SSLSocket) else None
        )
        if certificate is None or not hmac.compare_digest(key_pin(certificate), self.pin):
            raise NotTrustedError("the issuer's key is not the pinned one")

    def _check_plain(self, address: str) -> None:
        """Without TLS only this machine is believed, whatever a resolver makes of a name below `localhost`."""
        from ipaddress import ip_address  # noqa: PLC0415  # loaded with the rest, at the first fetch

        if self.issuer.startswith("http://") and not ip_address(address).is_loopback:
            raise NotTrustedError("the issuer is not this machine: use https")


def _load() -> None:
    """Everything that a fetch needs, at once and in no fork's way."""
    with LOADING:
        import encodings.idna  # noqa: PLC0415, F401  # which the resolver loads for a host's name
        import http.client  # noqa: PLC0415, F401
        import ipaddress  # noqa: PLC0415, F401
        import ssl  # noqa: PLC0415, F401


def key_pin(certificate: bytes) -> str:
    """The pin of a certificate in DER: SHA-256 of its SubjectPublicKeyInfo (RFC 7469), base64url."""
    import hashlib  # noqa: PLC0415  # only where a pin is used

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415

    from watchword.core.encoding import encode_b64u  # noqa: PLC0415

    key = load_der_x509_certificate(certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encode_b64u(hashlib.sha256(spki).digest())


def check_origin(url: str, *, field: str) -> str:
    """`url` if it is an origin in its one spelling; else `InvalidConfigError`, which says how to write it."""
    try:
        origin = audience_of(url)
    except MalformedError as error:
        raise InvalidConfigError(f"{field}: {error.detail}") from None
    if origin != url:
        raise InvalidConfigError(f"{field}: write {origin}")
    return origin


def _hang_up(sock: "socket.socket") -> None:
    """Wake the thread that waits on this socket; it sees an end of file.

    By the plain method: that of a TLS socket drops its TLS state, and the waiting thread would then read what the
    network says, unverified, as if it were the server's answer.
    """
    import socket  # noqa: PLC0415  # loaded with the rest, at the first fetch

    with contextlib.suppress(OSError):  # closed meanwhile: what we wanted
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _read(response: "HTTPResponse", *, conditional: bool) -> Fetched:
    etag = response.getheader("ETag")
    etag = etag if etag is not None and _ETAG.match(etag) else None
    max_age = _MAX_AGE.search(response.getheader("Cache-Control", "").lower())
    age = int(max_age[1]) if max_age else None
    if response.status == _NOT_MODIFIED and conditional:
        return Fetched(body=None, etag=etag, max_age=age)
    if response.status != _OK or response.getheader("Content-Encoding", "identity") != "identity":
        raise UnreachableError(f"answered {response.status}")
    body = response.read(MAX_SIZE + 1)
    if len(body) > MAX_SIZE:
        raise TooLargeError
    if response.length:  # what is still to come, of a stated length
        raise UnreachableError("the answer broke off")
    return Fetched(body=body, etag=etag, max_age=age)
