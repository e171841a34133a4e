"""Section D, as far as headers say who calls: whom our proxy names counts, and whom a stranger names does not."""

import contextlib
import http.client
import ssl
from collections.abc import Iterator

import pytest
from tests.kits.process import RunningServer

PROXY, STRANGER = "127.0.0.1", "127.9.8.7"
HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "Via")
SCANNED, GOOD, BANNED = "/.git/config", "/health/live", 429


@pytest.fixture(scope="module", params=["X-Forwarded-For", "Forwarded"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """Strict: one request as scanners make it bans. Nobody is exempt but by being a proxy."""
    settings = {
        "proxies": PROXY,
        "proxy_header": request.param,
        "bans.policy": "strict",
        "bans.allow": "",
        "processes": "1",
    }
    with RunningServer.start(tmp_path_factory.mktemp("D") / "data", settings=settings) as running:
        yield running


def ask(server: RunningServer, path: str, headers: dict[str, str], source: str = PROXY) -> int:
    tls = ssl.create_default_context(cafile=str(server.ca))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", server.port, timeout=60, context=tls, source_address=(source, 0)
    )
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": f"localhost:{server.port}", **headers})
        return connection.getresponse().status


def by_proxy(server: RunningServer, path: str, caller: str, before: str = "") -> int:
    """Asked through the proxy for `caller`, which had written `before` itself."""
    named = {"X-Forwarded-For": caller, "Forwarded": f'for="{f"[{caller}]" if ":" in caller else caller}"'}
    return ask(server, path, {name: f"{before}{value}" for name, value in named.items()})


def test_fault_D6_D9_D12_what_a_stranger_writes_bans_the_stranger_and_nobody_else(
    server: RunningServer,
) -> None:
    victim = "198.51.100.7"
    lies = {name: f"for={victim}" if name == "Forwarded" else victim for name in HEADERS}
    assert ask(server, SCANNED, lies, STRANGER) == 404
    assert ask(server, GOOD, {}, STRANGER) == BANNED
    assert by_proxy(server, GOOD, STRANGER) == BANNED
    assert by_proxy(server, GOOD, victim) == 200


def test_fault_D8_D12_what_a_caller_writes_before_its_proxy_bans_nobody_else(server: RunningServer) -> None:
    victim, caller = "198.51.100.8", "203.0.113.8"
    for lie in (f"{victim}, ", f"for={victim}, ", 'for="', f"{victim}, unknown, "):
        by_proxy(server, SCANNED, caller, lie)
    assert by_proxy(server, GOOD, caller) == BANNED
    assert by_proxy(server, GOOD, victim) == 200


@pytest.mark.parametrize(
    "said", ["", "unknown", "for=unknown", 'for="_x"', "for=_x", "010.0.0.1", "0x7f.1", PROXY]
)
def test_fault_D7_D12_a_proxy_that_names_nobody_is_not_banned(server: RunningServer, said: str) -> None:
    assert ask(server, SCANNED, {"X-Forwarded-For": said, "Forwarded": said}) == 404
    assert by_proxy(server, GOOD, "203.0.113.1") == 200
    assert ask(server, GOOD, {}) == 200


def test_fault_D10_a_network_of_64_bits_is_banned_as_one(server: RunningServer) -> None:
    assert by_proxy(server, SCANNED, "2001:db8:1:2::1") == 404
    assert by_proxy(server, GOOD, "2001:db8:1:2:ffff::9") == BANNED
    assert by_proxy(server, GOOD, "2001:db8:1:3::1") == 200


def test_fault_D7_a_mapped_address_is_the_one_it_maps(server: RunningServer) -> None:
    assert by_proxy(server, SCANNED, "::ffff:203.0.113.20") == 404
    assert by_proxy(server, GOOD, "203.0.113.20") == BANNED
