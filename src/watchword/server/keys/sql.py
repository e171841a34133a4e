"""`KeyStore` in SQL. There are a few dozen rows at most, so all are read, and only what changed is written."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Final, TypeVar

from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.crypto.keyring import DataKeyPurpose
from watchword.errors import DamagedError, MalformedError, UnavailableError
from watchword.server.db.rows import Columns
from watchword.server.db.unit import Database, Row, Unit, Value
from watchword.server.keys.model import KeyState, Lane, ServerKey, StoredCertificate, StoredKeys, WrappedKey
from watchword.server.keys.store import CHANGED

_READS: Final = 5
_UNIT_KEY: Final = b"keys"

_SELECT_VERSION: Final = "select version from key_state where name = 'server'"
_SELECT_STATE: Final = (
    "select version, root_check, issuer, document_number, document_issued_at, document "
    "from key_state where name = 'server'"
)
_SELECT_DATA_KEYS: Final = (
    "select purpose, version, wrapped, created_at from data_keys order by purpose, version"
)
_SELECT_KEYS: Final = (
    "select kid, lane, state, sealed, created_at, changes_at from server_keys order by created_at, kid"
)
_SELECT_CERTIFICATES: Final = "select role, chain, sealed from server_certificates order by role"
_INSERT_STATE: Final = (
    "insert into key_state (name, version, root_check, issuer, document_number, document_issued_at, document) "
    "values ('server', :version, :root_check, :issuer, :document_number, :document_issued_at, :document) "
    "on conflict (name) do nothing"
)
_UPDATE_STATE: Final = (
    "update key_state set version = :version, root_check = :root_check, issuer = :issuer, "
    "document_number = :document_number, document_issued_at = :document_issued_at, document = :document "
    "where name = 'server' and version = :seen"
)
_PUT_DATA_KEY: Final = (
    "insert into data_keys (purpose, version, wrapped, created_at) "
    "values (:purpose, :version, :wrapped, :created_at) "
    "on conflict (purpose, version) do update set wrapped = excluded.wrapped"
)
_PUT_KEY: Final = (
    "insert into server_keys (kid, lane, state, sealed, created_at, changes_at) "
    "values (:kid, :lane, :state, :sealed, :created_at, :changes_at) "
    "on conflict (kid) do update set state = excluded.state, sealed = excluded.sealed, "
    "changes_at = excluded.changes_at"
)
_DELETE_KEY: Final = "delete from server_keys where kid = :kid"
_PUT_CERTIFICATE: Final = (
    "insert into server_certificates (role, chain, sealed) values (:role, :chain, :sealed) "
    "on conflict (role) do update set chain = excluded.chain, sealed = excluded.sealed"
)
_DELETE_CERTIFICATE: Final = "delete from server_certificates where role = :role"

_Item = TypeVar("_Item", WrappedKey, ServerKey, StoredCertificate)


class SqlKeyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self) -> int | None:
        row = await self._database.fetch_one(_SELECT_VERSION, {})
        return None if row is None else Columns(row).integer()

    async def load(self) -> StoredKeys | None:
        """Reads are single statements, so a version that moved between them means: read again."""
        for _ in range(_READS):
            state = await self._database.fetch_one(_SELECT_STATE, {})
            if state is None:
                return None
            data_keys = await self._database.fetch_all(_SELECT_DATA_KEYS, {})
            keys = await self._database.fetch_all(_SELECT_KEYS, {})
            certificates = await self._database.fetch_all(_SELECT_CERTIFICATES, {})
            if await self.version() == Columns(state).integer():
                return _read(state, data_keys, keys, certificates)
        raise UnavailableError("the keys change faster than they can be read")

    def unit_of_first(self, first: StoredKeys) -> Unit:
        unit = Unit(_UNIT_KEY)
        unit.add(_INSERT_STATE, _state(first), guard=CHANGED)
        _add_items(unit, None, first)
        return unit

    def unit_of_change(self, before: StoredKeys, after: StoredKeys) -> Unit:
        unit = Unit(_UNIT_KEY)
        unit.add(_UPDATE_STATE, {**_state(after), "seen": before.version}, guard=CHANGED)
        _add_items(unit, before, after)
        kids = {key.kid for key in after.keys}
        for key in before.keys:
            if key.kid not in kids:
                unit.add(_DELETE_KEY, {"kid": key.kid})
        roles = {certificate.role for certificate in after.certificates}
        for certificate in before.certificates:
            if certificate.role not in roles:
                unit.add(_DELETE_CERTIFICATE, {"role": certificate.role})
        return unit


def _add_items(unit: Unit, before: StoredKeys | None, after: StoredKeys) -> None:
    """Write what is new or differs."""
    for wrapped in _changed(before.data_keys if before else (), after.data_keys):
        unit.add(_PUT_DATA_KEY, _data_key(wrapped))
    for key in _changed(before.keys if before else (), after.keys):
        unit.add(_PUT_KEY, _key(key))
    for certificate in _changed(before.certificates if before else (), after.certificates):
        unit.add(_PUT_CERTIFICATE, _certificate(certificate))


def _changed(before: Iterable[_Item], after: Iterable[_Item]) -> list[_Item]:
    known: set[Hashable] = set(before)
    return [item for item in after if item not in known]


def _state(stored: StoredKeys) -> Mapping[str, Value]:
    return {
        "version": stored.version,
        "root_check": stored.root_check,
        "issuer": stored.issuer,
        "document_number": stored.document_number,
        "document_issued_at": stored.document_issued_at,
        "document": stored.document,
    }


def _data_key(key: WrappedKey) -> Mapping[str, Value]:
    return {
        "purpose": key.purpose.value,
        "version": key.version,
        "wrapped": key.wrapped,
        "created_at": key.created_at,
    }


def _key(key: ServerKey) -> Mapping[str, Value]:
    return {
        "kid": key.kid,
        "lane": key.lane.value,
        "state": key.state.value,
        "sealed": key.sealed,
        "created_at": key.created_at,
        "changes_at": key.changes_at,
    }


def _certificate(certificate: StoredCertificate) -> Mapping[str, Value]:
    chain = "\n".join(encode_b64u(der) for der in certificate.chain)
    return {"role": certificate.role, "chain": chain, "sealed": certificate.sealed}


def _read(
    state: Row, data_keys: Iterable[Row], keys: Iterable[Row], certificates: Iterable[Row]
) -> StoredKeys:
    columns = Columns(state)
    try:
        return StoredKeys(
            version=columns.integer(),
            root_check=columns.blob(),
            issuer=columns.text(),
            document_number=columns.integer(),
            document_issued_at=columns.instant(),
            document=columns.text(),
            data_keys=tuple(_read_data_key(Columns(row)) for row in data_keys),
            keys=tuple(_read_key(Columns(row)) for row in keys),
            certificates=tuple(_read_certificate(Columns(row)) for row in certificates),
        )
    except (ValueError, MalformedError):
        raise DamagedError("a stored key is of an unknown kind") from None


def _read_data_key(columns: Columns) -> WrappedKey:
    return WrappedKey(
        purpose=DataKeyPurpose(columns.text()),
        version=columns.integer(),
        wrapped=columns.blob(),
        created_at=columns.instant(),
    )


def _read_key(columns: Columns) -> ServerKey:
    return ServerKey(
        kid=columns.text(),
        lane=Lane(columns.text()),
        state=KeyState(columns.text()),
        sealed=columns.blob(),
        created_at=columns.instant(),
        changes_at=columns.instant_or_none(),
    )


def _read_certificate(columns: Columns) -> StoredCertificate:
    role, chain = columns.text(), columns.text()
    decoded = tuple(decode_b64u(line) for line in chain.split("\n"))
    return StoredCertificate(role=role, chain=decoded, sealed=columns.blob())
