"""TLS of another authority: the key document stays under our own root, and everything works; SIGHUP renews it."""

import shutil
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.kits.commands import Shell
from tests.kits.other_ca import OtherCA, Signed
from tests.kits.ports import kept_port
from tests.kits.process import RunningServer
from tests.kits.tokens import bearer, call, http_scope

from watchword.client.transport import pinned_context
from watchword.client.trust import SYSTEM, also_under, trust_by_file
from watchword.errors import InvalidConfigError
from watchword.middleware import WatchwordMiddleware

APP = "https://notes.example.org"


@dataclass(frozen=True, kw_only=True)
class Place:
    server: RunningServer
    ca: OtherCA
    config: Path
    certificate: Path
    key: Path
    manager: socket.socket

    def put(self, signed: Signed) -> None:
        shutil.copy(signed.key, self.key)
        shutil.copy(signed.chain, self.certificate)

    def reload(self) -> str:
        """Ask for it as systemd does, and what the manager hears from its beginning to its end."""
        self.server.process.send_signal(signal.SIGHUP)
        return " ".join(self.manager.recv(4096).decode() for _ in range(2))

    def connect(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
        return context.wrap_socket(plain, server_hostname="localhost")

    def context(self) -> ssl.SSLContext:
        trusted = also_under(trust_by_file(self.server.origin, self.server.ca), str(self.ca.root))
        return pinned_context(trusted.root_pem)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("other")
    ca = OtherCA.make(folder / "ca")
    certificate, key, config = folder / "chain.pem", folder / "key.pem", folder / "watchword.toml"
    config.write_text(_config(certificate, key))
    config.chmod(0o600)
    signed = ca.sign("first")
    shutil.copy(signed.chain, certificate)
    shutil.copy(signed.key, key)
    with kept_port() as port, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(60)
        with RunningServer.start(
            folder / "data",
            settings={"origin": f"https://localhost:{port}", "listen": f"127.0.0.1:{port}"},
            args=["--config", str(config)],
            environ={"NOTIFY_SOCKET": str(folder / "notify")},
        ) as server:
            assert manager.recv(4096) == b"READY=1"
            yield Place(
                server=server, ca=ca, config=config, certificate=certificate, key=key, manager=manager
            )
            assert server.stop() == 0
            assert manager.recv(4096) == b"STOPPING=1"
            assert "NOTIFY_SOCKET" not in server.log_text()


def _config(certificate: Path, key: Path, more: str = "") -> str:
    return f'{more}\n[tls]\nmode = "files"\ncertificate = "{certificate}"\nkey = "{key}"\n'


def serial(connection: ssl.SSLSocket) -> str:
    certificate = connection.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


@pytest.mark.anyio
async def test_a_person_registers_logs_in_and_an_app_knows_them(place: Place, tmp_path: Path) -> None:
    shell = Shell.at(place.server, tmp_path / "home")
    pinned_alone = shell.ask("register", "anna")
    assert pinned_alone.code == 1, pinned_alone
    assert "--tls-ca" in pinned_alone.err
    made = shell.ask("register", "anna", "--tls-ca", str(place.ca.root))
    assert made.code == 0, made.err
    token = shell.ask("token", "--for", APP)  # what TLS may lead to is in the vault
    assert token.code == 0, token.err
    middleware = WatchwordMiddleware(
        _hello, issuer=place.server.origin, audience=APP, ca_file=str(place.ca.root), bearer_ok=True
    )
    answer = await call(middleware, http_scope(headers=bearer(token.out.strip())))
    assert (answer.status, answer.body) == (200, b"anna")


async def _hello(scope: Any, _receive: Any, send: Any) -> None:
    name = scope["watchword.identity"].username
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name.encode()})


def test_tls_leads_to_the_named_roots_and_the_key_document_to_the_pinned_one(place: Place) -> None:
    pinned = trust_by_file(place.server.origin, place.server.ca)
    with pytest.raises(ssl.SSLCertVerificationError):
        place.connect(pinned_context(pinned.root_pem))
    with pytest.raises(ssl.SSLCertVerificationError):  # the company's root is none of this machine's
        place.connect(pinned_context(also_under(pinned, SYSTEM).root_pem))
    with place.connect(place.context()):
        pass
    assert also_under(pinned, str(place.ca.root)).pin == pinned.pin


def test_the_roots_of_this_machine_are_believed_only_when_asked_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(place.ca.root))
    pinned = trust_by_file(place.server.origin, place.server.ca)
    with place.connect(pinned_context(also_under(pinned, SYSTEM).root_pem)):
        pass
    with pytest.raises(ssl.SSLCertVerificationError):
        place.connect(pinned_context(pinned.root_pem))


def test_a_file_of_tls_roots_that_is_none_is_refused(place: Place, tmp_path: Path) -> None:
    pinned = trust_by_file(place.server.origin, place.server.ca)
    long, text = tmp_path / "long", tmp_path / "text"
    long.write_bytes(place.ca.root.read_bytes() * 200)
    text.write_text("no certificate")
    for path in (long, text, tmp_path / "absent"):
        with pytest.raises(InvalidConfigError, match=str(path)):
            also_under(pinned, str(path))


def test_a_reload_serves_the_new_certificate_and_leaves_open_connections_alone(place: Place) -> None:
    before = place.connect(place.context())
    old = serial(before)
    place.put(place.ca.sign("renewed"))
    heard = place.reload()
    assert heard.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard.endswith(" READY=1")
    told_at = int(heard.partition("MONOTONIC_USEC=")[2].split()[0]) / 1_000_000
    assert 0 <= time.monotonic() - told_at < 60
    with place.connect(place.context()) as after:
        assert serial(after) != old
    host = place.server.origin.removeprefix("https://").encode()
    before.sendall(b"GET /health/live HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert before.recv(4096).startswith(b"HTTP/1.1 200 ")
    before.close()


def _cut(place: Place) -> None:
    place.certificate.write_bytes(place.certificate.read_bytes()[:300])


def _other_key(place: Place) -> None:
    shutil.copy(place.ca.sign("other").key, place.key)


def _open_key(place: Place) -> None:
    place.key.chmod(0o644)


def _broken_config(place: Place) -> None:
    place.config.write_text("[tls\n")


@pytest.mark.parametrize("harm", [_cut, _other_key, _open_key, _broken_config])
def test_fault_M5_a_bad_file_is_refused_and_the_old_one_stays(
    place: Place, harm: Callable[[Place], None]
) -> None:
    kept = {path: path.read_bytes() for path in (place.certificate, place.key, place.config)}
    with place.connect(place.context()) as connection:
        before = serial(connection)
    refusals = [line for line in place.server.logs() if line["event"] == "server.reload_refused"]
    try:
        harm(place)
        place.reload()
        more = [line for line in place.server.logs() if line["event"] == "server.reload_refused"]
        assert len(more) > len(refusals)
        assert "PRIVATE" not in place.server.log_text()
        with place.connect(place.context()) as connection:
            assert serial(connection) == before
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
            path.chmod(0o600)


def test_a_reload_changes_the_log_level_and_says_what_needs_a_restart(place: Place) -> None:
    kept = place.config.read_text()
    more = 'registration = "closed"\nhosts = ["other.example.org"]\n[log]\nlevel = "debug"'
    place.config.write_text(_config(place.certificate, place.key, more))
    try:
        place.reload()
        reloaded, waiting = (
            place.server.find_log("server.reloaded"),
            place.server.find_log("server.restart_needed"),
        )
        assert reloaded is not None
        assert waiting is not None
        assert (reloaded["changed"], waiting["settings"]) == ("log.level", "hosts, registration")
    finally:
        place.config.write_text(kept)
        place.reload()
    again = place.server.find_log("server.reloaded")
    assert again is not None
    assert again["changed"] == "log.level"


def test_keys_rotate_tls_says_whose_certificate_it_is(place: Place) -> None:
    done = Shell(environ={"WATCHWORD_DATA": str(place.server.data)}).run("keys", "rotate", "tls")
    assert done.code == 1, done
    assert "reload" in done.err
