"""Typed identifiers: 16 bytes, ordered by time of creation, written as a prefix and 26 Crockford digits.

Ordered keys keep inserts at the end of each index. The prefix keeps ids of one kind from being taken for another,
and the underscore keeps them apart from usernames of the same shape (which the reserved list refuses).
"""

import functools
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from watchword.core.clock import Instant
from watchword.core.encoding import decode_crockford, encode_crockford
from watchword.core.entropy import Entropy
from watchword.errors import MalformedError

ID_SIZE: Final = 16
_RANDOM_SIZE: Final = 10
_TEXT_DIGITS: Final = 26
_MAX_MILLISECONDS: Final = (1 << 48) - 1


def ordered_bytes(now: Instant, entropy: Entropy) -> bytes:
    """16 bytes: 48 bits of milliseconds, big-endian, then 80 random bits (the layout of ULID)."""
    return min(max(now, 0), _MAX_MILLISECONDS).to_bytes(6, "big") + entropy.bytes(_RANDOM_SIZE)


def first_at(instant: Instant) -> bytes:
    """What every id made before `instant` sorts before."""
    return min(max(instant, 0), _MAX_MILLISECONDS).to_bytes(6, "big") + bytes(_RANDOM_SIZE)


@functools.lru_cache(maxsize=4096)
def _digits(value: bytes) -> str:
    """One request writes the same few ids a dozen times."""
    return encode_crockford(value)


@dataclass(frozen=True, slots=True, order=True)
class Id:
    """The common shape of all ids; use a subclass."""

    value: bytes
    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if len(self.value) != ID_SIZE:
            raise MalformedError("an id has 16 bytes")

    @classmethod
    def new(cls, now: Instant, entropy: Entropy) -> Self:
        return cls(ordered_bytes(now, entropy))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the exact text form. Raise `MalformedError` for anything else, other spellings included."""
        prefix, separator, digits = text.partition("_")
        if prefix != cls.prefix or not separator or len(digits) != _TEXT_DIGITS:
            raise MalformedError(f"not an id of the form {cls.prefix}_…")
        found = cls(decode_crockford(digits, ID_SIZE))
        if str(found) != text:
            raise MalformedError(f"not an id of the form {cls.prefix}_…")
        return found

    @property
    def began_at(self) -> Instant:
        """When it was made."""
        return Instant(int.from_bytes(self.value[:6], "big"))

    def __str__(self) -> str:
        return f"{self.prefix}_{_digits(self.value)}"

    def __repr__(self) -> str:
        return f"<{self}>"


class AccountId(Id):
    __slots__ = ()
    prefix = "acc"


class DeviceId(Id):
    __slots__ = ()
    prefix = "dev"


class SessionId(Id):
    __slots__ = ()
    prefix = "ses"


class InviteId(Id):
    __slots__ = ()
    prefix = "inv"


class RequestId(Id):
    __slots__ = ()
    prefix = "req"


class BanId(Id):
    __slots__ = ()
    prefix = "ban"
