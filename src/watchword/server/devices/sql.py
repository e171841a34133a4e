"""The device store in portable SQL."""

from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId, first_at
from watchword.server.db.rows import Columns
from watchword.server.db.unit import Database, Unit
from watchword.server.devices.model import Device, EnrolmentCredential

_FIND: Final = (
    "select id, account_id, name, signing_key, message_signing_key, sealing_key, generation_version, created_at"
    " from devices where id = :id"
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
        if row is None:
            return None
        columns = Columns(row)
        return Device(
            id=DeviceId(columns.blob()),
            account_id=AccountId(columns.blob()),
            name=columns.text(),
            signing_key=columns.blob(),
            message_signing_key=columns.blob(),
            sealing_key=columns.blob(),
            generation_version=columns.integer(),
            created_at=columns.instant(),
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

    def drop_credentials(self, unit: Unit, account_id: AccountId) -> None:
        unit.add(_DROP_CREDENTIALS, {"account_id": account_id.value})

    def drop_old_credentials(self, unit: Unit, before: Instant) -> None:
        unit.add(_DROP_OLD, {"first": first_at(before)})


def _device_id(value: bytes | None) -> DeviceId | None:
    return DeviceId(value) if value is not None else None
