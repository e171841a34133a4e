"""FAULTS C24, C25: a new password ends everything that the old one began, whatever runs at the same moment."""

import asyncio
from pathlib import Path

import pytest
from tests.kits.sealed import (
    Member,
    SignedIn,
    entries,
    log_in_as,
    login_payload,
    make_member,
    password_payload,
    post,
    reasons,
    seal,
    shape,
    short_key,
    sign_in,
    split,
    try_change,
    try_enrol,
    try_login,
    whole_state,
)
from tests.kits.world import World, open_world, two_worlds

from watchword.client.flows.account import DeviceKeys
from watchword.core.clock import MINUTE
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import LoginAnswer
from watchword.server.accounts.model import LoginAttempt
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.guessing.model import LaneKey
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio


async def live_sessions(world: World) -> set[bytes]:
    rows = await world.core.database.fetch_all("select id from sessions where ended_at is null", {})
    return {bytes(row[0]) for row in rows if isinstance(row[0], bytes)}


async def second_device(world: World, member: Member) -> SignedIn:
    answer: LoginAnswer = await log_in_as(world, member)
    assert answer.temporary_token is not None
    keys = DeviceKeys.generate(world.client_entropy)
    return SignedIn(member=member, keys=keys, enrolled=await world.enrol(answer.temporary_token, keys))


async def test_fault_C24_a_change_needs_the_current_password_and_then_ends_everything_else(
    tmp_path: Path, database_location: str | Path
) -> None:
    database = None if isinstance(database_location, Path) else database_location
    async with open_world(tmp_path / "w", database=database) as world:
        anna = await sign_in(world, "anna")
        other = await second_device(world, anna.member)
        pending = (await log_in_as(world, anna.member)).temporary_token
        assert pending is not None
        before = await whole_state(world)
        for bad in (
            password_payload(world, anna.member, login_secret="A" * 43),
            {k: v for k, v in password_payload(world, anna.member).items() if k != "login_secret"},
            password_payload(world, anna.member, logins=[split(world.client_entropy, "email")]),
            password_payload(world, anna.member, version=3),
            password_payload(world, anna.member, identifier="nobody"),
        ):
            assert (await try_change(world, anna, bad)).status_code == 403
        assert await whole_state(world) == before
        bert = await make_member(world, "bert")
        foreign = password_payload(world, anna.member, identifier="bert", login_secret=bert.login_secret)
        assert (await try_change(world, anna, foreign)).status_code == 403
        assert (await try_change(world, anna, password_payload(world, anna.member))).status_code == 200
        assert (await world.call("GET", "/api/me", token=anna.token)).status_code == 200
        assert (await world.call("GET", "/api/me", token=other.token)).status_code == 401
        assert (await try_enrol(world, pending, DeviceKeys.generate(world.client_entropy))).status_code == 403
        assert (await try_login(world, "anna", anna.member.login_secret)).status_code == 403
        assert len(await live_sessions(world)) == 1
        assert set(await reasons(world, "account:password:change-refused")) >= {"wrong_secret", "form"}
        assert len(await entries(world, "account:password:change")) == 1


async def test_fault_C24_a_change_is_seen_by_every_node_at_once(tmp_path: Path, postgres_url: str) -> None:
    async with two_worlds(tmp_path, postgres_url) as (one, two):
        anna = await sign_in(one, "anna")
        other = await second_device(two, anna.member)
        assert (await two.call("GET", "/api/me", token=other.token)).status_code == 200
        assert (await try_change(one, anna, password_payload(one, anna.member))).status_code == 200
        for node in (one, two):
            assert (await node.call("GET", "/api/me", token=other.token)).status_code == 401
            assert (await node.call("GET", "/api/me", token=anna.token)).status_code == 200
            assert (await try_login(node, "anna", anna.member.login_secret)).status_code == 403


async def test_fault_C24_an_enrolment_is_not_repeated_past_a_new_password(tmp_path: Path) -> None:
    """The thief's device was enrolled with the old password a minute ago; it holds its credential and its key."""
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        token = (await log_in_as(world, anna.member)).temporary_token
        assert token is not None
        thief = DeviceKeys.generate(world.client_entropy)
        await world.enrol(token, thief)
        assert (await try_enrol(world, token, thief)).status_code == 201
        assert (await try_change(world, anna, password_payload(world, anna.member))).status_code == 200
        assert (await try_enrol(world, token, thief)).status_code == 403
        assert len(await live_sessions(world)) == 1


@pytest.mark.parametrize("everywhere", [False, True])
async def test_an_enrolment_is_not_repeated_past_a_logout(tmp_path: Path, everywhere: bool) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        token = anna.member.registered.temporary_token
        path = "/api/sessions" if everywhere else f"/api/sessions/{anna.enrolled.grant.session.id}"
        assert (await world.call("DELETE", path, token=anna.token)).status_code == 204
        world.clock.advance(MINUTE)
        assert (await try_enrol(world, token, anna.keys)).status_code == 403
        assert await live_sessions(world) == set()


@pytest.mark.timeout(1200)
async def test_fault_C24_no_login_with_the_old_password_outlives_the_change(
    tmp_path: Path, database_location: str | Path
) -> None:
    """Logins run all the time; once the change is acknowledged, none with the old password has left a session."""
    database = None if isinstance(database_location, Path) else database_location
    async with open_world(tmp_path / "w", database=database) as world:
        for number in range(count(4, 60)):
            anna = await sign_in(world, f"anna{number}")
            prover = (await second_device(world, anna.member)).prover
            envelopes = [
                seal(
                    world,
                    Purpose.LOGIN,
                    login_payload(world, anna.member.name, anna.member.login_secret),
                    sk=await short_key(world, anna.member.name),
                )
                for _ in range(12)
            ]
            payload = password_payload(world, anna.member)
            change = asyncio.create_task(try_change(world, anna, payload))
            logins = [
                asyncio.create_task(post(world, Purpose.LOGIN, one, prover=prover)) for one in envelopes
            ]
            assert (await change).status_code == 200
            answers = await asyncio.gather(*logins)
            assert {answer.status_code for answer in answers} <= {200, 403, 429}
            mine = anna.enrolled.grant.session.id
            rows = await world.core.database.fetch_all(
                "select s.id from sessions s join accounts a on a.id = s.account_id"
                " where s.ended_at is null and a.username = :name",
                {"name": anna.member.name},
            )
            assert len(rows) == 1
            assert (await world.call("GET", "/api/me", token=anna.token)).json()["session"] == mine


class Held(SQLAccountStore):
    """Reads the login, then waits: whoever asked goes on with what was true before."""

    gate: asyncio.Event
    reached: asyncio.Event
    holding = False

    async def find_attempt(self, identifier_key: str, nobody: LaneKey) -> LoginAttempt:
        found = await super().find_attempt(identifier_key, nobody)
        if Held.holding:
            Held.holding = False
            Held.reached.set()
            await Held.gate.wait()
        return found


@pytest.mark.parametrize("scheme", ["hmac", "argon2id"])
async def test_fault_C25_neither_a_login_nor_its_rehash_overtakes_a_password_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The login has read the old verifier; then the change commits; then the login goes on."""
    Held.gate, Held.reached = asyncio.Event(), asyncio.Event()
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
    monkeypatch.setattr("watchword.server.assembly.SQLAccountStore", Held)
    async with open_world(tmp_path, clock=world.clock, seed="b", passwords__server_hash=scheme) as world:
        key = await short_key(world, "anna")
        envelope = seal(world, Purpose.LOGIN, login_payload(world, "anna", anna.member.login_secret), sk=key)
        Held.holding = True
        login = asyncio.create_task(post(world, Purpose.LOGIN, envelope, prover=anna.prover))
        await Held.reached.wait()
        payload = password_payload(world, anna.member)
        assert (await try_change(world, anna, payload)).status_code == 200
        row = await world.core.database.fetch_one("select verifier from logins", {})
        Held.gate.set()
        answer = await login
        assert shape(answer) == shape(await try_login(world, "nobody"))
        assert "changed_meanwhile_account" in await reasons(world, "account:session:login-refused")
        assert await world.core.database.fetch_one("select verifier from logins", {}) == row
        assert (await try_login(world, "anna", anna.member.login_secret)).status_code == 403
        new = payload["logins"][0]["login_secret"]
        assert (await try_login(world, "anna", new)).status_code == 200


async def test_fault_C25_two_logins_that_rehash_at_once_leave_a_good_verifier(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
    async with open_world(tmp_path, seed="b", passwords__server_hash="argon2id") as world:
        answers = await asyncio.gather(
            *(try_login(world, "anna", anna.member.login_secret) for _ in range(4))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert (await try_login(world, "anna", anna.member.login_secret)).status_code == 200
        assert (await try_login(world, "anna")).status_code == 403


async def test_the_client_key_does_not_change_with_a_rehash(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
    async with open_world(tmp_path, seed="b", passwords__server_hash="argon2id") as world:
        answer = await log_in_as(world, anna.member, prover=anna.prover)
        assert answer.grant is not None
        assert answer.grant.client_key == anna.enrolled.grant.client_key


async def test_fault_C24_two_changes_at_once_leave_one(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        payloads = [password_payload(world, anna.member) for _ in range(8)]
        answers = await asyncio.gather(*(try_change(world, anna, one) for one in payloads))
        first, *rest = sorted(answer.status_code for answer in answers)
        assert first == 200
        assert set(rest) <= {403, 429}  # a password that is old by now is a wrong one, and is counted
        good = next(
            one["logins"][0]["login_secret"]
            for one, answer in zip(payloads, answers, strict=True)
            if answer.status_code == 200
        )
        assert (await try_login(world, "anna", good)).status_code == 200
