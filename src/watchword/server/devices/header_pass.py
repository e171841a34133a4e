"""Letting a device through by its header (docs/protocol/device-header.md): one read, one MAC, and never twice."""

from collections.abc import Callable
from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.errors import MalformedError, RefusedError, SignatureError, WatchwordError
from watchword.protocol.device_header import WINDOW, DeviceHeader
from watchword.server.devices.client_keys import ClientKeys
from watchword.server.devices.model import HeaderSeed
from watchword.server.devices.store import DeviceStore
from watchword.server.limits.memory import MemoryLimiter
from watchword.server.limits.model import Bucket, Demand, Rate
from watchword.server.used_keys import UsedKeys

MAX_HEADERS: Final = 65_536
"""Remembered at once, for two minutes at most: 500 proofs a second. Full: refuse."""
_OF_ONE_DEVICE: Final = Rate(128, 2 * WINDOW)
"""At most 256 headers of a device are remembered at a time, so that no device keeps the others out."""
_NO_SEED: Final = bytes(32)


class DevicePass:
    """`used` remembers headers, `limiter` how many of each; `generation` is the version that new devices have."""

    def __init__(
        self,
        *,
        issuer: str,
        devices: DeviceStore,
        client_keys: ClientKeys,
        generation: Callable[[], int],
        used: UsedKeys,
        limiter: MemoryLimiter,
    ) -> None:
        self._issuer = issuer
        self._devices = devices
        self._client_keys = client_keys
        self._generation = generation
        self._used = used
        self._limiter = limiter

    async def check(self, method: str, raw_path: bytes, text: str, now: Instant) -> DeviceId:
        """The device that made this header for this request, just now and for the first time.

        Raises `RefusedError` for every bad one, `OverloadedError` and `UnavailableError` where it cannot be told.
        """
        try:
            header = DeviceHeader.parse(text)
        except MalformedError:
            raise RefusedError("device_header_form") from None
        if not header.is_fresh(now):
            raise RefusedError("device_header_time")
        seed = await self._devices.find_header_seed(header.device, header.seed_version)
        try:
            header.verify(self._key(header.device, seed), method, raw_path, self._issuer)
        except SignatureError:
            raise RefusedError("device_header_forged" if seed else "device_header_unknown") from None
        if seed is None:
            raise RefusedError("device_header_unknown")
        if seed.ended:
            raise RefusedError("device_header_ended")
        await self._claim(header, now)
        return header.device

    def _key(self, device: DeviceId, seed: HeaderSeed | None) -> Secret:
        """The client key; for a device that nobody has one that nobody has, at the same cost."""
        generation = seed.generation_version if seed else self._generation()
        try:
            return self._client_keys.client_key(
                device, generation_version=generation, seed=seed.seed if seed else _NO_SEED
            )
        except WatchwordError:  # its generation key is gone, and the device with it
            raise RefusedError("device_header_unknown") from None

    async def _claim(self, header: DeviceHeader, now: Instant) -> None:
        """Use the header up. One that was used before takes nothing from its device."""
        mine = Bucket(str(header.device), _OF_ONE_DEVICE, "device_header")
        if self._limiter.closed_ms(mine.key):
            raise RefusedError("device_header_many")
        key = header.device.value + header.nonce
        if not await self._used.claim(key, expires_at=Instant(header.at + WINDOW), now=now):
            raise RefusedError("device_header_used")
        self._limiter.take(Demand((mine,)))
