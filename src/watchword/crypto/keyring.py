"""The root key, and the data keys that it wraps.

The root key does nothing but wrap: rotating it re-wraps a table and changes no derived value. Data keys are
random, one series of versions for each purpose; a key never serves two purposes.
"""

import enum
import hmac
import itertools
from collections.abc import Callable, Mapping
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.core.encoding import decode_b64u_sized
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.kdf import KEY_SIZE, Label, derive
from watchword.errors import DamagedError, InvalidConfigError, KeyUnknownError, MalformedError

_NONCE_SIZE: Final = 12
_SALT_SIZE: Final = 16
_FORMAT: Final = b"\x01"
_LEAST_DISTINCT_BYTES: Final = 9
"""32 random bytes have fewer distinct values less than once in 10^33 keys."""


class DataKeyPurpose(enum.StrEnum):
    """What data keys are for. Values are stored: add, never rename."""

    GENERATION = "generation"
    AT_REST = "at_rest"
    PEPPER = "pepper"
    NAMES = "names"
    SHORT_KEY = "short_key"
    DECOY = "decoy"
    AUDIT = "audit"
    RECOVERY = "recovery"
    SIGN_IN = "sign_in"
    ONE_TIME = "one_time"


class RootKey:
    """32 random bytes that wrap data keys (AES-256-GCM under a key derived for wrapping alone)."""

    __slots__ = ("_secret", "_wrapping")

    def __init__(self, secret: Secret) -> None:
        """Raise `InvalidConfigError` for another size, or for bytes that nobody drew at random."""
        value = secret.reveal()
        if len(value) != KEY_SIZE:
            raise InvalidConfigError(f"the root key has {len(value)} bytes; it must have {KEY_SIZE}")
        if _looks_chosen(value):
            raise InvalidConfigError("the root key is a default or a pattern, not random bytes")
        self._secret = secret
        self._wrapping = AESGCM(derive(secret, Label.ROOT_WRAP).reveal())

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        return cls(Secret(entropy.bytes(KEY_SIZE)))

    @classmethod
    def parse(cls, text: Secret) -> Self:
        """Read 64 hexadecimal digits or 43 of base64url. Raise `InvalidConfigError` for anything else."""
        raw = text.reveal().decode("ascii", "replace").strip()
        try:
            return cls(
                Secret(bytes.fromhex(raw) if len(raw) == 2 * KEY_SIZE else decode_b64u_sized(raw, KEY_SIZE))
            )
        except (MalformedError, ValueError):
            raise InvalidConfigError("the root key is not 32 bytes in hexadecimal or base64url") from None

    def secret(self) -> Secret:
        """The bytes, for the file that keeps them."""
        return self._secret

    def wrap(self, key: Secret, *, purpose: DataKeyPurpose, version: int, entropy: Entropy) -> bytes:
        """Format byte, nonce, ciphertext and tag: 61 bytes for a key of 32."""
        nonce = entropy.bytes(_NONCE_SIZE)
        return _FORMAT + nonce + self._wrapping.encrypt(nonce, key.reveal(), _associated(purpose, version))

    def unwrap(self, wrapped: bytes, *, purpose: DataKeyPurpose, version: int) -> Secret:
        """The inverse of `wrap`. Raise `DamagedError`."""
        nonce, ciphertext = wrapped[1 : 1 + _NONCE_SIZE], wrapped[1 + _NONCE_SIZE :]
        if wrapped[:1] != _FORMAT:
            raise DamagedError(f"the data key {purpose.value} {version} has an unknown format")
        try:
            key = self._wrapping.decrypt(nonce, ciphertext, _associated(purpose, version))
        except (InvalidTag, ValueError):
            raise DamagedError(f"the data key {purpose.value} {version} is damaged") from None
        if len(key) != KEY_SIZE:
            raise DamagedError(f"the data key {purpose.value} {version} has another size")
        return Secret(key)

    def make_check(self, entropy: Entropy) -> bytes:
        """48 public bytes by which `matches` recognises this key later; they say nothing about it."""
        salt = entropy.bytes(_SALT_SIZE)
        return salt + derive(self._secret, Label.ROOT_CHECK, salt=salt).reveal()

    def matches(self, check: bytes) -> bool:
        """True if `check` was made by this key."""
        salt, value = check[:_SALT_SIZE], check[_SALT_SIZE:]
        return hmac.compare_digest(derive(self._secret, Label.ROOT_CHECK, salt=salt).reveal(), value)

    def __repr__(self) -> str:
        return "<RootKey>"


class DataKeys:
    """The unwrapped data keys of a running server.

    One object for the life of the process: `install` adds what a rotation here or on another node made, so
    holders never keep a stale copy.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[DataKeyPurpose, Mapping[int, Secret]]) -> None:
        self._keys = {purpose: dict(keys.get(purpose, {})) for purpose in DataKeyPurpose}

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """Version 1 of each."""
        return cls({purpose: {1: Secret(entropy.bytes(KEY_SIZE))} for purpose in DataKeyPurpose})

    def current(self, purpose: DataKeyPurpose) -> VersionedKey:
        """The newest version: what new values are made with. Raise `DamagedError` if there is none."""
        versions = self._keys[purpose]
        if not versions:
            raise DamagedError(f"there is no data key {purpose.value}")
        newest = max(versions)
        return VersionedKey(version=newest, key=versions[newest])

    def get(self, purpose: DataKeyPurpose, version: int) -> Secret:
        """One version, to read what it made. Raise `KeyUnknownError`."""
        found = self._keys[purpose].get(version)
        if found is None:
            raise KeyUnknownError(f"there is no version {version} of the data key {purpose.value}")
        return found

    def reader(self, purpose: DataKeyPurpose) -> Callable[[int], Secret]:
        """What `open_at_rest` asks for a version; raises `LookupError`, sees later versions too."""
        return self._keys[purpose].__getitem__

    def versions(self, purpose: DataKeyPurpose) -> tuple[int, ...]:
        """Ascending."""
        return tuple(sorted(self._keys[purpose]))

    def install(self, purpose: DataKeyPurpose, version: int, key: Secret) -> None:
        """Add a version. A version never changes its key: raise `DamagedError`."""
        if self._keys[purpose].setdefault(version, key) != key:
            raise DamagedError(f"the data key {purpose.value} {version} has changed")

    def __repr__(self) -> str:
        held = ", ".join(f"{purpose.value}: {list(self.versions(purpose))}" for purpose in DataKeyPurpose)
        return f"<DataKeys {held}>"


def _associated(purpose: DataKeyPurpose, version: int) -> bytes:
    return purpose.value.encode() + b"\0" + version.to_bytes(8, "big")


def _looks_chosen(value: bytes) -> bool:
    """Few distinct bytes, an even staircase, or text: what people and examples put where a key belongs."""
    strides = {(after - before) % 256 for before, after in itertools.pairwise(value)}
    text = all(0x20 <= byte < 0x7F for byte in value)  # noqa: PLR2004  # printable ASCII; by chance 1 in 10^14
    return len(set(value)) < _LEAST_DISTINCT_BYTES or len(strides) == 1 or text
