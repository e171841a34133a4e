"""The password split: the client stretches, the server keeps a keyed hash of what it was sent.

    stretched    = Argon2id(password, salt, parameters)              never leaves the client
    login_secret = HKDF(stretched, LOGIN_SECRET, salt, parameters)   goes to the server, sealed
    wrapping_key = HKDF(stretched, WRAPPING_KEY, salt, parameters)   never leaves the client

What the server stores is made in `verifiers`, whose names are offered here too.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from watchword.core.encoding import encode_canonical_json
from watchword.core.secret import Secret
from watchword.crypto.argon2 import SALT_SIZE, argon2id
from watchword.crypto.kdf import Label, derive
from watchword.crypto.verifiers import (
    ServerHash,
    check_verifier,
    dummy_verifier,
    is_current,
    make_verifier,
    nest_verifier,
    pepper_versions_of,
    scheme_numbered,
    scheme_of,
)
from watchword.errors import MalformedError

__all__ = [
    "MAX_PASSWORD_SIZE",
    "SALT_SIZE",
    "ServerHash",
    "StretchParams",
    "check_verifier",
    "dummy_verifier",
    "is_current",
    "login_secret",
    "make_verifier",
    "nest_verifier",
    "pepper_versions_of",
    "scheme_numbered",
    "scheme_of",
    "stretch",
    "wrapping_key",
]

MAX_PASSWORD_SIZE: Final = 4096
"""Bytes of UTF-8; the policy's 256 code points take at most 1024, and this is the bound below any policy."""
_ALGORITHM: Final = "argon2id"
_MEMBERS: Final = frozenset({"alg", "memory_kib", "passes", "lanes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchParams:
    """How a client stretches a password: Argon2id version 1.3, RFC 9106's second recommendation on one lane.

    The floor is compiled into clients, so that no server can ask for a cheap hash; the ceiling keeps a server
    from making a client spend without end.
    """

    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 1

    FLOOR: ClassVar["StretchParams"]
    CEILING: ClassVar["StretchParams"]

    def check(self) -> None:
        """Raise `MalformedError` unless memory and passes lie within FLOOR and CEILING, on one lane."""
        low, high = self.FLOOR, self.CEILING
        if not (
            low.memory_kib <= self.memory_kib <= high.memory_kib
            and low.passes <= self.passes <= high.passes
            and self.lanes == 1
        ):
            raise MalformedError("stretching parameters outside what this client accepts")

    def to_json(self) -> dict[str, str | int]:
        return {
            "alg": _ALGORITHM,
            "memory_kib": self.memory_kib,
            "passes": self.passes,
            "lanes": self.lanes,
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read exactly what `to_json` writes, and `check` it. `MalformedError`."""
        if not isinstance(value, dict) or value.keys() != _MEMBERS or value["alg"] != _ALGORITHM:
            raise MalformedError("not stretching parameters")
        numbers = {name: value[name] for name in ("memory_kib", "passes", "lanes")}
        if any(type(number) is not int for number in numbers.values()):
            raise MalformedError("not stretching parameters")
        params = cls(**numbers)
        params.check()
        return params


StretchParams.FLOOR = StretchParams()
StretchParams.CEILING = StretchParams(memory_kib=1024 * 1024, passes=16)


def stretch(password: Secret, salt: bytes, params: StretchParams) -> Secret:
    """Argon2id v1.3 of the prepared password, 32 bytes.

    Takes `params.memory_kib` of memory and, at the default, 0.1 to 0.3 s; other threads run meanwhile.

    Raises:
        MalformedError: parameters outside the bounds, a salt not of 16 bytes, a password beyond
            MAX_PASSWORD_SIZE.
        UnavailableError: the machine does not have that memory to give.
    """
    params.check()
    if len(salt) != SALT_SIZE or len(password) > MAX_PASSWORD_SIZE:
        raise MalformedError("not a salt and a password")
    return Secret(argon2id(password.reveal(), salt, passes=params.passes, memory_kib=params.memory_kib))


def _context(salt: bytes, params: StretchParams) -> bytes:
    """The salt, of fixed size, then the parameters: a server that lies about either gets another secret."""
    if len(salt) != SALT_SIZE:
        raise MalformedError("a salt has 16 bytes")
    return salt + encode_canonical_json(params.to_json())


def login_secret(stretched: Secret, *, salt: bytes, params: StretchParams) -> Secret:
    """What proves the password to the server; 32 bytes."""
    return derive(stretched, Label.LOGIN_SECRET, context=_context(salt, params))


def wrapping_key(stretched: Secret, *, salt: bytes, params: StretchParams) -> Secret:
    """What wraps the chest key; 32 bytes. The server never learns it."""
    return derive(stretched, Label.WRAPPING_KEY, context=_context(salt, params))
