"""M2: the power fails, and what was not synced is gone or torn."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kits.ledger import Ledger

from watchword.server.db.sqlite.mark import Mark
from watchword.testing.counts import count
from watchword.testing.databases import opened

CUTS_PER_RUN = 25


@pytest.mark.timeout(600)
def test_fault_M2_a_power_cut_loses_nothing_acknowledged(tmp_path: Path) -> None:
    cuts = count(25, 50)
    checked = 0
    for seed in range(-(-cuts // CUTS_PER_RUN)):
        wanted = min(CUTS_PER_RUN, cuts - checked)
        images = simulate(tmp_path, seed, wanted)
        for number in range(wanted):
            asyncio.run(compare(images / str(number)))
        checked += wanted
    assert checked == cuts


def simulate(tmp_path: Path, seed: int, cuts: int) -> Path:
    """Run the load in a process of its own; it also checks that each acknowledgement followed its sync."""
    data, images = tmp_path / f"data{seed}", tmp_path / f"images{seed}"
    data.mkdir(mode=0o700)
    images.mkdir()
    command = [sys.executable, "-m", "tests.kits.power_cut", str(data), str(images), str(cuts), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    marks, syncs = (int(word) for word in done.stdout.split())
    assert marks > 20
    assert syncs >= marks
    return images


async def compare(image: Path) -> None:
    ledger = Ledger()
    for line in json.loads((image / "ledger").read_text()):
        ledger.say(line)
    path = image / "watchword.db"
    if (image / "mark").exists():  # the strictest case: the mark reached the disk at once
        mark = Mark.open(path)
        mark.write(int((image / "mark").read_text()))
        mark.close()
    async with opened(path) as database:
        await ledger.compare(database)
