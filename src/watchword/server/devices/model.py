"""A device and what lets one in."""

from dataclasses import dataclass
from typing import Final

from watchword.core.clock import MINUTE, Instant
from watchword.core.ids import AccountId, DeviceId

TEMPORARY_TOKEN_LIFE: Final = 5 * MINUTE
REPEAT_WINDOW: Final = 30 * MINUTE
"""How long the same credential and device key get the same answer again, should the first have been lost."""
TEMPORARY_TOKEN_PREFIX: Final = "wtt"  # noqa: S105  # public


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    id: DeviceId
    account_id: AccountId
    name: str
    signing_key: bytes
    message_signing_key: bytes
    sealing_key: bytes
    generation_version: int
    created_at: Instant
    ended_at: Instant | None = None
    """Since when it signs in no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSeed:
    """Of what the client key is made under which a device made its header."""

    generation_version: int
    seed: bytes
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentCredential:
    selector: bytes
    verifier: bytes
    account_id: AccountId
    auth_time: Instant
    expires_at: Instant
    used_at: Instant | None = None
    signing_key: bytes | None = None
    device_id: DeviceId | None = None
