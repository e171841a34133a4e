"""What sessions need kept. Methods that take a `Unit` add steps to it; the caller commits."""

from typing import Protocol

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId, SessionId
from watchword.server.accounts.model import Account
from watchword.server.db.unit import Unit
from watchword.server.sessions.model import Session


class SessionStore(Protocol):
    async def find_with_account(self, session_id: SessionId) -> tuple[Session, Account] | None:
        """The session and its account in one read: what each request of the API needs."""
        ...

    async def list_live(self, account_id: AccountId, *, now: Instant, limit: int) -> list[Session]: ...
    async def find_live_on(self, device_id: DeviceId, *, now: Instant) -> Session | None: ...
    async def count_live(self, account_id: AccountId, *, now: Instant) -> int: ...
    def insert(self, unit: Unit, session: Session) -> None:
        """The device's earlier session, if any, ends."""
        ...

    def require_live(self, unit: Unit, device_id: DeviceId, now: Instant) -> None:
        """Guard "session": the device has a live session."""
        ...

    def require_session(self, unit: Unit, session_id: SessionId, now: Instant) -> None:
        """Guard "session": this session is live."""
        ...

    def require_room(self, unit: Unit, account_id: AccountId, now: Instant, *, most: int) -> None:
        """Guard "room": at most this many sessions of the account are live, after the steps before this one.

        Exact where the account's row is held by an earlier step.
        """
        ...

    def end(
        self,
        unit: Unit,
        account_id: AccountId,
        session_id: SessionId,
        now: Instant,
        *,
        guard: str = "session",
    ) -> None:
        """Guard "session", or as it is named: a live session of this account."""
        ...

    def end_on_device(self, unit: Unit, device_id: DeviceId, now: Instant) -> None:
        """The device's session ends, if it has one."""
        ...

    def end_all(
        self, unit: Unit, account_id: AccountId, now: Instant, *, keep: SessionId | None = None
    ) -> None: ...
    async def holding_addresses(self, before: Instant, *, after: bytes, limit: int) -> list[bytes]:
        """Ids behind `after` of sessions that began before `before` and still hold an address, in their order."""
        ...

    def forget_addresses(self, unit: Unit, first: bytes, last: bytes) -> None:
        """Of the sessions from the id `first` to the id `last`."""
        ...

    def drop_old(self, unit: Unit, before: Instant) -> None:
        """Forget sessions that began before this instant; found by their ids, which are in order."""
        ...
