"""Who asks, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import DAY, HOUR
from watchword.server.accounts.model import Account, Invite
from watchword.server.sessions.model import Session

MAX_PAGE: Final = 500
"""Accounts in one answer."""
MAX_INVITES: Final = 1000
INVITE_LIFE: Final = 72 * HOUR
MAX_INVITE_LIFE: Final = 30 * DAY
"""Longer ones lie about in mailboxes."""
MAX_NOTE: Final = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class LocalOperator:
    """A process on this machine, known by the user that it runs as."""

    uid: int
    request: str = ""
    """The id of the call, which its log line and its errors have too; "" without a server."""

    def facts(self) -> Mapping[str, str | int]:
        """For audit entries."""
        facts: dict[str, str | int] = {"by": "local operator", "uid": self.uid}
        return {**facts, "request": self.request} if self.request else facts


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetails:
    account: Account
    devices: int
    sessions: tuple[Session, ...]
    """Live ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeInvite:
    """`text` is shown once; we keep a keyed hash of it."""

    invite: Invite
    text: str
