"""FAULTS A12 by slowhttptest: heads, bodies and reads that never end, from up to a thousand connections each.

In a quick run the server is in a hurry, so that nobody waits for it: that the bounds as shipped are 15 seconds at most
is looked at in `tests/faults/test_pages_slow_A.py`, and under soak they are what is measured.
"""

import asyncio
import itertools
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from tests.kits import hasty_server
from tests.kits.attacker import Foothold, Owner, addresses, metric, register
from tests.kits.process import RunningServer

from watchword.server.pages import assets
from watchword.testing import components, measured
from watchword.testing.counts import count, soaking

PASSWORD: Final = "violet kangaroo plays chess"
CLOSED_S: Final = 15.0
TICK_S: Final = 1.0
"""How rarely the server looks whether a bound has passed."""
PATIENCE_S: Final = 90.0
LOGIN_S: Final = 2.0
MOST_TRIES: Final = 3
"""Where the machine is busy with other things: those who attack are on it as well."""
HOMES: Final = 40
"""Addresses that the owner comes from."""
KERNEL_BYTES: Final = 192 * 1024
"""Of an answer that is not read, for each connection: what it may hold unsent, and what is on its way."""
ACCEPTED: Final = "watchword_connections_accepted_total"
LARGE: Final = "common_passwords"
WAYS: Final = {
    "heads": ["-H", "-i", "1"],
    "bodies": ["-B", "-i", "1", "-s", "8000", "-f", "application/json", "-u", "{origin}/api/login"],
    "reads": ["-X", "-k", "10", "-w", "1", "-y", "64", "-n", "5", "-z", "1", "-u", "{origin}/assets/{large}"],
}


def large_asset() -> str:
    """What takes longest to read."""
    manifest = json.loads((assets.STATIC / "manifest.json").read_text())
    return str(next(each["file"] for each in manifest.values() if each["file"].startswith(LARGE)))


@contextmanager
def slow_callers(server: RunningServer, way: str, connections: int) -> Iterator[None]:
    """slowhttptest at work, from 127.0.0.1."""
    often = ["-c", str(connections), "-r", str(connections), "-l", "120", "-v", "0", "-p", "60"]
    options = [each.format(origin=server.origin, large=large_asset()) for each in WAYS[way]]
    command = [str(components.require("slowhttptest")), "-u", server.origin, *often, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def sockets(server: RunningServer) -> int:
    """How many the process has open."""
    found = 0
    for handle in Path(f"/proc/{server.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(handle.readlink()).startswith("socket:")
    return found


def unread_bytes(server: RunningServer) -> int:
    """What the kernel holds for the server's connections and has not been taken: `/proc/net/tcp`."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f":{server.port:04X}"
    return sum(int(line[4].partition(":")[0], 16) for line in lines if line[1].endswith(port))


@dataclass(kw_only=True)
class Seen:
    """What was seen while they were there, in seconds and bytes."""

    logins: list[float] = field(default_factory=list)
    most: int = 0
    """Sockets of the server."""
    held_for: float = 0.0
    """From when there were most of them until there was none."""
    unread: int = 0
    """Bytes of answers that the kernel held at most."""

    def slow_login(self) -> float:
        """What one in a hundred takes at least."""
        return sorted(self.logins)[int(len(self.logins) * 0.99)]

    def __str__(self) -> str:
        return (
            f"at most {self.most} at a time, gone {self.held_for:.1f} s after the last came, {self.unread >> 10} KiB"
            f" unread; meanwhile {len(self.logins)} logins, the slowest {max(self.logins) * 1000:.0f} ms"
        )


async def watch(server: RunningServer, owner: Owner, ways: Sequence[str], connections: int) -> Seen:
    """Log in and look, until all of them have come and the server has parted from the last.

    Each login comes on a new connection, and from one address after the other: none comes more often than it may.
    """
    seen, homes = Seen(), itertools.cycle(addresses(HOMES, network=2))
    base, before = sockets(server), metric(server, ACCEPTED)
    with ExitStack() as stack:
        for way in ways:
            stack.enter_context(slow_callers(server, way, connections))
        ends, most_at = time.monotonic() + PATIENCE_S, 0.0
        came, there = before, base
        while came - before - len(seen.logins) < connections * len(ways) or there > base + len(ways):
            assert time.monotonic() < ends, f"{came - before} came, {there} of {seen.most} are still there"
            home, began = Foothold(server, next(homes)), time.monotonic()
            await owner.log_in(home)
            seen.logins.append(time.monotonic() - began)
            assert (await home.send("GET", "/health/live")).status == 200
            await home.close()
            await asyncio.sleep(0.05)
            came, there = metric(server, ACCEPTED), sockets(server)
            if there > seen.most:
                seen.most, most_at = there, time.monotonic()
            seen.unread = max(seen.unread, unread_bytes(server))
        seen.held_for = time.monotonic() - most_at
    return seen


@pytest.mark.slow
def test_fault_A12_slowhttptest_holds_nothing_and_others_log_in(tmp_path: Path) -> None:
    """A way after the other where it is to the full, since one source has a quarter of all places."""
    start = RunningServer.start if soaking() else hasty_server.start
    connections, tries = count(40, 1000), MOST_TRIES
    with start(tmp_path / "data") as server:
        (owner,) = asyncio.run(register(server, "anna", password=PASSWORD))
        for ways in [[way] for way in WAYS] if soaking() else [list(WAYS)]:
            seen = asyncio.run(watch(server, owner, ways, connections))
            while soaking() and seen.slow_login() > LOGIN_S and (tries := tries - 1):
                seen = asyncio.run(watch(server, owner, ways, connections))
            measured.record(f"A12 slow {', '.join(ways)}, {connections} connections each", str(seen))
            assert seen.unread <= KERNEL_BYTES * connections
            if (
                soaking()
            ):  # a quick run has the machine not to itself; that each login succeeds is seen there too
                assert seen.slow_login() <= LOGIN_S
                assert seen.held_for <= CLOSED_S + TICK_S
        assert server.stop() == 0
    assert "Traceback" not in server.log_text()
