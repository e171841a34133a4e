"""What the server keeps of a login secret: a keyed hash, by default nothing slower.

A thief of the database still pays Argon2id for every guess, since that was spent on the client; without the
pepper the rows say nothing at all. An operator whose policy demands a slow hash in the database chooses one.

    keyed  = HMAC-SHA-256(pepper[first version], login secret)
    hashed = keyed | argon2id(base64url(keyed)) | bcrypt(base64url(keyed))
    tag    = HMAC(pepper[n], ... HMAC(pepper[second version], hashed))

base64url of the keyed hash has 43 characters, none of them NUL: nothing that bcrypt cuts off or stops at.
A verifier is scheme (1) || number of pepper versions (1) || those versions (4 each) || cost || salt || tag.
To rotate the pepper, nest every row (`nest_verifier`); nobody has to log in for that, and at the next login
the row is made anew under the new pepper alone.
"""

import enum
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.aead import MAX_KEY_VERSION, VersionedKey
from watchword.crypto.argon2 import SALT_SIZE
from watchword.crypto.slow_hashes import Argon2Cost, BcryptCost, SlowCost
from watchword.errors import ConflictError, DamagedError

MAX_NESTING: Final = 255
"""Pepper versions on one row: each costs a microsecond, and years of rotations fit."""
_TAG_SIZE: Final = 32
_HEAD_SIZE: Final = 2
_VERSION_SIZE: Final = 4

Peppers = Callable[[int], Secret]
"""Gives the pepper subkey of a version, or raises `LookupError`."""


class ServerHash(enum.StrEnum):
    """How login secrets are hashed in the database."""

    HMAC = "hmac"
    ARGON2ID = "argon2id"
    BCRYPT = "bcrypt"


_SCHEME_BYTES: Final = {ServerHash.HMAC: 1, ServerHash.ARGON2ID: 2, ServerHash.BCRYPT: 3}
_PLAIN_HEAD: Final = bytes((_SCHEME_BYTES[ServerHash.HMAC], 1))
_PLAIN_SIZE: Final = _HEAD_SIZE + _VERSION_SIZE + _TAG_SIZE
_SCHEMES: Final = {number: scheme for scheme, number in _SCHEME_BYTES.items()}
_COSTS: Final[dict[ServerHash, type[SlowCost]]] = {
    ServerHash.ARGON2ID: Argon2Cost,
    ServerHash.BCRYPT: BcryptCost,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verifier:
    scheme: ServerHash
    versions: tuple[int, ...]
    cost: SlowCost | None
    salt: bytes
    tag: bytes

    def encode(self) -> bytes:
        head = bytes((_SCHEME_BYTES[self.scheme], len(self.versions)))
        versions = b"".join(version.to_bytes(_VERSION_SIZE, "big") for version in self.versions)
        return head + versions + (self.cost.encode() if self.cost else b"") + self.salt + self.tag

    def expected_tag(self, login_secret: Secret, peppers: Peppers) -> bytes:
        tag = hmac.digest(peppers(self.versions[0]).reveal(), login_secret.reveal(), "sha256")
        if self.cost is not None:
            tag = self.cost.hash(tag, self.salt)
        for version in self.versions[1:]:
            tag = hmac.digest(peppers(version).reveal(), tag, "sha256")
        return tag


def _decode(verifier: bytes) -> _Verifier:
    """Raise `DamagedError` for anything that no function here makes, costs out of bounds included (C13)."""
    if len(verifier) < _HEAD_SIZE or verifier[0] not in _SCHEMES or not 1 <= verifier[1] <= MAX_NESTING:
        raise DamagedError
    scheme, rest = _SCHEMES[verifier[0]], verifier[_HEAD_SIZE:]
    end = verifier[1] * _VERSION_SIZE
    versions = tuple(
        int.from_bytes(rest[at : at + _VERSION_SIZE], "big") for at in range(0, end, _VERSION_SIZE)
    )
    rest = rest[end:]
    cost, salt = None, b""
    if scheme in _COSTS:
        cost, rest = _COSTS[scheme].decode(rest)
        salt, rest = rest[:SALT_SIZE], rest[SALT_SIZE:]
    if len(rest) != _TAG_SIZE:
        raise DamagedError
    return _Verifier(scheme=scheme, versions=versions, cost=cost, salt=salt, tag=rest)


def _blank(scheme: ServerHash, versions: tuple[int, ...], salt: bytes) -> _Verifier:
    """A verifier of today's cost that nothing matches yet."""
    cost = _COSTS[scheme]() if scheme in _COSTS else None
    return _Verifier(
        scheme=scheme, versions=versions, cost=cost, salt=salt if cost else b"", tag=bytes(_TAG_SIZE)
    )


def make_verifier(
    scheme: ServerHash, login_secret: Secret, *, pepper: VersionedKey, entropy: Entropy
) -> bytes:
    """Give what to store for this login secret, under the newest pepper subkey."""
    blank = _blank(scheme, (pepper.version,), entropy.bytes(SALT_SIZE))
    return replace(blank, tag=blank.expected_tag(login_secret, lambda _: pepper.key)).encode()


def check_verifier(verifier: bytes, login_secret: Secret, *, peppers: Peppers) -> bool:
    """Whether the verifier was made from this login secret; compares in constant time.

    Raises:
        DamagedError: the verifier does not parse, or names a pepper that is gone. Never for a wrong secret.
    """
    if verifier[:_HEAD_SIZE] == _PLAIN_HEAD and len(verifier) == _PLAIN_SIZE:
        return _check_plain(verifier, login_secret, peppers)
    stored = _decode(verifier)
    try:
        expected = stored.expected_tag(login_secret, peppers)
    except LookupError:
        raise DamagedError from None
    return hmac.compare_digest(stored.tag, expected)


def _check_plain(verifier: bytes, login_secret: Secret, peppers: Peppers) -> bool:
    """HMAC under one pepper: what nearly every row is, without taking it apart."""
    version = int.from_bytes(verifier[_HEAD_SIZE:-_TAG_SIZE], "big")
    try:
        pepper = peppers(version)
    except LookupError:
        raise DamagedError from None
    expected = hmac.digest(pepper.reveal(), login_secret.reveal(), "sha256")
    return hmac.compare_digest(verifier[-_TAG_SIZE:], expected)


def is_current(verifier: bytes, scheme: ServerHash, *, pepper_version: int) -> bool:
    """Whether the verifier is by this scheme and under this pepper alone, so that a login need not renew it."""
    head = bytes((_SCHEME_BYTES[scheme], 1)) + pepper_version.to_bytes(_VERSION_SIZE, "big")
    return verifier.startswith(head)


def nest_verifier(verifier: bytes, *, pepper: VersionedKey) -> bytes:
    """Give the verifier under one pepper more, for rotation without the login secret.

    One that has this version already comes back as it is, so that an interrupted rotation can start again.

    Raises:
        DamagedError: the verifier does not parse.
        ConflictError: it has MAX_NESTING versions already.
    """
    stored = _decode(verifier)
    if pepper.version in stored.versions:
        return verifier
    if len(stored.versions) == MAX_NESTING:
        raise ConflictError
    tag = hmac.digest(pepper.key.reveal(), stored.tag, "sha256")
    return replace(stored, versions=(*stored.versions, pepper.version), tag=tag).encode()


def scheme_numbered(number: int) -> ServerHash:
    """The scheme whose byte this is, for a count of what is in use. `DamagedError`."""
    if number not in _SCHEMES:
        raise DamagedError
    return _SCHEMES[number]


def scheme_of(verifier: bytes) -> ServerHash:
    """By which scheme this verifier was made, so that a login can renew an old one. `DamagedError`."""
    return _decode(verifier).scheme


def pepper_versions_of(verifier: bytes) -> tuple[int, ...]:
    """The pepper versions in it, innermost first; one alone, the newest, needs no work. `DamagedError`."""
    return _decode(verifier).versions


def dummy_verifier(scheme: ServerHash, *, versions: tuple[int, ...]) -> bytes:
    """A verifier that costs what a real one under these pepper versions costs, for an unknown name.

    Nobody knows a login secret that matches it; the caller refuses whatever the check says, all the same.
    """
    if not 1 <= len(versions) <= MAX_NESTING or not all(0 <= one <= MAX_KEY_VERSION for one in versions):
        raise ValueError("no such list of pepper versions")
    return _blank(scheme, versions, bytes(SALT_SIZE)).encode()
