"""Coming to trust a server: by a CA file, by a fingerprint, or on first use when told to.

Whatever the way, what is kept is the root certificate; the key document must be signed under it, and TLS must lead
to it. A server whose TLS certificate another authority made is reached under that one's roots as well, where the person
says so: the key document, and with it all that is sealed, stays with the pinned root.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from watchword.client.effects import Call, Flow, call
from watchword.core.clock import Clock
from watchword.errors import (
    InvalidConfigError,
    MalformedError,
    NotTrustedError,
    TooLargeError,
    UnreachableError,
)
from watchword.protocol.device_header import HeaderKey
from watchword.protocol.keydocument import (
    MAX_DOCUMENT_SIZE,
    KeyDocument,
    format_fingerprint,
    parse_fingerprint,
    read_unverified_root,
    root_fingerprint,
    verify_key_document,
)
from watchword.protocol.tokens import audience_of

KEYS_PATH = "/.well-known/watchword-keys"
SYSTEM = "system"
"""In place of a file of TLS roots: those of this machine."""
SYSTEM_ROOTS = "# and the roots of this machine, for TLS\n"
"""Stands behind the certificates in `TrustedServer.root_pem`; PEM readers pass it over."""
MAX_ROOTS_SIZE = 1 << 16
"""Bytes of a file of TLS roots: the vault keeps them."""
Confirm = Callable[[str], bool]
"""Shows a fingerprint to a person and asks whether it is the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedServer:
    """A server's address and the root certificate that we hold it to.

    Of the certificates in `root_pem` the first is pinned; TLS alone may lead to a further one, or with `SYSTEM_ROOTS`
    behind them to a root of this machine.
    """

    server: str
    root_pem: str

    @property
    def pin(self) -> bytes:
        return root_fingerprint(x509.load_pem_x509_certificate(self.root_pem.encode()))

    def without_tls_roots(self) -> "TrustedServer":
        """The same under its pinned root alone."""
        return _trusted(self.server, x509.load_pem_x509_certificate(self.root_pem.encode()))


def server_origin(url: str, *, named: str) -> str:
    """The origin of a server's `url`. Raises `InvalidConfigError`, which calls the setting as `named` does."""
    try:
        origin = audience_of(url)
    except MalformedError as error:
        raise InvalidConfigError(f"{named}: {error.detail}") from None
    if not origin.startswith("https://"):
        raise InvalidConfigError(f"{named}: a server is reached over https")
    return origin


def also_under(trusted: TrustedServer, tls_ca: str) -> TrustedServer:
    """`trusted`, with TLS allowed to lead to the roots in the PEM file `tls_ca` too, or to this machine's (`SYSTEM`).

    Raises `InvalidConfigError` for a file that cannot be used.
    """
    more = SYSTEM_ROOTS if tls_ca == SYSTEM else _read_roots(Path(tls_ca))
    return replace(trusted, root_pem=trusted.root_pem + more)


def _read_roots(path: Path) -> str:
    try:
        content = path.read_bytes()
        found = x509.load_pem_x509_certificates(content) if len(content) <= MAX_ROOTS_SIZE else []
    except OSError as error:
        raise InvalidConfigError(f"cannot read the file of TLS roots {path}: {error.strerror}") from error
    except ValueError as error:
        raise InvalidConfigError(f"{path} holds no certificates in PEM form") from error
    if not found:
        raise InvalidConfigError(
            f"{path} is longer than {MAX_ROOTS_SIZE} bytes: name the roots of this server alone"
        )
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)


def trust_by_file(server: str, path: Path) -> TrustedServer:
    """Trust the root certificate in a PEM file, such as the server's `ca.pem`."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise InvalidConfigError(f"cannot read the CA file {path}: {error.strerror}") from error
    except ValueError as error:
        raise InvalidConfigError(f"{path} holds no certificate in PEM form") from error
    return _trusted(server, certificate)


def trust_by_fingerprint(server: str, fingerprint: str) -> TrustedServer:
    """Fetch the root from the server itself and hold it to a fingerprint that came another way."""
    expected = read_fingerprint(fingerprint)
    root = _fetch_root(server)
    if root_fingerprint(root) != expected:
        raise NotTrustedError(f"{server} shows another root: {format_fingerprint(root_fingerprint(root))}")
    return _trusted(server, root)


def read_fingerprint(text: str) -> bytes:
    """Raises `InvalidConfigError`."""
    try:
        return parse_fingerprint(text)
    except MalformedError as error:
        raise InvalidConfigError("that is not a fingerprint") from error


def trust_on_first_use(server: str, confirm: Confirm) -> TrustedServer:
    """Fetch the root and ask. Raises `NotTrustedError` for a no."""
    root = _fetch_root(server)
    if not confirm(format_fingerprint(root_fingerprint(root))):
        raise NotTrustedError("the server was not trusted; nothing was sent")
    return _trusted(server, root)


def fetch_key_document(
    trusted: TrustedServer, *, clock: Clock, at_least: int, device: HeaderKey | None = None
) -> Flow[KeyDocument]:
    """The server's keys, signed under the pinned root and no older than what was seen before.

    `device` gets them where the address is banned.
    """
    raw = yield from call(Call(method="GET", path=KEYS_PATH, device=device, repeatable=True))
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise NotTrustedError("the server's key document is not one") from None
    return verify_key_document(text, pin=trusted.pin, now=clock.now(), at_least=at_least)


def _trusted(server: str, certificate: x509.Certificate) -> TrustedServer:
    return TrustedServer(server=server, root_pem=certificate.public_bytes(Encoding.PEM).decode())


def _fetch_root(server: str) -> x509.Certificate:
    """The root that a server claims. The connection is not authenticated: only what was pinned may follow."""
    from http.client import HTTPException, HTTPSConnection  # noqa: PLC0415  # needed once for each server

    address = urlsplit(server)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the root is judged by its fingerprint, before anything is sent
    connection = HTTPSConnection(address.hostname or "", address.port or 443, timeout=10, context=context)
    try:
        connection.request("GET", KEYS_PATH)
        body = connection.getresponse().read(MAX_DOCUMENT_SIZE + 1)
    except (OSError, HTTPException) as error:
        raise UnreachableError(f"no server answers at {server}") from error
    finally:
        connection.close()
    try:
        return read_unverified_root(body.decode("ascii"))
    except (MalformedError, TooLargeError, UnicodeDecodeError):
        raise NotTrustedError(f"{server} is no Watchword server") from None
