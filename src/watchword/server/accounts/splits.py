"""Reading what a client sends of its password split and chest: bounds, floors, and exactly one login per identifier."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from watchword.core.encoding import decode_b64u, decode_b64u_sized
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceVerifyingKey
from watchword.crypto.hpke import SealingPublicKey, Suite
from watchword.crypto.kdf import KEY_SIZE
from watchword.crypto.passwords import SALT_SIZE, StretchParams
from watchword.errors import MalformedError
from watchword.protocol.messages import ChestBody, LoginSplit
from watchword.server.accounts.model import LoginKind

_MAX_RECOVERY_WRAPPED: Final = 2048
_JWE: Final = re.compile(
    r"[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{22}\Z"
)  # "dir", A256GCM


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One login's part of a new password, in types."""

    kind: LoginKind
    salt: bytes
    params: StretchParams
    login_secret: Secret
    wrapped_chest_key: str


def parse_splits(splits: Sequence[LoginSplit], *, kinds: frozenset[LoginKind]) -> Mapping[LoginKind, Split]:
    """Exactly one split for each of `kinds`, each with a salt of its own. Raises `MalformedError`."""
    parsed = {split.kind: split for split in map(_parse, splits)}
    if parsed.keys() != kinds or len(splits) != len(kinds):
        raise MalformedError("one login for each identifier")
    if len({split.salt for split in parsed.values()}) != len(parsed):
        raise MalformedError("each identifier has a salt of its own")
    return parsed


def _parse(split: LoginSplit) -> Split:
    params = StretchParams(
        memory_kib=split.stretch.memory_kib, passes=split.stretch.passes, lanes=split.stretch.lanes
    )
    params.check()
    _check_sealed(split.wrapped_chest_key)
    return Split(
        kind=LoginKind(split.kind),
        salt=decode_b64u_sized(split.salt, SALT_SIZE),
        params=params,
        login_secret=Secret(decode_b64u_sized(split.login_secret, KEY_SIZE)),
        wrapped_chest_key=split.wrapped_chest_key,
    )


def check_chest(chest: ChestBody) -> None:
    """Check the public halves of a chest; the rest is opaque to us. Raises `MalformedError`."""
    DeviceVerifyingKey.from_bytes(decode_b64u_sized(chest.identity_key, KEY_SIZE))
    SealingPublicKey.from_bytes(Suite.HYBRID, decode_b64u(chest.archive_key))
    SealingPublicKey.from_bytes(Suite.HYBRID, decode_b64u(chest.recovery_key))
    _check_sealed(chest.sealed)
    if len(decode_b64u(chest.recovery_wrapped)) > _MAX_RECOVERY_WRAPPED:
        raise MalformedError("the wrapped chest key is too long")


def _check_sealed(text: str) -> None:
    """What we cannot open must at least be a JWE: nothing else is stored for strangers. Raises `MalformedError`."""
    if not _JWE.match(text):
        raise MalformedError("not a JWE")
