"""FAULTS M8, where a checksum cannot tell: a lost last page of a long value. Its reader refuses it.

Values longer than a page are JWEs, above all `chests.sealed`, which grows with every password; see divergences.md.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.kits.sealed import Member, log_in_as, make_member
from tests.kits.world import open_world

from watchword.errors import DamagedError, MalformedError, UnsealError, WatchwordError
from watchword.protocol.chest import Chest, RecoveryKey, new_chest_key, recover_chest
from watchword.server.db.sqlite.connection import PAGE_SIZE
from watchword.testing import SeededEntropy

pytestmark = pytest.mark.anyio
GENERATIONS = 150
"""Old archive keys: enough that the sealed chest fills more than two pages."""


def long_chest(recovery: RecoveryKey) -> dict[str, Any]:
    """As after years of new passwords; the server sees its first version."""
    entropy = SeededEntropy("chest")
    chest = Chest.create(recovery, entropy)
    for _ in range(GENERATIONS):
        chest = chest.renewed(entropy)
    body = replace(chest, version=1).seal(new_chest_key(entropy), entropy)
    return {**msgspec.to_builtins(body), "archive_generation": 1}


async def open_after_login(
    data: Path, member: Member, chest: dict[str, Any], recovery: RecoveryKey, *, seed: str
) -> Chest:
    async with open_world(data, seed=seed) as world:
        answer = await log_in_as(world, member)
        return recover_chest(1, answer.chest.sealed, chest["recovery_wrapped"], recovery)


async def test_fault_M8_a_chest_that_lost_its_last_page_is_refused_by_its_reader(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recovery = RecoveryKey.generate(SeededEntropy("recovery"))
    chest = long_chest(recovery)
    assert len(chest["sealed"]) > 2 * PAGE_SIZE
    async with open_world(tmp_path) as world:
        member = await make_member(world, "anna", chest=chest)
    assert (await open_after_login(tmp_path, member, chest, recovery, seed="whole")).version == 1
    path = tmp_path / "watchword.db"
    data = bytearray(path.read_bytes())
    place = data.index(chest["sealed"][-32:].encode()) // PAGE_SIZE * PAGE_SIZE
    data[place : place + PAGE_SIZE] = bytes(PAGE_SIZE)
    path.write_bytes(data)
    with pytest.raises(WatchwordError) as refused:
        await open_after_login(tmp_path, member, chest, recovery, seed="damaged")
    assert isinstance(refused.value, UnsealError | DamagedError | MalformedError)
    assert "pages of zeros in use" in caplog.text
