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
"""Twice the sessions that enrolments leave live."""
MAX_LIVE = 100
"""Sessions of one account after an enrolment; far above use."""
_MOST_ENDED = 100
"""By one enrolment: known devices that log in again may have made more."""


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

    async def add_room(
        self,
        unit: Unit,
        account_id: AccountId,
        context: RequestContext,
        *,
        instead_of: SessionId | None = None,
    ) -> None:
        """Add to `unit`, which holds the account's row, what lets one more session begin.

        `instead_of` ends, if it is a live one of this account; and of too many the oldest end. Whoever fills the places
        so shuts nobody out: it is the newest password that counts. Guard "room": what was read here is still so.
        """
        now = context.now
        live = await self._store.count_live(account_id, now=now)
        ending = await self._replaced(account_id, instead_of, now)
        over = min(live - len(ending) - (MAX_LIVE - 1), _MOST_ENDED)
        if over > 0:
            oldest = await self._store.list_live(account_id, now=now, limit=over + len(ending))
            ending += [one.id for one in oldest if one.id not in ending][:over]
        for session_id in ending:
            self._store.end(unit, account_id, session_id, now, guard="room")
            unit.note(_event(AuditTag.SESSION_ENDED, account_id, context, {"session": str(session_id)}))
        self._store.require_room(unit, account_id, now, most=max(MAX_LIVE - 1, live - len(ending)))

    async def _replaced(
        self, account_id: AccountId, session_id: SessionId | None, now: Instant
    ) -> list[SessionId]:
        """`session_id`, if it is a live one of this account."""
        found = await self._store.find_with_account(session_id) if session_id else None
        mine = found is not None and found[1].id == account_id and found[0].live(now)
        return [session_id] if session_id and mine else []

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
        personal={"address": context.shown_address, "user_agent": context.user_agent},
    )
