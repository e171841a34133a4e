"""Argon2id version 1.3 (RFC 9106) on one lane, through PyNaCl, the fastest wheel; other threads run on."""

from typing import Final

from nacl.bindings import crypto_pwhash_alg, crypto_pwhash_ALG_ARGON2ID13
from nacl.exceptions import RuntimeError as NaClRuntimeError

from watchword.errors import UnavailableError

SALT_SIZE: Final = 16
HASH_SIZE: Final = 32


def argon2id(password: bytes, salt: bytes, *, passes: int, memory_kib: int) -> bytes:
    """Give 32 bytes. Whoever calls has checked the sizes and the cost.

    Raises:
        UnavailableError: the machine does not have `memory_kib` of memory to give.
    """
    memory = memory_kib * 1024
    try:
        return crypto_pwhash_alg(HASH_SIZE, password, salt, passes, memory, crypto_pwhash_ALG_ARGON2ID13)
    except NaClRuntimeError:
        raise UnavailableError("not enough memory to hash a password") from None
