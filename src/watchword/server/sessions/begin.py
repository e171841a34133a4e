"""`begin`: a short key, and how to stretch the password. The same answer in form, bytes and time for any name."""

from watchword.core.encoding import encode_b64u
from watchword.errors import RefusedError
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import BeginAnswer, BeginPayload, SealedAnswer, SealedRequest, StretchBody
from watchword.protocol.names import parse_identifier
from watchword.server.accounts.decoys import DecoySalts
from watchword.server.accounts.store import AccountStore
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.unit import Database, Unit
from watchword.server.sealed import SealedDoor
from watchword.server.sessions.short_keys import ShortKeys


class BeginService:
    def __init__(
        self,
        *,
        door: SealedDoor,
        accounts: AccountStore,
        decoys: DecoySalts,
        short_keys: ShortKeys,
        database: Database,
    ) -> None:
        self._door = door
        self._accounts = accounts
        self._decoys = decoys
        self._short_keys = short_keys
        self._database = database

    async def begin(self, request: SealedRequest, context: RequestContext) -> SealedAnswer:
        """Raises `RefusedError`, `KeyUnknownError`, `UnavailableError`."""
        try:
            opened = await self._door.open(request, Purpose.BEGIN, BeginPayload, context)
        except RefusedError as refusal:
            await self._record_refusal(refusal.reason, context)
            raise
        identifier_key = parse_identifier(opened.payload.identifier).key
        decoy = self._decoys.of(identifier_key)
        salt, params = await self._accounts.find_salt(identifier_key) or decoy
        short_key = await self._short_keys.issue(
            purpose=Purpose(opened.payload.purpose), identifier_key=identifier_key, address=context.address
        )
        answer = BeginAnswer(
            short_key=short_key,
            salt=encode_b64u(salt),
            stretch=StretchBody(
                alg="argon2id", memory_kib=params.memory_kib, passes=params.passes, lanes=params.lanes
            ),
            server_time=context.now,
        )
        return self._door.answer(opened, answer)

    async def _record_refusal(self, reason: str, context: RequestContext) -> None:
        unit = Unit(key=context.request_id.value)
        unit.note(
            AuditEvent(
                tag=AuditTag.REQUEST_REFUSED,
                at=context.now,
                facts={"reason": reason, "at": "begin", "request": str(context.request_id)},
                personal={"address": context.shown_address},
            )
        )
        await self._database.commit(unit)
