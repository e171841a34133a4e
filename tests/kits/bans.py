"""Bans over a world's database, as nodes of their own: each with its memory, its clock and its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.kits.world import World, make_config

from watchword.core.clock import SECOND
from watchword.server.assembly import open_bans
from watchword.server.bans import Bans, Offence, OffenceKind
from watchword.server.core import Core
from watchword.testing import FixedClock

BY: Mapping[str, str | int] = {"by": "local operator", "uid": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    bans: Bans
    clock: FixedClock
    core: Core

    def fail(
        self, address: str, times: int = 1, *, name: str = "", kind: OffenceKind = OffenceKind.CREDENTIAL
    ) -> None:
        for _ in range(times):
            self.bans.offend(Offence(kind, address, name))

    def ends_in(self, address: str) -> int:
        """Seconds; 0 for who is not banned."""
        found = self.bans.find(address)
        return found.ends_in_s() if found is not None else 0

    async def step(self, milliseconds: int = 2 * SECOND) -> None:
        """What a running server does every two seconds, after they have passed."""
        self.clock.advance(milliseconds)
        await self.bans.keep()


async def open_node(world: World, *, clock: FixedClock | None = None, **settings: str) -> Node:
    """`settings` as in the configuration, with `__` for the dot."""
    core, clock = world.core, clock or world.clock
    config = core.config
    url = config.database.reveal() if config.database is not None else None
    own = replace(core, config=make_config(config.data, database=url, **settings), clock=clock)
    return Node(bans=await open_bans(own), clock=clock, core=own)
