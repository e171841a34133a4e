"""M1, M5: the process ends at any moment, and nothing acknowledged is lost and nothing is half done."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.kits.ledger import Ledger, Load, attach

from watchword.testing.counts import count, soaking
from watchword.testing.databases import opened

READY_WITHIN = 3.0 if soaking() else 30.0
"""Seconds; more on a machine that does other things at the same time."""
CLOSED_WITHIN = 10.0 if soaking() else 30.0


def run_and_kill(location: str, run: str, after: float, ledger: Ledger) -> None:
    """Run the load in a process of its own, and kill it `after` seconds of work."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kits.ledger", location, run], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "? ready\n"
        timer = threading.Timer(after, child.send_signal, (signal.SIGKILL,))
        timer.start()
        lines = child.stdout.read().split("\n")
        timer.cancel()
    assert child.returncode == -signal.SIGKILL
    for line in lines[:-1]:  # the last may be cut
        ledger.say(line)


@pytest.mark.timeout(1200)
def test_fault_M1_a_killed_process_loses_nothing_acknowledged(database_location: str | Path) -> None:
    location = str(database_location)
    chance = random.Random(1)
    ledger = Ledger()
    runs, run = count(6, 200), 0
    while run < runs or len(ledger.acknowledged) <= 50:  # a busy machine gets less done before each end
        run_and_kill(location, str(run), chance.uniform(0.001, 0.25), ledger)
        asyncio.run(reopen(location, ledger))
        run += 1


async def reopen(location: str, ledger: Ledger) -> None:
    start = time.monotonic()
    async with opened(location) as database:
        assert time.monotonic() - start < READY_WITHIN
        await ledger.compare(database)


@pytest.mark.anyio
async def test_fault_M5_closing_under_load_answers_truthfully(database_location: str | Path) -> None:
    chance = random.Random(5)
    ledger = Ledger()
    for run in range(count(4, 100)):
        async with opened(database_location) as database:
            await attach(database)
            load = Load(database, str(run), ledger.say)
            clients = [asyncio.ensure_future(load.client(40)) for _ in range(8)]
            await asyncio.sleep(chance.uniform(0, 0.05))
            start = time.monotonic()
        assert time.monotonic() - start < CLOSED_WITHIN
        await asyncio.gather(*clients)
        async with opened(database_location) as database:
            await ledger.compare(database)
    assert ledger.refused  # some came after the close
    assert not ledger.refused & ledger.acknowledged
