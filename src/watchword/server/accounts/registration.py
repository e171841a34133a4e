"""Registration (docs/protocol/register.md). A refusal is the same, byte for byte and in time, whatever the reason.

Every request does the same work: the verifiers are made, a unit of work is committed (or fails at a guard), and a
refusal is recorded. What was wrong with the request only decides which guard fails.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from watchword.core.clock import Instant, later
from watchword.core.encoding import decode_b64u_sized
from watchword.core.entropy import Entropy
from watchword.core.ids import AccountId, InviteId
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.kdf import KEY_SIZE, Label, derive, mac
from watchword.errors import MalformedError, RefusedError
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import RegisterAnswer, RegisterPayload, SealedAnswer, SealedRequest
from watchword.protocol.names import (
    Email,
    Username,
    parse_display_name,
    parse_email,
    parse_identifier,
    parse_username,
)
from watchword.server.accounts.model import (
    Account,
    AccountState,
    Login,
    LoginKind,
    RegistrationMode,
    StoredChest,
)
from watchword.server.accounts.passwords import PasswordChecker
from watchword.server.accounts.splits import Split, check_chest, parse_splits
from watchword.server.accounts.store import AccountStore
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.devices.client_keys import seed_of_verifier
from watchword.server.devices.credentials import EnrolmentCredentials
from watchword.server.devices.model import TEMPORARY_TOKEN_LIFE
from watchword.server.one_time import OneTimeSecret, OneTimeSecrets
from watchword.server.sealed import Opened, SealedDoor

INVITE_PREFIX = "wiv"
_NEVER = "select 1 where 1 = 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A registration whose every part parses; the database has the last word."""

    username: Username
    email: Email | None
    display_name: str | None
    splits: Mapping[LoginKind, Split]
    recovery_secret: Secret
    invite: OneTimeSecret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryVerifiers:
    """Keyed hashes of recovery secrets: version || HMAC, under the recovery data key."""

    current: Callable[[], VersionedKey]

    def make(self, secret: Secret) -> bytes:
        current = self.current()
        key = derive(current.key, Label.RECOVERY_VERIFIER)
        return current.version.to_bytes(4, "big") + mac(key, secret.reveal())


class RegistrationService:
    def __init__(
        self,
        *,
        mode: RegistrationMode,
        door: SealedDoor,
        accounts: AccountStore,
        passwords: PasswordChecker,
        credentials: EnrolmentCredentials,
        invites: OneTimeSecrets,
        recovery: RecoveryVerifiers,
        database: Database,
        entropy: Entropy,
    ) -> None:
        self._mode = mode
        self._door = door
        self._accounts = accounts
        self._passwords = passwords
        self._credentials = credentials
        self._invites = invites
        self._recovery = recovery
        self._database = database
        self._entropy = entropy

    async def register(self, request: SealedRequest, context: RequestContext) -> SealedAnswer:
        """Raises `RefusedError` for every reason, `BeginAgainError`, `KeyUnknownError`."""
        opened: Opened[RegisterPayload] | None = None
        try:
            opened = await self._door.open(request, Purpose.REGISTER, RegisterPayload, context)
            answer = await self._register(opened, context)
        except RefusedError as refusal:
            await self._record_refusal(refusal.reason, opened, context)
            raise RefusedError(refusal.reason, tried=_tried(opened)) from None
        return self._door.answer(opened, answer)

    async def _register(self, opened: Opened[RegisterPayload], context: RequestContext) -> RegisterAnswer:
        opened.check_identifier(parse_identifier(opened.payload.username).key)
        unit = Unit(key=parse_identifier(opened.payload.username).key.encode())
        candidate, reason = self._read(opened.payload)
        level, invite_reason = await self._admit(unit, candidate.invite if candidate else None, context.now)
        reason = invite_reason or reason
        verifiers = await self._verifiers(opened.payload)
        if candidate is None or reason:
            unit.add(_NEVER, {}, guard=reason or "form")
            await self._commit(unit)
            raise RefusedError(reason or "form")
        account = self._account(
            candidate, level, seed_of_verifier(verifiers[LoginKind.USERNAME]), context.now
        )
        self._store(unit, account, candidate, verifiers, opened.payload)
        token = self._credentials.issue(unit, account.id, context.now)
        unit.note(_registered(account, context, invited=candidate.invite is not None))
        await self._commit(unit)
        return RegisterAnswer(
            account=account.body(),
            temporary_token=token,
            temporary_token_expires_at=later(context.now, TEMPORARY_TOKEN_LIFE),
            server_time=context.now,
        )

    async def _commit(self, unit: Unit) -> None:
        try:
            await self._database.commit(unit)
        except GuardError as error:
            raise RefusedError(error.guard) from None

    def _read(self, payload: RegisterPayload) -> tuple[_Candidate | None, str]:
        """The candidate, or None and the reason."""
        try:
            email = parse_email(payload.email) if payload.email is not None else None
            kinds = frozenset({LoginKind.USERNAME} | ({LoginKind.EMAIL} if email else set()))
            check_chest(payload.chest)
            if payload.chest.version != 1 or payload.chest.archive_generation != 1:
                return None, "chest_version"
            return _Candidate(
                username=parse_username(payload.username),
                email=email,
                display_name=parse_display_name(payload.display_name or "") or None,
                splits=parse_splits(payload.logins, kinds=kinds),
                recovery_secret=Secret(decode_b64u_sized(payload.recovery_secret, KEY_SIZE)),
                invite=_parse_invite(payload.invitation),
            ), ""
        except MalformedError as error:
            reason = getattr(error, "reason", None)
            return None, f"name_{reason}" if reason else "form"

    async def _admit(self, unit: Unit, invite: OneTimeSecret | None, now: Instant) -> tuple[int, str]:
        """The level of the new account, and why it may not be made ("": it may). Claims the invitation."""
        if self._mode is RegistrationMode.CLOSED:
            return 0, "registration_closed"
        if invite is None:
            return 0, "" if self._mode is RegistrationMode.OPEN else "invitation_missing"
        found = await self._accounts.find_invite(InviteId(invite.selector))
        good = self._invites.check(invite, found.verifier if found else self._invites.decoy())
        if found is None or not good or found.used_at is not None or now >= found.expires_at:
            return 0, "invitation_bad"
        self._accounts.claim_invite(unit, found.id, found.verifier, now)
        return found.level, ""

    async def _verifiers(self, payload: RegisterPayload) -> dict[LoginKind, bytes]:
        """One for each login that was sent, whether or not the registration will stand."""
        try:
            secrets = [
                (LoginKind(split.kind), Secret(decode_b64u_sized(split.login_secret, KEY_SIZE)))
                for split in payload.logins
            ]
        except MalformedError:
            raise RefusedError("form") from None
        return {kind: await self._passwords.make(secret) for kind, secret in secrets}

    def _account(self, candidate: _Candidate, level: int, seed: bytes, now: Instant) -> Account:
        return Account(
            id=AccountId.new(now, self._entropy),
            username=candidate.username.text,
            name_key=candidate.username.key,
            skeleton=candidate.username.skeleton,
            display_name=candidate.display_name,
            email=candidate.email.text if candidate.email else None,
            email_key=candidate.email.key if candidate.email else None,
            level=level,
            state=AccountState.ACTIVE,
            password_version=1,
            client_key_seed=seed,
            created_at=now,
            updated_at=now,
        )

    def _store(
        self,
        unit: Unit,
        account: Account,
        candidate: _Candidate,
        verifiers: Mapping[LoginKind, bytes],
        payload: RegisterPayload,
    ) -> None:
        keys = {
            LoginKind.USERNAME: parse_identifier(candidate.username.text).key,
            LoginKind.EMAIL: parse_identifier(candidate.email.text).key if candidate.email else "",
        }
        logins = [
            Login(
                identifier_key=keys[kind],
                account_id=account.id,
                kind=kind,
                salt=split.salt,
                params=split.params,
                verifier=verifiers[kind],
                wrapped_chest_key=split.wrapped_chest_key,
            )
            for kind, split in candidate.splits.items()
        ]
        chest = StoredChest(
            body=payload.chest, recovery_verifier=self._recovery.make(candidate.recovery_secret)
        )
        for skeleton in candidate.username.lookalikes - {account.skeleton}:
            self._accounts.require_no_lookalike(unit, skeleton)
        self._accounts.insert(unit, account, logins, chest)

    async def _record_refusal(
        self, reason: str, opened: Opened[RegisterPayload] | None, context: RequestContext
    ) -> None:
        unit = Unit(key=context.request_id.value)
        unit.note(
            AuditEvent(
                tag=AuditTag.REGISTRATION_REFUSED,
                at=context.now,
                facts={"reason": reason, "request": str(context.request_id)},
                personal={
                    "address": context.shown_address,
                    "username": _tried(opened),
                },
            )
        )
        await self._database.commit(unit)


def _tried(opened: Opened[RegisterPayload] | None) -> str:
    """The name that was asked for, as a key."""
    return parse_identifier(opened.payload.username).key if opened else ""


def _registered(account: Account, context: RequestContext, *, invited: bool) -> AuditEvent:
    return AuditEvent(
        tag=AuditTag.ACCOUNT_REGISTERED,
        at=context.now,
        facts={
            "account": str(account.id),
            "level": account.level,
            "invited": int(invited),
            "request": str(context.request_id),
        },
        personal={"address": context.shown_address, "username": account.username},
    )


def _parse_invite(text: str | None) -> OneTimeSecret | None:
    return OneTimeSecret.parse(text, prefix=INVITE_PREFIX) if text is not None else None
