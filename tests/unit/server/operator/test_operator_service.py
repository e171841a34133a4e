"""The operator's use cases, on a whole server with real storage."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.kits.world import World, open_world

from watchword.core.clock import DAY, HOUR
from watchword.errors import ConflictError, MalformedError, NotFoundError, RefusedError
from watchword.server.accounts.model import AccountState
from watchword.server.db.unit import Unit
from watchword.server.operator import LocalOperator, OperatorService

pytestmark = pytest.mark.anyio
BY = LocalOperator(4242)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "data") as opened:
        yield opened


def operator(world: World) -> OperatorService:
    return world.services.operator


async def newest(world: World) -> tuple[str, dict[str, Any]]:
    entry = (await world.core.audit.tail(1))[0]
    return entry.tag, json.loads(entry.facts)


async def status_of(world: World, token: Any) -> int:
    return (await world.call("GET", "/api/sessions", token=token)).status_code


async def test_an_account_is_found_by_name_in_any_spelling_by_e_mail_and_by_id(world):
    ada = await world.register("ada", email="ada@example.org")
    for name in ("ada", "ADA", "Ada@Example.org", ada.registered.account.id):
        found = await operator(world).show_account(name)
        assert found.account.username == "ada"
        assert found.devices == len(found.sessions) == 1


@pytest.mark.parametrize(
    "name", ["", "nobody", "x" * 300, "no@example.org", "acc_" + "0" * 26, "\ud800", "a b"]
)
async def test_a_name_that_nobody_has_is_not_found(world, name):
    await world.register("ada")
    with pytest.raises((NotFoundError, MalformedError)):
        await operator(world).show_account(name)


async def test_accounts_come_in_pages_none_twice_none_left_out(world):
    names = ["ann", "ben", "cyd", "dan", "eve"]
    for name in names:
        await world.register(name)
        world.clock.advance(5)
    seen, after = [], None
    while page := await operator(world).list_accounts(after=after, limit=2):
        seen += [account.username for account in page]
        after = page[-1].id
        assert len(page) <= 2
    assert seen == names


async def test_a_level_is_set_and_the_audit_names_who_did_it(world):
    await world.register("ada")
    assert (await operator(world).set_level("ada", 7, BY)).level == 7
    tag, facts = await newest(world)
    assert tag == "operator:account:set-level"
    assert facts["before"] == 0
    assert facts["level"] == 7
    assert facts["by"] == "local operator"
    assert facts["uid"] == 4242


@pytest.mark.parametrize("level", [-1, 10])
async def test_a_level_beyond_its_range_is_refused(world, level):
    await world.register("ada")
    with pytest.raises(MalformedError, match="0 to 9"):
        await operator(world).set_level("ada", level, BY)
    with pytest.raises(MalformedError, match="0 to 9"):
        await operator(world).invite(BY, level=level)


async def test_suspension_ends_every_session_and_every_way_to_a_new_one(world):
    ada, other = await world.register("ada"), await world.register("ben")
    unused = (await world.log_in("ada")).answer
    assert await status_of(world, ada.access_token) == 200
    account = await operator(world).suspend("ada", BY)
    assert account.state is AccountState.SUSPENDED
    assert (await operator(world).show_account("ada")).sessions == ()
    assert await status_of(world, ada.access_token) == 401
    with pytest.raises(RefusedError):
        await world.log_in("ada")
    with pytest.raises(RefusedError):
        await world.enrol(unused.temporary_token or "", ada.keys)
    assert await status_of(world, other.access_token) == 200


async def test_a_resumed_account_logs_in_again_and_its_old_sessions_stay_ended(world):
    ada = await world.register("ada")
    await operator(world).suspend("ada", BY)
    assert (await operator(world).resume("ada", BY)).active
    tag, facts = await newest(world)
    assert (tag, facts["uid"]) == ("operator:account:resume", 4242)
    assert await status_of(world, ada.access_token) == 401
    await world.log_in("ada", prover=ada.prover)
    assert len((await operator(world).show_account("ada")).sessions) == 1


async def test_resuming_an_account_that_is_not_suspended_ends_nothing(world):
    ada = await world.register("ada")
    await operator(world).resume("ada", BY)
    assert await status_of(world, ada.access_token) == 200


TABLES = ("accounts", "logins", "retired_seeds", "chests", "devices", "sessions", "enrolment_credentials")


async def rows(world: World) -> dict[str, int]:
    found = {
        table: await world.core.database.fetch_one(f"select count(*) from {table}", {}) for table in TABLES
    }
    return {table: int(row[0] or 0) for table, row in found.items() if row is not None}


async def test_a_deleted_account_leaves_nothing_but_the_audit_trail(world):
    before = await rows(world)
    ada = await world.register("ada", email="ada@example.org")
    await operator(world).delete("ada@example.org", BY)
    assert await rows(world) == before
    tag, facts = await newest(world)
    assert (tag, facts["uid"]) == ("operator:account:delete", 4242)
    assert facts["account"] == ada.registered.account.id
    assert await status_of(world, ada.access_token) == 401
    with pytest.raises(RefusedError):
        await world.log_in("ada")
    with pytest.raises(NotFoundError):
        await operator(world).delete("ada", BY)
    await world.register("ada", email="ada@example.org")


async def test_a_change_of_an_account_that_is_deleted_meanwhile_is_not_half_done(world):
    await world.register("ada")
    service, database = operator(world), world.core.database
    account = (await service.show_account("ada")).account
    unit = Unit(key=account.id.value)
    world.services.operator._accounts.delete(unit, account.id)

    class DeletesFirst:
        """The real database, where somebody is faster by one unit of work."""

        async def commit(self, later: Unit) -> None:
            await database.commit(unit)
            await database.commit(later)

    service._database = DeletesFirst()  # type: ignore[assignment]  # only `commit` is called
    count = len(await world.core.audit.tail(1000))
    with pytest.raises(NotFoundError, match="meanwhile"):
        await service.suspend("ada", BY)
    assert len(await world.core.audit.tail(1000)) == count


async def test_an_invitation_makes_one_account_of_its_level(tmp_path):
    async with open_world(tmp_path / "data", registration="invite") as world:
        made = await operator(world).invite(BY, level=3, note="for Ada")
        with pytest.raises(RefusedError):
            await world.register("ada")
        ada = await world.register("ada", invitation=made.text)
        assert ada.registered.account.level == 3
        with pytest.raises(RefusedError):
            await world.register("ben", invitation=made.text)


async def test_an_invitation_ends_when_it_says(tmp_path):
    async with open_world(tmp_path / "data", registration="invite") as world:
        made = await operator(world).invite(BY, valid_for=HOUR)
        assert made.invite.expires_at == world.clock.now() + HOUR
        world.clock.advance(HOUR)
        with pytest.raises(RefusedError):
            await world.register("ada", invitation=made.text)


async def test_only_good_invitations_are_listed_and_never_their_texts(world):
    short = await operator(world).invite(BY, valid_for=HOUR, note="short")
    world.clock.advance(1)
    long = await operator(world).invite(BY, note="long")
    assert [each.note for each in await operator(world).list_invites()] == ["short", "long"]
    assert short.text.split("_")[1] not in repr(await operator(world).list_invites())
    world.clock.advance(HOUR)
    assert [each.id for each in await operator(world).list_invites()] == [long.invite.id]


async def test_an_invitation_is_audited_without_its_text(world):
    made = await operator(world).invite(BY, level=2, note="for Ada")
    entry = (await world.core.audit.tail(1))[0]
    assert entry.tag == "operator:invite:make"
    facts = json.loads(entry.facts)
    assert (facts["invite"], facts["level"], facts["uid"]) == (str(made.invite.id), 2, 4242)
    assert "for Ada" in (entry.personal or "")
    assert made.text.split("_")[1] not in repr(entry)


@pytest.mark.parametrize(
    "wrong", [{"valid_for": 0}, {"valid_for": 31 * DAY}, {"note": "x" * 201}, {"note": "\x1b[2J"}]
)
async def test_an_invitation_without_bounds_is_refused(world, wrong):
    with pytest.raises(MalformedError):
        await operator(world).invite(BY, **wrong)


async def test_a_rotated_key_is_audited_with_who_asked(world):
    before = {each.key for each in operator(world).key_status()}
    await operator(world).rotate_key("signing", BY)
    assert {each.key for each in operator(world).key_status()} > before
    tag, facts = await newest(world)
    assert (tag, facts["use"], facts["uid"]) == ("operator:keys:rotate", "signing", 4242)


@pytest.mark.parametrize("use", ["", "nonsense", "data:nonsense", "data:pepper"])
async def test_what_does_not_rotate_says_so(world, use):
    with pytest.raises((NotFoundError, ConflictError)):
        await operator(world).rotate_key(use, BY)


async def test_the_tail_gives_the_newest_and_then_what_comes_none_twice(world):
    for number in range(4):
        await operator(world).invite(BY, note=f"{number}")
    found = operator(world).tail_audit(2, follow=True)
    first = [await anext(found), await anext(found)]
    await operator(world).invite(BY, note="4")
    first.append(await anext(found))
    await found.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert [entry.seq - first[0].seq for entry in first] == [0, 1, 2]
    assert "4" in (first[2].personal or "")
    assert len([entry async for entry in operator(world).tail_audit(3)]) == 3
    assert [entry async for entry in operator(world).tail_audit(0)] == []


async def test_verifying_finds_a_changed_entry(world):
    world.core.checkpointer.start()
    await operator(world).invite(BY)
    world.core.checkpointer.tick()
    seen: list[int] = []
    report = await operator(world).verify_audit(seen.append)
    assert report.ok, report.problems
    assert seen[-1] == report.entries
    unit = Unit(key=b"attack")
    unit.add(
        "update audit_entries set tag = 'account:account:register' where seq = :seq", {"seq": report.entries}
    )
    await world.core.database.commit(unit)
    assert not (await operator(world).verify_audit()).ok
