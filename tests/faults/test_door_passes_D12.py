"""FAULTS D12: a neighbour behind a banned address comes in with a live session or a device, and nobody else does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.faults.test_door_D import PAGE, PLAIN, STRANGER, ban
from tests.kits.sealed import SignedIn, make_member, sign_in, try_login
from tests.kits.world import World, open_world
from tests.pairs.test_device_header import key_of

from watchword.core.clock import MINUTE
from watchword.core.ids import DeviceId
from watchword.protocol.device_header import DEVICE_HEADER
from watchword.server.sessions.cookie import COOKIE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "data") as found:
        yield found


@pytest.fixture
async def anna(world: World) -> SignedIn:
    """She signed in from elsewhere; from here on everything comes from an address that is banned."""
    signed = await sign_in(world, "anna")
    world.address = STRANGER
    ban(world)
    return signed


def ends_in(world: World) -> int:
    found = world.services.bans.find(STRANGER)
    return found.ends_in_s() if found is not None else 0


async def test_fault_D12_a_live_session_passes_but_not_to_where_one_guesses(world: World, anna: SignedIn):
    assert (await world.call("GET", "/api/me", token=anna.token)).status_code == 200
    assert (await world.call("GET", "/api/nothing", token=anna.token)).status_code == 404
    assert (await world.call("GET", "/api/me")).status_code == 429
    for path in ("/api/login/begin", "/api/login", "/api/devices", "/api/register"):
        answer = await world.call("POST", path, {"envelope": "x"}, token=anna.token)
        assert answer.status_code == 429, path
    assert (await world.call("DELETE", "/api/sessions", token=anna.token)).status_code == 204
    before = ends_in(world)
    assert (await world.call("GET", "/api/me", token=anna.token)).status_code == 429
    assert ends_in(world) <= before  # a session that has ended is no offence


async def test_fault_D12_a_cookie_opens_pages_and_nothing_else(world: World):
    bert = await sign_in(world, "bert")
    answer = await try_login(world, "bert", bert.member.login_secret, prover=bert.prover, browser=True)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    world.address = STRANGER
    ban(world)
    headers = {**PLAIN, "cookie": cookie}
    assert (await world.call("GET", PAGE, headers=headers)).status_code in {200, 303}
    assert (await world.call("GET", "/dashboard", headers=headers)).status_code == 200
    assert (await world.call("GET", "/api/me", headers=headers)).status_code == 429
    assert (await world.call("GET", PAGE, headers=PLAIN)).status_code == 429


@pytest.mark.parametrize("name", ["authorization", "cookie"])
async def test_fault_D12_a_forged_proof_passes_nothing_and_prolongs_the_ban(
    world: World, anna: SignedIn, name: str
):
    head, claims, signature = anna.token.split(".")
    forged = {
        "authorization": f"Bearer {head}.{claims}.{'A' * len(signature)}",
        "cookie": f"{COOKIE}=wbs_{'A' * 64}",
    }[name]
    world.clock.advance(10 * MINUTE)
    before = ends_in(world)
    path = "/api/me" if name == "authorization" else PAGE
    for _ in range(20):
        assert (await world.call("GET", path, headers={**PLAIN, name: forged})).status_code == 429
    assert (ends_in(world) > before) is (name == "authorization")  # no session has that cookie's id


async def test_fault_D12_a_device_that_proves_itself_signs_in_from_a_banned_address(
    world: World, anna: SignedIn
):
    secret = anna.member.login_secret
    world.header_key = key_of(world, anna)
    assert (await try_login(world, "anna", secret, prover=anna.prover)).status_code == 200
    world.header_key = None
    answer = await world.call("POST", "/api/login", {"envelope": "x"})
    assert answer.status_code == 429
    assert world.door.refused == {("ban", "banned"): 1}


async def test_fault_D12_a_proven_device_opens_the_way_to_no_other_name(world: World, anna: SignedIn):
    world.address = "198.51.100.9"
    bert = await make_member(world, "bert")
    world.address = STRANGER
    world.header_key = key_of(world, anna)
    right = bert.login_secret
    assert (await try_login(world, "bert", right)).status_code == 403
    assert (await try_login(world, "bert", right, prover=anna.prover)).status_code == 403
    for path in ("/api/register", "/api/devices"):
        assert (await world.call("POST", path, {"envelope": "x"})).status_code == 429
    assert (await world.call("GET", PAGE, headers=PLAIN)).status_code == 429


async def test_fault_D12_a_forged_header_prolongs_the_ban(world: World, anna: SignedIn):
    world.clock.advance(10 * MINUTE)
    before, key = ends_in(world), key_of(world, anna)
    header = key.header("POST", "/api/login", now=world.clock.now(), entropy=world.client_entropy)
    nobody = str(DeviceId.new(world.clock.now(), world.client_entropy))
    for text in (header.replace(str(key.device), nobody), header.replace("mac=", "mac=A")[:-1]):
        answer = await world.call("POST", "/api/login", {"envelope": "x"}, headers={DEVICE_HEADER: text})
        assert answer.status_code == 429
    assert ends_in(world) > before


async def test_fault_D12_neighbours_who_use_up_a_limit_do_not_keep_a_device_out(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__sign_in="3/10m") as world:
        anna = await sign_in(world, "anna")
        world.address = STRANGER
        statuses = [
            (await world.call("POST", "/api/login/begin", {"envelope": "x"})).status_code for _ in range(4)
        ]
        assert statuses == [403, 403, 403, 429]
        world.header_key = key_of(world, anna)
        answer = await try_login(world, "anna", anna.member.login_secret, prover=anna.prover)
        assert answer.status_code == 200
