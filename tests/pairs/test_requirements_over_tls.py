"""Requirements against the server as a process: the client's vault, an app behind the middleware, TLS alone."""

import contextlib
import re
import socket
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kits.process import RunningServer
from tests.kits.tokens import Answer, bearer, call, http_scope
from tests.kits.world import PASSWORD, open_world

from watchword.client.client import Client
from watchword.client.flows.account import NewAccount
from watchword.client.trust import trust_by_file
from watchword.core.clock import MINUTE, SystemClock
from watchword.core.encoding import decode_b64u, decode_json
from watchword.errors import MalformedError, UnauthenticatedError
from watchword.middleware import WatchwordMiddleware
from watchword.protocol.passwords import prepare
from watchword.protocol.tokens import MAX_SKEW
from watchword.server.tokens.service import ACCESS_TOKEN_LIFE
from watchword.testing import FixedClock, components

APP = "https://app.example"
SECRETS = (
    "WATCHWORD_ACCESS_TOKEN",
    "WATCHWORD_SIGN_IN_TOKEN",
    "WATCHWORD_CLIENT_KEY",
    "WATCHWORD_SIGNING_KEY",
    "WATCHWORD_MESSAGE_SIGNING_KEY",
    "WATCHWORD_SEALING_KEY",
)
PROTOCOL_VERSION_ALERT = 70  # RFC 5246, section 7.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server with one person, whose vault is in `home`."""

    server: RunningServer
    home: Path

    def client(self) -> Client:
        return Client(trust_by_file(self.server.origin, self.server.ca), self.home)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    with RunningServer.start(folder / "server" / "data") as server:
        made = Place(server=server, home=folder / "person" / "home")
        with made.client() as client:
            client.register(NewAccount(username="anna", password=prepare(PASSWORD)), device_name="laptop")
        yield made


# P7: the client keeps its tokens in the vault


def spellings(value: str) -> set[bytes]:
    found = {value.encode(), value.encode().hex().encode()}
    with contextlib.suppress(MalformedError):  # a token is three of them
        found |= {decode_b64u(value), decode_b64u(value).hex().encode()}
    return found


def test_req_P7_the_clients_secrets_are_in_the_sealed_vault_and_nowhere_else(place: Place) -> None:
    with place.client() as client:
        vault = client.open_vault(prepare(PASSWORD))
        values = {name: vault.get(name) for name in SECRETS}
    assert len(set(values.values())) == len(SECRETS)
    files = [path for path in place.home.parent.rglob("*") if path.is_file()]
    assert place.home / "vault" in files
    for path in files:
        data = path.read_bytes()
        assert PASSWORD.encode() not in data
        for name, value in values.items():
            assert not [one for one in spellings(value) if one in data], f"{name} in {path}"
    vault_file = place.home / "vault"
    assert vault_file.stat().st_mode & 0o777 == 0o600
    assert b"anna" in vault_file.read_bytes()  # the search finds what stands in clear


def test_req_P7_the_tokens_of_the_vault_are_what_the_client_uses(place: Place) -> None:
    password = prepare(PASSWORD)
    with place.client() as client:
        vault = client.open_vault(password)
        before = dict(vault.entries)
        me = client.who_am_i()
        assert (me.session, me.device) == (before["WATCHWORD_SESSION"], before["WATCHWORD_DEVICE"])
        assert client.token(APP).access_token not in vault.entries.values()
        assert vault.entries == before  # no login was needed
        changed = before["WATCHWORD_ACCESS_TOKEN"][:-4] + "AAAA"
        vault.put({"WATCHWORD_ACCESS_TOKEN": changed})  # in memory alone
        vault_file = place.home / "vault"
        kept = vault_file.read_bytes()
        with pytest.raises(UnauthenticatedError):
            client.who_am_i()
        vault_file.write_bytes(kept)


# P8: an app behind the middleware, with the real server's keys


async def app(scope: Any, _receive: Any, send: Any) -> None:
    name = scope["watchword.identity"].username
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name.encode()})


def guarded(place: Place, clock: FixedClock | None = None) -> WatchwordMiddleware:
    return WatchwordMiddleware(
        app,
        issuer=place.server.origin,
        audience=APP,
        ca_file=str(place.server.ca),
        bearer_ok=True,
        clock=clock,
    )


@pytest.fixture(scope="module")
def tokens(place: Place) -> dict[str, str]:
    """One for the app and one for another, and what the session itself uses."""
    password = prepare(PASSWORD)
    with place.client() as client:
        vault = client.open_vault(password)
        return {
            "good": client.token(APP).access_token,
            "other": client.token("https://other.example").access_token,
            "own": vault.get("WATCHWORD_ACCESS_TOKEN"),
            "sign_in": vault.get("WATCHWORD_SIGN_IN_TOKEN"),
        }


async def ask(middleware: WatchwordMiddleware, token: str | None) -> Answer:
    return await call(middleware, http_scope(headers=bearer(token) if token is not None else []))


def assert_denied(answer: Answer, *, error: bool = True) -> None:
    challenge = f'Bearer realm="{APP}"' + (', error="invalid_token"' if error else "")
    assert (answer.status, answer.header("www-authenticate")) == (401, challenge)
    assert answer.header("content-type") == "application/problem+json"
    assert decode_json(answer.body)["code"] == "unauthenticated"


@pytest.mark.anyio
async def test_req_P8_a_token_of_the_server_is_served_by_the_app(
    place: Place, tokens: dict[str, str]
) -> None:
    answer = await ask(guarded(place), tokens["good"])
    assert (answer.status, answer.body) == (200, b"anna")


@pytest.mark.anyio
async def test_req_P8_without_a_token_the_app_asks_for_one(place: Place) -> None:
    assert_denied(await ask(guarded(place), None), error=False)


@pytest.mark.anyio
@pytest.mark.parametrize("which", ["other", "own", "sign_in"])
async def test_req_P8_a_token_for_somebody_else_is_denied(
    place: Place, tokens: dict[str, str], which: str
) -> None:
    assert_denied(await ask(guarded(place), tokens[which]))


@pytest.mark.anyio
@pytest.mark.parametrize("part", [0, 1, 2])
async def test_req_P8_a_token_with_one_bit_changed_is_denied(
    place: Place, tokens: dict[str, str], part: int
) -> None:
    parts = tokens["good"].split(".")
    middle = len(parts[part]) // 2
    sign = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + sign + parts[part][middle + 1 :]
    middleware = guarded(place)
    assert_denied(await ask(middleware, ".".join(parts)))
    assert (await ask(middleware, tokens["good"])).status == 200


@pytest.mark.anyio
async def test_req_P8_a_token_is_denied_once_it_has_ended(place: Place, tokens: dict[str, str]) -> None:
    now = SystemClock().now()
    clock = FixedClock(now)
    middleware = guarded(place, clock)
    assert (await ask(middleware, tokens["good"])).status == 200
    clock.advance(
        ACCESS_TOKEN_LIFE + MAX_SKEW - MINUTE // 2 - MINUTE
    )  # the token is younger than a minute and a half
    assert (await ask(middleware, tokens["good"])).status == 200
    clock.advance(2 * MINUTE)
    assert_denied(await ask(middleware, tokens["good"]))


# M4: TLS and nothing else


def plain(port: int, request: bytes) -> bytes:
    """The first that comes back for `request` in clear: nothing, if the server hangs up."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as raw,
        contextlib.suppress(ConnectionError),
    ):
        raw.sendall(request)
        return raw.recv(4096)
    return b""


async def routes(folder: Path) -> list[tuple[str, str]]:
    """Method and path of everything that a server answers."""
    async with open_world(folder) as world:
        found = [(route.method, re.sub(r"\{[a-z_]+\}", "x", route.path)) for route in world.services.routes]
    return [*found, ("GET", "/health/live"), ("GET", "/health/ready")]


@pytest.mark.anyio
async def test_req_M4_no_route_is_served_without_tls_and_each_is_with_it(
    place: Place, tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=str(place.server.ca))
    found = await routes(tmp_path / "world")
    assert len(found) > 10
    with httpx.Client(base_url=place.server.origin, verify=context, trust_env=False) as client:
        for method, path in found:
            answer = client.request(method, path)
            assert answer.status_code not in {404, 405} or (method, path) == ("DELETE", "/api/sessions/x"), (
                path
            )
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost:{place.server.port}\r\n\r\n"
            assert b"HTTP/" not in plain(place.server.port, head.encode())
    assert b"HTTP/" not in plain(place.server.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


def test_req_M4_the_process_listens_on_that_port_alone(place: Place) -> None:
    components.require_path(Path("/proc/net/tcp"))
    ours = set()
    for descriptor in Path(f"/proc/{place.server.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            ours.add(str(descriptor.readlink()))
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in ours:  # LISTEN
                ports.add(int(words[1].rpartition(":")[2], 16))
    assert ports == {place.server.port}


def client_hello(version: ssl.TLSVersion) -> bytes:
    """The first flight of a client that speaks this version and nothing newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is tested
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("version", "number"), [(ssl.TLSVersion.TLSv1, b"\x03\x01"), (ssl.TLSVersion.TLSv1_1, b"\x03\x02")]
)
def test_req_M4_old_tls_is_refused(place: Place, version: ssl.TLSVersion, number: bytes) -> None:
    hello = client_hello(version)
    assert (hello[:1], hello[9:11]) == (b"\x16", number)  # a handshake of that version
    answer = plain(place.server.port, hello)
    assert answer[:1] in {b"", b"\x15"}  # hung up, or an alert; never a server's hello
    assert answer[6:7] in {b"", bytes([PROTOCOL_VERSION_ALERT])}
    newer = client_hello(ssl.TLSVersion.TLSv1_2)
    assert plain(place.server.port, newer)[:1] == b"\x16"  # the same way, a server's hello
