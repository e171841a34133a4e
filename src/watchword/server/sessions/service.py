"""Sessions of an account: listing them, ending one, the others or all."""

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, SessionId
from watchword.errors import NotFoundError, UnauthenticatedError
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.sessions.model import Session
from watchword.server.sessions.store import SessionStore

MAX_LISTED = 200
"""More than the devices an account may have, and a device has one session."""


class SessionService:
    def __init__(self, *, store: SessionStore, database: Database) -> None:
        self._store = store
        self._database = database

    async def list_live(self, account_id: AccountId, now: Instant) -> list[Session]:
        """Live sessions, oldest first."""
        return await self._store.list_live(account_id, now=now, limit=MAX_LISTED)

    async def end(self, account_id: AccountId, session_id: SessionId, context: RequestContext) -> None:
        """End one live session of this account. Raises `NotFoundError`, for another's session too."""
        unit = Unit(key=account_id.value)
        self._store.end(unit, account_id, session_id, context.now)
        unit.note(_event(AuditTag.SESSION_ENDED, account_id, context, {"session": str(session_id)}))
        try:
            await self._database.commit(unit)
        except GuardError:
            raise NotFoundError("no such session") from None

    async def end_all(self, account_id: AccountId, context: RequestContext) -> None:
        unit = Unit(key=account_id.value)
        self._store.end_all(unit, account_id, context.now)
        unit.note(_event(AuditTag.SESSIONS_ENDED, account_id, context, {}))
        await self._database.commit(unit)

    async def end_others(self, account_id: AccountId, keep: SessionId, context: RequestContext) -> None:
        """End every session of this account but `keep`. Raises `UnauthenticatedError` where that one has ended."""
        unit = Unit(key=account_id.value)
        self.add_end_of_others(unit, account_id, context.now, keep)
        # After the account's row is held: what grants a session takes the rows in this order as well.
        self._store.require_session(unit, keep, context.now)
        unit.note(_event(AuditTag.SESSIONS_ENDED, account_id, context, {"kept": str(keep)}))
        try:
            await self._database.commit(unit)
        except GuardError:
            raise UnauthenticatedError("session_ended") from None

    def add_end_of_others(self, unit: Unit, account_id: AccountId, now: Instant, keep: SessionId) -> None:
        """Add to `unit` the end of every session but `keep`; what a new password does."""
        self._store.end_all(unit, account_id, now, keep=keep)


def _event(
    tag: AuditTag, account_id: AccountId, context: RequestContext, facts: dict[str, str]
) -> AuditEvent:
    return AuditEvent(
        tag=tag,
        at=context.now,
        facts={"account": str(account_id), "request": str(context.request_id), **facts},
        personal={"address": context.address, "user_agent": context.user_agent},
    )
