"""The session store in portable SQL."""

from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId, SessionId, first_at
from watchword.server.accounts.model import Account
from watchword.server.accounts.sql import ACCOUNT_COLUMNS, read_account
from watchword.server.db.rows import Columns
from watchword.server.db.unit import Database, Unit, Value
from watchword.server.sessions.model import Session

_SESSION: Final = (
    "s.id, s.account_id, s.device_id, s.seed, s.sign_in_version, s.counter, s.auth_time, s.created_at, s.expires_at,"
    " s.ends_at, s.address, s.user_agent, s.ended_at"
)
_FIND_WITH_ACCOUNT: Final = (
    f"select {_SESSION}, {ACCOUNT_COLUMNS} from sessions s join accounts a on a.id = s.account_id"  # noqa: S608  # constants only, as below
    " where s.id = :id"
)
_LIST_LIVE: Final = (
    f"select {_SESSION}, d.name from sessions s join devices d on d.id = s.device_id"  # noqa: S608
    " where s.account_id = :account_id and s.ended_at is null and s.expires_at > :now and s.ends_at > :now"
    " order by s.id limit :limit"
)
_FIND_LIVE_ON: Final = (
    f"select {_SESSION} from sessions s where s.device_id = :device_id and s.ended_at is null"  # noqa: S608
    " and s.expires_at > :now and s.ends_at > :now"
)
_COUNT_LIVE: Final = (
    "select count(*) from sessions where account_id = :account_id and ended_at is null and expires_at > :now"
    " and ends_at > :now"
)
_REQUIRE_SESSION: Final = (
    "select 1 from sessions where id = :id and ended_at is null and expires_at > :now"
    " and ends_at > :now {for_update}"
)
_END_ON_DEVICE: Final = (
    "update sessions set ended_at = :now where device_id = :device_id and ended_at is null"
)
_REQUIRE_LIVE: Final = (
    "select 1 from sessions where device_id = :device_id and ended_at is null and expires_at > :now"
    " and ends_at > :now {for_update}"
)
_INSERT: Final = (
    "insert into sessions (id, account_id, device_id, seed, sign_in_version, counter, auth_time, created_at,"
    " expires_at, ends_at, address, user_agent) values (:id, :account_id, :device_id, :seed, :sign_in_version,"
    " :counter, :auth_time, :created_at, :expires_at, :ends_at, :address, :user_agent)"
)
_END: Final = (
    "update sessions set ended_at = :now where id = :id and account_id = :account_id and ended_at is null"
)
# What grants a session holds the account's row: one that is being granted on another node is waited for, and seen.
_LOCK_ACCOUNT: Final = "select 1 from accounts where id = :account_id {for_update}"
_END_ALL: Final = (
    "update sessions set ended_at = :now where account_id = :account_id and ended_at is null and id <> :keep"
)
_REQUIRE_ROOM: Final = (
    "select 1 from accounts where id = :account_id and (select count(*) from sessions where account_id = :account_id"
    " and ended_at is null and expires_at > :now and ends_at > :now) <= :most"
)
_HOLDING: Final = (
    "select id from sessions where id > :after and id < :first and address <> '' order by id limit :limit"
)
_FORGET_ADDRESSES: Final = (
    "update sessions set address = '' where id >= :first and id <= :last and address <> ''"
)
_DROP_OLD: Final = "delete from sessions where id < :first"


class SQLSessionStore:
    """`SessionStore` on either engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_with_account(self, session_id: SessionId) -> tuple[Session, Account] | None:
        row = await self._database.fetch_one(_FIND_WITH_ACCOUNT, {"id": session_id.value})
        if row is None:
            return None
        columns = Columns(row)
        return _session(columns), read_account(columns)

    async def list_live(self, account_id: AccountId, *, now: Instant, limit: int) -> list[Session]:
        rows = await self._database.fetch_all(
            _LIST_LIVE, {"account_id": account_id.value, "now": now, "limit": limit}
        )
        return [_session(Columns(row), named=True) for row in rows]

    async def find_live_on(self, device_id: DeviceId, *, now: Instant) -> Session | None:
        row = await self._database.fetch_one(_FIND_LIVE_ON, {"device_id": device_id.value, "now": now})
        return _session(Columns(row)) if row else None

    async def count_live(self, account_id: AccountId, *, now: Instant) -> int:
        row = await self._database.fetch_one(_COUNT_LIVE, {"account_id": account_id.value, "now": now})
        return Columns(row).integer() if row else 0

    def require_live(self, unit: Unit, device_id: DeviceId, now: Instant) -> None:
        unit.add(_REQUIRE_LIVE, {"device_id": device_id.value, "now": now}, guard="session")

    def require_session(self, unit: Unit, session_id: SessionId, now: Instant) -> None:
        unit.add(_REQUIRE_SESSION, {"id": session_id.value, "now": now}, guard="session")

    def insert(self, unit: Unit, session: Session) -> None:
        self.end_on_device(unit, session.device_id, session.created_at)
        unit.add(
            _INSERT,
            {
                "id": session.id.value,
                "account_id": session.account_id.value,
                "device_id": session.device_id.value,
                "seed": session.seed,
                "sign_in_version": session.sign_in_version,
                "counter": session.counter,
                "auth_time": session.auth_time,
                "created_at": session.created_at,
                "expires_at": session.expires_at,
                "ends_at": session.ends_at,
                "address": session.address,
                "user_agent": session.user_agent,
            },
        )

    def require_room(self, unit: Unit, account_id: AccountId, now: Instant, *, most: int) -> None:
        unit.add(_REQUIRE_ROOM, {"account_id": account_id.value, "now": now, "most": most}, guard="room")

    def end(
        self,
        unit: Unit,
        account_id: AccountId,
        session_id: SessionId,
        now: Instant,
        *,
        guard: str = "session",
    ) -> None:
        unit.add(_END, {"id": session_id.value, "account_id": account_id.value, "now": now}, guard=guard)

    def end_on_device(self, unit: Unit, device_id: DeviceId, now: Instant) -> None:
        unit.add(_END_ON_DEVICE, {"device_id": device_id.value, "now": now})

    def end_all(
        self, unit: Unit, account_id: AccountId, now: Instant, *, keep: SessionId | None = None
    ) -> None:
        unit.add(_LOCK_ACCOUNT, {"account_id": account_id.value})
        kept = keep.value if keep else b""
        unit.add(_END_ALL, {"account_id": account_id.value, "now": now, "keep": kept})

    async def holding_addresses(self, before: Instant, *, after: bytes, limit: int) -> list[bytes]:
        parameters: dict[str, Value] = {"after": after, "first": first_at(before), "limit": limit}
        return [Columns(row).blob() for row in await self._database.fetch_all(_HOLDING, parameters)]

    def forget_addresses(self, unit: Unit, first: bytes, last: bytes) -> None:
        unit.add(_FORGET_ADDRESSES, {"first": first, "last": last})

    def drop_old(self, unit: Unit, before: Instant) -> None:
        unit.add(_DROP_OLD, {"first": first_at(before)})


def _session(columns: Columns, *, named: bool = False) -> Session:
    return Session(
        id=SessionId(columns.blob()),
        account_id=AccountId(columns.blob()),
        device_id=DeviceId(columns.blob()),
        seed=columns.blob(),
        sign_in_version=columns.integer(),
        counter=columns.integer(),
        auth_time=columns.instant(),
        created_at=columns.instant(),
        expires_at=columns.instant(),
        ends_at=columns.instant(),
        address=columns.text(),
        user_agent=columns.text(),
        ended_at=columns.instant_or_none(),
        device_name=columns.text() if named else "",
    )
