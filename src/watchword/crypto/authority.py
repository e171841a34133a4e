"""The certificate authority of the server's own certificates: a P-256 root and an intermediate (RFC 5280).

```
root (20 years, pathLen 1) ── intermediate (5 years, pathLen 0) ── server (90 days, TLS)
     └─────────────────────── document signer (1 year, signs key documents)
```

Every field is chosen here. No certificate ends before it starts, and none outlives its issuer, whatever the
clock says.
"""

import contextlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from watchword.core.clock import DAY, MINUTE, Instant, iso
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.certificates import DOCUMENT_SIGNER_NAME, parse_certificate
from watchword.errors import DamagedError, InvalidConfigError, MalformedError

YEAR: Final = 365 * DAY
ROOT_LIFE: Final = 20 * YEAR
INTERMEDIATE_LIFE: Final = 5 * YEAR
SERVER_LIFE: Final = 90 * DAY
DOCUMENT_SIGNER_LIFE: Final = YEAR
_BACKDATE: Final = MINUTE
"""Clients whose clock is a little behind accept a certificate made this moment."""
_LAST: Final = Instant(253_402_300_799_000)
"""9999-12-31T23:59:59Z, the last instant that a certificate can name (RFC 5280, 4.1.2.5)."""
_SERIAL_SIZE: Final = 20
_DNS_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_MAX_DNS_NAME: Final = 253
_MAX_NAMES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A private key and its certificate, followed by those above it without the root."""

    chain: tuple[x509.Certificate, ...]
    key: Secret
    """PKCS #8, DER, not encrypted."""

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def starts_at(self) -> Instant:
        return Instant(int(self.certificate.not_valid_before_utc.timestamp()) * 1000)

    @property
    def ends_at(self) -> Instant:
        return Instant(int(self.certificate.not_valid_after_utc.timestamp()) * 1000)

    def chain_pem(self) -> bytes:
        """What a TLS server sends, leaf first."""
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.chain)

    def key_pem(self) -> Secret:
        return Secret(_load_key(self.key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def chain_der(self) -> tuple[bytes, ...]:
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in self.chain)

    @classmethod
    def from_der(cls, chain: Sequence[bytes], key: Secret) -> Self:
        """Load what was stored. Raise `DamagedError` if it does not parse or does not fit together."""
        try:
            certificates = tuple(parse_certificate(der) for der in chain)
        except MalformedError:
            raise DamagedError("a stored certificate does not parse") from None
        if not certificates or _load_key(key).public_key() != certificates[0].public_key():
            raise DamagedError("a stored private key does not belong to its certificate")
        return cls(chain=certificates, key=key)

    def needs_renewal(self, now: Instant) -> bool:
        """True from two thirds of its life on, and when the clock stands before its start."""
        return not self.starts_at <= now < self.starts_at + (self.ends_at - self.starts_at) * 2 // 3

    def names(self) -> tuple[str, ...]:
        """The DNS names and addresses that it is good for, sorted."""
        value = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = [str(address) for address in value.get_values_for_type(x509.IPAddress)]
        return tuple(sorted([*value.get_values_for_type(x509.DNSName), *addresses]))

    def sign(self, message: bytes) -> bytes:
        """ES256: 64 bytes r||s (RFC 7518, 3.4)."""
        r, s = utils.decode_dss_signature(_load_key(self.key).sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Issues the server's own certificates."""

    root: Issued
    intermediate: Issued
    entropy: Entropy

    @classmethod
    def create(cls, now: Instant, entropy: Entropy) -> Self:
        """A new root and its first intermediate."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"Watchword root {entropy.bytes(4).hex()}")
        builder = _builder(name, name, key, _period(now, ROOT_LIFE), entropy)
        certificate = _as_authority(builder, path_length=1).sign(key, SHA256())
        root = Issued(chain=(certificate,), key=_dump_key(key))
        return cls(root=root, intermediate=_issue_intermediate(root, now, entropy), entropy=entropy)

    def with_new_intermediate(self, now: Instant) -> "Authority":
        """The same root over a new intermediate. Raise `InvalidConfigError` when the root has ended."""
        made = _issue_intermediate(self.root, now, self.entropy)
        return Authority(root=self.root, intermediate=made, entropy=self.entropy)

    def check_time(self, now: Instant) -> None:
        """Raise `InvalidConfigError` when the root has ended: nothing that it issues would be believed."""
        if now >= self.root.ends_at:
            ended = iso(self.root.ends_at)
            raise InvalidConfigError(f"the certificate authority ended at {ended}; the clock says {iso(now)}")

    def issue_server(self, names: Sequence[str], now: Instant) -> Issued:
        """A TLS server certificate for DNS names and IP addresses, chain without the root.

        Raises:
            InvalidConfigError: a name is neither, or the intermediate has ended.
        """
        alternative = x509.SubjectAlternativeName([_server_name(name) for name in _distinct(names)])
        key, builder = self._leaf(self.intermediate, "Watchword server", now, SERVER_LIFE)
        builder = builder.add_extension(alternative, critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        certificate = builder.sign(_load_key(self.intermediate.key), SHA256())
        return Issued(chain=(certificate, *self.intermediate.chain), key=_dump_key(key))

    def issue_document_signer(self, now: Instant) -> Issued:
        """A signer of key documents, directly under the root. Its name fits no host, so none for TLS."""
        key, builder = self._leaf(self.root, "Watchword key document", now, DOCUMENT_SIGNER_LIFE)
        name = x509.UniformResourceIdentifier(DOCUMENT_SIGNER_NAME)
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        return Issued(chain=(builder.sign(_load_key(self.root.key), SHA256()),), key=_dump_key(key))

    def _leaf(
        self, issuer: Issued, name: str, now: Instant, life: int
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.CertificateBuilder]:
        key = ec.generate_private_key(ec.SECP256R1())
        period = _period(now, life, within=issuer)
        builder = _builder(_name(name), issuer.certificate.subject, key, period, self.entropy)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        return key, builder.add_extension(_issuer_key_id(issuer), critical=False)


def _issue_intermediate(root: Issued, now: Instant, entropy: Entropy) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Watchword intermediate {entropy.bytes(4).hex()}")
    period = _period(now, INTERMEDIATE_LIFE, within=root)
    builder = _builder(name, root.certificate.subject, key, period, entropy)
    builder = _as_authority(builder, path_length=0).add_extension(_issuer_key_id(root), critical=False)
    return Issued(chain=(builder.sign(_load_key(root.key), SHA256()),), key=_dump_key(key))


def _period(now: Instant, life: int, *, within: Issued | None = None) -> tuple[Instant, Instant]:
    """Start and end. A clock that went back before the issuer's start is taken to stand at that start."""
    starts = min(max(now, 0), _LAST) - _BACKDATE
    starts = max(starts, within.starts_at) if within else max(starts, 0)
    ends = min(starts + _BACKDATE + life, within.ends_at if within else _LAST)
    starts -= starts % 1000
    if ends <= starts:
        raise InvalidConfigError(
            f"the certificate authority ended at {iso(Instant(ends))}; the clock says {iso(now)}"
        )
    return Instant(starts), Instant(ends)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    period: tuple[Instant, Instant],
    entropy: Entropy,
) -> x509.CertificateBuilder:
    starts, ends = (datetime.fromtimestamp(instant // 1000, UTC) for instant in period)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(_serial(entropy))
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _serial(entropy: Entropy) -> int:
    """158 random bits after a set one: positive, at most 20 octets, never short (RFC 5280, 4.1.2.2)."""
    value = int.from_bytes(entropy.bytes(_SERIAL_SIZE), "big")
    return value & ((1 << 159) - 1) | 1 << 158


def _as_authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    return builder.add_extension(constraints, critical=True).add_extension(
        _key_usage(authority=True), critical=True
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_key_id(issuer: Issued) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _distinct(names: Sequence[str]) -> list[str]:
    if not 0 < len(names) <= _MAX_NAMES:
        raise InvalidConfigError(f"a server certificate has 1 to {_MAX_NAMES} names")
    return sorted(set(names))


def _server_name(text: str) -> x509.GeneralName:
    """An IP address or an ASCII DNS name; no wildcard, no trailing dot: names are compared as written."""
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(text))
    if len(text) > _MAX_DNS_NAME or not all(_DNS_LABEL.match(label) for label in text.split(".")):
        raise InvalidConfigError(f"not a host name or address for a certificate: {text[:80]!r}")
    return x509.DNSName(text)


def _dump_key(key: ec.EllipticCurvePrivateKey) -> Secret:
    return Secret(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _load_key(key: Secret) -> ec.EllipticCurvePrivateKey:
    try:
        loaded = load_der_private_key(key.reveal(), None)
    except ValueError:
        raise DamagedError("a stored private key does not parse") from None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not isinstance(loaded.curve, ec.SECP256R1):
        raise DamagedError("a stored private key is of another kind")
    return loaded
