"""Ed25519 (RFC 8032) for devices, through PyNaCl, which is twice as fast as OpenSSL. Not for the middleware.

libsodium refuses S >= L and small-order or non-canonical points by itself; a public key is refused before,
when it is read, unless it is a point of the prime-order group.
"""

from typing import Final, Self

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError

from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import MalformedError, SignatureError

SEED_SIZE: Final = 32
PUBLIC_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64


class DeviceVerifyingKey:
    """A device's public key."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        if len(data) != PUBLIC_SIZE or not crypto_core_ed25519_is_valid_point(data):
            raise MalformedError("not a signing key")
        self._data: Final = data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read 32 bytes.

        Raises:
            MalformedError: wrong length, non-canonical, not on the curve, of small order, or outside the
                prime-order group (there some signatures would verify for one implementation and not for
                another).
        """
        return cls(data)

    @classmethod
    def from_stored(cls, data: bytes) -> Self:
        """A key that `from_bytes` has read before: the proof of its group, most of its cost, is not repeated."""
        key = cls.__new__(cls)
        object.__setattr__(key, "_data", data)
        return key

    def to_bytes(self) -> bytes:
        return self._data

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return if the 64 bytes are a signature of `message`; else raise `SignatureError`, without a why."""
        if len(signature) != SIGNATURE_SIZE:
            raise SignatureError
        try:
            crypto_sign_open(signature + message, self._data)
        except BadSignatureError:
            raise SignatureError from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceVerifyingKey) and self._data == other._data

    def __hash__(self) -> int:
        return hash(self._data)


class DeviceSigningKey:
    """A device's private key, made from a 32-byte seed."""

    __slots__ = ("_expanded", "_seed", "public")

    def __init__(self, seed: Secret) -> None:
        if len(seed) != SEED_SIZE:
            raise MalformedError("a signing key's seed has 32 bytes")
        public, self._expanded = crypto_sign_seed_keypair(seed.reveal())
        self._seed: Final = seed
        self.public: Final = DeviceVerifyingKey.from_stored(public)  # a multiple of the base point

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        return cls(Secret(entropy.bytes(SEED_SIZE)))

    @classmethod
    def from_seed(cls, seed: Secret) -> Self:
        return cls(seed)

    def seed(self) -> Secret:
        return self._seed

    def sign(self, message: bytes) -> bytes:
        """Give the 64-byte signature."""
        return crypto_sign(message, self._expanded)[:SIGNATURE_SIZE]
