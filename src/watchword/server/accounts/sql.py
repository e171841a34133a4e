"""The account store in portable SQL."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, InviteId
from watchword.crypto.passwords import ServerHash, StretchParams, scheme_numbered
from watchword.errors import DamagedError
from watchword.protocol.messages import WrappedChest
from watchword.server.accounts.model import (
    Account,
    AccountState,
    Invite,
    Login,
    LoginAttempt,
    LoginKind,
    LoginRecord,
    StoredChest,
)
from watchword.server.db.rows import Columns
from watchword.server.db.unit import Database, Parameters, Row, Unit
from watchword.server.guessing.model import BY_EMAIL, BY_NAME, LaneKey, strangers_of
from watchword.server.guessing.sql import EMAIL_LANE_COLUMNS, LANE_COLUMNS, LANE_WIDTH, read_lane

ACCOUNT_COLUMNS: Final = (
    "a.id, a.username, a.name_key, a.skeleton, a.display_name, a.email, a.email_key, a.level, a.state,"
    " a.password_version, a.client_key_seed, a.created_at, a.updated_at"
)
_FIND: Final = f"select {ACCOUNT_COLUMNS} from accounts a where a.id = :id"  # noqa: S608  # constants only, as below
_FIND_BY_NAME: Final = f"select {ACCOUNT_COLUMNS} from accounts a where a.name_key = :name_key"  # noqa: S608
_LIST: Final = f"select {ACCOUNT_COLUMNS} from accounts a where a.id > :after order by a.id limit :limit"  # noqa: S608
_LOGIN: Final = (
    f"{ACCOUNT_COLUMNS}, l.identifier_key, l.kind, l.salt, l.memory_kib, l.passes, l.lanes, l.verifier,"
    " l.wrapped_chest_key, c.version, c.sealed"
)
_BY_NAME: Final = (
    # One row for any name. For one that nobody has the same tables are searched and as many pages read: an account that
    # is not there, and some sealed chest, which is thrown away.
    " from (select :identifier_key::text as key) k left join logins l on l.identifier_key = k.key"
    " left join accounts a on a.id = coalesce(l.account_id, :nobody)"
    " left join chests c on c.account_id = coalesce(l.account_id, (select account_id from chests limit 1))"
)
_FIND_LOGIN: Final = f"select {_LOGIN} {_BY_NAME}"
_FIND_ATTEMPT: Final = (
    f"select {LANE_COLUMNS}, {EMAIL_LANE_COLUMNS}, {_LOGIN} {_BY_NAME}"
    " left join guessing_lanes g on g.owner = coalesce(l.account_id, :lane) and g.way = :by_name"
    " left join guessing_lanes e on e.owner = coalesce(l.account_id, :lane) and e.way = :by_email"
)
_FIND_SALT: Final = (
    "select salt, memory_kib, passes, lanes from logins where identifier_key = :identifier_key"
)
_SCHEMES: Final = "select distinct substr(verifier, 1, 1) from logins"
_FIND_INVITE: Final = (
    "select id, verifier, level, note, created_at, expires_at, used_at from invites where id = :id"
)
_LIST_INVITES: Final = (
    "select id, verifier, level, note, created_at, expires_at, used_at from invites"
    " where used_at is null and expires_at > :now order by id limit :limit"
)
_CLAIM_INVITE: Final = (
    "update invites set used_at = :now"
    " where id = :id and verifier = :verifier and used_at is null and expires_at > :now"
)
_INSERT_INVITE: Final = (
    "insert into invites (id, verifier, level, note, created_at, expires_at)"
    " values (:id, :verifier, :level, :note, :created_at, :expires_at)"
)
_LOOKALIKE: Final = "select 1 from accounts where skeleton = :skeleton"
_INSERT: Final = (
    "insert into accounts (id, username, name_key, skeleton, display_name, email, email_key, level, state,"
    " password_version, client_key_seed, created_at, updated_at) values (:id, :username, :name_key, :skeleton,"
    " :display_name, :email, :email_key, :level, :state, :password_version, :client_key_seed, :created_at,"
    " :updated_at) on conflict do nothing"
)
_INSERT_LOGIN: Final = (
    "insert into logins (identifier_key, account_id, kind, salt, memory_kib, passes, lanes, verifier,"
    " wrapped_chest_key) values (:identifier_key, :account_id, :kind, :salt, :memory_kib, :passes, :lanes, :verifier,"
    " :wrapped_chest_key) on conflict do nothing"
)
_RETIRE_SEED: Final = (
    "insert into retired_seeds (account_id, version, seed, retired_at) values (:id, :version, :seed, :now)"
)
_DROP_RETIRED_SEEDS: Final = "delete from retired_seeds where retired_at < :before"
_INSERT_CHEST: Final = "insert into chests (account_id, version, sealed) values (:id, :version, :sealed)"
_INSERT_CHEST_KEYS: Final = (
    "insert into chest_keys (account_id, identity_key, archive_key, archive_generation, recovery_key,"
    " recovery_wrapped, recovery_verifier) values (:id, :identity_key, :archive_key, :archive_generation,"
    " :recovery_key, :recovery_wrapped, :recovery_verifier)"
)
_REPLACE_CHEST: Final = (
    "update chests set version = :version, sealed = :sealed where account_id = :id and version = :version - 1"
)
# The recovery key and its verifier stay as they were: a new password does not make a new recovery key.
_REPLACE_CHEST_KEYS: Final = (
    "update chest_keys set archive_key = :archive_key, archive_generation = :archive_generation,"
    " recovery_wrapped = :recovery_wrapped where account_id = :id and identity_key = :identity_key"
    " and recovery_key = :recovery_key"
)
_REQUIRE_CURRENT: Final = (
    "select 1 from accounts where id = :id and state = 'active'"
    " and password_version = :password_version {for_update}"
)
_REPLACE_VERIFIER: Final = (
    "update logins set verifier = :new where identifier_key = :identifier_key and verifier = :old"
)
_ADVANCE_VERSION: Final = (
    "update accounts set password_version = :password_version + 1, client_key_seed = :seed, updated_at = :now"
    " where id = :id and state = 'active' and password_version = :password_version"
)
_REPLACE_LOGIN: Final = (
    "update logins set salt = :salt, memory_kib = :memory_kib, passes = :passes, lanes = :lanes,"
    " verifier = :verifier, wrapped_chest_key = :wrapped_chest_key"
    " where identifier_key = :identifier_key and account_id = :account_id and kind = :kind"
)
_SET_LEVEL: Final = "update accounts set level = :level, updated_at = :now where id = :id"
_SET_STATE: Final = "update accounts set state = :state, updated_at = :now where id = :id"
_DELETE: Final = "delete from accounts where id = :id"
_DELETE_LANES: Final = "delete from guessing_lanes where owner = :id"
_NO_ID: Final = bytes(16)
# Read where there is no row: a name that nobody has costs what one that somebody has costs.
_NOBODY: Final[Row] = (
    *(bytes(16), "nobody", "nobody", "nobody", None, None, None),
    *(0, AccountState.ACTIVE.value, 1, bytes(32), 0, 0),
    *("u:nobody", LoginKind.USERNAME.value, bytes(16), 65536, 3, 1, bytes(38), "", 1, ""),
)


class SQLAccountStore:
    """`AccountStore` on either engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_login(self, identifier_key: str) -> LoginRecord | None:
        parameters: Parameters = {"identifier_key": identifier_key, "nobody": _NO_ID}
        row = await self._database.fetch_one(_FIND_LOGIN, parameters)
        return _login_record(row or ())

    async def find_attempt(self, identifier_key: str, nobody: LaneKey) -> LoginAttempt:
        parameters: Parameters = {
            "identifier_key": identifier_key,
            "nobody": _NO_ID,
            "lane": nobody.owner,
            "by_name": BY_NAME,
            "by_email": BY_EMAIL,
        }
        row = await self._database.fetch_one(_FIND_ATTEMPT, parameters)
        if row is None:
            raise DamagedError("a query that always gives a row gave none")
        record = _login_record(row[2 * LANE_WIDTH :])
        by_email = record is not None and record.login.kind is LoginKind.EMAIL
        way = BY_EMAIL if by_email else BY_NAME
        lane = nobody if record is None else strangers_of(record.account.id, way)
        columns = Columns(row)
        states = [read_lane(columns, lane.tag) for _ in (BY_NAME, BY_EMAIL)]
        mine, other = reversed(states) if by_email else states
        return LoginAttempt(record=record, lane=lane, state=replace(mine, beside=other.in_row))

    async def find_salt(self, identifier_key: str) -> tuple[bytes, StretchParams] | None:
        row = await self._database.fetch_one(_FIND_SALT, {"identifier_key": identifier_key})
        if row is None:
            return None
        columns = Columns(row)
        return columns.blob(), _params(columns)

    async def find(self, account_id: AccountId) -> Account | None:
        row = await self._database.fetch_one(_FIND, {"id": account_id.value})
        return read_account(Columns(row)) if row else None

    async def find_by_name(self, name_key: str) -> Account | None:
        row = await self._database.fetch_one(_FIND_BY_NAME, {"name_key": name_key})
        return read_account(Columns(row)) if row else None

    async def page(self, *, after: AccountId | None, limit: int) -> list[Account]:
        rows = await self._database.fetch_all(_LIST, {"after": after.value if after else b"", "limit": limit})
        return [read_account(Columns(row)) for row in rows]

    async def schemes_in_use(self) -> set[ServerHash]:
        rows = await self._database.fetch_all(_SCHEMES, {})
        return {scheme_numbered(Columns(row).blob()[0]) for row in rows}

    async def find_invite(self, invite: InviteId) -> Invite | None:
        row = await self._database.fetch_one(_FIND_INVITE, {"id": invite.value})
        return _invite(Columns(row)) if row else None

    async def list_invites(self, *, now: Instant, limit: int) -> list[Invite]:
        rows = await self._database.fetch_all(_LIST_INVITES, {"now": now, "limit": limit})
        return [_invite(Columns(row)) for row in rows]

    def claim_invite(self, unit: Unit, invite: InviteId, verifier: bytes, now: Instant) -> None:
        unit.add(_CLAIM_INVITE, {"id": invite.value, "verifier": verifier, "now": now}, guard="invite")

    def require_no_lookalike(self, unit: Unit, skeleton: str) -> None:
        unit.add(_LOOKALIKE, {"skeleton": skeleton}, guard="name", rows=0)

    def insert(self, unit: Unit, account: Account, logins: Sequence[Login], chest: StoredChest) -> None:
        unit.add(
            _INSERT,
            {
                "id": account.id.value,
                "username": account.username,
                "name_key": account.name_key,
                "skeleton": account.skeleton,
                "display_name": account.display_name,
                "email": account.email,
                "email_key": account.email_key,
                "level": account.level,
                "state": account.state.value,
                "password_version": account.password_version,
                "client_key_seed": account.client_key_seed,
                "created_at": account.created_at,
                "updated_at": account.updated_at,
            },
            guard="name",
        )
        for login in logins:
            unit.add(_INSERT_LOGIN, _login_parameters(login), guard="name")
        unit.add(_INSERT_CHEST, _chest_parameters(account.id, chest))
        unit.add(
            _INSERT_CHEST_KEYS,
            {**_chest_key_parameters(account.id, chest), "recovery_verifier": chest.recovery_verifier},
        )

    def insert_invite(self, unit: Unit, invite: Invite) -> None:
        unit.add(
            _INSERT_INVITE,
            {
                "id": invite.id.value,
                "verifier": invite.verifier,
                "level": invite.level,
                "note": invite.note,
                "created_at": invite.created_at,
                "expires_at": invite.expires_at,
            },
        )

    def require_current(self, unit: Unit, account: Account) -> None:
        unit.add(
            _REQUIRE_CURRENT,
            {"id": account.id.value, "password_version": account.password_version},
            guard="account",
        )

    def replace_verifier(self, unit: Unit, identifier_key: str, old: bytes, new: bytes) -> None:
        unit.add(_REPLACE_VERIFIER, {"identifier_key": identifier_key, "old": old, "new": new})

    def change_password(
        self,
        unit: Unit,
        account: Account,
        logins: Sequence[Login],
        *,
        chest: StoredChest,
        seed: bytes,
        now: Instant,
    ) -> None:
        unit.add(
            _ADVANCE_VERSION,
            {
                "id": account.id.value,
                "password_version": account.password_version,
                "seed": seed,
                "now": now,
            },
            guard="account",
        )
        unit.add(_REPLACE_CHEST, _chest_parameters(account.id, chest), guard="chest")
        unit.add(_REPLACE_CHEST_KEYS, _chest_key_parameters(account.id, chest), guard="chest")
        for login in logins:
            unit.add(_REPLACE_LOGIN, _login_parameters(login), guard="login")
        unit.add(
            _RETIRE_SEED,
            {
                "id": account.id.value,
                "version": account.password_version,
                "seed": account.client_key_seed,
                "now": now,
            },
        )

    def drop_retired_seeds(self, unit: Unit, before: Instant) -> None:
        unit.add(_DROP_RETIRED_SEEDS, {"before": before})

    def set_level(self, unit: Unit, account_id: AccountId, level: int, now: Instant) -> None:
        unit.add(_SET_LEVEL, {"id": account_id.value, "level": level, "now": now}, guard="account")

    def set_state(self, unit: Unit, account_id: AccountId, state: AccountState, now: Instant) -> None:
        unit.add(_SET_STATE, {"id": account_id.value, "state": state.value, "now": now}, guard="account")

    def delete(self, unit: Unit, account_id: AccountId) -> None:
        unit.add(_DELETE, {"id": account_id.value}, guard="account")
        unit.add(_DELETE_LANES, {"id": account_id.value})


def _login_parameters(login: Login) -> dict[str, int | str | bytes]:
    return {
        "identifier_key": login.identifier_key,
        "account_id": login.account_id.value,
        "kind": login.kind.value,
        "salt": login.salt,
        "memory_kib": login.params.memory_kib,
        "passes": login.params.passes,
        "lanes": login.params.lanes,
        "verifier": login.verifier,
        "wrapped_chest_key": login.wrapped_chest_key,
    }


def _chest_parameters(account_id: AccountId, chest: StoredChest) -> dict[str, int | str | bytes]:
    return {"id": account_id.value, "version": chest.body.version, "sealed": chest.body.sealed}


def _chest_key_parameters(account_id: AccountId, chest: StoredChest) -> dict[str, int | str | bytes]:
    return {
        "id": account_id.value,
        "identity_key": chest.body.identity_key,
        "archive_key": chest.body.archive_key,
        "archive_generation": chest.body.archive_generation,
        "recovery_key": chest.body.recovery_key,
        "recovery_wrapped": chest.body.recovery_wrapped,
    }


def read_account(columns: Columns) -> Account:
    return Account(
        id=AccountId(columns.blob()),
        username=columns.text(),
        name_key=columns.text(),
        skeleton=columns.text(),
        display_name=columns.text_or_none(),
        email=columns.text_or_none(),
        email_key=columns.text_or_none(),
        level=columns.integer(),
        state=AccountState(columns.text()),
        password_version=columns.integer(),
        client_key_seed=columns.blob(),
        created_at=columns.instant(),
        updated_at=columns.instant(),
    )


def _params(columns: Columns) -> StretchParams:
    return StretchParams(memory_kib=columns.integer(), passes=columns.integer(), lanes=columns.integer())


def _login_record(row: Row) -> LoginRecord | None:
    """None where nobody has the name; then as much is read."""
    found = bool(row) and row[0] is not None
    columns = Columns(row if found else _NOBODY)
    account = read_account(columns)
    login = Login(
        identifier_key=columns.text(),
        account_id=account.id,
        kind=LoginKind(columns.text()),
        salt=columns.blob(),
        params=_params(columns),
        verifier=columns.blob(),
        wrapped_chest_key=columns.text(),
    )
    chest = WrappedChest(
        version=columns.integer(), sealed=columns.text(), wrapped_key=login.wrapped_chest_key
    )
    return LoginRecord(login=login, account=account, chest=chest) if found else None


def _invite(columns: Columns) -> Invite:
    return Invite(
        id=InviteId(columns.blob()),
        verifier=columns.blob(),
        level=columns.integer(),
        note=columns.text(),
        created_at=columns.instant(),
        expires_at=columns.instant(),
        used_at=columns.instant_or_none(),
    )
