"""Changing the password (docs/protocol/password.md): new splits, a new chest version, a new client key seed.

Needs a signed-in device *and* the current password. Every other session ends and every unused temporary token dies in
the same unit of work.
"""

from collections.abc import Callable

from watchword.core.clock import Instant
from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.core.ids import AccountId, DeviceId, SessionId
from watchword.core.secret import Secret
from watchword.crypto.kdf import KEY_SIZE
from watchword.errors import DamagedError, MalformedError, RefusedError
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import PasswordAnswer, PasswordPayload, SealedAnswer, SealedRequest
from watchword.protocol.names import parse_identifier
from watchword.server.accounts.model import Account, Login, LoginKind, StoredChest
from watchword.server.accounts.passwords import PasswordChecker
from watchword.server.accounts.splits import Split, check_chest, parse_splits
from watchword.server.accounts.store import AccountStore
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.devices.client_keys import ClientKeys, seed_of_verifier
from watchword.server.devices.store import DeviceStore
from watchword.server.guessing.model import lane_of, strangers_of
from watchword.server.guessing.service import CountedError, Guessing, Turn
from watchword.server.sealed import Opened, SealedDoor

EndOthers = Callable[[Unit, AccountId, Instant, SessionId], None]
"""Adds to a unit of work the end of every session of an account but one."""


class PasswordChangeService:
    def __init__(
        self,
        *,
        door: SealedDoor,
        accounts: AccountStore,
        devices: DeviceStore,
        passwords: PasswordChecker,
        client_keys: ClientKeys,
        end_others: EndOthers,
        guessing: Guessing,
        database: Database,
    ) -> None:
        self._door = door
        self._accounts = accounts
        self._devices = devices
        self._passwords = passwords
        self._client_keys = client_keys
        self._end_others = end_others
        self._guessing = guessing
        self._database = database

    async def change(
        self,
        request: SealedRequest,
        account: Account,
        session_id: SessionId,
        device_id: DeviceId,
        context: RequestContext,
    ) -> SealedAnswer:
        """Raises `RefusedError` for a wrong current password and every bad form, `TooManyError`, `BeginAgainError`."""
        try:
            opened = await self._door.open(request, Purpose.PASSWORD, PasswordPayload, context)
            turn = await self._check_current(opened, account, device_id, context)
            answer = await self._change(opened, account, session_id, device_id, context, turn=turn)
        except RefusedError as refusal:
            if not isinstance(refusal, CountedError):
                await self._record(_refused(refusal.reason, account, context))
            raise RefusedError(refusal.reason) from None
        return self._door.answer(opened, answer)

    async def _change(
        self,
        opened: Opened[PasswordPayload],
        account: Account,
        session_id: SessionId,
        device_id: DeviceId,
        context: RequestContext,
        *,
        turn: Turn,
    ) -> PasswordAnswer:
        splits = _read(opened.payload, account)
        verifiers = {kind: await self._passwords.make(split.login_secret) for kind, split in splits.items()}
        seed = seed_of_verifier(verifiers[LoginKind.USERNAME])
        unit = Unit(key=account.id.value)
        self._accounts.change_password(
            unit,
            account,
            [_login(account, split, verifiers[kind]) for kind, split in splits.items()],
            chest=StoredChest(body=opened.payload.chest, recovery_verifier=b""),
            seed=seed,
            now=context.now,
        )
        self._end_others(unit, account.id, context.now, session_id)
        self._devices.drop_credentials(unit, account.id)
        event = _event(AuditTag.PASSWORD_CHANGED, account, context, {"session": str(session_id)})
        unit.note(event)
        turn.add_success(unit, event)
        try:
            await self._database.commit(unit)
        except GuardError as error:
            raise RefusedError(f"changed_meanwhile_{error.guard}") from None
        turn.note_success()
        return await self._answer(account, device_id, seed, context)

    async def _check_current(
        self, opened: Opened[PasswordPayload], account: Account, device_id: DeviceId, context: RequestContext
    ) -> Turn:
        """In the lane of the device that is signed in, whoever's name it gives."""
        identifier_key = parse_identifier(opened.payload.identifier).key
        opened.check_identifier(identifier_key)
        try:
            secret = Secret(decode_b64u_sized(opened.payload.login_secret, KEY_SIZE))
        except MalformedError:
            raise RefusedError("login_secret_form") from None
        lane = await self._guessing.read(lane_of(account.id, device_id))
        strangers = await self._guessing.read(strangers_of(account.id))
        record = await self._accounts.find_login(identifier_key)
        async with self._guessing.guess(
            lane, strangers, lambda reason: _refused(reason, account, context)
        ) as turn:
            good = await self._passwords.check(record.login.verifier if record else None, secret)
            if record is None or not good or record.account.id != account.id:
                raise RefusedError("wrong_secret")
        return turn

    async def _answer(
        self, account: Account, device_id: DeviceId, seed: bytes, context: RequestContext
    ) -> PasswordAnswer:
        device = await self._devices.find(device_id)
        if device is None:
            raise DamagedError("a session without a device")
        client_key = self._client_keys.client_key(
            device.id, generation_version=device.generation_version, seed=seed
        )
        return PasswordAnswer(
            client_key=encode_b64u(client_key.reveal()),
            seed_version=account.password_version + 1,
            server_time=context.now,
        )

    async def _record(self, event: AuditEvent) -> None:
        unit = Unit(key=str(event.facts["request"]).encode())
        unit.note(event)
        await self._database.commit(unit)


def _read(payload: PasswordPayload, account: Account) -> dict[LoginKind, Split]:
    kinds = frozenset({LoginKind.USERNAME} | ({LoginKind.EMAIL} if account.email else set()))
    try:
        check_chest(payload.chest)
        return dict(parse_splits(payload.logins, kinds=kinds))
    except MalformedError:
        raise RefusedError("form") from None


def _login(account: Account, split: Split, verifier: bytes) -> Login:
    name = account.username if split.kind is LoginKind.USERNAME else account.email or ""
    return Login(
        identifier_key=parse_identifier(name).key,
        account_id=account.id,
        kind=split.kind,
        salt=split.salt,
        params=split.params,
        verifier=verifier,
        wrapped_chest_key=split.wrapped_chest_key,
    )


def _refused(reason: str, account: Account, context: RequestContext) -> AuditEvent:
    return _event(AuditTag.PASSWORD_CHANGE_REFUSED, account, context, {"reason": reason})


def _event(tag: AuditTag, account: Account, context: RequestContext, facts: dict[str, str]) -> AuditEvent:
    return AuditEvent(
        tag=tag,
        at=context.now,
        facts={"account": str(account.id), "request": str(context.request_id), **facts},
        personal={"address": context.shown_address, "user_agent": context.user_agent},
    )
