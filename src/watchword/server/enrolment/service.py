"""Enrolling a device (docs/protocol/enrol.md)."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from watchword.core.clock import later
from watchword.core.encoding import decode_b64u, decode_b64u_sized
from watchword.core.entropy import Entropy
from watchword.core.ids import DeviceId, SessionId
from watchword.crypto.aead import VersionedKey
from watchword.crypto.device_keys import DeviceVerifyingKey
from watchword.crypto.hpke import SealingPublicKey, Suite
from watchword.errors import ConflictError, MalformedError, RefusedError, SignatureError
from watchword.protocol.device_proof import check_device_proof
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import (
    DevicePublicKeys,
    EnrolAnswer,
    EnrolPayload,
    SealedRequest,
)
from watchword.server.accounts.model import Account
from watchword.server.accounts.store import AccountStore
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.devices.credentials import EnrolmentCredentials
from watchword.server.devices.model import REPEAT_WINDOW, Device, EnrolmentCredential
from watchword.server.devices.store import DeviceStore
from watchword.server.sealed import Opened, SealedDoor
from watchword.server.sessions.grants import Granted, SessionGranter
from watchword.server.sessions.model import Session
from watchword.server.sessions.service import SessionService

_KEY_SIZE = 32
_NAME_LIMIT = 100
_TRIES = 4
"""Each time another request of the same account came first; more are asked to send it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NewKeys:
    """A device's public keys, parsed; the signing key has signed the request."""

    signing: bytes
    message_signing: bytes
    sealing: bytes


class EnrolmentService:
    def __init__(
        self,
        *,
        door: SealedDoor,
        accounts: AccountStore,
        devices: DeviceStore,
        credentials: EnrolmentCredentials,
        granter: SessionGranter,
        sessions: SessionService,
        generation_key: Callable[[], VersionedKey],
        key_document: Callable[[], str],
        database: Database,
        entropy: Entropy,
    ) -> None:
        self._door = door
        self._accounts = accounts
        self._devices = devices
        self._credentials = credentials
        self._granter = granter
        self._sessions = sessions
        self._generation_key = generation_key
        self._key_document = key_document
        self._database = database
        self._entropy = entropy

    async def enrol(
        self, request: SealedRequest, context: RequestContext, *, instead_of: SessionId | None = None
    ) -> Granted:
        """Where `instead_of` is a live session of the same account, it ends in the moment when the new one begins.

        Raises `RefusedError` for every bad credential, key or signature; `KeyUnknownError`; `ConflictError`.
        """
        try:
            opened = await self._door.open(request, Purpose.ENROL, EnrolPayload, context)
            keys = _check_keys(opened.payload.keys, opened.digest, request.signature)
            answer, session = await self._enrol_once(opened, keys, context, instead_of)
        except RefusedError as refusal:
            await self._record_refusal(refusal.reason, context)
            raise
        return Granted(
            answer=self._door.answer(opened, answer), for_browser=session if opened.payload.browser else None
        )

    async def _enrol_once(
        self,
        opened: Opened[EnrolPayload],
        keys: _NewKeys,
        context: RequestContext,
        instead_of: SessionId | None,
    ) -> tuple[EnrolAnswer, Session]:
        """Enrol; where another request used the credential in the same moment, look again: it is used now.

        The same where another changed which sessions there are.
        """
        for _ in range(_TRIES - 1):
            with contextlib.suppress(ConflictError):
                return await self._enrol(opened, keys, context, instead_of)
        return await self._enrol(opened, keys, context, instead_of)

    async def _enrol(
        self,
        opened: Opened[EnrolPayload],
        keys: _NewKeys,
        context: RequestContext,
        instead_of: SessionId | None,
    ) -> tuple[EnrolAnswer, Session]:
        credential = await self._credentials.find(opened.payload.credential)
        account = await self._accounts.find(credential.account_id)
        if account is None or not account.active:
            raise RefusedError("account_inactive")
        unit = Unit(key=account.id.value)
        self._accounts.require_current(unit, account)
        if credential.used_at is None:
            device = await self._add(unit, opened.payload, keys, credential, context)
            await self._sessions.add_room(unit, account.id, context, instead_of=instead_of)
            session = self._granter.open(unit, device.id, account, context, credential.auth_time)
        else:
            device, session = await self._repeat(unit, credential, keys, context)
        repeated = credential.used_at is not None
        await self._commit(unit, _enrolled(account, device, session, context, repeated=repeated))
        answer = EnrolAnswer(
            account=account.body(),
            device=str(device.id),
            grant=self._granter.grant(session, device, account, context.now),
            key_document=self._key_document(),
            server_time=context.now,
        )
        return answer, session

    async def _add(
        self,
        unit: Unit,
        payload: EnrolPayload,
        keys: _NewKeys,
        credential: EnrolmentCredential,
        context: RequestContext,
    ) -> Device:
        if context.now >= credential.expires_at:
            raise RefusedError("credential_expired")
        device = Device(
            id=DeviceId.new(context.now, self._entropy),
            account_id=credential.account_id,
            name=_printable(payload.device_name),
            signing_key=keys.signing,
            message_signing_key=keys.message_signing,
            sealing_key=keys.sealing,
            generation_version=self._generation_key().version,
            created_at=context.now,
        )
        self._devices.claim_credential(unit, credential, device, context.now)
        self._devices.insert(unit, device)
        return device

    async def _repeat(
        self, unit: Unit, credential: EnrolmentCredential, keys: _NewKeys, context: RequestContext
    ) -> tuple[Device, Session]:
        """The device that this credential already made and its session, for the same key alone.

        A repeat stands in for an answer that was lost. After the session was ended (by its owner, by a new
        password, by an operator) it would be a way back in without a password.
        """
        used_at = credential.used_at
        if used_at is None or credential.signing_key != keys.signing or credential.device_id is None:
            raise RefusedError("credential_used")
        if context.now >= later(used_at, REPEAT_WINDOW):
            raise RefusedError("credential_used_long_ago")
        device = await self._devices.find(credential.device_id)
        if device is None:
            raise RefusedError("device_gone")
        session = await self._granter.find_live_on(device.id, context.now)
        if session is None:
            raise RefusedError("guard_session")
        self._granter.require_live(unit, device.id, context.now)
        return device, session

    async def _commit(self, unit: Unit, event: AuditEvent) -> None:
        unit.note(event)
        try:
            await self._database.commit(unit)
        except GuardError as error:
            if error.guard in {"credential", "room"}:
                raise ConflictError("another enrolment of this account came first") from None
            raise RefusedError(f"guard_{error.guard}") from None

    async def _record_refusal(self, reason: str, context: RequestContext) -> None:
        unit = Unit(key=context.request_id.value)
        unit.note(
            AuditEvent(
                tag=AuditTag.ENROLMENT_REFUSED,
                at=context.now,
                facts={"reason": reason, "request": str(context.request_id)},
                personal={"address": context.shown_address},
            )
        )
        await self._database.commit(unit)


def _enrolled(
    account: Account, device: Device, session: Session, context: RequestContext, *, repeated: bool
) -> AuditEvent:
    return AuditEvent(
        tag=AuditTag.DEVICE_ENROLLED,
        at=context.now,
        facts={
            "account": str(account.id),
            "device": str(device.id),
            "session": str(session.id),
            "repeated": int(repeated),
            "request": str(context.request_id),
        },
        personal={
            "address": context.shown_address,
            "device_name": device.name,
            "user_agent": context.user_agent,
        },
    )


def _check_keys(keys: DevicePublicKeys, digest: bytes, signature: str | None) -> _NewKeys:
    """Parse the three keys, and check that the signing key signed this envelope. `RefusedError`."""
    try:
        parsed = _NewKeys(
            signing=decode_b64u_sized(keys.signing, _KEY_SIZE),
            message_signing=decode_b64u_sized(keys.message_signing, _KEY_SIZE),
            sealing=decode_b64u(keys.sealing),
        )
        DeviceVerifyingKey.from_bytes(parsed.message_signing)
        SealingPublicKey.from_bytes(Suite.HYBRID, parsed.sealing)
        check_device_proof(DeviceVerifyingKey.from_bytes(parsed.signing), digest, signature or "")
    except (MalformedError, SignatureError):
        raise RefusedError("device_keys") from None
    if parsed.signing == parsed.message_signing:
        raise RefusedError("device_keys_equal")
    return parsed


def _printable(name: str) -> str:
    """A device's name as people will see it in lists: no control or direction characters, bounded."""
    return "".join(sign for sign in name if sign.isprintable()).strip()[:_NAME_LIMIT] or "device"
