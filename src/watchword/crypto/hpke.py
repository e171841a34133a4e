"""HPKE (RFC 9180), base mode, single shot: seal to a public key so that only its owner opens it.

Two suites, both with HKDF-SHA256 and AES-256-GCM. A sealed thing is `enc || ciphertext || tag`. What must be
bound (the header: suite, key id, purpose, version) is the HPKE `info`; there is no associated data besides.
MLKEM768-X25519 is KEM 0x647A, which is X-Wing (draft-connolly-cfrg-xwing-kem,
draft-irtf-cfrg-concrete-hybrid-kems section 4.2). The sender's ephemeral keys come from OpenSSL's generator.
"""

import enum
import hashlib
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import MalformedError, TooLargeError, UnsealError

SEED_SIZE: Final = 32
MAX_PLAINTEXT: Final = 1 << 20
"""Far above any envelope or epoch of ours; a bound so that no caller can forget one."""
MAX_INFO: Final = 1 << 14
_TAG_SIZE: Final = 16
_X25519_SIZE: Final = 32
_MLKEM_KEY_SIZE: Final = 1184
_MLKEM_SEED_SIZE: Final = 64
_MLKEM_CIPHERTEXT_SIZE: Final = 1088
_EXPANDED_SIZE: Final = _MLKEM_SEED_SIZE + _X25519_SIZE
_FIELD: Final = (1 << 255) - 19
_SMALL_ORDER: Final = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
        0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
    }
)
"""The u coordinates of every point of order 1, 2, 4 or 8 on Curve25519 and its twist."""


class Suite(enum.StrEnum):
    """By the name of the KEM, as it stands in envelope headers."""

    HYBRID = "MLKEM768-X25519"
    X25519 = "X25519"


_SUITES: Final = {
    Suite.HYBRID: hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
    Suite.X25519: hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
}
_PUBLIC_SIZES: Final = {Suite.HYBRID: _MLKEM_KEY_SIZE + _X25519_SIZE, Suite.X25519: _X25519_SIZE}
_ENC_SIZES: Final = {Suite.HYBRID: _MLKEM_CIPHERTEXT_SIZE + _X25519_SIZE, Suite.X25519: _X25519_SIZE}


def overhead(suite: Suite) -> int:
    """By how many bytes a sealed thing is longer than its plaintext."""
    return _ENC_SIZES[suite] + _TAG_SIZE


def _is_good_point(data: bytes) -> bool:
    """Whether 32 bytes are the one encoding (RFC 7748 would reduce others) of a point of large order."""
    u = int.from_bytes(data, "little")
    return u < _FIELD and u not in _SMALL_ORDER


class SealingPublicKey:
    """The public half: whoever has it can seal."""

    __slots__ = ("_data", "_key", "suite")

    def __init__(self, suite: Suite, data: bytes) -> None:
        self.suite: Final = suite
        self._data: Final = data
        if len(data) != _PUBLIC_SIZES[suite] or not _is_good_point(data[-_X25519_SIZE:]):
            raise MalformedError("not a sealing key of this suite")
        self._key: Final = _parse_public(suite, data)

    @classmethod
    def from_bytes(cls, suite: Suite, data: bytes) -> Self:
        """Read 32 bytes (X25519) or 1216 (ML-KEM-768 key, then X25519 key).

        Raises:
            MalformedError: wrong length, coefficients out of range, a small-order or non-canonical point.
        """
        return cls(suite, data)

    def to_bytes(self) -> bytes:
        return self._data

    def seal(self, plaintext: bytes, *, info: bytes) -> bytes:
        """Give `enc || ciphertext || tag`; `info` must be given again to open. TooLargeError beyond MAX_*."""
        if len(plaintext) > MAX_PLAINTEXT or len(info) > MAX_INFO:
            raise TooLargeError
        return _SUITES[self.suite].encrypt(plaintext, self._key, info=info)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SealingPublicKey):
            return NotImplemented
        return (self.suite, self._data) == (other.suite, other._data)

    def __hash__(self) -> int:
        return hash((self.suite, self._data))


def _parse_public(suite: Suite, data: bytes) -> X25519PublicKey | hpke.MLKEM768X25519PublicKey:
    x25519 = X25519PublicKey.from_public_bytes(data[-_X25519_SIZE:])
    if suite is Suite.X25519:
        return x25519
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(data[:_MLKEM_KEY_SIZE])
    except ValueError:
        raise MalformedError("not a sealing key of this suite") from None
    return hpke.MLKEM768X25519PublicKey(mlkem, x25519)


class SealingPrivateKey:
    """The private half, made from a 32-byte seed: the X25519 private key itself, or the X-Wing seed."""

    __slots__ = ("_key", "_seed", "public", "suite")

    def __init__(self, suite: Suite, seed: Secret) -> None:
        if len(seed) != SEED_SIZE:
            raise MalformedError("a sealing key's seed has 32 bytes")
        self.suite: Final = suite
        self._seed: Final = seed
        self._key, public = _expand(suite, seed)
        self.public: Final = SealingPublicKey(suite, public)

    @classmethod
    def generate(cls, suite: Suite, entropy: Entropy) -> Self:
        return cls(suite, Secret(entropy.bytes(SEED_SIZE)))

    @classmethod
    def from_seed(cls, suite: Suite, seed: Secret) -> Self:
        """Make the key anew; hybrid: SHAKE256(seed, 96) = d || z || X25519 key, as in X-Wing."""
        return cls(suite, seed)

    def seed(self) -> Secret:
        return self._seed

    def open(self, sealed: bytes, *, info: bytes) -> bytes:
        """Give the plaintext of what was sealed to this key under the same `info`.

        Raises:
            UnsealError: for whatever reason; it carries no text.
        """
        enc_size = _ENC_SIZES[self.suite]
        size = len(sealed) - enc_size - _TAG_SIZE
        if not 0 <= size <= MAX_PLAINTEXT or len(info) > MAX_INFO:
            raise UnsealError
        if not _is_good_point(sealed[enc_size - _X25519_SIZE : enc_size]):
            raise UnsealError
        try:
            return _SUITES[self.suite].decrypt(sealed, self._key, info=info)
        except (InvalidTag, ValueError):
            raise UnsealError from None


def _expand(suite: Suite, seed: Secret) -> tuple[X25519PrivateKey | hpke.MLKEM768X25519PrivateKey, bytes]:
    """The private key and the bytes of its public key."""
    if suite is Suite.X25519:
        key = X25519PrivateKey.from_private_bytes(seed.reveal())
        return key, key.public_key().public_bytes_raw()
    expanded = hashlib.shake_256(seed.reveal()).digest(_EXPANDED_SIZE)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_SIZE])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_SIZE:])
    public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    return hpke.MLKEM768X25519PrivateKey(mlkem, x25519), public
