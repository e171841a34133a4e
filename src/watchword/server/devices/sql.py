"""The device store in portable SQL."""

from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId, first_at
from watchword.server.db.rows import Columns
from watchword.server.db.unit import Database, Unit
from watchword.server.devices.model import Device, EnrolmentCredential, HeaderSeed
from watchword.server.guessing.model import LaneState
from watchword.server.guessing.sql import LANE_COLUMNS, read_lane

_DEVICE: Final = (
    "d.id, d.account_id, d.name, d.signing_key, d.message_signing_key, d.sealing_key, d.generation_version,"
    " d.created_at, d.ended_at"
)
_FIND: Final = f"select {_DEVICE} from devices d where d.id = :id"  # noqa: S608  # constants only, as below
_FIND_WITH_LANE: Final = (
    f"select {_DEVICE}, {LANE_COLUMNS} from devices d"  # noqa: S608
    " left join guessing_lanes g on g.owner = d.account_id and g.way = d.id where d.id = :id"
)
_FIND_HEADER_SEED: Final = (
    "select d.generation_version, d.ended_at, coalesce(r.seed, a.client_key_seed) from devices d"
    " join accounts a on a.id = d.account_id"
    " left join retired_seeds r on r.account_id = d.account_id and r.version = :version"
    " where d.id = :id and (a.password_version = :version or r.version = :version)"
)
_COUNT: Final = "select count(*) from devices where account_id = :account_id"
_FIND_CREDENTIAL: Final = (
    "select selector, verifier, account_id, auth_time, expires_at, used_at, signing_key, device_id"
    " from enrolment_credentials where selector = :selector"
)
_INSERT_CREDENTIAL: Final = (
    "insert into enrolment_credentials (selector, verifier, account_id, auth_time, expires_at)"
    " values (:selector, :verifier, :account_id, :auth_time, :expires_at)"
)
_CLAIM_CREDENTIAL: Final = (
    "update enrolment_credentials set used_at = :now, signing_key = :signing_key, device_id = :device_id"
    " where selector = :selector and used_at is null and expires_at > :now"
)
_INSERT: Final = (
    "insert into devices (id, account_id, name, signing_key, message_signing_key, sealing_key, generation_version,"
    " created_at) values (:id, :account_id, :name, :signing_key, :message_signing_key, :sealing_key,"
    " :generation_version, :created_at) on conflict do nothing"
)
_END: Final = "update devices set ended_at = :now where id = :id and ended_at is null"
_DROP_CREDENTIALS: Final = (
    "delete from enrolment_credentials where account_id = :account_id and used_at is null"
)
_DROP_OLD: Final = "delete from enrolment_credentials where selector < :first"


class SQLDeviceStore:
    """`DeviceStore` on either engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, device_id: DeviceId) -> Device | None:
        row = await self._database.fetch_one(_FIND, {"id": device_id.value})
        return _device(Columns(row)) if row else None

    async def find_with_lane(self, device_id: DeviceId) -> tuple[Device, LaneState] | None:
        row = await self._database.fetch_one(_FIND_WITH_LANE, {"id": device_id.value})
        if row is None:
            return None
        columns = Columns(row)
        return _device(columns), read_lane(columns, b"")

    async def find_header_seed(self, device_id: DeviceId, seed_version: int) -> HeaderSeed | None:
        row = await self._database.fetch_one(
            _FIND_HEADER_SEED, {"id": device_id.value, "version": seed_version}
        )
        if row is None:
            return None
        columns = Columns(row)
        return HeaderSeed(
            generation_version=columns.integer(),
            ended=columns.instant_or_none() is not None,
            seed=columns.blob(),
        )

    async def count(self, account_id: AccountId) -> int:
        row = await self._database.fetch_one(_COUNT, {"account_id": account_id.value})
        return Columns(row).integer() if row else 0

    async def find_credential(self, selector: bytes) -> EnrolmentCredential | None:
        row = await self._database.fetch_one(_FIND_CREDENTIAL, {"selector": selector})
        if row is None:
            return None
        columns = Columns(row)
        return EnrolmentCredential(
            selector=columns.blob(),
            verifier=columns.blob(),
            account_id=AccountId(columns.blob()),
            auth_time=columns.instant(),
            expires_at=columns.instant(),
            used_at=columns.instant_or_none(),
            signing_key=columns.blob_or_none(),
            device_id=_device_id(columns.blob_or_none()),
        )

    def insert_credential(self, unit: Unit, credential: EnrolmentCredential) -> None:
        unit.add(
            _INSERT_CREDENTIAL,
            {
                "selector": credential.selector,
                "verifier": credential.verifier,
                "account_id": credential.account_id.value,
                "auth_time": credential.auth_time,
                "expires_at": credential.expires_at,
            },
        )

    def claim_credential(
        self, unit: Unit, credential: EnrolmentCredential, device: Device, now: Instant
    ) -> None:
        unit.add(
            _CLAIM_CREDENTIAL,
            {
                "selector": credential.selector,
                "signing_key": device.signing_key,
                "device_id": device.id.value,
                "now": now,
            },
            guard="credential",
        )

    def insert(self, unit: Unit, device: Device) -> None:
        unit.add(
            _INSERT,
            {
                "id": device.id.value,
                "account_id": device.account_id.value,
                "name": device.name,
                "signing_key": device.signing_key,
                "message_signing_key": device.message_signing_key,
                "sealing_key": device.sealing_key,
                "generation_version": device.generation_version,
                "created_at": device.created_at,
            },
            guard="device",
        )

    def end(self, unit: Unit, device_id: DeviceId, now: Instant) -> None:
        unit.add(_END, {"id": device_id.value, "now": now})

    def drop_credentials(self, unit: Unit, account_id: AccountId) -> None:
        unit.add(_DROP_CREDENTIALS, {"account_id": account_id.value})

    def drop_old_credentials(self, unit: Unit, before: Instant) -> None:
        unit.add(_DROP_OLD, {"first": first_at(before)})


def _device(columns: Columns) -> Device:
    return Device(
        id=DeviceId(columns.blob()),
        account_id=AccountId(columns.blob()),
        name=columns.text(),
        signing_key=columns.blob(),
        message_signing_key=columns.blob(),
        sealing_key=columns.blob(),
        generation_version=columns.integer(),
        created_at=columns.instant(),
        ended_at=columns.instant_or_none(),
    )


def _device_id(value: bytes | None) -> DeviceId | None:
    return DeviceId(value) if value is not None else None
