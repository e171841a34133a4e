"""The server's key document: whole, numbered, and signed under the pinned root (docs/protocol/keys.md).

A compact JWS. Whoever knows the root's fingerprint can bridge any absence with it: it names every sealing
and signing key in use. A client refuses a number lower than the last that it saw: old keys cannot come back.

    header  {"alg":"ES256","typ":"watchword-keys+jwt","x5c":[signer, root]}
    payload {"v":1,"iss","number","issued_at","expires_at","min_version","sealing":[…],"jwks":{"keys":[…]}}
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from cryptography import x509

from watchword.core.clock import SECOND, Instant
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.crypto.authority import Issued
from watchword.crypto.certificates import (
    MAX_CERTIFICATE_SIZE,
    SKEW,
    check_document_signer,
    check_root,
    encode_certificate,
    format_fingerprint,
    parse_certificate,
    parse_fingerprint,
    root_fingerprint,
    verify_es256,
)
from watchword.crypto.hpke import SealingPublicKey, Suite
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import MalformedError, NotTrustedError, TooLargeError

__all__ = [
    "MAX_DOCUMENT_SIZE",
    "KeyDocument",
    "PublishedSealingKey",
    "build_key_document",
    "format_fingerprint",
    "jwk_set",
    "parse_fingerprint",
    "read_unverified_root",
    "root_fingerprint",
    "verify_key_document",
]

MAX_DOCUMENT_SIZE: Final = 65536
"""Eight keys of each use, the hybrid ones of 1,216 bytes, come to less than 40,000 characters."""
MAX_KEYS: Final = 16
PROTOCOL_VERSION: Final = 1
_VERSION: Final = 1
_TYPE: Final = "watchword-keys+jwt"
_HEADER_SIZE: Final = 4 * MAX_CERTIFICATE_SIZE
_CHAIN_LENGTH: Final = 2
_MEMBERS: Final = frozenset(
    {"v", "iss", "number", "issued_at", "expires_at", "min_version", "sealing", "jwks"}
)
_SEALING_MEMBERS: Final = frozenset({"kid", "suite", "public", "state"})
_JWK_MEMBERS: Final = frozenset({"kty", "crv", "x", "y", "kid", "alg", "use"})
_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_STATES: Final = frozenset({"current", "retiring"})
_MAX_ISSUER: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSealingKey:
    """A key of the server to seal to: new envelopes use the current one of their suite."""

    kid: str
    key: SealingPublicKey
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDocument:
    """What the server's keys are, as its root says."""

    issuer: str
    number: int
    issued_at: Instant
    expires_at: Instant
    sealing: tuple[PublishedSealingKey, ...]
    signing: tuple[TokenVerifyingKey, ...]
    min_version: int = PROTOCOL_VERSION
    """The least protocol version that the server still speaks."""

    def current_sealing(self, suite: Suite) -> PublishedSealingKey | None:
        """What to seal to now, or None if the server does not take this suite."""
        return next((key for key in self.sealing if key.is_current and key.key.suite is suite), None)


_Key = TypeVar("_Key", PublishedSealingKey, TokenVerifyingKey)


def build_key_document(document: KeyDocument, *, signer: Issued, root: x509.Certificate) -> str:
    """Sign `document`. `signer` must be a document signer under `root`."""
    chain = [signer.certificate, root]
    header = {
        "alg": "ES256",
        "typ": _TYPE,
        "x5c": [_encode_certificate(certificate) for certificate in chain],
    }
    signed = f"{encode_b64u(encode_json(header))}.{encode_b64u(encode_json(_payload(document)))}"
    return f"{signed}.{encode_b64u(signer.sign(signed.encode()))}"


def verify_key_document(text: str, *, pin: bytes, now: Instant, at_least: int) -> KeyDocument:
    """Return the document, verified. `pin` is the root's fingerprint; `at_least` the last number seen.

    Raises:
        TooLargeError, MalformedError: it does not parse.
        NotTrustedError: it is not from the server that was pinned, or older than one seen before.
        SignatureError: the signature is bad.
    """
    # 1. Size.
    if len(text) > MAX_DOCUMENT_SIZE:
        raise TooLargeError
    # 2. Exactly our header.
    first, payload, signature = _split(text)
    signer, root = _read_header(first)
    # 3. The root is the pinned one.
    check_root(root, pin=pin, now=now)
    # 4. It made the signer, for key documents.
    check_document_signer(signer, root=root, now=now)
    # 5. Signature.
    verify_es256(signer, decode_b64u(signature), f"{first}.{payload}".encode())
    # 6. Payload.
    document = _read_payload(decode_json(decode_b64u(payload), max_size=MAX_DOCUMENT_SIZE))
    # 7. Time.
    if not document.issued_at - SKEW <= now < document.expires_at + SKEW:
        raise NotTrustedError(
            "the key document is not valid now: compare this machine's clock with the server's"
        )
    # 8. Number.
    if document.number < at_least:
        raise NotTrustedError("the key document is older than one that was seen before")
    return document


def read_unverified_root(text: str) -> x509.Certificate:
    """The root that a document names, to show its fingerprint where trust on first use was asked for."""
    if len(text) > MAX_DOCUMENT_SIZE:
        raise TooLargeError
    return _read_header(_split(text)[0])[1]


def _split(text: str) -> tuple[str, str, str]:
    parts = text.split(".")
    if len(parts) != 3 or not text.isascii():  # noqa: PLR2004  # RFC 7515, 3.1
        raise MalformedError("not a compact JWS")
    return parts[0], parts[1], parts[2]


def _read_header(first: str) -> tuple[x509.Certificate, x509.Certificate]:
    header = decode_json(decode_b64u(first), max_size=_HEADER_SIZE)
    if not isinstance(header, dict) or header.keys() != {"alg", "typ", "x5c"}:
        raise MalformedError("not the header of a key document")
    if header["alg"] != "ES256" or header["typ"] != _TYPE:
        raise MalformedError("not the header of a key document")
    chain = header["x5c"]
    if not isinstance(chain, list) or len(chain) != _CHAIN_LENGTH:
        raise MalformedError("the chain is not the signer and its root")
    signer, root = (_decode_certificate(entry) for entry in chain)
    return signer, root


def _encode_certificate(certificate: x509.Certificate) -> str:
    """Base64 with padding, not base64url (RFC 7515, 4.1.6)."""
    return base64.b64encode(encode_certificate(certificate)).decode()


def _decode_certificate(text: Any) -> x509.Certificate:
    if not isinstance(text, str) or len(text) > 2 * MAX_CERTIFICATE_SIZE:
        raise MalformedError("not a certificate")
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("not a certificate in base64") from None
    return parse_certificate(der)


def _payload(document: KeyDocument) -> dict[str, Any]:
    return {
        "v": _VERSION,
        "iss": document.issuer,
        "number": document.number,
        "issued_at": document.issued_at // SECOND,
        "expires_at": document.expires_at // SECOND,
        "min_version": document.min_version,
        "sealing": [_sealing_entry(key) for key in document.sealing],
        "jwks": jwk_set(document.signing),
    }


def jwk_set(keys: Sequence[TokenVerifyingKey]) -> dict[str, list[dict[str, str]]]:
    """A JWK set of public keys (RFC 7517, 5): exactly the public members, whatever else a key may hold."""
    return {"keys": [{name: key.to_jwk()[name] for name in sorted(_JWK_MEMBERS)} for key in keys]}


def _sealing_entry(key: PublishedSealingKey) -> dict[str, str]:
    return {
        "kid": key.kid,
        "suite": key.key.suite.value,
        "public": encode_b64u(key.key.to_bytes()),
        "state": "current" if key.is_current else "retiring",
    }


def _read_payload(payload: Any) -> KeyDocument:
    if not isinstance(payload, dict) or payload.keys() != _MEMBERS or payload["v"] is not _VERSION:
        raise MalformedError("not a key document of version 1")
    issuer, jwks = payload["iss"], payload["jwks"]
    if not isinstance(issuer, str) or not 0 < len(issuer) <= _MAX_ISSUER:
        raise MalformedError("the issuer is not an origin")
    if not isinstance(jwks, dict) or jwks.keys() != {"keys"}:
        raise MalformedError("not a JWK set")
    return KeyDocument(
        issuer=issuer,
        number=_count(payload["number"]),
        issued_at=Instant(_count(payload["issued_at"]) * SECOND),
        expires_at=Instant(_count(payload["expires_at"]) * SECOND),
        min_version=_count(payload["min_version"]),
        sealing=_distinct([_read_sealing(entry) for entry in _listed(payload["sealing"])]),
        signing=_distinct([_read_signing(entry) for entry in _listed(jwks["keys"])]),
    )


def _count(value: Any) -> int:
    if type(value) is not int or not 0 < value < 1 << 53:
        raise MalformedError("not a positive number")
    return value


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_KEYS:
        raise MalformedError(f"not a list of 1 to {MAX_KEYS} keys")
    return value


def _distinct(keys: list[_Key]) -> tuple[_Key, ...]:
    if len({key.kid for key in keys}) != len(keys):
        raise MalformedError("two keys have one id")
    return tuple(keys)


def _read_sealing(entry: Any) -> PublishedSealingKey:
    if not isinstance(entry, dict) or entry.keys() != _SEALING_MEMBERS:
        raise MalformedError("not a sealing key")
    if not all(isinstance(value, str) for value in entry.values()) or not _KID.match(entry["kid"]):
        raise MalformedError("not a sealing key")
    if entry["state"] not in _STATES or entry["suite"] not in {suite.value for suite in Suite}:
        raise MalformedError("a sealing key of unknown suite or state")
    key = SealingPublicKey.from_bytes(Suite(entry["suite"]), decode_b64u(entry["public"]))
    return PublishedSealingKey(kid=entry["kid"], key=key, is_current=entry["state"] == "current")


def _read_signing(entry: Any) -> TokenVerifyingKey:
    """Exactly the members of a public key: a private or symmetric one is never taken."""
    if not isinstance(entry, dict) or entry.keys() != _JWK_MEMBERS:
        raise MalformedError("not a public signing key")
    return TokenVerifyingKey.from_jwk(entry)
