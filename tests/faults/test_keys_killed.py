"""The process is killed while keys rotate: the next start opens everything, whichever moment it was."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.crypto.keyring import DataKeyPurpose, DataKeys
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.entry import ChainHead
from watchword.server.db.unit import AuditedDatabase
from watchword.server.keys import KeyService, RootKeys
from watchword.testing.counts import count
from watchword.testing.databases import opened

pytestmark = pytest.mark.anyio

ROTATE = """
import asyncio, os, sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from tests.faults.test_keys_killed import open_keys
from watchword.testing.databases import opened

async def main():
    async with opened(Path({path!r})) as database:
        keys = await open_keys(database, Path({path!r}).parent)
        os.write(1, keys.signing_key.kid.encode() + b"\\n")
        while True:
            for use in ("root", "data:at_rest", "root"):
                await keys.rotate(use)
                os.write(1, b"%d\\n" % len(keys.data.versions("at_rest")))

asyncio.run(main())
"""


async def open_keys(database: AuditedDatabase, directory: Path) -> KeyService:
    """The keys with an audit chain that goes on where it stood."""
    last = await database.fetch_one("select seq, mac from audit_entries order by seq desc limit 1", {})
    head = ChainHead(seq=0, mac=bytes(32))
    if last is not None:
        seq, mac = last
        assert isinstance(seq, int)
        assert isinstance(mac, bytes)
        head = ChainHead(seq=seq, mac=mac)

    chains: list[AuditChain] = []

    async def ready(data: DataKeys) -> None:
        key = data.current(DataKeyPurpose.AUDIT)
        if not chains:
            chains.append(AuditChain(node="a", key=key, head=head, entropy=SystemEntropy()))
            database.use_audit(chains[0])
        chains[0].use_key(key)

    roots = RootKeys.find(directory / "root.key", {}, SystemEntropy())
    return await KeyService.open(
        database, roots, SystemClock(), SystemEntropy(), "https://localhost", ready=ready
    )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_fault_M5_a_kill_during_rotation_loses_no_key_and_no_acknowledged_rotation(tmp_path):
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    path = directory / "watchword.db"
    script = ROTATE.format(root=str(Path(__file__).parents[2]), path=str(path))
    chance = random.Random(7)
    seen: dict[str, object] = {}
    rotated = 0
    for _ in range(count(4, 100)):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        time.sleep(chance.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        acknowledged = process.stdout.read().split("\n")[:-1]  # a line without its end was not said
        process.wait()
        process.stdout.close()
        assert process.returncode == -signal.SIGKILL, first
        async with opened(path) as database:
            keys = await open_keys(database, directory)
            found = {
                "kid": keys.signing_key.kid,
                "pepper": keys.data.current(DataKeyPurpose.PEPPER),
                "root": keys.root_fingerprint(),
            }
            assert found["kid"] == first
            assert seen in ({}, found)
            seen = found
            rotated += len(acknowledged)
            versions = [int(line) for line in acknowledged]
            assert len(keys.data.versions(DataKeyPurpose.AT_REST)) >= max(versions, default=1)
    assert rotated > 0  # else nothing was interrupted
