"""Behind a real HAProxy, with the very configurations that the documentation gives."""

import contextlib
import re
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.edges import harness
from tests.edges.test_behind_nginx import put, start
from tests.kits.other_ca import OtherCA
from tests.kits.ports import kept_port
from tests.kits.process import RunningServer
from tests.kits.waiting import until, until_it_listens

from watchword.server.http.proxies import Proxies
from watchword.testing import components

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
SOCKET, NAME = "/run/watchword/http.sock", "id.example.org"
CALLER = "127.0.0.2"


def blocks(language: str) -> list[str]:
    section = PAGE.read_text().split("## Behind a proxy\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@contextlib.contextmanager
def haproxy(folder: Path, port: int, config: str) -> Iterator[None]:
    """It listens on `port` once this returns."""
    folder.mkdir()
    (folder / "haproxy.cfg").write_text(config)
    command = [str(components.require("haproxy")), "-db", "-f", str(folder / "haproxy.cfg")]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until_it_listens(port, process)
            yield
        finally:
            process.terminate()
            process.wait(60)


def told(
    port: int,
    server: harness.RunningServer,
    *headers: tuple[str, str],
    context: ssl.SSLContext | None = None,
) -> tuple[str, bool]:
    """Whom the server takes for the caller of a request that `CALLER` makes to `port`."""
    connection = harness.Connection(port, context or server.client, CALLER)
    with contextlib.closing(connection):
        connection.send(server.encode("GET", "/api/told", headers=headers))
        answer = connection.read().json()
        return answer["address"], answer["named"]


LIES = (
    ("X-Forwarded-For", "203.0.113.9"),
    ("Forwarded", 'for=203.0.113.9;by="'),
    ("Forwarded", "for=127.0.0.1"),
    ("X-Real-IP", "203.0.113.9"),
)


def test_a_proxy_that_passes_tls_on_introduces_its_callers(tmp_path: Path) -> None:
    components.require("haproxy")
    config, _ = blocks("cfg")
    with kept_port() as port, harness.running_server(proxies=Proxies.of(["127.0.0.1"], None)) as server:
        config = put(config, ("bind :443", f"bind 127.0.0.1:{port}"), (":8443", f":{server.port}"))
        with haproxy(tmp_path / "haproxy", port, config):
            assert told(port, server) == (CALLER, True)
            assert told(port, server, *LIES) == (CALLER, True)


def test_fault_D8_forwarded_is_read_as_a_proxy_appends_it(tmp_path: Path) -> None:
    components.require("haproxy")
    _, config = blocks("cfg")
    proxies = Proxies.of(["127.0.0.1"], "Forwarded")
    with kept_port() as port, harness.running_server(proxies=proxies) as server:
        chain, key = harness.throw_away_certificate()
        (tmp_path / "site.pem").write_bytes(chain + key.reveal())
        context = ssl.create_default_context(cadata=chain.decode())
        config = put(
            config,
            ("bind :443", f"bind 127.0.0.1:{port}"),
            (f"/etc/ssl/{NAME}.pem", str(tmp_path / "site.pem")),
            (f"unix@{SOCKET}", f"127.0.0.1:{server.port} ssl verify none"),
            ("option forwardfor", "http-request add-header Forwarded for=%[src];proto=https"),
        )
        with haproxy(tmp_path / "haproxy", port, config):
            assert told(port, server, context=context) == (CALLER, True)
            assert told(port, server, *LIES, context=context) == (CALLER, True)


@dataclass(frozen=True, kw_only=True)
class Place:
    server: RunningServer
    context: ssl.SSLContext
    port: int

    def logged(self, *headers: tuple[str, str]) -> str:
        """The address that the log has of a request that `CALLER` makes."""
        connection = harness.Connection(self.port, self.context, CALLER)
        host = self.server.origin.removeprefix("https://")
        lines = [f"{name}: {value}\r\n" for name, value in headers]
        with contextlib.closing(connection):
            connection.send(f"GET /api/me HTTP/1.1\r\nHost: {host}\r\n{''.join(lines)}\r\n".encode())
            request = connection.read().json()["request_id"]
        found: list[str] = []

        def is_logged() -> bool:
            entries = (each for each in self.server.logs() if each.get("event") == "http.request")
            found.extend(each["address"] for each in entries if each["request"] == request)
            return bool(found)

        until(is_logged, "the request is in the log")
        return found[0]


@pytest.fixture(params=["header", "proxy-v2"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    components.require("haproxy")
    ca = OtherCA.make(tmp_path / "ca")
    signed = ca.sign("site")
    (tmp_path / "site.pem").write_bytes(signed.chain.read_bytes() + signed.key.read_bytes())
    _, config = blocks("cfg")
    _, settings = blocks("toml")
    with kept_port() as port:
        config = put(
            config,
            ("bind :443", f"bind 127.0.0.1:{port}"),
            (f"/etc/ssl/{NAME}.pem", str(tmp_path / "site.pem")),
            (SOCKET, f"{tmp_path}/http.sock"),
        )
        settings = put(settings, (SOCKET, f"{tmp_path}/http.sock"), (NAME, f"localhost:{port}"))
        if request.param == "proxy-v2":
            config = put(config, ("http.sock", "http.sock send-proxy-v2"))
            settings = put(settings, ("[tls]", 'proxy_protocol = "proxy-v2"\n[tls]'))
        with start(tmp_path, settings) as server, haproxy(tmp_path / "haproxy", port, config):
            context = ssl.create_default_context(cafile=str(ca.root))
            yield Place(server=server, context=context, port=port)
            assert server.stop() == 0


def test_a_proxy_that_ends_tls_names_its_callers(place: Place) -> None:
    assert place.logged() == CALLER
    assert place.logged(*LIES) == CALLER


def test_version_1_of_the_protocol_is_refused(tmp_path: Path) -> None:
    curl = components.require("curl")
    with harness.running_server(proxies=Proxies.of(["127.0.0.1"], None)) as server:
        url = f"https://localhost:{server.port}/api/told"
        command = [str(curl), "-sk", "--max-time", "60", "--haproxy-protocol", url]
        run = subprocess.run(command, capture_output=True, timeout=90, check=False)
    assert (run.returncode != 0, run.stdout) == (True, b"")
