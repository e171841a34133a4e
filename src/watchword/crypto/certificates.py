"""X.509 as both ends read it: fingerprints of a root, and the chain of the key document's signer.

The chain is short and of our own making, so the check is exact: no extension, name or key that we would not
have written ourselves is accepted. TLS chains are checked by the TLS library, not here.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from watchword.core.clock import MINUTE, Instant
from watchword.errors import MalformedError, NotTrustedError, SignatureError

DOCUMENT_SIGNER_NAME: Final = "urn:watchword:key-document"
"""The URI that marks the signer of key documents; no other certificate of ours carries it."""
SKEW: Final = MINUTE
MAX_CERTIFICATE_SIZE: Final = 2048
"""Bytes of DER. Ours have about 500."""
SIGNATURE_SIZE: Final = 64
_HALF: Final = SIGNATURE_SIZE // 2
_FINGERPRINT_SIZE: Final = 32
_FINGERPRINT_PREFIX: Final = "SHA256:"
_GROUP: Final = 4
_GROUPED: Final = re.compile(r"[0-9a-z]{52}\Z")

_ROOT_EXTENSIONS: Final = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.SUBJECT_KEY_IDENTIFIER}
)
_SIGNER_EXTENSIONS: Final = _ROOT_EXTENSIONS | {
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}


def parse_certificate(der: bytes) -> x509.Certificate:
    """Read one certificate in DER with a P-256 key. Raise `MalformedError` for anything else."""
    if len(der) > MAX_CERTIFICATE_SIZE:
        raise MalformedError("a certificate is too large")
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        certificate.extensions  # noqa: B018  # parsed lazily: a broken one must show here
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
    ):  # the library's, for bad values
        raise MalformedError("not an X.509 certificate") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise MalformedError("a certificate's key is not of P-256")
    return certificate


def encode_certificate(certificate: x509.Certificate) -> bytes:
    """DER."""
    return certificate.public_bytes(Encoding.DER)


def encode_certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def root_fingerprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo, 32 bytes: the same for every certificate of one key (RFC 7469)."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def format_fingerprint(fingerprint: bytes) -> str:
    """`SHA256:` and 13 groups of 4 base32 digits (RFC 4648, lower case), for people to compare."""
    digits = base64.b32encode(fingerprint).decode().rstrip("=").lower()
    groups = [digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP)]
    return _FINGERPRINT_PREFIX + "-".join(groups)


def parse_fingerprint(text: str) -> bytes:
    """Read what `format_fingerprint` wrote; case, hyphens, spaces and the prefix may differ, as people type.

    64 hexadecimal digits, with or without colons, are accepted too: other tools print those.
    """
    folded = re.sub(r"[\s:-]", "", text.strip().lower().removeprefix(_FINGERPRINT_PREFIX.lower()))
    if re.fullmatch(r"[0-9a-f]{64}", folded):
        return bytes.fromhex(folded)
    if not _GROUPED.match(folded):
        raise MalformedError("not a fingerprint: expected SHA256: and 13 groups of 4 characters")
    try:
        found = base64.b32decode(folded.upper() + "====")
    except ValueError:
        raise MalformedError("a character does not belong into a fingerprint") from None
    if len(found) != _FINGERPRINT_SIZE or format_fingerprint(found).replace("-", "")[7:] != folded:
        raise MalformedError("not a fingerprint: its last character is wrong")
    return found


def check_root(root: x509.Certificate, *, pin: bytes, now: Instant) -> None:
    """Raise `NotTrustedError` unless `root` is the authority whose key was pinned, and is in its time."""
    if not hmac.compare_digest(root_fingerprint(root), pin):
        raise NotTrustedError("the key document is not signed under the certificate authority that we know")
    _check_extensions(root, _ROOT_EXTENSIONS)
    if not _constraints(root).ca or not _usage(root).key_cert_sign:
        raise NotTrustedError("the pinned certificate is not an authority")
    _check_issued(root, root)
    _check_time(root, now)


def check_document_signer(signer: x509.Certificate, *, root: x509.Certificate, now: Instant) -> None:
    """Raise `NotTrustedError` unless `root` itself made `signer` for key documents, and it is in its time."""
    _check_issued(signer, root)
    _check_extensions(signer, _SIGNER_EXTENSIONS)
    if _constraints(signer).ca or not _usage(signer).digital_signature:
        raise NotTrustedError("the signer's certificate is of another kind")
    names = signer.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if list(names) != [x509.UniformResourceIdentifier(DOCUMENT_SIGNER_NAME)]:
        raise NotTrustedError("the signer's certificate is for another use")
    _check_time(signer, now)


def verify_es256(certificate: x509.Certificate, signature: bytes, message: bytes) -> None:
    """Check r||s (RFC 7518, 3.4) under the certificate's key. Raise `SignatureError`."""
    key = certificate.public_key()
    if len(signature) != SIGNATURE_SIZE or not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureError
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise SignatureError from None


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        raise NotTrustedError("a certificate was not issued by the one above it") from None


def _check_extensions(certificate: x509.Certificate, allowed: Collection[ObjectIdentifier]) -> None:
    """Exactly ours: an extension that we do not know could restrict or extend what the certificate means."""
    if {extension.oid for extension in certificate.extensions} != set(allowed):
        raise NotTrustedError("a certificate has other extensions than ours")


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value


def _usage(certificate: x509.Certificate) -> x509.KeyUsage:
    return certificate.extensions.get_extension_for_class(x509.KeyUsage).value


def _check_time(certificate: x509.Certificate, now: Instant) -> None:
    starts = certificate.not_valid_before_utc.timestamp() * 1000
    ends = certificate.not_valid_after_utc.timestamp() * 1000
    if not starts - SKEW <= now < ends + SKEW:
        raise NotTrustedError(
            "a certificate is not valid now: compare this machine's clock with the server's"
        )
