"""The operator's use cases on both engines, over the whole server: what an operator says has happened, has happened."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.kits.sealed import count_rows, make_member, sign_in, tables_of, try_login, whole_state
from tests.kits.world import World, open_world

from watchword.core.clock import DAY, HOUR
from watchword.core.encoding import decode_json
from watchword.errors import MalformedError, NotFoundError
from watchword.server.accounts.model import AccountState
from watchword.server.operator import LocalOperator, OperatorService

pytestmark = pytest.mark.anyio
BY = LocalOperator(4242)


@pytest.fixture
async def world(tmp_path: Path, database_location: str | Path) -> AsyncIterator[World]:
    database = None if isinstance(database_location, Path) else database_location
    async with open_world(tmp_path / "world", database=database) as opened:
        yield opened


def operator(world: World) -> OperatorService:
    return world.services.operator


async def newest(world: World) -> tuple[str, dict[str, object]]:
    entry = (await world.core.audit.tail(1))[0]
    return entry.tag, decode_json(entry.facts.encode())


async def status_of(world: World, token: str) -> int:
    return (await world.call("GET", "/api/me", token=token)).status_code


async def test_accounts_are_listed_in_pages_and_shown_by_any_name(world) -> None:
    names = ["ann", "ben", "cyd"]
    for name in names:
        await make_member(world, name, email=f"{name}@example.org")
        world.clock.advance(5)
    first = await operator(world).list_accounts(limit=2)
    rest = await operator(world).list_accounts(after=first[-1].id, limit=2)
    assert [account.username for account in (*first, *rest)] == names
    assert len(await operator(world).list_accounts(limit=0)) == 1
    signed = await sign_in(world, "dan", email="dan@example.org")
    for name in ("dan", "DAN", "Dan@EXAMPLE.org", signed.enrolled.account.id):
        shown = await operator(world).show_account(name)
        assert shown.account.username == "dan"
        assert shown.devices == 1
        assert [str(one.id) for one in shown.sessions] == [signed.enrolled.grant.session.id]
    for name in ("eve", "", "no@example.org", "acc_" + "0" * 26, "' or 1=1 --", "a\0b"):
        with pytest.raises(NotFoundError):
            await operator(world).show_account(name)


async def test_a_level_is_set_and_stands_in_the_next_token(world) -> None:
    ada = await sign_in(world, "ada")
    assert (await operator(world).set_level("ada", 7, BY)).level == 7
    me = await world.call("GET", "/api/me", token=ada.token)
    assert me.json()["account"]["level"] == 7
    tag, facts = await newest(world)
    assert tag == "operator:account:set-level"
    assert {name: facts[name] for name in ("before", "level", "uid")} == {
        "before": 0,
        "level": 7,
        "uid": 4242,
    }
    for level in (-1, 10):
        with pytest.raises(MalformedError):
            await operator(world).set_level("ada", level, BY)
    with pytest.raises(NotFoundError):
        await operator(world).set_level("nobody", 1, BY)


async def test_a_suspended_account_has_no_session_and_no_login_until_it_is_resumed(world) -> None:
    ada, ben = await sign_in(world, "ada"), await sign_in(world, "ben")
    secret = ada.member.login_secret
    assert (await operator(world).suspend("ada", BY)).state is AccountState.SUSPENDED
    assert (await newest(world))[0] == "operator:account:suspend"
    assert await status_of(world, ada.token) == 401
    assert await status_of(world, ben.token) == 200
    assert (await try_login(world, "ada", secret, prover=ada.prover)).status_code == 403
    assert (await operator(world).show_account("ada")).sessions == ()
    assert (await operator(world).resume("ada", BY)).state is AccountState.ACTIVE
    assert (await newest(world))[0] == "operator:account:resume"
    assert await status_of(world, ada.token) == 401  # sessions do not come back
    assert (await try_login(world, "ada", secret, prover=ada.prover)).status_code == 200


async def test_a_deleted_account_leaves_no_row_but_the_audit_trail(world) -> None:
    await sign_in(world, "ben", email="ben@example.org")
    before = {name: rows for name, rows in (await whole_state(world)).items() if rows}
    ada = await sign_in(world, "ada", email="ada@example.org")
    await try_login(world, "ada", ada.member.login_secret)  # an unused temporary token
    await operator(world).delete("ada", BY)
    tag, facts = await newest(world)
    assert (tag, facts["account"]) == ("operator:account:delete", ada.enrolled.account.id)
    after = {name: rows for name, rows in (await whole_state(world)).items() if rows}
    assert after == before
    assert await status_of(world, ada.token) == 401
    with pytest.raises(NotFoundError):
        await operator(world).delete("ada", BY)
    again = await sign_in(world, "ada", email="ada@example.org")
    assert again.enrolled.account.id != ada.enrolled.account.id
    assert "accounts" in await tables_of(world)


async def test_an_invitation_is_listed_until_it_is_used_or_over(world) -> None:
    short = await operator(world).invite(BY, level=1, valid_for=HOUR, note="for a day’s guest")
    world.clock.advance(1)
    long = await operator(world).invite(BY, level=3, valid_for=30 * DAY)
    assert await operator(world).list_invites() == [short.invite, long.invite]
    assert (await newest(world))[0] == "operator:invite:make"
    member = await make_member(world, "ada", invitation=long.text)
    assert member.registered.account.level == 3
    assert await operator(world).list_invites() == [short.invite]
    world.clock.advance(HOUR - 2)
    assert await operator(world).list_invites() == [short.invite]
    world.clock.advance(1)
    assert await operator(world).list_invites() == []
    assert await count_rows(world, "invites") == 2


async def test_the_audit_trail_of_all_that_verifies(world) -> None:
    await sign_in(world, "ada")
    await operator(world).set_level("ada", 2, BY)
    await operator(world).suspend("ada", BY)
    await operator(world).resume("ada", BY)
    await operator(world).delete("ada", BY)
    world.core.checkpointer.start()
    world.core.checkpointer.tick()
    report = await operator(world).verify_audit()
    assert report.ok, report.problems
    assert report.entries == 7
    tags = [entry.tag async for entry in operator(world).tail_audit(4)]
    actions = ("set-level", "suspend", "resume", "delete")
    assert tags == [f"operator:account:{action}" for action in actions]
