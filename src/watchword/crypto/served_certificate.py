"""A server certificate that another authority made: read from PEM, and judged before anybody is shown it.

Whether callers trust it is between them and that authority; what is checked is what would fail for all of them.
"""

import ipaddress
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from watchword.core.clock import DAY, Instant
from watchword.core.secret import Secret
from watchword.errors import InvalidConfigError

MAX_CHAIN: Final = 8
"""Certificates; more than four is unheard of."""
LEAST_RSA_BITS: Final = 2048
SOON: Final = 14 * DAY
"""Milliseconds before its end from which on a certificate is warned of."""
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

ServerKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The server's certificate first, then the intermediates."""

    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def from_pem(cls, pem: bytes) -> "Chain":
        """Raises `InvalidConfigError`."""
        try:
            found = tuple(x509.load_pem_x509_certificates(pem))
            for each in found:
                each.extensions  # noqa: B018  # parsed lazily: a broken one must show here
                each.public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
            raise InvalidConfigError("holds no certificates in PEM form") from None
        if len(found) > MAX_CHAIN:
            raise InvalidConfigError(
                f"holds more than {MAX_CHAIN} certificates: only the server's chain belongs there"
            )
        return cls(certificates=found)

    @property
    def leaf(self) -> x509.Certificate:
        return self.certificates[0]

    @property
    def ends_at(self) -> Instant:
        """When the first of them ends."""
        return min(_instant(each.not_valid_after_utc) for each in self.certificates)

    def to_pem(self) -> bytes:
        return b"".join(each.public_bytes(Encoding.PEM) for each in self.certificates)

    def find_problems(self, *, host: str, now: Instant) -> Iterator[str]:
        """What makes it useless for `host` at `now`: each a phrase behind the name of the setting."""
        yield from _kind_problems(self.leaf)
        yield from _order_problems(self.certificates)
        for number, each in enumerate(self.certificates, start=1):
            yield from _time_problems(each, number, now)
            yield from _strength_problems(each, number)
        if not covers(self.leaf, host):
            named = ", ".join(names_of(self.leaf)) or "nothing"
            yield f"names {named}, but callers use {host} (origin)"

    def find_warnings(self, *, hosts: Sequence[str], now: Instant) -> Iterator[str]:
        """What is worth a thought: an end that comes soon, further `hosts` that it does not name."""
        if now < self.ends_at < now + SOON:
            yield f"ends in {(self.ends_at - now) // DAY} days: renew it, then reload"
        for host in hosts:
            if not covers(self.leaf, host):
                yield f"does not name {host} (hosts): callers of that name will refuse it"


def read_key(pem: Secret, password: Secret | None) -> ServerKey:
    """The private key in PEM. Raises `InvalidConfigError`; the text never shows what was read."""
    try:
        key = load_pem_private_key(pem.reveal(), password.reveal() if password else None)
    except TypeError:
        if password is None:
            raise InvalidConfigError(
                "is encrypted: name the file with its password in tls.key_password_file"
            ) from None
        raise InvalidConfigError("is not encrypted, so tls.key_password_file must go") from None
    except (ValueError, UnsupportedAlgorithm):
        said = "holds no private key in PEM form"
        raise InvalidConfigError(f"{said}, or the password does not open it" if password else said) from None
    if not isinstance(key, ServerKey):
        raise InvalidConfigError(
            "holds a key of a kind that TLS servers do not use: take ECDSA on P-256, or RSA"
        )
    return key


def key_fits(key: ServerKey, chain: Chain) -> bool:
    """Whether `key` is the leaf's."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form) == chain.leaf.public_key().public_bytes(*form)


def encode_key(key: ServerKey) -> Secret:
    """Unencrypted PEM, for the TLS library."""
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Its DNS names and addresses; the subject's common name is none (RFC 9525)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *map(str, addresses))


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Whether `host`, a lower-case name or an address without brackets, is among its names (RFC 9525, 6.3)."""
    names = {name.lower() for name in names_of(certificate)}
    try:
        return str(ipaddress.ip_address(host)) in names
    except ValueError:
        parent = host.partition(".")[2]
        return host in names or (bool(parent) and f"*.{parent}" in names)


def _kind_problems(leaf: x509.Certificate) -> Iterator[str]:
    try:
        if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            yield "begins with the certificate of an authority: the server's own must come first"
    except x509.ExtensionNotFound:
        pass
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
        yield "is not for TLS servers (extended key usage)"


def _order_problems(chain: Sequence[x509.Certificate]) -> Iterator[str]:
    for number, (below, above) in enumerate(itertools.pairwise(chain), start=1):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            yield f"is out of order: certificate {number + 1} did not sign certificate {number}"


def _time_problems(certificate: x509.Certificate, number: int, now: Instant) -> Iterator[str]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < _instant(begins):
        yield f"has a certificate that is not valid before {begins:%Y-%m-%d} (number {number})"
    if now >= _instant(ends):
        yield f"has a certificate that ended on {ends:%Y-%m-%d} (number {number}): renew it"


def _strength_problems(certificate: x509.Certificate, number: int) -> Iterator[str]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        yield f"has an RSA key of {key.key_size} bits (certificate {number}): {LEAST_RSA_BITS} are the least"
    elif not isinstance(key, _PublicKey) or (
        isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CURVES)
    ):
        yield f"has a key of a kind that TLS clients do not take (certificate {number})"
    if isinstance(certificate.signature_hash_algorithm, SHA1 | MD5):
        yield f"is signed with a broken hash (certificate {number})"


def _instant(moment: datetime) -> Instant:
    return Instant(int(moment.timestamp() * 1000))
