"""The chest: an account's own keys for messages, made and opened by clients, stored by the server sealed.

    chest key (32 random bytes) seals {identity seed, archive seeds, recovery public key}
    chest key is wrapped   - under the wrapping key of each login identifier (symmetric, JWE)
                           - to the recovery public key (HPKE, hybrid suite), so that a new chest key can be wrapped for
                             recovery without the recovery key at hand

The recovery public key is read from *inside* the sealed chest, never from what the server says: else a malicious
server could have the next chest key wrapped to itself. docs/protocol/chest.md.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from watchword.core.encoding import (
    decode_b64u,
    decode_b64u_sized,
    decode_crockford,
    encode_b64u,
    encode_crockford,
)
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey
from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey, Suite
from watchword.crypto.jwe import decode_jwe, encode_jwe
from watchword.crypto.kdf import KEY_SIZE, Label, derive
from watchword.errors import DamagedError, MalformedError, UnsealError
from watchword.protocol.messages import ChestBody, WrappedChest
from watchword.protocol.wire import Message, encode_message, parse_message

RECOVERY_KEY_SIZE: Final = 20
"""160 bits: beyond any search, and 32 digits that a person can copy from paper."""
_CHEST_TYPE: Final = "watchword-chest+jwe"
_KEY_TYPE: Final = "watchword-chest-key+jwe"
_RECOVERY_INFO: Final = b"watchword/v1/chest-recovery\0"
_GROUP: Final = 4
_MAX_WRAPPED: Final = 1024
_MAX_SEALED: Final = 32768  # characters; room for some hundred archive generations
_FOLD: Final = str.maketrans({"i": "1", "l": "1", "o": "0", "-": None, " ": None})


class _ArchiveKey(Message, frozen=True):
    generation: int
    seed: str


class _Contents(Message, frozen=True):
    identity: str
    archive: list[_ArchiveKey]
    recovery_key: str


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """160 random bits that a person keeps on paper."""

    value: Secret

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        return cls(Secret(entropy.bytes(RECOVERY_KEY_SIZE)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person typed: case, hyphens and spaces do not matter; I, L and O are read as 1, 1 and 0."""
        return cls(Secret(decode_crockford(text.strip().lower().translate(_FOLD), RECOVERY_KEY_SIZE)))

    def text(self) -> str:
        """Crockford base32 in eight groups of four."""
        digits = encode_crockford(self.value.reveal()).upper()
        return "-".join(digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP))

    def secret(self) -> Secret:
        """The half that proves possession to the server."""
        return derive(self.value, Label.RECOVERY_SECRET)

    def sealing_key(self) -> SealingPrivateKey:
        """The half that unwraps, and that no server ever sees."""
        return SealingPrivateKey.from_seed(Suite.HYBRID, derive(self.value, Label.RECOVERY_SEED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chest:
    """An opened chest. Newest archive key first; older ones stay to read what was sealed to them."""

    version: int
    identity: DeviceSigningKey
    archive: tuple[tuple[int, SealingPrivateKey], ...]
    recovery_key: SealingPublicKey

    @classmethod
    def create(cls, recovery: RecoveryKey, entropy: Entropy) -> Self:
        return cls(
            version=1,
            identity=DeviceSigningKey.generate(entropy),
            archive=((1, SealingPrivateKey.generate(Suite.HYBRID, entropy)),),
            recovery_key=recovery.sealing_key().public,
        )

    def renewed(self, entropy: Entropy) -> Self:
        """The next version with a new archive generation, as a new password demands."""
        generation = self.archive[0][0] + 1
        newest = (generation, SealingPrivateKey.generate(Suite.HYBRID, entropy))
        return replace(self, version=self.version + 1, archive=(newest, *self.archive))

    def seal(self, chest_key: Secret, entropy: Entropy) -> ChestBody:
        """What the server keeps. Use a fresh chest key for each version."""
        contents = _Contents(
            identity=encode_b64u(self.identity.seed().reveal()),
            archive=[
                _ArchiveKey(generation=number, seed=encode_b64u(key.seed().reveal()))
                for number, key in self.archive
            ],
            recovery_key=encode_b64u(self.recovery_key.to_bytes()),
        )
        generation, archive_key = self.archive[0]
        return ChestBody(
            version=self.version,
            identity_key=encode_b64u(self.identity.public.to_bytes()),
            archive_key=encode_b64u(archive_key.public.to_bytes()),
            archive_generation=generation,
            sealed=encode_jwe(
                encode_message(contents), chest_key, kid=str(self.version), typ=_CHEST_TYPE, entropy=entropy
            ),
            recovery_key=encode_b64u(self.recovery_key.to_bytes()),
            recovery_wrapped=encode_b64u(self.recovery_key.seal(chest_key.reveal(), info=_RECOVERY_INFO)),
        )


def new_chest_key(entropy: Entropy) -> Secret:
    return Secret(entropy.bytes(KEY_SIZE))


def wrap_chest_key(chest_key: Secret, wrapping_key: Secret, *, kind: str, entropy: Entropy) -> str:
    """Wrap for the login identifier of this `kind` ("username", "email")."""
    return encode_jwe(chest_key.reveal(), wrapping_key, kid=kind, typ=_KEY_TYPE, entropy=entropy)


def open_chest(wrapped: WrappedChest, wrapping_key: Secret, *, kind: str) -> Chest:
    """Open the chest with the password's wrapping key. Raises `UnsealError`, `DamagedError`."""
    key = decode_jwe(wrapped.wrapped_key, wrapping_key, kid=kind, typ=_KEY_TYPE, max_size=_MAX_WRAPPED)
    return _open_contents(wrapped.version, wrapped.sealed, Secret(key))


def recover_chest(version: int, sealed: str, recovery_wrapped: str, recovery: RecoveryKey) -> Chest:
    """Open the chest with the recovery key. Raises `UnsealError`, `DamagedError`."""
    key = recovery.sealing_key().open(decode_b64u(recovery_wrapped), info=_RECOVERY_INFO)
    return _open_contents(version, sealed, Secret(key))


def _open_contents(version: int, sealed: str, chest_key: Secret) -> Chest:
    payload = decode_jwe(sealed, chest_key, kid=str(version), typ=_CHEST_TYPE, max_size=_MAX_SEALED)
    try:
        contents = parse_message(payload, _Contents)
        archive = tuple(
            (entry.generation, SealingPrivateKey.from_seed(Suite.HYBRID, _seed(entry.seed)))
            for entry in contents.archive
        )
        if not archive:
            raise MalformedError("a chest without an archive key")  # noqa: TRY301  # one conversion for both below
        return Chest(
            version=version,
            identity=DeviceSigningKey.from_seed(_seed(contents.identity)),
            archive=archive,
            recovery_key=SealingPublicKey.from_bytes(Suite.HYBRID, decode_b64u(contents.recovery_key)),
        )
    except (MalformedError, UnsealError) as error:
        raise DamagedError("the chest opens but does not parse") from error


def _seed(text: str) -> Secret:
    return Secret(decode_b64u_sized(text, KEY_SIZE))
