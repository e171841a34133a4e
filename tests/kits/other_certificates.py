"""Certificates beside the key document that a client must not take, though the right keys signed them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from watchword.core.clock import Instant
from watchword.crypto.authority import Issued
from watchword.crypto.certificates import DOCUMENT_SIGNER_NAME

Extensions = Sequence[x509.ExtensionType]
MORE = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
NOT_AUTHORITY = x509.BasicConstraints(ca=False, path_length=None)
AUTHORITY = x509.BasicConstraints(ca=True, path_length=1)


def usage(*, signs: bool = False, certifies: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not signs,
        key_cert_sign=certifies,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def uris(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name) for name in names])


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def private_key(issued: Issued) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(issued.key.reveal(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A certificate to be made: by default a good one, with one thing or another replaced."""

    subject: x509.Name
    issuer: x509.Name
    key: ec.EllipticCurvePrivateKey
    signs: ec.EllipticCurvePrivateKey
    starts_at: Instant
    days: int = 365
    extensions: Extensions = field(default=())

    @classmethod
    def root(cls, root: Issued) -> "Draft":
        """As the root itself, so that the pin fits."""
        key, name = private_key(root), root.certificate.subject
        extensions = (AUTHORITY, usage(certifies=True), key_id(key))
        return cls(
            subject=name, issuer=name, key=key, signs=key, starts_at=root.starts_at, extensions=extensions
        )

    @classmethod
    def signer(cls, root: Issued, signer: Issued) -> "Draft":
        key, above = private_key(signer), private_key(root)
        extensions = (
            NOT_AUTHORITY,
            usage(signs=True),
            key_id(key),
            issuer_id(above),
            uris(DOCUMENT_SIGNER_NAME),
        )
        return cls(
            subject=signer.certificate.subject,
            issuer=root.certificate.subject,
            key=key,
            signs=above,
            starts_at=signer.starts_at,
            extensions=extensions,
        )

    def having(self, *extensions: x509.ExtensionType) -> "Draft":
        """With these extensions in place of those of their kinds, or beside the others."""
        kept = [each for each in self.extensions if type(each) not in {type(new) for new in extensions}]
        return replace(self, extensions=(*kept, *extensions))

    def without(self, kind: type[x509.ExtensionType]) -> "Draft":
        return replace(self, extensions=tuple(each for each in self.extensions if type(each) is not kind))

    def made(self) -> x509.Certificate:
        starts = datetime.fromtimestamp(self.starts_at // 1000, UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(self.issuer)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(starts)
            .not_valid_after(starts + timedelta(days=self.days))
        )
        for extension in self.extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.signs, SHA256())


def key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def issuer_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
