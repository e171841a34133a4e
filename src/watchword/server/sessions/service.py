"""Sessions of an account: listing them, ending one or all."""

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, SessionId
from watchword.errors import NotFoundError
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

    def end_others(self, unit: Unit, account_id: AccountId, now: Instant, keep: SessionId) -> None:
        """Add to `unit` the end of every session but `keep`; what a new password does."""
        self._store.end_all(unit, account_id, now, keep=keep)


def _event(
    tag: AuditTag, account_id: AccountId, context: RequestContext, facts: dict[str, str]
) -> AuditEvent:
    return AuditEvent(
        tag=tag,
        at=context.now,
        facts={"account": str(account_id), "request": str(context.request_id), **facts},
        personal={"address": context.address},
    )
