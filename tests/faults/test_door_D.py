"""FAULTS section D at the gate: one door for every path, one answer whatever refuses, and who passes all the same."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kits.bans import BY
from tests.kits.sealed import login_payload, make_member, post, seal, short_key, sign_in, try_login
from tests.kits.world import World, open_world
from tests.unit.server.door.test_offences import READ, request_for

from watchword.protocol.envelope import Purpose
from watchword.server.bans.model import Offence, OffenceKind
from watchword.server.http.endpoint import Route
from watchword.server.http.wire import Message

pytestmark = pytest.mark.anyio

STRANGER = "192.0.2.7"
OTHER = "198.51.100.9"
PAGE = "/register"
"""One that no ban lets through."""
WELCOME = {
    ("GET", "/login"),
    ("GET", "/favicon.ico"),
    ("GET", "/assets/site.css"),
    ("GET", "/assets/nothing"),
}
"""What a browser needs to begin a sign-in: the ban lets it through, a few times."""
PLAIN = {"accept": "application/json"}
NOWHERE = [
    ("GET", "/nothing"),
    ("GET", "/api/nothing"),
    ("POST", "/api/nothing"),
    ("DELETE", "/login"),
    ("PUT", "/api/login"),
    ("TRACE", "/"),
    ("GET", "/.env"),
    ("GET", "//"),
    ("GET", "/assets/nothing"),
]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "data", pages__password_form="true") as found:
        yield found


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "strict", bans__policy="strict") as found:
        yield found


def ban(world: World, address: str = STRANGER) -> None:
    world.services.bans.offend(Offence(OffenceKind.FORGED, address))
    assert world.services.bans.find(address) is not None


def is_banned(world: World, address: str = STRANGER) -> bool:
    return world.services.bans.find(address) is not None


def filled(route: Route) -> tuple[str, str]:
    """Its method, and a path of it."""
    path = route.path.replace("{session}", "ses_00000000000000000000000000").replace("{file}", "site.css")
    return route.method, path


async def head_alone(world: World, method: str, path: str, *headers: tuple[bytes, bytes]) -> tuple[int, Any]:
    """Status and document of a request whose body never comes: whoever waits for it fails."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (b"host", b"localhost:8443"),
            (b"content-type", b"application/json"),
            (b"content-length", b"50"),
            *headers,
        ],
        "client": (world.address, 40_000),
    }
    await world.app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


def ways(world: World) -> list[tuple[str, str]]:
    """Every route there is, and paths where nothing is."""
    routes = [*world.services.routes, *world.services.page_routes]
    return [*map(filled, routes), ("GET", "/health/live"), ("GET", "/health/ready"), *NOWHERE]


# ── one door for every path ──


async def test_fault_D17_a_ban_holds_on_every_path_before_a_body_is_read(world: World):
    world.address = STRANGER
    ban(world)
    held = [way for way in ways(world) if way not in WELCOME]
    assert len(held) > 30
    for method, path in held:
        for accept in (b"application/json", b"text/html"):
            status, _ = await head_alone(world, method, path, (b"accept", accept))
            assert status == 429, (method, path)
        status, _ = await head_alone(world, method, path, (b"origin", b"https://elsewhere.example"))
        assert status == 429, (method, path)
    assert world.door.refused == {("ban", "banned"): 3 * len(held)}


async def test_fault_D12_a_ban_lets_a_browser_begin_a_sign_in_sixty_times_a_minute(world: World):
    """Neither another method nor the form that takes a password; to each address its own; and no more than that."""

    async def asked(method: str, path: str) -> int:
        return (await world.call(method, path, headers=PLAIN)).status_code

    for address in (STRANGER, OTHER):
        world.address = address
        ban(world, address)
        for way in sorted(WELCOME):
            assert await asked(*way) in {200, 404}, way
        assert await asked("HEAD", "/login") == 200
        for way in (("POST", "/login"), ("DELETE", "/login"), ("GET", "/login/"), ("GET", "/Login")):
            assert await asked(*way) == 429, way
    seen = [await asked("GET", path) for _ in range(30) for path in ("/login", "/assets/nothing")]
    assert seen == [*[200, 404] * 27, 200, *[429] * 5]
    refused = await world.call("GET", "/login", headers=PLAIN)
    assert 600 < int(refused.headers["retry-after"]) <= 900  # the ban's, not the bucket's
    assert "ratelimit" not in refused.headers
    world.clock.advance(1_000)
    assert [await asked("GET", "/login") for _ in range(2)] == [200, 429]


async def test_a_ban_without_an_end_tells_people_so_and_programs_to_come_back_in_a_day(world: World):
    world.address = STRANGER
    await world.services.bans.add(STRANGER, by=BY)
    page = await world.call("GET", PAGE, headers={"accept": "text/html"})
    assert (page.status_code, page.headers["retry-after"]) == (429, "86400")
    assert "That does not end by itself." in page.text
    assert "hours" not in page.text


async def test_fault_D12_sources_of_one_banned_48_share_what_a_ban_lets_through(world: World):
    seen = []
    for source in range(5):
        world.address = f"2001:db8:1:{source}00::1"
        ban(world, world.address)
        seen += [(await world.call("GET", "/assets/nothing")).status_code for _ in range(60)]
    assert seen == [*[404] * 240, *[429] * 60]


async def test_a_page_that_was_let_in_gets_what_it_is_made_of(tmp_path: Path):
    """Files count apart: ten for each page that a source may read."""
    async with open_world(tmp_path / "data", limits__read="2/1h") as world:
        world.address = STRANGER
        page = [await world.call("GET", "/login", headers=PLAIN) for _ in range(3)]
        assert [each.status_code for each in page] == [200, 200, 429]
        files = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page[0].text)
        assert len(files) == 3
        seen = [(await world.call("GET", file)).status_code for _ in range(7) for file in files]
        assert seen == [*[200] * 20, 429]
        assert world.door.refused == {("limit", "rate_read"): 1, ("limit", "rate_asset"): 1}


async def test_fault_D17_a_wrong_host_is_no_way_around_a_ban(world: World):
    world.address = STRANGER
    assert (await world.call("GET", "/", headers={"host": "elsewhere.example"})).status_code == 421
    ban(world)
    assert (await world.call("GET", "/", headers={"host": "elsewhere.example"})).status_code == 429


async def test_fault_D17_limits_hold_on_every_path_before_a_body_is_read(tmp_path: Path):
    """One request each, then nothing more; only probes for health are always answered."""
    names = ("read", "sign_in", "register", "account", "other")
    settings: dict[str, Any] = {f"limits__{name}": "1/1h" for name in names}
    async with open_world(tmp_path / "data", pages__password_form="true", **settings) as world:
        signed = await sign_in(world, "anna")
        world.address = STRANGER
        for path in ("/", "/api/nothing", *["/assets/nothing"] * 10):
            await world.call("GET", path)
        await world.call("POST", "/api/login/begin", {})
        await world.call("POST", "/api/register", {})
        for method, path in ways(world):
            status, body = await head_alone(world, method, path)
            assert status == (200 if path.startswith("/health/") else 429) or b"no body" in body, (
                method,
                path,
            )
        token = (b"authorization", f"Bearer {signed.token}".encode())
        routes = [route for route in world.services.routes if route.auth]
        seen = [(await head_alone(world, *filled(route), token))[0] for route in routes]
        assert seen[1:] == [429] * (len(routes) - 1)


async def test_what_a_class_has_is_exact_and_told(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__read="3/60s") as world:
        world.address = STRANGER
        seen = [await world.call("GET", PAGE, headers=PLAIN) for _ in range(5)]
        assert [each.status_code for each in seen] == [200, 200, 200, 429, 429]
        refused = seen[-1]
        assert refused.headers["retry-after"] == "20"
        assert refused.headers["ratelimit-policy"] == '"read";q=3;w=60'
        assert refused.headers["ratelimit"] == '"read";r=0;t=20'
        assert refused.json()["code"] == "too_many"
        assert "detail" not in refused.json()
        world.clock.advance(19_999)
        assert (await world.call("GET", PAGE, headers=PLAIN)).status_code == 429
        world.clock.advance(1)
        assert (await world.call("GET", PAGE, headers=PLAIN)).status_code == 200
        assert world.door.refused == {("limit", "rate_read"): 3}
        world.address = OTHER
        assert (await world.call("GET", PAGE, headers=PLAIN)).status_code == 200


async def test_people_are_told_on_a_page_when_to_come_back(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__read="1/10m") as world:
        world.address = STRANGER
        headers = {"accept": "text/html", "accept-language": "de"}
        await world.call("GET", PAGE, headers=headers)
        answer = await world.call("GET", PAGE, headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "600")
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["ratelimit"] == '"read";r=0;t=600'
        assert "in 10 Minuten" in answer.text
        again = await world.call("GET", PAGE, headers=headers)
        ids = [each.headers["x-request-id"] for each in (answer, again)]
        assert ids[0] != ids[1]
        assert again.text == answer.text.replace(ids[0], ids[1])
        english = await world.call("GET", PAGE, headers={**headers, "accept-language": "en"})
        assert "in 10 minutes" in english.text


async def test_an_account_has_its_own_limit_wherever_it_is_used_and_others_are_free(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__account="2/60s") as world:
        anna, berta = await sign_in(world, "anna"), await sign_in(world, "berta")
        seen = []
        for address in (STRANGER, OTHER, STRANGER, "127.0.0.1"):
            world.address = address
            seen.append((await world.call("GET", "/api/me", token=anna.token)).status_code)
        assert seen == [200, 200, 429, 429]
        assert (await world.call("GET", "/api/me", token=berta.token)).status_code == 200


async def test_sources_of_one_48_share_what_is_eight_times_as_much(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__read="1/60s") as world:
        seen = []
        for n in range(12):
            world.address = f"2001:db8:1:{n:x}::1"
            seen.append((await world.call("GET", PAGE, headers=PLAIN)).status_code)
        assert seen == [200] * 8 + [429] * 4
        world.address = "2001:db8:2::1"
        assert (await world.call("GET", PAGE, headers=PLAIN)).status_code == 200


async def test_without_limits_nobody_is_counted(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__enabled="false", limits__read="1/1h") as world:
        world.address = STRANGER
        seen = {(await world.call("GET", PAGE, headers=PLAIN)).status_code for _ in range(5)}
        assert seen == {200}


# ── one answer ──


def told(answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    """All that a caller sees, without the id and the time of this one request."""
    document = answer.json()
    request_id = document["request_id"]
    text = answer.text.replace(request_id, "ID")
    headers = [(name, value.replace(request_id, "ID")) for name, value in answer.headers.items()]
    return answer.status_code, text, headers


async def test_fault_D18_req_C4_a_ban_and_a_limit_answer_the_same_whoever_is_named(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__sign_in="2/60s") as world:
        await make_member(world, "anna")
        world.address = OTHER
        for _ in range(2):
            await world.call("POST", "/api/login/begin", {"envelope": "x"})
        bodies = [{"envelope": f"{name}.x"} for name in ("anna", "nobody")]
        limited = [told(await world.call("POST", "/api/login/begin", body)) for body in bodies]
        assert limited[0] == limited[1]
        assert limited[0][0] == 429
        world.address = STRANGER
        ban(world)
        paths = ("/api/login/begin", "/api/login", "/api/register", "/api/devices")
        banned = [told(await world.call("POST", path, body)) for path in paths for body in bodies]
        assert all(each == banned[0] for each in banned)
        assert int(dict(banned[0][2])["retry-after"]) > 0
        assert dict(limited[0][2]).keys() - dict(banned[0][2]).keys() == {"ratelimit", "ratelimit-policy"}
        assert banned[0][1] == limited[0][1]


async def test_fault_D18_a_refused_login_of_a_banned_caller_writes_nothing(world: World):
    await make_member(world, "anna")
    world.address = STRANGER
    ban(world)
    await world.services.bans.flush()
    before = await world.audit_tags()
    for _ in range(20):
        assert (await world.call("POST", "/api/login", {"envelope": "x"})).status_code == 429
    assert await world.audit_tags() == before


# ── offences ──


async def test_fault_D5_a_success_in_between_takes_back_no_failure(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__guessing="false") as world:
        own = await make_member(world, "mallory")
        await make_member(world, "anna")
        world.address = STRANGER
        for n in range(1, 20):
            assert (await try_login(world, "anna")).status_code == 403
            if n % 9 == 0:
                assert (await try_login(world, "mallory", own.login_secret)).status_code == 200
            world.clock.advance(20_000)
            assert not is_banned(world)
        assert (await try_login(world, "anna")).status_code == 403
        assert is_banned(world)
        assert (await world.call("GET", PAGE, headers=PLAIN)).status_code == 429


async def test_req_P5_strict_bans_for_one_bad_credential(strict: World):
    await make_member(strict, "anna")
    strict.address = STRANGER
    assert (await try_login(strict, "anna")).status_code == 403
    assert (await strict.call("GET", "/health/live")).status_code == 429
    strict.address = OTHER
    assert (await strict.call("GET", "/health/live")).status_code == 200


async def test_req_P4_a_forged_short_key_bans_at_once_on_both_policies(world: World, strict: World):
    for node in (world, strict):
        node.address = STRANGER
        good = await short_key(node, "anna")
        forged = good[:-2] + ("AA" if good[-2:] != "AA" else "BA")
        envelope = seal(node, Purpose.LOGIN, login_payload(node, "anna"), sk=forged)
        assert (await post(node, Purpose.LOGIN, envelope)).status_code == 403
        assert is_banned(node)


async def test_req_P3_too_many_at_once_bans_at_once_in_strict_alone(tmp_path: Path):
    for policy, banned in (("balanced", False), ("strict", True)):
        async with open_world(
            tmp_path / policy, bans__policy=policy, limits__concurrent="4", limits__read="1000/60s"
        ) as node:
            node.address = STRANGER
            leases = [await held(node) for _ in range(4)]
            answer = await node.call("GET", PAGE, headers=PLAIN)
            assert answer.status_code == 429
            assert node.door.refused == {("limit", "concurrent"): 1}
            assert is_banned(node) is banned
            for lease in leases:
                node.gate.leave(lease)
            answer = await node.call("GET", PAGE, headers=PLAIN)
            assert answer.status_code == (429 if banned else 200)


async def held(world: World) -> Any:
    """A request of the stranger's that is in work."""
    return await world.gate.reserve(request_for("/"), READ, "")


async def test_scanners_paths_count_and_in_strict_they_ban_at_once(world: World, strict: World):
    for node in (world, strict):
        node.address = STRANGER
    assert (await strict.call("GET", "/.git/config")).status_code in {401, 404}
    assert is_banned(strict)
    for _ in range(19):
        await world.call("GET", "/.git/config")
        await world.call("GET", "/favicon-96x96.png")
    assert not is_banned(world)
    await world.call("GET", "/wp-login.php")
    assert is_banned(world)


async def test_fault_C22_a_password_that_nobody_sealed_counts_as_a_failure(strict: World):
    tries: list[tuple[str, str, Any, dict[str, str]]] = [
        ("POST", "/api/login", {"name": "anna", "password": "canary secret"}, {}),
        ("POST", "/api/login?password=canary", {"envelope": "x"}, {}),
        ("GET", "/api/me", None, {"authorization": "Basic YW5uYTpjYW5hcnk="}),
        ("POST", "/api/login", None, {"content-type": "application/x-www-form-urlencoded"}),
    ]
    for n, (method, path, body, headers) in enumerate(tries):
        strict.address = f"192.0.2.{n + 10}"
        answer = await strict.call(method, path, body, headers=headers)
        assert answer.status_code in {400, 401, 403, 415}, path
        assert is_banned(strict, strict.address), path


async def test_a_form_that_shows_the_refusal_on_its_page_counts_as_any_login(tmp_path: Path):
    """Few are enough, since the server stretches each password of a form."""
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
    async with open_world(tmp_path, pages__password_form="true", bans__failures="3") as world:
        world.address = STRANGER
        for n in range(3):
            assert not is_banned(world)
            content = f"identifier=nobody{n}&password=wrong+password".encode()
            answer = await world.call("POST", "/login", content=content, headers=headers)
            assert answer.status_code == 403
        assert is_banned(world)


async def test_fault_D19_twenty_right_logins_at_once_all_succeed(world: World):
    anna = await make_member(world, "anna")
    world.address = STRANGER
    answers = await asyncio.gather(*(try_login(world, "anna", anna.login_secret) for _ in range(20)))
    assert [each.status_code for each in answers] == [200] * 20
    assert not world.door.refused


# ── who is exempt, and who passes ──


async def test_fault_D12_spoofed_headers_ban_nobody_else(strict: World):
    await make_member(strict, "anna")
    strict.address = STRANGER
    spoofed = {
        "x-forwarded-for": OTHER,
        "x-real-ip": OTHER,
        "forwarded": f"for={OTHER}",
    }
    assert (await strict.call("GET", "/.env", headers=spoofed)).status_code in {401, 404}
    assert is_banned(strict)
    assert not is_banned(strict, OTHER)


async def test_fault_D6_D8_D9_the_door_counts_whom_the_trusted_proxy_names(tmp_path: Path):
    proxy = "203.0.113.1"
    async with open_world(tmp_path / "data", proxies=proxy, limits__read="1/60s") as world:
        tries: list[tuple[str, dict[str, str], int]] = [
            (proxy, {"x-forwarded-for": f"{OTHER}, {STRANGER}"}, 200),
            (
                proxy,
                {"x-forwarded-for": f"127.0.0.1, {STRANGER}"},
                429,
            ),  # what the caller put before says nothing
            (proxy, {"x-forwarded-for": STRANGER, "x-real-ip": OTHER, "forwarded": f"for={OTHER}"}, 429),
            (proxy, {"x-forwarded-for": "198.51.100.77"}, 200),
            ("192.0.2.99", {"x-forwarded-for": "127.0.0.1"}, 200),
            ("192.0.2.99", {"x-forwarded-for": "198.51.100.78"}, 429),  # nobody's proxy: it is the caller
            (STRANGER, {}, 429),
        ]
        for peer, headers, status in tries:
            world.address = peer
            answer = await world.call("GET", PAGE, headers={**PLAIN, **headers})
            assert answer.status_code == status, (peer, headers)


async def test_fault_D12_a_proxys_connection_stays_whoever_is_banned_behind_it(tmp_path: Path):
    proxy = "203.0.113.1"
    async with open_world(tmp_path / "data", proxies=proxy) as world:
        ban(world)
        world.address = proxy
        banned = await world.call("GET", PAGE, headers={**PLAIN, "x-forwarded-for": STRANGER})
        assert (banned.status_code, banned.headers.get("connection")) == (429, None)
        other = await world.call("GET", PAGE, headers={**PLAIN, "x-forwarded-for": OTHER})
        assert other.status_code == 200
        world.address = STRANGER
        direct = await world.call("GET", PAGE, headers=PLAIN)
        assert (direct.status_code, direct.headers.get("connection")) == (429, "close")


async def test_fault_D12_loopback_and_the_allow_list_are_never_banned_nor_limited(tmp_path: Path):
    async with open_world(
        tmp_path / "data", bans__policy="strict", bans__allow="192.0.2.0/24", limits__read="1/1h"
    ) as world:
        world.address = STRANGER
        for _ in range(3):
            assert (await world.call("GET", "/.env")).status_code in {401, 404}
            assert (await world.call("GET", PAGE, headers=PLAIN)).status_code == 200
        assert not is_banned(world)
        world.address = "127.0.0.1"  # a list of one's own stands in the place of the default
        assert (await world.call("GET", "/.env")).status_code in {401, 404}
        assert is_banned(world, "127.0.0.1")
