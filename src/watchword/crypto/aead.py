"""What lies in the database: AES-256-GCM under a versioned data key, bound to its table, row and purpose.

A record is format (1 byte) || key version (4 bytes, big-endian) || nonce (12) || ciphertext || tag (16). The
associated data is the canonical JSON of {"purpose","row","table"}, so that a record moved to another place
does not open.

Nonces are 96 random bits: at most 2^32 records may be sealed under one version of a key (the chance of a
repeated nonce then reaches 2^-33; NIST SP 800-38D, section 8.3). Rotate well before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.core.encoding import encode_canonical_json
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import DamagedError

KEY_SIZE: Final = 32
_FORMAT: Final = 1
_VERSION_END: Final = 5
_NONCE_SIZE: Final = 12
_NONCE_END: Final = _VERSION_END + _NONCE_SIZE
_TAG_SIZE: Final = 16
OVERHEAD: Final = _NONCE_END + _TAG_SIZE
"""By how many bytes a record is longer than its plaintext."""
MAX_KEY_VERSION: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedKey:
    """A 32-byte key for one purpose, and which of its versions it is (0 to 2^32 - 1)."""

    version: int
    key: Secret

    def __post_init__(self) -> None:
        if not 0 <= self.version <= MAX_KEY_VERSION or len(self.key) != KEY_SIZE:
            raise ValueError("a versioned key has 32 bytes and a version of 32 bits")


def _place(table: str, row: str, purpose: str) -> bytes:
    return encode_canonical_json({"table": table, "row": row, "purpose": purpose})


def seal_at_rest(
    plaintext: bytes, key: VersionedKey, *, table: str, row: str, purpose: str, entropy: Entropy
) -> bytes:
    """Give the record of `plaintext` for exactly this place."""
    nonce = entropy.bytes(_NONCE_SIZE)
    sealed = AESGCM(key.key.reveal()).encrypt(nonce, plaintext, _place(table, row, purpose))
    return bytes((_FORMAT,)) + key.version.to_bytes(4, "big") + nonce + sealed


def key_version_of(record: bytes) -> int:
    """Which version of the key sealed this record, so that rotation can find the old ones. `DamagedError`."""
    if len(record) < OVERHEAD or record[0] != _FORMAT:
        raise DamagedError
    return int.from_bytes(record[1:_VERSION_END], "big")


def open_at_rest(
    record: bytes, keys: Callable[[int], Secret], *, table: str, row: str, purpose: str
) -> bytes:
    """Give back what was sealed for this place. `keys` gives the key of a version, or raises `LookupError`.

    Raises:
        DamagedError: the record does not parse, was changed or moved, or its key is gone.
    """
    try:
        cipher = AESGCM(keys(key_version_of(record)).reveal())
        return cipher.decrypt(
            record[_VERSION_END:_NONCE_END], record[_NONCE_END:], _place(table, row, purpose)
        )
    except (InvalidTag, LookupError):
        raise DamagedError from None
