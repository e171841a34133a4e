"""The account's entries in portable SQL. Conditions are those of the indexes in `0006_activity.sql`, word for word."""

from collections.abc import Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId
from watchword.errors import DamagedError, MalformedError
from watchword.server.activity.model import Entry
from watchword.server.audit.entry import clean, decode_object, decode_personal
from watchword.server.db.rows import Columns
from watchword.server.db.unit import Database, Parameters, Row
from watchword.server.logs import get_log

_log: Final = get_log("activity")
_ENTRIES: Final = "select seq, at, tag, facts, personal from audit_entries"
_NEWEST: Final = "order by at desc, seq desc limit :limit"
_OF_ACCOUNT: Final = """substr(facts, 17, 26) = :account and substr(facts, 2, 15) = '"account":"acc_'"""
EVENTS: Final = f"{_ENTRIES} where {_OF_ACCOUNT} and tag <> 'account:token:issue' {_NEWEST}"
TOKENS: Final = f"{_ENTRIES} where {_OF_ACCOUNT} and tag = 'account:token:issue' {_NEWEST}"
REFUSED: Final = (
    f'{_ENTRIES} where substr(personal, {{find}}(personal, \'"identifier":["\') + 50, 400) = :value'
    " and at >= :since and tag = 'account:session:login-refused' and personal is not null"
    f" {_NEWEST}"
)
_INDEXED: Final = 400
"""Characters of a value that are in the index."""
_USERNAME_KEY: Final = "select identifier_key from logins where account_id = :account and kind = 'username'"
_DEVICE_NAMES: Final = (
    "select id, name from devices where account_id = :account order by id desc limit :limit"
)
_DEVICES: Final = 500


class SQLActivityStore:
    """`ActivityStore` over either engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(self, account_id: AccountId, *, limit: int) -> Sequence[Entry]:
        return await self._entries(EVENTS, {"account": _digits(account_id), "limit": limit})

    async def tokens(self, account_id: AccountId, *, limit: int) -> Sequence[Entry]:
        return await self._entries(TOKENS, {"account": _digits(account_id), "limit": limit})

    async def refused(self, identifier_key: str, *, since: Instant, limit: int) -> Sequence[Entry]:
        value = as_stored(identifier_key)[:_INDEXED]
        found = await self._entries(REFUSED, {"value": value, "since": since, "limit": limit})
        return [entry for entry in found if entry.personal.get("identifier") == clean(identifier_key)]

    async def username_key(self, account_id: AccountId) -> str | None:
        row = await self._database.fetch_one(_USERNAME_KEY, {"account": account_id.value})
        return Columns(row).text() if row else None

    async def device_names(self, account_id: AccountId) -> Mapping[DeviceId, str]:
        parameters: Parameters = {"account": account_id.value, "limit": _DEVICES}
        rows = [Columns(row) for row in await self._database.fetch_all(_DEVICE_NAMES, parameters)]
        return {DeviceId(row.blob()): row.text() for row in rows}

    async def _entries(self, sql: str, parameters: Parameters) -> list[Entry]:
        try:
            rows = await self._database.fetch_all(sql, parameters)
        except UnicodeDecodeError:
            raise DamagedError("an audit entry cannot be read; verify the trail") from None
        return list(_readable(rows))


def as_stored(identifier_key: str) -> str:
    """How the erasable column of a refused login ends, from the value of the name that was tried."""
    return encode_basestring_ascii(clean(identifier_key))[1:] + "]}"


def _digits(account_id: AccountId) -> str:
    return str(account_id).removeprefix(f"{AccountId.prefix}_")


def _readable(rows: Sequence[Row]) -> Iterator[Entry]:
    """A damaged entry is the operator's finding; the owner of the account is shown the others."""
    for row in rows:
        try:
            yield _read(Columns(row))
        except (MalformedError, DamagedError):
            _log.warning("activity.entry_unreadable", seq=row[0])


def _read(row: Columns) -> Entry:
    seq, at, tag, facts, personal = row.integer(), row.instant(), row.text(), row.text(), row.text_or_none()
    values = {name: value for name, (_salt, value) in decode_personal(personal).items()}
    return Entry(at=at, seq=seq, tag=tag, facts=decode_object(facts), personal=values)
