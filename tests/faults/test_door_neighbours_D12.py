"""FAULTS D12: what neighbours at one address use up keeps out neither accounts nor devices that prove themselves."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.faults.test_door_D import PAGE, PLAIN, STRANGER, ban, head_alone, held, is_banned
from tests.kits.sealed import sign_in, try_login
from tests.kits.world import World, open_world
from tests.pairs.test_device_header import key_of

from watchword.server.bans.model import Offence

pytestmark = pytest.mark.anyio

TWICE = ((b"cookie", b"a=1"), (b"cookie", b"b=2"))


async def read(world: World, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await world.call("GET", PAGE, headers={**PLAIN, **named})).status_code


async def test_fault_D12_neighbours_who_hold_all_places_keep_no_account_and_no_device_out(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__concurrent="4", bans__policy="strict") as world:
        anna = await sign_in(world, "anna")
        world.address = STRANGER
        leases = [await held(world) for _ in range(4)]
        assert (await world.call("GET", "/api/me", token=anna.token)).status_code == 200
        world.header_key = key_of(world, anna)
        answer = await try_login(world, "anna", anna.member.login_secret, prover=anna.prover)
        assert answer.status_code == 200
        assert not is_banned(world)
        world.header_key = None
        assert await read(world) == 429
        assert is_banned(world)
        for lease in leases:
            world.gate.leave(lease)


async def test_fault_D12_a_full_place_is_no_way_for_a_forged_header_or_another_name(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__sign_in="1/10m") as world:
        anna = await sign_in(world, "anna")
        bert = await sign_in(world, "bert")
        world.address = STRANGER
        assert (await world.call("POST", "/api/login/begin", {"envelope": "x"})).status_code == 403
        headers = {"watchword-device": "x"}
        answer = await world.call("POST", "/api/login/begin", {"envelope": "x"}, headers=headers)
        assert answer.status_code == 429
        world.header_key = key_of(world, anna)
        answer = await try_login(world, "bert", bert.member.login_secret, prover=bert.prover)
        assert answer.status_code in {403, 429}


@pytest.mark.parametrize("limit", ["limits__account", "limits__sign_in"])
async def test_fault_D12_who_proved_something_may_ask_too_much_and_is_not_banned_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
):
    settings: dict[str, Any] = {limit: "1/1h"}
    offences: list[Offence] = []
    async with open_world(tmp_path / "data", bans__policy="strict", **settings) as world:
        anna = await sign_in(world, "anna")
        world.address = STRANGER
        monkeypatch.setattr(world.services.bans, "offend", offences.append)
        for _ in range(3):
            await world.call("GET", "/api/me", token=anna.token)
        if limit == "limits__sign_in":
            world.header_key = key_of(world, anna)
            answer = await try_login(world, "anna", anna.member.login_secret, prover=anna.prover)
            assert answer.status_code == 200  # with the request of the source, and that of the device
            assert (await world.call("POST", "/api/login/begin", {"envelope": "x"})).status_code == 429
        assert ("limit", f"rate_{limit.removeprefix('limits__')}") in world.door.refused
        assert offences == []


async def test_the_bucket_of_a_device_is_taken_by_the_device_alone_once_the_source_is_full(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__sign_in="2/10m") as world:
        anna = await sign_in(world, "anna")
        world.address = STRANGER
        key = key_of(world, anna)
        bodies = [{"envelope": "x"}] * 5
        answers: list[httpx.Response] = []
        for world.header_key, body in zip([None, None, key, key, key], bodies, strict=True):
            answers.append(await world.call("POST", "/api/login/begin", body))
        assert [each.status_code for each in answers] == [403, 403, 403, 403, 429]


async def test_fault_D9_a_proxy_that_nobody_named_makes_strangers_not_exempt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with open_world(tmp_path / "data", bans__policy="strict", limits__read="1/60s") as world:
        assert [await read(world) for _ in range(3)] == [200, 200, 200]
        names = ("x_forwarded_for", "forwarded", "x_real_ip")
        seen = [await read(world, **{name: STRANGER}) for name in names]
        assert seen == [200, 429, 429]
        assert await read(world) == 200
        assert not is_banned(world, "127.0.0.1")
        assert [line.getMessage() for line in caplog.records].count("proxy.not_configured") == 1


async def test_a_banned_caller_has_few_proofs_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with open_world(tmp_path / "data", limits__account="1000/60s") as world:
        anna = await sign_in(world, "anna")
        world.address = STRANGER
        ban(world)
        asked = [await read(world) for _ in range(50)]  # without a proof there is nothing to look at
        assert set(asked) == {429}
        seen = [await world.call("GET", "/api/me", token=anna.token) for _ in range(50)]
        assert [each.status_code for each in seen] == [200] * 40 + [429] * 10
        world.clock.advance(1000)
        seen = [await world.call("GET", "/api/me", token=anna.token) for _ in range(25)]
        assert [each.status_code for each in seen] == [200] * 20 + [429] * 5


async def test_fault_D17_headers_that_stand_twice_are_no_way_around_a_ban_or_a_limit(tmp_path: Path):
    async with open_world(tmp_path / "data", limits__other="2/1h") as world:
        world.address = STRANGER
        seen = [(await head_alone(world, "GET", PAGE, *TWICE))[0] for _ in range(3)]
        assert seen == [400, 400, 429]
        assert world.door.refused == {("limit", "rate_other"): 1}
        ban(world)
        assert (await head_alone(world, "POST", "/api/login", *TWICE))[0] == 429
        assert world.door.refused["ban", "banned"] == 1


async def test_a_scanner_is_none_the_better_for_a_header_that_stands_twice(tmp_path: Path):
    async with open_world(tmp_path / "data", bans__policy="strict") as world:
        world.address = STRANGER
        assert (await head_alone(world, "GET", "/.env", *TWICE))[0] == 400
        assert is_banned(world)
        answers = await asyncio.gather(*(read(world) for _ in range(3)))
        assert answers == [429] * 3
