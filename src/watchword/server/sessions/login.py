"""Logging in (docs/protocol/login.md): one sealed envelope, one outward failure for every bad credential.

A known and an unknown name, a suspended account and a wrong secret all cost the same reads, the same turn in a lane,
the same check, and one audit entry that is on disk before the answer leaves, with the count of the failure.
"""

from dataclasses import dataclass

from watchword.core.clock import later
from watchword.core.encoding import decode_b64u_sized
from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceVerifyingKey
from watchword.crypto.kdf import KEY_SIZE
from watchword.errors import MalformedError, RefusedError, SignatureError
from watchword.protocol.device_proof import check_device_proof
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import LoginAnswer, LoginPayload, SealedRequest
from watchword.protocol.names import parse_identifier
from watchword.server.accounts.model import LoginAttempt, LoginRecord
from watchword.server.accounts.passwords import PasswordChecker
from watchword.server.accounts.store import AccountStore
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.devices.credentials import EnrolmentCredentials
from watchword.server.devices.model import TEMPORARY_TOKEN_LIFE, Device
from watchword.server.devices.store import DeviceStore
from watchword.server.guessing.model import LaneState, Reading, lane_of
from watchword.server.guessing.nobody import NobodysLanes
from watchword.server.guessing.service import CountedError, Guessing, Turn
from watchword.server.sealed import Opened, SealedDoor
from watchword.server.sessions.grants import Granted, SessionGranter
from watchword.server.sessions.model import Session


class LoginService:
    def __init__(
        self,
        *,
        door: SealedDoor,
        accounts: AccountStore,
        devices: DeviceStore,
        passwords: PasswordChecker,
        credentials: EnrolmentCredentials,
        granter: SessionGranter,
        guessing: Guessing,
        nobody: NobodysLanes,
        database: Database,
    ) -> None:
        self._door = door
        self._accounts = accounts
        self._devices = devices
        self._passwords = passwords
        self._credentials = credentials
        self._granter = granter
        self._guessing = guessing
        self._nobody = nobody
        self._database = database

    async def log_in(self, request: SealedRequest, context: RequestContext) -> Granted:
        """Raises `RefusedError` for every bad credential, `TooManyError`, `BeginAgainError`, `KeyUnknownError`."""
        opened: Opened[LoginPayload] | None = None
        try:
            opened = await self._door.open(request, Purpose.LOGIN, LoginPayload, context)
            proven = await self._prove(request, opened, context)
            answer, session = await self._grant(opened, proven, context)
        except RefusedError as refusal:
            if not isinstance(refusal, CountedError):
                await self._record_refusal(refusal.reason, opened, context)
            raise RefusedError(refusal.reason, tried=_tried(opened)) from None
        return Granted(
            answer=self._door.answer(opened, answer), for_browser=session if opened.payload.browser else None
        )

    async def _prove(
        self, request: SealedRequest, opened: Opened[LoginPayload], context: RequestContext
    ) -> "_Proven":
        """Record, device, lane, password: in this order, so that whoever is held up costs no verification."""
        identifier_key = parse_identifier(opened.payload.identifier).key
        opened.check_identifier(identifier_key)
        secret = Secret(_secret_bytes(opened.payload.login_secret))
        attempt, strangers = await self._find(identifier_key)
        device, lane = await self._enter_by(request, opened.digest, attempt, strangers, context)
        async with self._guessing.guess(
            lane, strangers, lambda reason: _refused(reason, opened, context)
        ) as turn:
            record = await self._verify(attempt.record, secret)
        return _Proven(record=record, device=device, turn=turn)

    async def check_held(self, identifier: str) -> None:
        """Raises `TooManyError` while a stranger's login with `identifier` would; any login asks again by itself."""
        _, strangers = await self._find(parse_identifier(identifier).key)
        self._guessing.check_held(strangers)

    async def _find(self, identifier_key: str) -> tuple[LoginAttempt, Reading]:
        """What there is to the name, or seems to be, and the lane of strangers who give it."""
        mark = self._guessing.mark()
        attempt = await self._accounts.find_attempt(identifier_key, self._nobody.of(identifier_key))
        return attempt, Reading(attempt.lane, attempt.state, mark)

    async def _verify(self, record: LoginRecord | None, secret: Secret) -> LoginRecord:
        good = await self._passwords.check(record.login.verifier if record else None, secret)
        if record is None:
            raise RefusedError("unknown_name")
        if not good:
            raise RefusedError("wrong_secret")
        if not record.account.active:
            raise RefusedError("suspended")
        return record

    async def _enter_by(
        self,
        request: SealedRequest,
        digest: bytes,
        attempt: LoginAttempt,
        strangers: Reading,
        context: RequestContext,
    ) -> tuple[Device | None, Reading]:
        """The account's own device that signed this envelope, with its lane; or nobody's, with that of strangers.

        Who passed a ban by the proof of one device signs in as that device.
        """
        if request.device is None and request.signature is None:
            if context.proven_device is not None:
                raise RefusedError("device_not_signed")
            return None, strangers
        device, state = await self._proven_device(request, digest, attempt)
        if context.proven_device not in {None, device.id}:
            raise RefusedError("device_not_signed")
        return device, Reading(lane_of(device.account_id, device.id), state, strangers.mark)

    async def _proven_device(
        self, request: SealedRequest, digest: bytes, attempt: LoginAttempt
    ) -> tuple[Device, LaneState]:
        try:
            found = await self._devices.find_with_lane(DeviceId.parse(request.device or ""))
            if found is None or attempt.lane.owner != found[0].account_id.value:
                raise RefusedError("unknown_device" if attempt.record else "unknown_name")
            key = DeviceVerifyingKey.from_stored(found[0].signing_key)
            check_device_proof(key, digest, request.signature or "")
        except (MalformedError, SignatureError):
            raise RefusedError("device_signature") from None
        if found[0].ended_at is not None:
            raise RefusedError("device_ended")
        return found

    async def _grant(
        self,
        opened: Opened[LoginPayload],
        proven: "_Proven",
        context: RequestContext,
    ) -> tuple[LoginAnswer, Session | None]:
        record, device = proven.record, proven.device
        unit = Unit(key=record.account.id.value)
        self._accounts.require_current(unit, record.account)
        await self._renew_verifier(unit, opened.payload, record)
        session = None
        if device is None:
            answer, event = self._temporary_token(unit, record, context)
        else:
            session = self._granter.open(unit, device.id, record.account, context, context.now)
            answer, event = self._session(record, device, session, context)
        unit.note(event)
        proven.turn.add_success(unit, event)
        try:
            await self._database.commit(unit)
        except GuardError as error:
            raise RefusedError(f"changed_meanwhile_{error.guard}") from None
        proven.turn.note_success()
        return answer, session

    def _session(
        self, record: LoginRecord, device: Device, session: Session, context: RequestContext
    ) -> tuple[LoginAnswer, AuditEvent]:
        facts = {"device": str(device.id), "session": str(session.id), "outcome": "session"}
        answer = LoginAnswer(
            account=record.account.body(),
            chest=record.chest,
            server_time=context.now,
            grant=self._granter.grant(session, device, record.account, context.now),
        )
        return answer, _succeeded(record, context, facts)

    def _temporary_token(
        self, unit: Unit, record: LoginRecord, context: RequestContext
    ) -> tuple[LoginAnswer, AuditEvent]:
        token = self._credentials.issue(unit, record.account.id, context.now)
        answer = LoginAnswer(
            account=record.account.body(),
            chest=record.chest,
            server_time=context.now,
            temporary_token=token,
            temporary_token_expires_at=later(context.now, TEMPORARY_TOKEN_LIFE),
        )
        event = _succeeded(record, context, {"outcome": "temporary_token"})
        return answer, event

    async def _renew_verifier(self, unit: Unit, payload: LoginPayload, record: LoginRecord) -> None:
        """Store the verifier by today's scheme and pepper, unless the password changes meanwhile (C25)."""
        old = record.login.verifier
        if self._passwords.outdated(old):
            new = await self._passwords.make(Secret(_secret_bytes(payload.login_secret)))
            self._accounts.replace_verifier(unit, record.login.identifier_key, old, new)

    async def _record_refusal(
        self, reason: str, opened: Opened[LoginPayload] | None, context: RequestContext
    ) -> None:
        """One entry for each refusal, durable like every other."""
        unit = Unit(key=context.request_id.value)
        unit.note(_refused(reason, opened, context))
        await self._database.commit(unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proven:
    """Who has given the right password, on which device, and the turn in which it was verified."""

    record: LoginRecord
    device: Device | None
    turn: Turn


def _succeeded(record: LoginRecord, context: RequestContext, facts: dict[str, str]) -> AuditEvent:
    return AuditEvent(
        tag=AuditTag.LOGIN_SUCCEEDED,
        at=context.now,
        facts={"account": str(record.account.id), "request": str(context.request_id), **facts},
        personal={"address": context.shown_address, "user_agent": context.user_agent},
    )


def _refused(reason: str, opened: Opened[LoginPayload] | None, context: RequestContext) -> AuditEvent:
    """The name that was tried is personal."""
    return AuditEvent(
        tag=AuditTag.LOGIN_REFUSED,
        at=context.now,
        facts={"reason": reason, "request": str(context.request_id)},
        personal={"address": context.shown_address, "identifier": _tried(opened)},
    )


def _tried(opened: Opened[LoginPayload] | None) -> str:
    """The name that was tried, as a key: what no name can be (a password in the wrong field) is hashed there."""
    return parse_identifier(opened.payload.identifier).key if opened else ""


def _secret_bytes(text: str) -> bytes:
    try:
        return decode_b64u_sized(text, KEY_SIZE)
    except MalformedError:
        raise RefusedError("login_secret_form") from None
