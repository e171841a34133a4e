"""Plain HTTP behind a real nginx, with the very configuration that the documentation gives."""

import contextlib
import getpass
import grp
import http.client
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.kits.commands import Shell
from tests.kits.other_ca import OtherCA
from tests.kits.ports import kept_port
from tests.kits.process import RunningServer
from tests.kits.waiting import until_it_listens

from watchword.testing import components

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "behind-nginx.md"
OUTER = """
daemon off; pid nginx.pid; error_log stderr warn; worker_processes 1;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp;
    scgi_temp_path temp;
    include site.conf;
}
"""
SOCKET, NAME = "unix:/run/watchword/http.sock", "id.example.org"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def put(text: str, *changes: tuple[str, str]) -> str:
    """`text` with each change made; what is to be changed must stand in it."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


@dataclass(frozen=True, kw_only=True)
class Place:
    server: RunningServer
    ca: OtherCA
    port: int

    def ask(self, *headers: tuple[str, str], source: str = "127.0.0.1") -> tuple[int, str]:
        """Status of a request through nginx, and the caller's address as the server logged it."""
        context = ssl.create_default_context(cafile=str(self.ca.root))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60, source_address=(source, 0))
        connection = http.client.HTTPConnection("localhost", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.sock = context.wrap_socket(plain, server_hostname="localhost")
            connection.putrequest("GET", "/api/me")
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            request_id = json.loads(answer.read())["request_id"]
        return answer.status, self._logged(request_id)

    def _logged(self, request_id: str) -> str:
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            for entry in self.server.logs():
                if entry.get("event") == "http.request" and entry.get("request") == request_id:
                    return str(entry["address"])
            time.sleep(0.01)
        raise AssertionError("the request is not in the log")


@contextlib.contextmanager
def nginx(folder: Path, site: str) -> Iterator[None]:
    folder.mkdir()
    (folder / "temp").mkdir()
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""  # else its workers are nobody's
    (folder / "nginx.conf").write_text(f"{user}{OUTER}")
    (folder / "site.conf").write_text(site)
    program = components.require("nginx")
    command = [str(program), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)
    assert "emerg" not in (folder / "log").read_text()


def start(folder: Path, config: str) -> RunningServer:
    (folder / "watchword.toml").write_text(config)
    (folder / "watchword.toml").chmod(0o600)
    return RunningServer.start(
        folder / "data",
        args=["--config", str(folder / "watchword.toml")],
        settings={"listen": _listen(config)},
    )


def _listen(config: str) -> str:
    found = re.search(r'listen = "(.*)"', config)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module", params=["unix", "tcp"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    components.require("nginx")
    with (
        kept_port() as port,
        kept_port() as behind,
        standing(request.param, tmp_path_factory.mktemp("n"), port, behind) as found,
    ):
        yield found


@contextlib.contextmanager
def standing(way: str, folder: Path, port: int, behind: int) -> Iterator[Place]:
    """The server and nginx before it, which comes to it by a socket or by the port `behind`."""
    ca = OtherCA.make(folder / "ca")
    signed = ca.sign("site")
    unix = f"unix:{folder}/http.sock"
    by_socket, by_port = blocks("toml")
    own = (f"https://{NAME}", f"https://localhost:{port}")
    (site,) = blocks("nginx")
    site = put(
        site,
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (f"server_name {NAME}", "server_name localhost"),
        (f"/etc/ssl/{NAME}/fullchain.pem", str(signed.chain)),
        (f"/etc/ssl/{NAME}/privkey.pem", str(signed.key)),
        (SOCKET, unix if way == "unix" else f"127.0.0.1:{behind}"),
    )
    if way == "unix":
        config = put(by_socket, (SOCKET, unix), own, ('"www-data"', f'"{_own_group()}"'))
    else:
        config = put(by_port, ("127.0.0.1:8080", f"127.0.0.1:{behind}"), own)
    with start(folder, config) as server, nginx(folder / "nginx", site):
        until_it_listens(port)
        yield Place(server=server, ca=ca, port=port)
        assert server.stop() == 0
        assert not (folder / "http.sock").exists()


def _own_group() -> str:
    return grp.getgrgid(os.getegid()).gr_name


def test_a_person_registers_and_logs_in_through_the_proxy(place: Place, tmp_path: Path) -> None:
    shell = Shell.at(place.server, tmp_path / "home")
    made = shell.ask("register", "anna", "--tls-ca", str(place.ca.root))
    assert made.code == 0, made.err
    assert shell.ask("login").code == 0
    token = shell.ask("token", "--for", "https://notes.example.org")
    assert (token.code, token.out.count(".")) == (0, 2)
    sessions: Any = shell.ask("sessions", "--json").json
    addresses = {each["address"] for each in sessions["sessions"]}
    assert addresses == {"127.0.0.1"}


SPOOFED: Sequence[tuple[tuple[str, str], ...]] = (
    (("X-Forwarded-For", "203.0.113.9"),),
    (("X-Forwarded-For", "203.0.113.9, 127.0.0.1"),),
    (("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "203.0.113.10")),
    (("X-Forwarded-For", "unknown, not an address,,,"),),
    (("X-Forwarded-For", "203.0.113.9," * 400),),
    (("X-Real-IP", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")),
    (("X-Forwarded-Proto", "http"), ("X-Forwarded-Host", "evil.example")),
)


@pytest.mark.parametrize("headers", [(), *SPOOFED])
def test_the_callers_address_is_right_whatever_it_says_itself(
    place: Place, headers: tuple[tuple[str, str], ...]
) -> None:
    assert place.ask(*headers, source="127.0.0.2") == (401, "127.0.0.2")


def test_the_host_policy_holds_behind_the_proxy(place: Place) -> None:
    context = ssl.create_default_context(cafile=str(place.ca.root))
    connection = http.client.HTTPSConnection("localhost", place.port, timeout=60, context=context)
    with contextlib.closing(connection):
        connection.request("GET", "/health/live", headers={"Host": "evil.example"})
        assert connection.getresponse().status == 421


def test_it_listens_where_the_proxy_alone_comes(place: Place) -> None:
    address = place.server.address
    assert (place.server.data / "address").read_text() == f"{address}\n"
    if address.startswith("unix:"):
        assert stat.S_IMODE(Path(address.removeprefix("unix:")).stat().st_mode) == 0o660
    else:
        assert address.startswith("127.0.0.1:")
