"""What an account's owner is told, on both engines, over the whole server."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.kits.audit import ACCOUNT
from tests.kits.sealed import (
    OPERATOR,
    fresh,
    log_in_as,
    make_member,
    password_payload,
    sign_in,
    try_change,
    try_login,
)
from tests.kits.world import World, open_world

from watchword.client.flows.account import DeviceKeys
from watchword.core.clock import HOUR, MINUTE, later
from watchword.core.ids import AccountId, DeviceId, RequestId, SessionId
from watchword.errors import UnauthenticatedError
from watchword.server.activity import sql
from watchword.server.activity.grouping import MAX_APPS
from watchword.server.activity.model import Activity, ActivityKind
from watchword.server.activity.service import MAX_LIMIT, READ_GROUPED
from watchword.server.audit.erase import Erasure
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.dialect import for_postgres
from watchword.server.db.unit import AuditedDatabase, Parameters, Unit

pytestmark = pytest.mark.anyio
KIND = ActivityKind


@pytest.fixture
async def world(tmp_path: Path, database_location: str | Path) -> AsyncIterator[World]:
    database = None if isinstance(database_location, Path) else database_location
    async with open_world(tmp_path / "world", database=database) as opened:
        yield opened


async def recent(world: World, account: str, *, limit: int = MAX_LIMIT) -> list[Activity]:
    return await world.services.activity.recent(AccountId.parse(account), limit=limit)


async def kinds(world: World, account: str) -> list[str]:
    return [one.kind.value for one in await recent(world, account)]


async def write(world: World, *events: AuditEvent) -> None:
    await world.core.database.commit(Unit(key=b"test", events=list(events)))


def event(
    world: World, tag: AuditTag, account: str, *, address: str = "192.0.2.1", **facts: str | int
) -> AuditEvent:
    world.clock.advance(1000)
    return AuditEvent(
        tag=tag,
        at=world.clock.now(),
        facts={"account": account, **facts},
        personal={"address": address, "user_agent": "tests"},
    )


def refusal(world: World, identifier: str, address: str) -> AuditEvent:
    world.clock.advance(1000)
    return AuditEvent(
        tag=AuditTag.LOGIN_REFUSED,
        at=world.clock.now(),
        facts={"reason": "wrong_secret"},
        personal={"address": address, "identifier": identifier},
    )


def context(world: World) -> RequestContext:
    now = world.clock.now()
    return RequestContext(
        request_id=RequestId.new(now, world.entropy),
        now=now,
        address="192.0.2.9",
        shown_address="192.0.2.9",
        user_agent="tests",
    )


async def test_what_was_done_is_told_newest_first(world: World) -> None:
    signed = await sign_in(world, "ann")
    account = signed.enrolled.account.id
    wrong = password_payload(world, signed.member, login_secret=fresh(world.client_entropy))
    assert (await try_change(world, signed, wrong)).status_code == 403
    asked = {"audience": "https://app.example.org", "bearer": True}
    world.clock.advance(1000)
    assert (await world.call("POST", "/api/tokens", asked, token=signed.token)).status_code < 300
    world.clock.advance(HOUR)
    assert (await log_in_as(world, signed.member, prover=signed.prover)).grant is not None
    world.clock.advance(1000)
    await world.services.operator.suspend("ann", OPERATOR)
    world.clock.advance(1000)
    await world.services.operator.resume("ann", OPERATOR)
    world.clock.advance(1000)
    await world.services.operator.set_level("ann", 3, OPERATOR)
    world.clock.advance(1000)
    assert (await try_login(world, "ann")).status_code == 403
    found = await recent(world, account)
    assert [one.kind.value for one in found] == [
        *("sign_in_refused", "level_set", "resumed", "suspended", "signed_in"),
        *("token_issued", "password_change_refused", "device_enrolled", "registered"),
    ]
    by_kind = {one.kind: one for one in found}
    assert by_kind[KIND.LEVEL_SET].level == 3
    assert by_kind[KIND.TOKEN_ISSUED].audience == asked["audience"]
    signed_in = by_kind[KIND.SIGNED_IN]
    assert (signed_in.address, signed_in.count, signed_in.since) == ("127.0.0.1", 1, signed_in.at)
    assert signed_in.user_agent.startswith("python-httpx")
    assert signed_in.device == DeviceId.parse(signed.enrolled.device)
    assert signed_in.device_name == by_kind[KIND.DEVICE_ENROLLED].device_name == "a test's device"
    assert signed_in.session is not None
    assert signed_in.session != by_kind[KIND.DEVICE_ENROLLED].session


async def test_ends_of_sessions_and_a_new_password_are_told(world: World) -> None:
    signed = await sign_in(world, "ann")
    account = AccountId.parse(signed.enrolled.account.id)
    keep = SessionId.parse(signed.enrolled.grant.session.id)
    world.clock.advance(1000)
    await world.services.sessions.end_others(account, keep, context(world))
    assert (await world.call("GET", "/api/me", token=signed.token)).status_code == 200
    world.clock.advance(1000)
    assert (await try_change(world, signed, password_payload(world, signed.member))).status_code == 200
    world.clock.advance(1000)
    await world.services.sessions.end_all(account, context(world))
    ends = ["all_sessions_ended", "password_changed", "other_sessions_ended"]
    assert (await kinds(world, str(account)))[:3] == ends
    with pytest.raises(UnauthenticatedError):
        await world.services.sessions.end_others(account, keep, context(world))
    assert (await kinds(world, str(account)))[:3] == ends


async def test_the_others_end_and_the_one_stays(world: World) -> None:
    signed, other = await sign_in(world, "ann"), await sign_in(world, "ben")
    again = await log_in_as(world, signed.member)
    assert again.temporary_token is not None
    second = await world.enrol(again.temporary_token, DeviceKeys.generate(world.client_entropy))
    account = AccountId.parse(signed.enrolled.account.id)
    await world.services.sessions.end_others(
        account, SessionId.parse(second.grant.session.id), context(world)
    )
    live = await world.services.sessions.list_live(account, world.clock.now())
    assert [str(session.id) for session in live] == [second.grant.session.id]
    assert (await world.call("GET", "/api/me", token=other.token)).status_code == 200


async def test_a_login_that_enrolled_a_device_is_told_once(world: World) -> None:
    member = await make_member(world, "ann")
    account = member.registered.account.id
    world.clock.advance(HOUR)
    for _ in range(2):
        answer = await log_in_as(world, member)
        world.clock.advance(1000)
    assert answer.temporary_token is not None
    await world.enrol(answer.temporary_token, DeviceKeys.generate(world.client_entropy))
    assert await kinds(world, account) == ["device_enrolled", "password_accepted", "registered"]
    world.clock.advance(HOUR)
    await log_in_as(world, member)
    assert (await kinds(world, account))[0] == "password_accepted"


async def test_refused_logins_by_the_user_name_are_one_line(world: World) -> None:
    signed = await sign_in(world, "ann")
    account = signed.enrolled.account.id
    began = world.clock.now()
    for number in range(9):
        world.address = f"192.0.2.{number % 3}"
        world.clock.advance(MINUTE)
        name = ("ann", "ANN", "ben")[number % 3]
        assert (await try_login(world, name)).status_code == 403
    newest = (await recent(world, account))[0]
    assert newest.kind is KIND.SIGN_IN_REFUSED
    assert (newest.count, newest.addresses, newest.address, newest.more) == (6, 2, "192.0.2.1", False)
    assert (newest.since, newest.at) == (later(began, MINUTE), later(began, 8 * MINUTE))
    assert newest.session is None


async def test_who_tries_an_email_address_is_not_shown_to_whoever_registered_it(world: World) -> None:
    account = (await make_member(world, "mallory", email="ann@example.org")).registered.account.id
    world.clock.advance(1000)
    world.address = "203.0.113.77"
    assert (await try_login(world, "ann@example.org")).status_code == 403
    assert await kinds(world, account) == ["registered"]


async def test_a_flood_of_refused_logins_hides_nothing_and_is_read_in_part(world: World) -> None:
    signed = await sign_in(world, "ann")
    account = signed.enrolled.account.id
    before = await recent(world, account)
    flood = [refusal(world, "u:ann", f"2001:db8::{number % 40}") for number in range(READ_GROUPED + 20)]
    await write(world, *flood)
    last = event(world, AuditTag.SESSIONS_ENDED, account)
    await write(world, last)
    first, group, *rest = await recent(world, account)
    assert first.kind is KIND.ALL_SESSIONS_ENDED
    assert (group.kind, group.count, group.addresses, group.more) == (
        KIND.SIGN_IN_REFUSED,
        READ_GROUPED,
        40,
        True,
    )
    assert (group.at, group.since) == (flood[-1].at, flood[20].at)
    assert rest == before


async def test_tokens_are_one_line_for_each_app_and_hide_nothing(world: World) -> None:
    account = (await sign_in(world, "ann")).enrolled.account.id
    apps = [f"https://{name}.example.org" for name in ("a", "b")]
    issued = [
        event(world, AuditTag.TOKEN_ISSUED, account, audience=apps[n % 2]) for n in range(READ_GROUPED + 1)
    ]
    await write(world, *issued)
    found = await recent(world, account)
    assert [one.kind.value for one in found] == [
        "token_issued",
        "token_issued",
        "device_enrolled",
        "registered",
    ]
    assert [(one.audience, one.count, one.more) for one in found[:2]] == [
        (apps[0], READ_GROUPED // 2, False),
        (apps[1], READ_GROUPED // 2, True),
    ]


async def test_tokens_for_many_apps_take_no_room_from_refusals(world: World) -> None:
    account = (await sign_in(world, "ann")).enrolled.account.id
    refused = refusal(world, "u:ann", "192.0.2.77")
    changes = event(world, AuditTag.PASSWORD_CHANGE_REFUSED, account, address="192.0.2.78")
    tokens = [
        event(world, AuditTag.TOKEN_ISSUED, account, audience=f"https://a{n}.example.org") for n in range(49)
    ]
    await write(world, refused, changes, *tokens)
    apps, others, rest = _split(await recent(world, account))
    assert [one.audience for one in apps] == [
        f"https://a{n}.example.org" for n in range(48, 48 - MAX_APPS, -1)
    ]
    assert [(one.kind, one.audience, one.count, one.since) for one in others] == [
        (KIND.TOKEN_ISSUED, "", 49 - MAX_APPS, tokens[0].at)
    ]
    assert [(one.kind, one.address) for one in rest[:2]] == [
        (KIND.PASSWORD_CHANGE_REFUSED, "192.0.2.78"),
        (KIND.SIGN_IN_REFUSED, "192.0.2.77"),
    ]


def _split(found: list[Activity]) -> tuple[list[Activity], list[Activity], list[Activity]]:
    """The groups of named apps, those of all others, and what comes after them."""
    named = [one for one in found if one.kind is KIND.TOKEN_ISSUED and one.audience]
    others = [one for one in found if one.kind is KIND.TOKEN_ISSUED and not one.audience]
    return named, others, [one for one in found if one.kind is not KIND.TOKEN_ISSUED]


async def test_the_list_has_its_limit_and_groups_have_theirs(world: World) -> None:
    account = (await sign_in(world, "ann")).enrolled.account.id
    mixed = []
    for number in range(MAX_LIMIT + 10):
        mixed.append(refusal(world, "u:ann", f"192.0.2.{number}"))
        mixed.append(event(world, AuditTag.LOGIN_SUCCEEDED, account, outcome="session"))
    await write(world, *mixed)
    found = await recent(world, account, limit=1000)
    assert [one.kind for one in found] == [KIND.SIGNED_IN, KIND.SIGN_IN_REFUSED] * (MAX_LIMIT - 1) + [
        KIND.SIGNED_IN
    ]
    assert [one.kind for one in await recent(world, account, limit=1)] == [KIND.SIGNED_IN]
    assert await recent(world, account, limit=0) == []


async def test_who_had_the_name_before_is_not_told_of(world: World) -> None:
    for number in range(2):
        world.address = f"192.0.2.{number}"
        member = await make_member(world, "ann")
        world.clock.advance(HOUR)
        assert (await try_login(world, "ann")).status_code == 403
        last = await recent(world, member.registered.account.id)
        assert (last[0].kind, last[0].count, last[0].address) == (KIND.SIGN_IN_REFUSED, 1, world.address)
        if number == 0:
            await world.services.operator.delete("ann", OPERATOR)
            world.clock.advance(HOUR)


async def test_names_that_begin_alike_are_kept_apart(world: World) -> None:
    ann = (await make_member(world, "ann", email="ann@example.org")).registered.account.id
    for key in ("u:ann2", "u:an", "e:ann@example.or", 'u:ann"]}', "x:ann", "", "u:a%", r"u:\u0061nn"):
        await write(world, refusal(world, key, 'u:ann"]}'))
    assert await kinds(world, ann) == ["registered"]
    long = "𠀀" * 64  # as long as names are, and each sign is twelve in the entry
    bea = (await make_member(world, long)).registered.account.id
    await write(world, refusal(world, f"u:{long}", "192.0.2.1"), refusal(world, f"u:{long}x", "192.0.2.2"))
    assert [one.address for one in await recent(world, bea)] == ["192.0.2.1", "127.0.0.1"]


async def test_names_in_any_script_are_found(world: World) -> None:
    account = (await make_member(world, "žluťoučký")).registered.account.id
    world.clock.advance(1000)
    for name in ("žluťoučký", "ŽLUŤOUČKÝ"):
        assert (await try_login(world, name)).status_code == 403
    assert [(one.kind.value, one.count) for one in await recent(world, account)] == [
        ("sign_in_refused", 2),
        ("registered", 1),
    ]


async def test_what_is_erased_is_told_without_it_and_refused_logins_are_gone(world: World) -> None:
    signed = await sign_in(world, "ann")
    account = AccountId.parse(signed.enrolled.account.id)
    world.clock.advance(1000)
    assert (await try_login(world, "ann")).status_code == 403
    assert (await kinds(world, str(account)))[0] == "sign_in_refused"
    await world.core.audit.erase_personal(Erasure(account=account))
    await world.core.audit.erase_personal(Erasure(fields=frozenset({"identifier"})))
    found = await recent(world, str(account))
    assert [one.kind for one in found] == [KIND.DEVICE_ENROLLED, KIND.REGISTERED]
    assert {(one.address, one.addresses, one.user_agent) for one in found} == {("", 0, "")}
    report = await world.core.audit.verify()
    assert [problem.kind.value for problem in report.problems] == ["no-checkpoints"]


async def test_damaged_entries_are_left_out(world: World) -> None:
    account = (await sign_in(world, "ann")).enrolled.account.id
    await write(world, event(world, AuditTag.SESSIONS_ENDED, account))
    unit = Unit(key=b"edit")
    unit.add(
        "update audit_entries set facts = facts || 'x' where tag = :tag", {"tag": AuditTag.SESSIONS_ENDED}
    )
    unit.add("update audit_entries set personal = '[' where tag = :tag", {"tag": AuditTag.DEVICE_ENROLLED})
    await world.core.database.commit(unit)
    assert await kinds(world, account) == ["registered"]


async def test_accounts_are_told_of_themselves_alone(world: World) -> None:
    ann, ben = [(await sign_in(world, name)).enrolled.account.id for name in ("ann", "ben")]
    await write(
        world,
        event(world, AuditTag.SESSIONS_ENDED, ann),
        event(world, AuditTag.SESSION_ENDED, ben, other=ann),
    )
    assert (await kinds(world, ann))[0] == "all_sessions_ended"
    assert await kinds(world, ben) == ["session_ended", "device_enrolled", "registered"]
    assert await kinds(world, ACCOUNT) == []


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (sql.EVENTS, "audit_events_by_account"),
        (sql.TOKENS, "audit_tokens_by_account"),
        (sql.REFUSED, "audit_refused_by_name"),
    ],
)
async def test_each_reading_is_a_search_in_its_index_and_sorts_nothing(
    statement: str, index: str, database: AuditedDatabase, database_location: str | Path
) -> None:
    parameters: Parameters = {"account": "x", "value": "x", "since": 0, "limit": 5}
    if isinstance(database_location, Path):
        rows = await database.fetch_all(f"explain query plan {statement}", parameters)
        assert [str(row[3]).partition(" (")[0] for row in rows] == [
            f"SEARCH audit_entries USING INDEX {index}"
        ]
        return
    found = for_postgres(statement)
    connection = await asyncpg.connect(database_location)
    await connection.execute("set enable_seqscan = off; set enable_bitmapscan = off")
    rows = await connection.fetch(f"explain {found.text}", *found.bind(parameters))
    await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert f"using {index} " in plan
    assert "Sort" not in plan
