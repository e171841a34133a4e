"""M15: the wall clock of a whole server jumps, forward and back and to the edges of what programs count."""

import asyncio
import itertools
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from tests.kits.world import ORIGIN, Person, World, open_world

from watchword.client.effects import Call, Stretch
from watchword.client.flows import account
from watchword.client.flows.sealed import begin
from watchword.core.clock import DAY, HOUR
from watchword.core.encoding import decode_b64u, decode_json
from watchword.errors import WatchwordError
from watchword.protocol.envelope import Purpose
from watchword.testing import FixedClock
from watchword.testing.counts import count

NOW = 1_800_000_000_000
BEGAN = NOW - 10 * DAY
"""When the data was made: a clock before that is no clock of this server."""
YEAR = 365 * DAY
ROOT_LIFE = 20 * YEAR
JUMPS = {
    "a leap second": -1000,  # the last second of the day is told twice
    "an hour ahead": HOUR,
    "an hour back": -HOUR,
    "a day ahead": DAY,
    "a day back": -DAY,
    "ten years ahead": 10 * YEAR,
    "past 2^31 seconds": (1 << 31) * 1000 + 5_000 - NOW,
    "to the year 9999": 253_402_300_799_000 - NOW,
}
TEN_MINUTES = 600


async def certificates(world: World) -> list[x509.Certificate]:
    """Every certificate that the server shows or keeps."""
    rows = await world.core.database.fetch_all("select chain from server_certificates", {})
    chains = [str(chain) for (chain,) in rows]
    return [x509.load_der_x509_certificate(decode_b64u(der)) for chain in chains for der in chain.split()]


async def assert_sane(world: World, person: Person) -> None:
    """Whatever time it is: certificates, published keys and the trail make sense, and the server answers."""
    for certificate in await certificates(world):
        assert certificate.not_valid_before_utc < certificate.not_valid_after_utc
    assert (await world.call("GET", "/health/live")).status_code == 200
    assert (await world.call("GET", "/.well-known/jwks.json")).json()["keys"]
    assert world.core.checkpointer.tick()
    assert (await world.core.audit.verify()).problems == []
    me = await world.call("GET", "/api/me", token=person.access_token)
    assert me.status_code in {200, 401}


async def log_in(world: World, person: Person) -> dict[str, int]:
    """Log in, and what the token says about its time."""
    answer = (await world.log_in(person.username, prover=person.prover)).answer
    assert answer.grant is not None
    _, payload, _ = answer.grant.access_token.split(".")
    claims = decode_json(decode_b64u(payload))
    assert claims["iss"] == ORIGIN
    assert claims["exp"] - claims["iat"] == TEN_MINUTES
    assert claims["iat"] == world.clock.now() // 1000
    assert answer.grant.session.created_at < answer.grant.session.expires_at <= answer.grant.session.ends_at
    person.enrolled = msgspec.structs.replace(person.enrolled, grant=answer.grant)
    return dict(claims)


async def keep_up(world: World) -> WatchwordError | None:
    """What the server does once a minute; an error of ours is logged there."""
    try:
        await world.core.keys.tick()
        await world.services.tidy(world.clock.now())
    except WatchwordError as error:
        return error
    return None


@pytest.mark.parametrize("jump", JUMPS)
def test_fault_M15_the_server_lives_through_a_jump_and_back(tmp_path: Path, jump: str) -> None:
    async def run() -> None:
        clock = FixedClock(BEGAN)
        async with open_world(tmp_path / "data", clock=clock) as world:
            clock.advance(NOW - BEGAN)
            assert await keep_up(world) is None
            person = await world.register("anna")
            await log_in(world, person)
            for by in (JUMPS[jump], -JUMPS[jump]):
                clock.jump(by)
                error = await keep_up(world)
                await assert_sane(world, person)
                if clock.now() < NOW + ROOT_LIFE:
                    assert error is None
                    await log_in(world, person)
            await log_in(world, person)
            await assert_sane(world, person)

    asyncio.run(run())


@pytest.mark.parametrize("jump", JUMPS)
def test_fault_M15_a_server_that_starts_after_a_jump_runs_or_says_why(tmp_path: Path, jump: str) -> None:
    async def run() -> None:
        async with open_world(tmp_path / "data", clock=FixedClock(BEGAN)) as world:
            person = await world.register("anna")
            assert world.core.checkpointer.start(fresh=True) == []
        refused = None
        try:
            async with open_world(tmp_path / "data", clock=FixedClock(NOW + JUMPS[jump]), seed="2") as world:
                await log_in(world, person)
                await assert_sane(world, person)
        except WatchwordError as error:
            refused = error
        assert (refused is not None) == (JUMPS[jump] > ROOT_LIFE)
        assert refused is None or refused.detail
        async with open_world(tmp_path / "data", clock=FixedClock(NOW + HOUR), seed="3") as world:
            await log_in(world, person)
            await assert_sane(world, person)

    asyncio.run(run())


@pytest.mark.parametrize("jump", JUMPS)
def test_fault_M15_a_short_key_is_never_good_twice_however_the_clock_goes(tmp_path: Path, jump: str) -> None:
    """One sealed login, sent before the jump, after it, and after the way back."""

    async def run() -> None:
        clock = FixedClock(BEGAN)
        async with open_world(tmp_path / "data", clock=clock) as world:
            clock.advance(NOW - BEGAN)
            assert await keep_up(world) is None
            person = await world.register("anna")
            flow = account.log_in(
                "anna",
                person.password,
                to=world.recipient(),
                entropy=world.client_entropy,
                prover=person.prover,
            )
            effect = next(flow)
            while isinstance(effect, Stretch) or effect.path != "/api/login":
                effect = flow.send(await world._perform(effect))
            assert isinstance(effect, Call)
            answers = []
            for by in (0, JUMPS[jump], 0, -JUMPS[jump], 0):
                clock.jump(by)
                answers.append((await world.call("POST", effect.path, effect.body)).status_code)
            assert answers.count(200) == 1, answers
            assert answers[0] == 200
            assert set(answers[1:]) <= {401, 403, 409}, answers

    asyncio.run(run())


def test_fault_M15_short_keys_do_not_repeat_over_jumps(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FixedClock(BEGAN)
        async with open_world(tmp_path / "data", clock=clock) as world:
            clock.advance(NOW - BEGAN)
            assert await keep_up(world) is None
            await world.register("anna")
            seen: list[str] = []
            for by in itertools.islice(itertools.cycle((HOUR, -HOUR, DAY, -DAY, 0)), count(20, 400)):
                clock.jump(by)
                flow = begin("anna", Purpose.LOGIN, to=world.recipient(), entropy=world.client_entropy)
                seen.append((await world.run(flow)).short_key)
            assert len(set(seen)) == len(seen)

    asyncio.run(run())
