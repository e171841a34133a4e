"""Logging in (docs/protocol/login.md): one sealed envelope, one outward failure for every bad credential.

A known and an unknown name, a suspended account, a wrong secret and a wrong device all cost the same reads, the same
check, and one audit entry that is on disk before the answer leaves.
"""

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
from watchword.server.accounts.model import LoginRecord
from watchword.server.accounts.passwords import PasswordChecker
from watchword.server.accounts.store import AccountStore
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.devices.credentials import EnrolmentCredentials
from watchword.server.devices.model import TEMPORARY_TOKEN_LIFE, Device
from watchword.server.devices.store import DeviceStore
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
        database: Database,
    ) -> None:
        self._door = door
        self._accounts = accounts
        self._devices = devices
        self._passwords = passwords
        self._credentials = credentials
        self._granter = granter
        self._database = database

    async def log_in(self, request: SealedRequest, context: RequestContext) -> Granted:
        """Raises `RefusedError` for every bad credential, `BeginAgainError`, `KeyUnknownError`."""
        opened: Opened[LoginPayload] | None = None
        try:
            opened = await self._door.open(request, Purpose.LOGIN, LoginPayload, context)
            record = await self._verify(opened)
            device = await self._proven_device(request, opened.digest, record)
            answer, session = await self._grant(opened, record, device, context)
        except RefusedError as refusal:
            await self._record_refusal(refusal.reason, opened, context)
            raise
        return Granted(
            answer=self._door.answer(opened, answer), for_browser=session if opened.payload.browser else None
        )

    async def _verify(self, opened: Opened[LoginPayload]) -> LoginRecord:
        identifier_key = parse_identifier(opened.payload.identifier).key
        opened.check_identifier(identifier_key)
        secret = Secret(_secret_bytes(opened.payload.login_secret))
        record = await self._accounts.find_login(identifier_key)
        good = await self._passwords.check(record.login.verifier if record else None, secret)
        if record is None:
            raise RefusedError("unknown_name")
        if not good:
            raise RefusedError("wrong_secret")
        if not record.account.active:
            raise RefusedError("suspended")
        return record

    async def _proven_device(
        self, request: SealedRequest, digest: bytes, record: LoginRecord
    ) -> Device | None:
        """The account's own device that signed this envelope; None where none is named."""
        if request.device is None and request.signature is None:
            return None
        try:
            device = await self._devices.find(DeviceId.parse(request.device or ""))
            if device is None or device.account_id != record.account.id:
                raise RefusedError("unknown_device")
            key = DeviceVerifyingKey.from_stored(device.signing_key)
            check_device_proof(key, digest, request.signature or "")
        except (MalformedError, SignatureError):
            raise RefusedError("device_signature") from None
        return device

    async def _grant(
        self,
        opened: Opened[LoginPayload],
        record: LoginRecord,
        device: Device | None,
        context: RequestContext,
    ) -> tuple[LoginAnswer, Session | None]:
        unit = Unit(key=record.account.id.value)
        self._accounts.require_current(unit, record.account)
        await self._renew_verifier(unit, opened.payload, record)
        session = None
        if device is None:
            answer = self._temporary_token(unit, record, context)
        else:
            session = self._granter.open(unit, device.id, record.account, context, context.now)
            answer = self._session(unit, record, device, session, context)
        try:
            await self._database.commit(unit)
        except GuardError as error:
            raise RefusedError(f"changed_meanwhile_{error.guard}") from None
        return answer, session

    def _session(
        self, unit: Unit, record: LoginRecord, device: Device, session: Session, context: RequestContext
    ) -> LoginAnswer:
        facts = {"device": str(device.id), "session": str(session.id), "outcome": "session"}
        self._note_success(unit, record, context, facts)
        return LoginAnswer(
            account=record.account.body(),
            chest=record.chest,
            server_time=context.now,
            grant=self._granter.grant(session, device, record.account, context.now),
        )

    def _temporary_token(self, unit: Unit, record: LoginRecord, context: RequestContext) -> LoginAnswer:
        token = self._credentials.issue(unit, record.account.id, context.now)
        self._note_success(unit, record, context, {"outcome": "temporary_token"})
        return LoginAnswer(
            account=record.account.body(),
            chest=record.chest,
            server_time=context.now,
            temporary_token=token,
            temporary_token_expires_at=later(context.now, TEMPORARY_TOKEN_LIFE),
        )

    async def _renew_verifier(self, unit: Unit, payload: LoginPayload, record: LoginRecord) -> None:
        """Store the verifier by today's scheme and pepper, unless the password changes meanwhile (C25)."""
        old = record.login.verifier
        if self._passwords.outdated(old):
            new = await self._passwords.make(Secret(_secret_bytes(payload.login_secret)))
            self._accounts.replace_verifier(unit, record.login.identifier_key, old, new)

    @staticmethod
    def _note_success(
        unit: Unit, record: LoginRecord, context: RequestContext, facts: dict[str, str]
    ) -> None:
        unit.note(
            AuditEvent(
                tag=AuditTag.LOGIN_SUCCEEDED,
                at=context.now,
                facts={"account": str(record.account.id), "request": str(context.request_id), **facts},
                personal={"address": context.shown_address, "user_agent": context.user_agent},
            )
        )

    async def _record_refusal(
        self, reason: str, opened: Opened[LoginPayload] | None, context: RequestContext
    ) -> None:
        """One entry for each refusal, durable like every other. The name that was tried is personal."""
        unit = Unit(key=context.request_id.value)
        unit.note(
            AuditEvent(
                tag=AuditTag.LOGIN_REFUSED,
                at=context.now,
                facts={"reason": reason, "request": str(context.request_id)},
                personal={
                    "address": context.shown_address,
                    "identifier": _tried(opened),
                },
            )
        )
        await self._database.commit(unit)


def _tried(opened: Opened[LoginPayload] | None) -> str:
    """The name that was tried, as a key: what no name can be (a password in the wrong field) is hashed there."""
    return parse_identifier(opened.payload.identifier).key if opened else ""


def _secret_bytes(text: str) -> bytes:
    try:
        return decode_b64u_sized(text, KEY_SIZE)
    except MalformedError:
        raise RefusedError("login_secret_form") from None
