"""The session store on both engines: a device's one session, its ends and its edges, and races with its end."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from tests.kits.stored import (
    NOW,
    add_account,
    count,
    make_device,
    make_session,
    outcomes_of,
    refused_by,
    run,
)

from watchword.core.clock import DAY, Instant, later
from watchword.core.ids import SessionId
from watchword.server.accounts.model import Account
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.server.devices.model import Device
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.sessions.model import Session
from watchword.server.sessions.sql import SQLSessionStore
from watchword.server.sessions.store import SessionStore
from watchword.testing.databases import opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(database: AuditedDatabase) -> SessionStore:
    return SQLSessionStore(database)


async def add_device(database: AuditedDatabase, account: Account, name: str = "laptop") -> Device:
    device = make_device(account, name)
    await run(database, lambda unit: SQLDeviceStore(database).insert(unit, device))
    return device


async def add_session(database: AuditedDatabase, device: Device, name: str = "first", **more: Any) -> Session:
    session = make_session(device, name, **more)
    await run(database, insert(SQLSessionStore(database), session))
    return session


def insert(store: SessionStore, *sessions: Session) -> Callable[[Unit], None]:
    def step(unit: Unit) -> None:
        for session in sessions:
            store.insert(unit, session)

    return step


async def stored(store: SessionStore, session: Session) -> Session:
    found = await store.find_with_account(session.id)
    assert found is not None
    return found[0]


async def one_device(database: AuditedDatabase) -> tuple[Account, Device]:
    account = await add_account(database)
    return account, await add_device(database, account)


async def test_a_session_comes_back_with_its_account(database, store: SessionStore) -> None:
    account, device = await one_device(database)
    other = await add_account(database, "bert")
    session = await add_session(database, device)
    theirs = await add_session(database, await add_device(database, other))
    assert await store.find_with_account(session.id) == (session, account)
    assert await store.find_with_account(theirs.id) == (theirs, other)
    assert await store.find_with_account(SessionId(bytes(16))) is None


async def test_a_new_session_ends_the_devices_earlier_one_alone(database, store: SessionStore) -> None:
    account, device = await one_device(database)
    elsewhere = await add_session(database, await add_device(database, account, "phone"))
    first = await add_session(database, device)
    second = await add_session(database, device, "second", at=later(NOW, 10))
    assert await stored(store, first) == dataclasses.replace(first, ended_at=later(NOW, 10))
    assert await stored(store, second) == second
    assert await stored(store, elsewhere) == elsewhere
    third = await add_session(database, device, "third", at=later(NOW, 20))
    assert (await stored(store, first)).ended_at == NOW + 10  # an end stands
    assert await store.find_live_on(device.id, now=later(NOW, 20)) == third
    assert await store.count_live(account.id, now=later(NOW, 20)) == 2


async def test_sessions_of_one_device_begun_50_at_a_time_leave_one(database, store: SessionStore) -> None:
    account, device = await one_device(database)
    sessions = [make_session(device, str(number)) for number in range(50)]
    works = [run(database, insert(store, one), key=account.id.value) for one in sessions]
    assert set(await outcomes_of(works)) == {None}
    live = await store.list_live(account.id, now=NOW, limit=100)
    assert len(live) == 1
    assert await count(database, "sessions") == 50


async def test_live_sessions_are_listed_oldest_first_with_their_devices_names(
    database, store: SessionStore
) -> None:
    account, other = await add_account(database), await add_account(database, "bert")
    made = []
    for number in range(4):
        device = await add_device(database, account, f"device {number}")
        session = await add_session(database, device, at=Instant(NOW + number))
        made.append(dataclasses.replace(session, device_name=device.name))
    await add_session(database, await add_device(database, other))
    await run(database, lambda unit: store.end(unit, account.id, made[1].id, later(NOW, 9)))
    left = [made[0], *made[2:]]
    at = later(NOW, 9)
    assert await store.list_live(account.id, now=at, limit=10) == left
    assert await store.list_live(account.id, now=at, limit=2) == left[:2]
    assert await store.count_live(account.id, now=at) == 3
    assert await store.count_live(other.id, now=at) == 1


@pytest.mark.parametrize("edge", ["expires_at", "ends_at"])
async def test_a_session_lives_until_just_before_its_end(database, store: SessionStore, edge: str) -> None:
    account, device = await one_device(database)
    changes: dict[str, Any] = {edge: later(NOW, DAY)}
    session = dataclasses.replace(make_session(device), **changes)
    await run(database, insert(store, session))
    for now, alive in (
        (Instant(NOW + DAY - 1), True),
        (later(NOW, DAY), False),
        (later(NOW, DAY + 1), False),
    ):
        assert session.live(now) is alive
        assert bool(await store.list_live(account.id, now=now, limit=9)) is alive
        assert (await store.find_live_on(device.id, now=now) == session) is alive
        assert await store.count_live(account.id, now=now) == int(alive)
        refused = None if alive else "session"
        assert await refused_by(run(database, live_on(store, device, now))) == refused
        assert await refused_by(run(database, require(store, session, now))) == refused


def live_on(store: SessionStore, device: Device, now: Instant) -> Callable[[Unit], None]:
    return lambda unit: store.require_live(unit, device.id, now)


def require(store: SessionStore, session: Session, now: Instant) -> Callable[[Unit], None]:
    return lambda unit: store.require_session(unit, session.id, now)


async def test_what_is_required_is_that_very_session_or_one_on_that_very_device(
    database, store: SessionStore
) -> None:
    account, device = await one_device(database)
    phone = await add_device(database, account, "phone")
    first = await add_session(database, device)
    assert await refused_by(run(database, live_on(store, phone, NOW))) == "session"
    second = await add_session(database, device, "second", at=later(NOW, 1))
    assert await refused_by(run(database, require(store, first, later(NOW, 1)))) == "session"
    assert await refused_by(run(database, require(store, second, later(NOW, 1)))) is None
    assert await refused_by(run(database, live_on(store, device, later(NOW, 1)))) is None
    nothing = make_session(phone, "never stored")
    assert await refused_by(run(database, require(store, nothing, NOW))) == "session"
    assert await store.find_live_on(phone.id, now=NOW) is None


async def test_a_session_is_ended_once_and_by_its_own_account_alone(database, store: SessionStore) -> None:
    account, device = await one_device(database)
    bert = await add_account(database, "bert")
    session = await add_session(database, device)

    def end(by: Account, at: Instant) -> Any:
        return refused_by(run(database, lambda unit: store.end(unit, by.id, session.id, at)))

    assert await end(bert, NOW) == "session"
    assert await stored(store, session) == session
    assert await end(account, later(NOW, 3)) is None
    assert await end(account, later(NOW, 5)) == "session"
    assert (await stored(store, session)).ended_at == NOW + 3
    assert await refused_by(run(database, require(store, session, later(NOW, 3)))) == "session"
    unknown = run(database, lambda unit: store.end(unit, account.id, SessionId(bytes(16)), NOW))
    assert await refused_by(unknown) == "session"


async def test_a_session_is_ended_once_by_50_at_a_time(database, store: SessionStore) -> None:
    account, device = await one_device(database)
    session = await add_session(database, device)
    works = [
        run(database, lambda unit: store.end(unit, account.id, session.id, NOW), key=b"%d" % number)
        for number in range(50)
    ]
    assert sorted(map(str, await outcomes_of(works))) == ["None"] + ["session"] * 49


@pytest.mark.parametrize("keeps", [False, True])
async def test_all_sessions_of_one_account_end_but_the_one_kept(
    database, store: SessionStore, *, keeps: bool
) -> None:
    account, other = await add_account(database), await add_account(database, "bert")
    mine = [
        await add_session(database, await add_device(database, account, f"device {number}"))
        for number in range(3)
    ]
    theirs = await add_session(database, await add_device(database, other))
    await run(database, lambda unit: store.end(unit, account.id, mine[2].id, later(NOW, 1)))
    keep = mine[0].id if keeps else None
    await run(database, lambda unit: store.end_all(unit, account.id, later(NOW, 5), keep=keep))
    ends = [(await stored(store, one)).ended_at for one in mine]
    assert ends == [None if keeps else NOW + 5, NOW + 5, NOW + 1]
    assert await stored(store, theirs) == theirs
    await run(
        database, lambda unit: store.end_all(unit, account.id, later(NOW, 9))
    )  # nothing left is no error
    assert await store.count_live(account.id, now=later(NOW, 9)) == 0


async def test_old_sessions_are_dropped_by_when_they_began(database, store: SessionStore) -> None:
    account = await add_account(database)
    made = []
    for offset in (-2, -1, 0, 1):
        device = await add_device(database, account, f"device {offset}")
        made.append(await add_session(database, device, at=Instant(NOW + offset)))
    await run(database, end_of(store, made[3], later(NOW, 2)))
    await run(database, lambda unit: store.drop_old(unit, NOW))
    left = [one for one in made if await store.find_with_account(one.id) is not None]
    assert left == made[2:]
    assert await count(database, "devices") == 4


def end_of(store: SessionStore, session: Session, at: Instant) -> Callable[[Unit], None]:
    return lambda unit: store.end(unit, session.account_id, session.id, at)


async def no_session_survives(first: AuditedDatabase, second: AuditedDatabase) -> None:
    """Logins through `first` against a new password through `second`, in every order of starting.

    A new password moves the version and ends all in one unit; a login demands the version in its own. So a login of
    the old password is over, or was never granted, whatever is committed first.
    """
    store, accounts = SQLSessionStore(first), SQLAccountStore(first)
    for number in range(8):
        account = await add_account(first, f"name{number}")
        devices = [await add_device(first, account, f"device {place}") for place in range(4)]
        works = [run(first, *log_in(accounts, store, account, one), key=one.id.value) for one in devices]
        works.insert(number % 5, run(second, *move_on(store, account), key=account.id.value))
        outcomes = await outcomes_of(works)
        assert outcomes.pop(number % 5) is None
        assert set(outcomes) <= {None, "account"}
        assert await store.count_live(account.id, now=NOW) == 0


def log_in(
    accounts: SQLAccountStore, store: SessionStore, account: Account, device: Device
) -> list[Callable[[Unit], None]]:
    session = make_session(device)
    return [lambda unit: accounts.require_current(unit, account), insert(store, session)]


def move_on(store: SessionStore, account: Account) -> list[Callable[[Unit], None]]:
    version = "update accounts set password_version = 2 where id = :id"
    return [
        lambda unit: unit.add(version, {"id": account.id.value}),
        lambda unit: store.end_all(unit, account.id, NOW),
    ]


async def test_ending_all_against_logins_leaves_no_session_of_the_old_password(database) -> None:
    await no_session_survives(database, database)


async def test_ending_all_on_one_node_against_logins_on_another_leaves_none(postgres_url: str) -> None:
    async with opened(postgres_url) as first, opened(postgres_url) as second:
        await no_session_survives(first, second)


async def test_ending_all_waits_for_a_login_that_another_node_is_about_to_commit(postgres_url: str) -> None:
    """The login holds the account's row. Without waiting for it, its session would not be seen, and would live on."""
    async with opened(postgres_url) as node:
        account = await add_account(node)
        device = await add_device(node, account)
        store = SQLSessionStore(node)
        other = await asyncpg.connect(postgres_url)
        try:
            login = other.transaction()
            await login.start()
            await other.execute("select 1 from accounts where id = $1 for update", account.id.value)
            await other.execute(
                "insert into sessions (id, account_id, device_id, seed, sign_in_version, counter, auth_time,"
                " created_at, expires_at, ends_at, address, user_agent)"
                " values ($1, $2, $3, $1, 1, 1, $4, $4, $5, $5, '', '')",
                *(bytes(16), account.id.value, device.id.value, NOW, later(NOW, DAY)),
            )
            ending = asyncio.create_task(
                run(node, lambda unit: store.end_all(unit, account.id, NOW), key=account.id.value)
            )
            done, _ = await asyncio.wait({ending}, timeout=0.3)
            assert not done
            await login.commit()
            await ending
        finally:
            await other.close()
        assert await count(node, "sessions") == 1
        assert await store.count_live(account.id, now=NOW) == 0


async def test_a_token_demanded_against_its_sessions_end_is_one_or_the_other(
    database, store: SessionStore
) -> None:
    account, device = await one_device(database)
    session = await add_session(database, device)
    works = [run(database, require(store, session, NOW), key=b"%d" % number) for number in range(20)]
    ending = run(database, end_of(store, session, NOW), key=account.id.value)
    outcomes, _ = await asyncio.gather(outcomes_of(works), ending)
    assert set(outcomes) <= {None, "session"}
    assert await refused_by(run(database, require(store, session, NOW))) == "session"
