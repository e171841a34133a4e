"""N1 for addresses: where the owner does not want them whole, no file and no line of the server holds one."""

import contextlib
import http.client
import ipaddress
import json
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kits.mixed_load import Line, Person, enrol, log_in, refused
from tests.kits.process import RunningServer

from watchword.client.flows import account, api
from watchword.client.flows.account import NewAccount
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.passwords import prepare
from watchword.server.addresses import KEYED

CALLER = "127.77.88.99"
"""Nobody else's in these files."""
NETWORK = "127.77.88.0/24"
_entropy = SystemEntropy()


class FromElsewhere(Line):
    """Calls from `CALLER`."""

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                *self._place, timeout=60, context=self._tls, source_address=(CALLER, 0)
            )
        return self._connection


def use(server: RunningServer) -> set[str]:
    """Everything that notes where somebody called from; the addresses that sessions then show."""
    with contextlib.closing(FromElsewhere(server)) as line:
        to = line.recipient()
        person = Person(username="anna")
        new = NewAccount(username="anna", password=prepare("violet kangaroo plays chess"))
        recovery = RecoveryKey.generate(_entropy)
        person.temporary = line.run(account.register(new, recovery, to=to, entropy=_entropy)).temporary_token
        person.enrolled = line.run(enrol(person, to))
        assert refused(line.try_run(log_in(person, 1, to))[1])
        logged_in = line.run(log_in(person, 0, to))
        assert logged_in.answer.grant is not None
        token = Secret.from_text(logged_in.answer.grant.access_token)
        line.run(api.bearer_token(token, "https://app.example.org"))
        assert line.send("GET", "/api/nothing")[0] == 401
        assert line.send("GET", "/wp-login.php")[0] == 404
        shown = {session.address for session in line.run(api.list_sessions(token)).sessions}
        account_again = line.try_run(account.register(new, recovery, to=to, entropy=_entropy))
        assert account_again[0] is None
    send_nonsense(server)
    return shown


def send_nonsense(server: RunningServer) -> None:
    """What is no request: a front writes its line, or the server itself."""
    tls = ssl.create_default_context(cafile=str(server.ca))
    for _ in range(6):
        with (
            socket.create_connection(("127.0.0.1", server.port), 60, (CALLER, 0)) as plain,
            tls.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(b"GET  / HTTP/1.1\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 400")


def files(server: RunningServer) -> Iterator[tuple[str, bytes]]:
    """All that it wrote, the database and its log as they are while it runs."""
    yield "output", server.output().encode()
    yield "log", server.log_text().encode()
    for path in sorted(server.data.rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes()


def found_in(server: RunningServer) -> set[str]:
    forms = (CALLER.encode(), json.dumps(CALLER).encode(), ipaddress.ip_address(CALLER).packed.hex().encode())
    return {name for name, content in files(server) if any(form in content for form in forms)}


@pytest.mark.parametrize("kept", ["truncated", "keyed", "whole"])
def test_fault_N1_no_log_no_database_and_no_wal_holds_an_address_that_is_not_kept(
    tmp_path: Path, kept: str
) -> None:
    settings = {"privacy.addresses": kept, "privacy.addresses_days": "1", "processes": "2"}
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        shown = use(server)
        while_running = found_in(server)
        assert {"watchword.db", "watchword.db-wal"} <= {name for name, _ in files(server)}
        lines = [entry for entry in server.logs() if "address" in entry and "origin" not in entry]
        assert server.stop() == 0
        after = found_in(server)
    told = {str(entry["address"]) for entry in lines if entry["event"] in {"http.request", "http.refused"}}
    assert {entry["event"] for entry in lines} >= {"http.request", "http.refused"}
    assert len(told) == 1
    assert told == shown
    if kept == "whole":
        assert told == {CALLER}
        assert {"log", "watchword.db-wal"} <= while_running  # the search finds what is there
    else:
        assert while_running == after == set()
        assert told == {NETWORK} if kept == "truncated" else re.fullmatch(KEYED + "[0-9a-f]{16}", told.pop())
