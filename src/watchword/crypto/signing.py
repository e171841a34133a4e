"""ES256 (RFC 7518, section 3.4): what signs tokens, and what an application verifies them with.

Imported by the middleware, so it needs nothing but `cryptography`. Ed25519 keys of devices are in
`device_keys`. Signatures are r || s, 32 bytes each. Both values of s are accepted, as RFC 7518 has no rule of
a low one: a signature is never an identifier here.
"""

import functools
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from watchword.core.encoding import decode_b64u_sized, encode_b64u, encode_canonical_json
from watchword.core.secret import Secret
from watchword.errors import MalformedError, SignatureError

SIGNATURE_SIZE: Final = 64
_FIELD_SIZE: Final = 32
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CURVE: Final = ec.SECP256R1()
_KID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""What a private or symmetric JWK has (RFC 7518, section 6): such a key in public is a leak, not a key."""
_MEMBERS: Final[tuple[tuple[str, frozenset[Any]], ...]] = (
    ("kty", frozenset({"EC"})),
    ("crv", frozenset({"P-256"})),
    ("use", frozenset({"sig", None})),
    ("alg", frozenset({"ES256", None})),
)


class TokenVerifyingKey:
    """A P-256 public key with its key id."""

    __slots__ = ("_key", "_x", "_y", "kid")

    def __init__(self, key: ec.EllipticCurvePublicKey, *, kid: str | None = None) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise MalformedError("not a P-256 key")
        numbers = key.public_numbers()
        self._key: Final = key
        self._x: Final = encode_b64u(numbers.x.to_bytes(_FIELD_SIZE, "big"))
        self._y: Final = encode_b64u(numbers.y.to_bytes(_FIELD_SIZE, "big"))
        self.kid: Final = self.thumbprint() if kid is None else kid

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a public JWK for ES256 and nothing else; unknown members are ignored (RFC 7517).

        Without `kid`, the thumbprint is the key id.

        Raises:
            MalformedError: another kind of key or use, a private member, a coordinate not of exactly 32
                bytes, a point that is not on the curve, a `kid` outside the alphabet.
        """
        if not _PRIVATE_MEMBERS.isdisjoint(jwk):
            raise MalformedError("a key with private members")
        for name, accepted in _MEMBERS:
            value = jwk.get(name)
            if not (value is None or isinstance(value, str)) or value not in accepted:
                raise MalformedError(f"a key whose {name} is not for ES256")
        if jwk.get("key_ops", ["verify"]) != ["verify"]:
            raise MalformedError("a key that is not for verifying")
        kid = jwk.get("kid")
        if "kid" in jwk and not (isinstance(kid, str) and _KID.match(kid)):
            raise MalformedError("not a key id")
        return cls(_point(_coordinate(jwk, "x"), _coordinate(jwk, "y")), kid=kid)

    def to_jwk(self) -> dict[str, str]:
        """The public JWK, with `kid`, `alg` and `use`."""
        point = {"kty": "EC", "crv": "P-256", "x": self._x, "y": self._y}
        return point | {"kid": self.kid, "alg": "ES256", "use": "sig"}

    def thumbprint(self) -> str:
        """RFC 7638 with SHA-256, base64url."""
        required = {"crv": "P-256", "kty": "EC", "x": self._x, "y": self._y}
        return encode_b64u(hashlib.sha256(encode_canonical_json(required)).digest())

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return if the 64 bytes are a signature of `message`; else raise `SignatureError`, without a why."""
        r = int.from_bytes(signature[:_FIELD_SIZE], "big")
        s = int.from_bytes(signature[_FIELD_SIZE:], "big")
        if len(signature) != SIGNATURE_SIZE or not (0 < r < _ORDER and 0 < s < _ORDER):
            raise SignatureError
        try:
            self._key.verify(encode_dss_signature(r, s), message, _es256())
        except InvalidSignature:
            raise SignatureError from None


@functools.cache
def _es256() -> ec.ECDSA:
    """Made at the first use: making it loads all of OpenSSL's backend, for which an import should not wait."""
    return ec.ECDSA(SHA256())


def _coordinate(jwk: Mapping[str, Any], name: str) -> int:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise MalformedError(f"a key without {name}")
    return int.from_bytes(decode_b64u_sized(text, _FIELD_SIZE), "big")


def _point(x: int, y: int) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicNumbers(x, y, _CURVE).public_key()
    except ValueError:
        raise MalformedError("not a point of P-256") from None


class TokenSigningKey:
    """A P-256 private key. Its key id is the RFC 7638 thumbprint of its public half."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key: Final = key
        self.public: Final = TokenVerifyingKey(key.public_key())

    @classmethod
    def generate(cls) -> Self:
        """A new key from OpenSSL's generator."""
        return cls(ec.generate_private_key(_CURVE))

    @classmethod
    def from_private_bytes(cls, data: Secret) -> Self:
        """Read an unencrypted PKCS #8 key in DER; `MalformedError` for anything but a P-256 key."""
        # 25 ms to load, and applications that only verify never need it
        from cryptography.hazmat.primitives.serialization import load_der_private_key  # noqa: PLC0415  # see above

        try:
            key = load_der_private_key(data.reveal(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise MalformedError("not a private key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise MalformedError("not a P-256 key")
        return cls(key)

    def to_private_bytes(self) -> Secret:
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  # as in `from_private_bytes`
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        return Secret(self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    @property
    def kid(self) -> str:
        return self.public.kid

    def sign(self, message: bytes) -> bytes:
        """Give r || s, 64 bytes."""
        r, s = decode_dss_signature(self._key.sign(message, _es256()))
        return r.to_bytes(_FIELD_SIZE, "big") + s.to_bytes(_FIELD_SIZE, "big")
