"""What devices need kept. Methods that take a `Unit` add steps to it; the caller commits."""

from typing import Protocol

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId
from watchword.server.db.unit import Unit
from watchword.server.devices.model import Device, EnrolmentCredential, HeaderSeed
from watchword.server.guessing.model import LaneState


class DeviceStore(Protocol):
    async def find(self, device_id: DeviceId) -> Device | None: ...
    async def find_with_lane(self, device_id: DeviceId) -> tuple[Device, LaneState] | None:
        """The device and its own lane, in one read."""
        ...

    async def find_header_seed(self, device_id: DeviceId, seed_version: int) -> HeaderSeed | None:
        """For the client key of the device under that password, today's or one of its last; in one read."""
        ...

    async def count(self, account_id: AccountId) -> int: ...
    async def find_credential(self, selector: bytes) -> EnrolmentCredential | None: ...
    def insert_credential(self, unit: Unit, credential: EnrolmentCredential) -> None: ...
    def claim_credential(
        self, unit: Unit, credential: EnrolmentCredential, device: Device, now: Instant
    ) -> None:
        """Guard "credential": unused and unexpired; used by this device from now on."""
        ...

    def insert(self, unit: Unit, device: Device) -> None:
        """Guard "device": no device has this signing key."""
        ...

    def end(self, unit: Unit, device_id: DeviceId, now: Instant) -> None:
        """It signs in no more. What it has granted by its session is the session's to end."""
        ...

    def drop_credentials(self, unit: Unit, account_id: AccountId) -> None:
        """Forget every unused credential of the account."""
        ...

    def drop_old_credentials(self, unit: Unit, before: Instant) -> None:
        """Forget credentials that were made before this instant."""
        ...
