"""The operator's use cases. Names are user names, e-mail addresses or account ids, as operators type them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, Protocol

from watchword.core.clock import Clock, Instant, later
from watchword.core.ids import AccountId, InviteId, RequestId
from watchword.errors import DamagedError, MalformedError, NotFoundError
from watchword.protocol.names import parse_identifier
from watchword.server.accounts.model import MAX_LEVEL, Account, AccountState, Invite
from watchword.server.accounts.registration import INVITE_PREFIX
from watchword.server.accounts.store import AccountStore
from watchword.server.audit.entry import AuditEntry
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.audit.service import AuditReport, AuditService, Progress
from watchword.server.bans.service import Bans
from watchword.server.db.migrate import SELECT_INSTANCE
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.devices.store import DeviceStore
from watchword.server.guessing.model import strangers_of
from watchword.server.guessing.store import LaneStore
from watchword.server.keys.model import KeyStatus
from watchword.server.one_time import OneTimeSecrets
from watchword.server.operator.model import (
    INVITE_LIFE,
    MAX_INVITE_LIFE,
    MAX_INVITES,
    MAX_NOTE,
    MAX_PAGE,
    AccountDetails,
    LocalOperator,
    MadeInvite,
)
from watchword.server.sessions.service import MAX_LISTED
from watchword.server.sessions.store import SessionStore


class Keys(Protocol):
    """What is needed of `KeyService`."""

    def status(self) -> Sequence[KeyStatus]: ...
    async def rotate(
        self, use: str, *, at_once: bool = False, by: Mapping[str, str | int] | None = None
    ) -> None: ...


class OperatorService:
    def __init__(
        self,
        *,
        accounts: AccountStore,
        bans: Bans,
        devices: DeviceStore,
        sessions: SessionStore,
        lanes: LaneStore,
        invites: OneTimeSecrets,
        keys: Keys,
        audit: AuditService,
        database: Database,
        clock: Clock,
    ) -> None:
        self.bans: Final = bans
        """Whom an operator bans or lets in again; what changes is audited there."""
        self._accounts = accounts
        self._devices = devices
        self._sessions = sessions
        self._lanes = lanes
        self._invites = invites
        self._keys = keys
        self._audit = audit
        self._database = database
        self._clock = clock

    async def list_accounts(self, *, after: AccountId | None = None, limit: int = MAX_PAGE) -> list[Account]:
        """At most `limit` (up to MAX_PAGE), in the order in which they were made; the next ones behind `after`."""
        return await self._accounts.page(after=after, limit=max(1, min(limit, MAX_PAGE)))

    async def show_account(self, name: str) -> AccountDetails:
        """Raises `NotFoundError`."""
        account = await self._find(name)
        sessions = await self._sessions.list_live(account.id, now=self._clock.now(), limit=MAX_LISTED)
        devices = await self._devices.count(account.id)
        return AccountDetails(account=account, devices=devices, sessions=tuple(sessions))

    async def set_level(self, name: str, level: int, by: LocalOperator) -> Account:
        """Raises `NotFoundError`, `MalformedError`."""
        _check_level(level)
        account, now = await self._find(name), self._clock.now()
        unit = Unit(key=account.id.value)
        self._accounts.set_level(unit, account.id, level, now)
        return await self._commit(
            unit, AuditTag.LEVEL_SET, account, by, now, before=account.level, level=level
        )

    async def suspend(self, name: str, by: LocalOperator) -> Account:
        """No login from now on, and no session is left. Raises `NotFoundError`."""
        account, now = await self._find(name), self._clock.now()
        unit = Unit(key=account.id.value)
        self._accounts.set_state(unit, account.id, AccountState.SUSPENDED, now)
        self._end_everything(unit, account, now)
        return await self._commit(unit, AuditTag.ACCOUNT_SUSPENDED, account, by, now)

    async def resume(self, name: str, by: LocalOperator) -> Account:
        """Logins are possible again, from new devices too; sessions do not come back. Raises `NotFoundError`."""
        account, now = await self._find(name), self._clock.now()
        unit = Unit(key=account.id.value)
        self._accounts.set_state(unit, account.id, AccountState.ACTIVE, now)
        self._lanes.end_row(unit, strangers_of(account.id))
        return await self._commit(unit, AuditTag.ACCOUNT_RESUMED, account, by, now)

    async def delete(self, name: str, by: LocalOperator) -> None:
        """The account, its devices, sessions and chest are gone; the audit trail stays. Raises `NotFoundError`."""
        account, now = await self._find(name), self._clock.now()
        unit = Unit(key=account.id.value)
        self._accounts.delete(unit, account.id)
        unit.note(_event(AuditTag.ACCOUNT_DELETED, account, by, now, {}))
        await self._run(unit)

    async def invite(
        self, by: LocalOperator, *, level: int = 0, valid_for: int = INVITE_LIFE, note: str = ""
    ) -> MadeInvite:
        """A single-use invitation for `valid_for` milliseconds. Raises `MalformedError`."""
        _check_level(level)
        if not 0 < valid_for <= MAX_INVITE_LIFE:
            raise MalformedError("an invitation is valid for at most 30 days")
        if len(note) > MAX_NOTE or not note.isprintable():
            raise MalformedError(f"a note has at most {MAX_NOTE} printable characters")
        now = self._clock.now()
        secret, verifier = self._invites.make(INVITE_PREFIX, now)
        made = Invite(
            id=InviteId(secret.selector),
            verifier=verifier,
            level=level,
            note=note,
            created_at=now,
            expires_at=later(now, valid_for),
        )
        unit = Unit(key=made.id.value)
        self._accounts.insert_invite(unit, made)
        unit.note(_invited(made, by))
        await self._database.commit(unit)
        return MadeInvite(invite=made, text=secret.text())

    async def list_invites(self) -> list[Invite]:
        """Those that are still good."""
        return await self._accounts.list_invites(now=self._clock.now(), limit=MAX_INVITES)

    async def begin_backup(self, by: LocalOperator, *, sealed: bool, root_key: bool) -> str:
        """Note that a backup is being taken; the id of the database that it is to be taken of, in hex."""
        row = await self._database.fetch_one(SELECT_INSTANCE, {})
        if row is None or not isinstance(row[0], bytes):
            raise DamagedError("the database has no id of its own")
        facts: dict[str, str | int] = {"sealed": int(sealed), "root_key": int(root_key), **by.facts()}
        unit = Unit(key=b"backup")
        unit.note(AuditEvent(tag=AuditTag.BACKUP_BEGUN, at=self._clock.now(), facts=facts))
        await self._database.commit(unit)
        return row[0].hex()

    def key_status(self) -> list[KeyStatus]:
        return list(self._keys.status())

    async def rotate_key(self, use: str, by: LocalOperator, *, at_once: bool = False) -> None:
        """Raises `NotFoundError`, `ConflictError`, `InvalidConfigError`."""
        await self._keys.rotate(use, at_once=at_once, by=by.facts())

    async def verify_audit(self, progress: Progress | None = None) -> AuditReport:
        """Problems are findings in the report, not errors."""
        return await self._audit.verify(progress)

    async def show_request(self, request: str) -> list[AuditEntry]:
        """The audit entries of one request, by its id. Raises `MalformedError` for what is no id of a request."""
        return await self._audit.of_request(RequestId.parse(request))

    async def tail_audit(self, limit: int, *, follow: bool = False) -> AsyncIterator[AuditEntry]:
        """The newest `limit` entries, then, with `follow`, those that come, for ever: none twice, none left out."""
        ends = await self._audit.ends()
        newest = await self._audit.tail(limit)
        for entry in newest:
            if entry.seq <= ends.get(entry.node, 0) or not follow:
                yield entry
        if follow:
            async for entry in self._audit.follow(ends):
                yield entry

    def _end_everything(self, unit: Unit, account: Account, now: Instant) -> None:
        """Sessions, and what could still become one."""
        self._sessions.end_all(unit, account.id, now)
        self._devices.drop_credentials(unit, account.id)

    async def _find(self, name: str) -> Account:
        found = await self._look_up(name)
        if found is None:
            raise NotFoundError(f"there is no account “{name}”")
        return found

    async def _look_up(self, name: str) -> Account | None:
        if name.startswith(f"{AccountId.prefix}_"):
            return await self._accounts.find(AccountId.parse(name))
        kind, _, key = parse_identifier(name).key.partition(":")
        if kind == "u":
            return await self._accounts.find_by_name(key)
        login = await self._accounts.find_login(f"{kind}:{key}")
        return login.account if login else None

    async def _commit(
        self,
        unit: Unit,
        tag: AuditTag,
        account: Account,
        by: LocalOperator,
        now: Instant,
        **facts: str | int,
    ) -> Account:
        """Run `unit` with its audit event; the account as it is then."""
        unit.note(_event(tag, account, by, now, facts))
        await self._run(unit)
        return await self._find(str(account.id))

    async def _run(self, unit: Unit) -> None:
        try:
            await self._database.commit(unit)
        except GuardError:
            raise NotFoundError("the account is gone: somebody deleted it meanwhile") from None


def _check_level(level: int) -> None:
    if not 0 <= level <= MAX_LEVEL:
        raise MalformedError(f"a level is a number from 0 to {MAX_LEVEL}")


def _event(
    tag: AuditTag, account: Account, by: LocalOperator, now: Instant, facts: Mapping[str, str | int]
) -> AuditEvent:
    return AuditEvent(
        tag=tag,
        at=now,
        facts={"account": str(account.id), **facts, **by.facts()},
        personal={"username": account.username},
    )


def _invited(made: Invite, by: LocalOperator) -> AuditEvent:
    facts: dict[str, str | int] = {"invite": str(made.id), "level": made.level, "expires_at": made.expires_at}
    return AuditEvent(
        tag=AuditTag.INVITE_MADE,
        at=made.created_at,
        facts={**facts, **by.facts()},
        personal={"note": made.note} if made.note else {},
    )
