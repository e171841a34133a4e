"""A session: a signed-in device."""

from dataclasses import dataclass
from typing import Final

from watchword.core.clock import DAY, Instant
from watchword.core.ids import AccountId, DeviceId, SessionId
from watchword.protocol.messages import SessionBody

SESSION_LIFE: Final = 7 * DAY
"""From the last login or renewal."""
SESSION_END: Final = 30 * DAY
"""From the last password, whatever is renewed."""
SEED_SIZE: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: SessionId
    account_id: AccountId
    device_id: DeviceId
    seed: bytes
    sign_in_version: int
    counter: int
    auth_time: Instant
    created_at: Instant
    expires_at: Instant
    ends_at: Instant
    address: str
    user_agent: str
    ended_at: Instant | None = None
    device_name: str = ""

    def live(self, now: Instant) -> bool:
        """Neither ended nor expired; half-open at the end."""
        return self.ended_at is None and now < min(self.expires_at, self.ends_at)

    def body(self, *, current: SessionId | None = None) -> SessionBody:
        return SessionBody(
            id=str(self.id),
            device=str(self.device_id),
            created_at=self.created_at,
            expires_at=self.expires_at,
            ends_at=self.ends_at,
            address=self.address,
            user_agent=self.user_agent,
            device_name=self.device_name,
            current=self.id == current,
        )
