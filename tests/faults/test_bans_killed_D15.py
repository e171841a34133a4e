"""FAULTS D15: a server that is killed in the middle of an attack goes on where it was."""

import http.client
import json
import sqlite3
import ssl
from pathlib import Path

from tests.kits.commands import Shell
from tests.kits.process import RunningServer
from tests.kits.waiting import until

BANNED, COUNTED = "127.1.0.1", "127.1.0.2"
SETTINGS = {"bans.failures": "6"}


def ask(server: RunningServer, source: str, path: str = "/.env") -> int:
    """The status of one request from `source`; 0 for a connection that is closed at once."""
    trust = ssl.create_default_context(cafile=str(server.ca))
    call = http.client.HTTPSConnection(
        "127.0.0.1", server.port, source_address=(source, 0), context=trust, timeout=60
    )
    try:
        call.request("GET", path, headers={"Host": f"localhost:{server.port}"})
        return call.getresponse().status
    except (ConnectionError, http.client.BadStatusLine, ssl.SSLError):
        return 0
    finally:
        call.close()


def kept(data: Path) -> tuple[set[str], dict[str, int]]:
    """Who is banned, and how many failures are counted for whom, as it stands in the database."""
    database = sqlite3.connect(f"file:{data / 'watchword.db'}?mode=ro", uri=True)
    try:
        bans = {network for (network,) in database.execute("select network from bans")}
        counts = {
            source: len(times) // 8
            for source, times in database.execute("select source, times from offences")
        }
    finally:
        database.close()
    return bans, counts


def test_fault_D15_bans_and_counts_outlive_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with RunningServer.start(data, settings=SETTINGS) as server:
        assert [ask(server, COUNTED) for _ in range(5)] == [404] * 5
        assert [ask(server, BANNED) for _ in range(7)] == [404] * 6 + [429]
        until(lambda: kept(data) == ({BANNED}, {COUNTED: 5}), "the ban and the counts are in the database")
        server.kill()
    with RunningServer.start(data, settings=SETTINGS) as server:
        assert ask(server, BANNED, "/register") in {0, 429}
        assert ask(server, COUNTED) == 404
        assert ask(server, COUNTED) in {0, 429}
        assert ask(server, "127.0.0.1", "/register") == 200
        shell = Shell(environ={"WATCHWORD_DATA": str(data)})
        listed = json.loads(shell.run("bans", "list", "--json").out)
        assert {ban["network"] for ban in listed} == {BANNED, COUNTED}
