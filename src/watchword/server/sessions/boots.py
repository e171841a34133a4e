"""Who judges a short key: how old it is, and whether it was used. A key names its judge by a boot id.

    boot id    whose                    time                         used keys
    own        this process, one run    wall clock at start, then    in its memory
                                        the monotonic clock
    shared     Redis, one memory of it  Redis' clock                 in Redis

A key of an earlier boot is always refused, so what a judge remembers is all that was used. Setting a clock forward or
back neither expires a key nor revives one.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from watchword.core.clock import SECOND, Clock, Instant, SteadyClock
from watchword.core.entropy import Entropy
from watchword.errors import BeginAgainError, RefusedError, UnavailableError
from watchword.server.used_keys import MemoryUsedKeys, UsedKeys

LIFE: Final = 60 * SECOND
BOOT_ID_SIZE: Final = 8


@dataclass(frozen=True, slots=True)
class Boot:
    """Who will judge the keys that are issued now, and the present by its clock."""

    id: bytes
    now: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """What a judge is asked about: a key whose MAC was good."""

    boot_id: bytes
    issued_at: Instant
    unique: bytes
    """What no other key of that boot has in common with it."""


class Boots(Protocol):
    async def current(self) -> Boot:
        """For a key that is issued now. Raises `UnavailableError` when the judge to be cannot be asked."""
        ...

    async def claim(self, key: IssuedKey) -> None:
        """Return for the first use of a key that is known and fresh.

        Raises `BeginAgainError` (another boot, too old), `RefusedError` (used), `OverloadedError`, `UnavailableError`.
        """
        ...


class SharedBoot(Boots, Protocol):
    """The judge that all nodes have in common."""

    @property
    def last_id(self) -> bytes:
        """The boot id under which it last judged, as far as this node knows; empty before it was asked."""
        ...

    @property
    def up(self) -> bool:
        """Whether it can be asked, as far as this node knows."""
        ...


class OwnBoot:
    """`Boots` of one run of this process."""

    def __init__(
        self, clock: Clock, entropy: Entropy, *, boot_id: bytes = b"", used: UsedKeys | None = None
    ) -> None:
        self.id: Final = boot_id or entropy.bytes(BOOT_ID_SIZE)
        self._used: Final = used or MemoryUsedKeys()
        self._clock: Final = SteadyClock(clock)

    async def current(self) -> Boot:
        return Boot(self.id, self._clock.now())

    async def claim(self, key: IssuedKey) -> None:
        if key.boot_id != self.id:
            raise BeginAgainError("short_key_boot")
        now, expires_at = self._clock.now(), Instant(key.issued_at + LIFE)
        if not key.issued_at <= now < expires_at:
            raise BeginAgainError("short_key_expired")
        if not await self._used.claim(key.unique, expires_at=expires_at, now=now):
            raise RefusedError("short_key_used")


class NodeBoots:
    """`Boots` of one of several nodes: shared ones, and meanwhile its own where `local` permits that.

    A key of its own is good at this node alone. It stays so for its minute when Redis is back.
    """

    def __init__(self, own: OwnBoot, shared: SharedBoot, *, local: bool) -> None:
        self._own: Final = own
        self._shared: Final = shared
        self._local: Final = local

    async def current(self) -> Boot:
        try:
            return await self._shared.current()
        except UnavailableError:
            if not self._local:
                raise
            return await self._own.current()

    async def claim(self, key: IssuedKey) -> None:
        if key.boot_id == self._own.id:
            return await self._own.claim(key)
        if self._local and not self._shared.up and key.boot_id != self._shared.last_id:
            raise BeginAgainError("short_key_boot")  # another node's own: to begin again here is what helps
        return await self._shared.claim(key)
