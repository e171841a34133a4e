"""Argon2id and bcrypt as the server may apply them to a keyed hash; costs travel with each verifier.

Each gives 32 bytes. Both let other threads run; neither may run on the event loop.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final, Protocol, Self

from watchword.core.encoding import encode_b64u
from watchword.crypto.argon2 import argon2id
from watchword.errors import DamagedError

_MIN_MEMORY_KIB: Final = 19 * 1024
_MAX_MEMORY_KIB: Final = 256 * 1024  # hash slots times this is what a damaged row could make the server take
_MIN_PASSES: Final = 2
_MAX_PASSES: Final = 16
_MIN_ROUNDS: Final = 10
_MAX_ROUNDS: Final = 15  # about 3 s
_BCRYPT_SALT_TEXT: Final = 29  # "$2b$12$" and 22 digits
_TO_BCRYPT: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
)


class SlowCost(Protocol):
    """A slow hash and how slow it is. The default is today's cost."""

    def __init__(self) -> None: ...

    @classmethod
    def decode(cls, data: bytes) -> tuple[Self, bytes]:
        """Read the cost from the front of `data`; give it and the rest. `DamagedError` when out of bounds."""
        ...

    def encode(self) -> bytes: ...

    def hash(self, keyed: bytes, salt: bytes) -> bytes:
        """32 bytes of the keyed hash under a salt of 16 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Argon2id v1.3 on one lane; 19 MiB and two passes, as OWASP recommends for servers."""

    memory_kib: int = 19 * 1024
    passes: int = 2

    MIN_MEMORY_KIB: Final = 19 * 1024
    MAX_MEMORY_KIB: Final = (
        256 * 1024
    )  # hash slots times this is what a damaged row could make the server take
    MAX_PASSES: Final = 16

    @classmethod
    def decode(cls, data: bytes) -> tuple[Self, bytes]:
        memory_kib, passes = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:5], "big")
        if not (_MIN_MEMORY_KIB <= memory_kib <= _MAX_MEMORY_KIB and _MIN_PASSES <= passes <= _MAX_PASSES):
            raise DamagedError
        return cls(memory_kib, passes), data[5:]

    def encode(self) -> bytes:
        return self.memory_kib.to_bytes(4, "big") + self.passes.to_bytes(1, "big")

    def hash(self, keyed: bytes, salt: bytes) -> bytes:
        password = encode_b64u(keyed).encode()
        return argon2id(password, salt, passes=self.passes, memory_kib=self.memory_kib)


@dataclass(frozen=True, slots=True)
class BcryptCost:
    """bcrypt 2b with 2^rounds expansions; its text is hashed to 32 bytes, as all tags have one size."""

    rounds: int = 12

    @classmethod
    def decode(cls, data: bytes) -> tuple[Self, bytes]:
        rounds = int.from_bytes(data[:1], "big")
        if not _MIN_ROUNDS <= rounds <= _MAX_ROUNDS:
            raise DamagedError
        return cls(rounds), data[1:]

    def encode(self) -> bytes:
        return self.rounds.to_bytes(1, "big")

    def hash(self, keyed: bytes, salt: bytes) -> bytes:
        import bcrypt  # noqa: PLC0415  # a server's dependency; clients import this module too

        digits = base64.b64encode(salt).rstrip(b"=").translate(_TO_BCRYPT)
        text = bcrypt.hashpw(encode_b64u(keyed).encode(), b"$2b$%02d$" % self.rounds + digits)
        return hashlib.sha256(text[_BCRYPT_SALT_TEXT:]).digest()
