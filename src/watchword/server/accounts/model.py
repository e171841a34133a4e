"""What an account is made of."""

import enum
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, InviteId
from watchword.crypto.passwords import StretchParams
from watchword.protocol.messages import AccountBody, ChestBody, WrappedChest
from watchword.server.guessing.model import LaneKey, LaneState

MAX_LEVEL: Final = 9


class AccountState(enum.StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class LoginKind(enum.StrEnum):
    USERNAME = "username"
    EMAIL = "email"


class RegistrationMode(enum.StrEnum):
    OPEN = "open"
    INVITE = "invite"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: AccountId
    username: str
    name_key: str
    skeleton: str
    display_name: str | None
    email: str | None
    email_key: str | None
    level: int
    state: AccountState
    password_version: int
    client_key_seed: bytes
    """Of the current password; its version is `password_version`."""
    created_at: Instant
    updated_at: Instant

    @property
    def active(self) -> bool:
        return self.state is AccountState.ACTIVE

    def body(self) -> AccountBody:
        return AccountBody(
            id=str(self.id),
            username=self.username,
            level=self.level,
            email=self.email,
            display_name=self.display_name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One way to name an account at login. The verifier is of the login secret, never of a password."""

    identifier_key: str
    account_id: AccountId
    kind: LoginKind
    salt: bytes
    params: StretchParams
    verifier: bytes
    wrapped_chest_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRecord:
    """All that a login needs, read at once."""

    login: Login
    account: Account
    chest: WrappedChest


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempt:
    """What is found by the name that somebody tries: its record, if anybody has it, and the lane of strangers."""

    record: LoginRecord | None
    lane: LaneKey
    state: LaneState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChest:
    body: ChestBody
    recovery_verifier: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    id: InviteId
    verifier: bytes
    level: int
    note: str
    created_at: Instant
    expires_at: Instant
    used_at: Instant | None = None
