"""The account store on both engines: every method, every guard, its races and its edges in time."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, cast

import pytest
from tests.kits.stored import (
    NOW,
    add_account,
    blob,
    count,
    make_account,
    make_chest,
    make_credential,
    make_device,
    make_invite,
    make_logins,
    make_session,
    outcomes_of,
    refused_by,
    run,
)

from watchword.core.clock import DAY, Instant, later
from watchword.core.ids import AccountId, InviteId
from watchword.crypto.passwords import ServerHash
from watchword.errors import DamagedError
from watchword.protocol.messages import WrappedChest
from watchword.server.accounts.model import Account, AccountState, Invite, LoginRecord
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.accounts.store import AccountStore
from watchword.server.db.unit import AuditedDatabase, Database, Parameters, Row, Unit
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.sessions.sql import SQLSessionStore

pytestmark = pytest.mark.anyio
NOBODY = AccountId(bytes(16))


@pytest.fixture
def store(database: AuditedDatabase) -> AccountStore:
    return SQLAccountStore(database)


def insert(store: AccountStore, account: Account, *, scheme: int = 1) -> Callable[[Unit], None]:
    logins = make_logins(account, scheme=scheme)
    return lambda unit: store.insert(unit, account, logins, make_chest(account))


def invite_of(store: AccountStore, *invites: Invite) -> Callable[[Unit], None]:
    def step(unit: Unit) -> None:
        for one in invites:
            store.insert_invite(unit, one)

    return step


def claim_of(store: AccountStore, invite: Invite, at: Instant) -> Callable[[Unit], None]:
    return lambda unit: store.claim_invite(unit, invite.id, invite.verifier, at)


def set_state(store: AccountStore, account: Account, state: AccountState) -> Callable[[Unit], None]:
    return lambda unit: store.set_state(unit, account.id, state, NOW)


async def found_login(store: AccountStore, key: str) -> LoginRecord:
    record = await store.find_login(key)
    assert record is not None
    return record


class Watched:
    """A database for one kind of read; remembers what each gave."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.reads: list[tuple[str, Row | None]] = []

    async def fetch_one(self, sql: str, parameters: Parameters) -> Row | None:
        row = await self._inner.fetch_one(sql, parameters)
        self.reads.append((sql, row))
        return row


# Reading


async def test_an_account_comes_back_as_it_went_in(database, store: AccountStore) -> None:
    whole = await add_account(database, "anna")
    bare = await add_account(database, "bert", email=None, email_key=None, display_name=None)
    for account in (whole, bare):
        assert await store.find(account.id) == account
        assert await store.find_by_name(account.name_key) == account
    assert await store.find(NOBODY) is None
    for name in ("", "cyd", "Anna", "anna ", "a%", "a_na", "anna\x01", "ann\u0430"):
        assert await store.find_by_name(name) is None


async def test_a_login_brings_its_account_and_chest(database, store: AccountStore) -> None:
    account = await add_account(database)
    await add_account(database, "bert")
    for login in make_logins(account):
        record = await found_login(store, login.identifier_key)
        assert record.login == login
        assert record.account == account
        sealed = make_chest(account).body.sealed
        assert record.chest == WrappedChest(version=1, sealed=sealed, wrapped_key=login.wrapped_chest_key)
        assert await store.find_salt(login.identifier_key) == (login.salt, login.params)


async def test_an_unknown_login_is_none_after_the_same_read(database, store: AccountStore) -> None:
    """One statement and one row of as many columns, whoever is asked for."""
    await add_account(database)
    watched = Watched(database)
    through = SQLAccountStore(cast("Database", watched))
    assert await through.find_login("u:anna") is not None
    for name in ("u:nobody", "e:no@example.org", "anna", "", "u:ANNA", "x:" + "0" * 64):
        assert await through.find_login(name) is None
        assert await store.find_salt(name) is None
    assert len({sql for sql, _ in watched.reads}) == 1
    assert len(watched.reads) == 7
    widths = {len(row) if row is not None else None for _, row in watched.reads}
    assert widths == {23}
    # the chest that is read for nobody is one that exists, as soon as there is any
    assert {row is not None and type(row[-1]) for _, row in watched.reads} == {str}


async def test_an_unknown_login_is_none_in_an_empty_database(store: AccountStore) -> None:
    assert await store.find_login("u:nobody") is None
    assert await store.find_salt("u:nobody") is None
    assert await store.page(after=None, limit=10) == []
    assert await store.schemes_in_use() == set()


async def test_pages_are_in_order_of_making_none_twice_none_left_out(database, store: AccountStore) -> None:
    made = [
        await add_account(database, name, at=Instant(NOW + 10 * place))
        for place, name in enumerate(["eve", "dan", "cyd", "ben", "ann"])
    ]
    assert await store.page(after=None, limit=100) == made
    seen: list[Account] = []
    while page := await store.page(after=seen[-1].id if seen else None, limit=2):
        assert len(page) <= 2
        seen += page
    assert seen == made
    assert await store.page(after=made[-1].id, limit=2) == []
    assert await store.page(after=None, limit=0) == []


async def test_schemes_in_use_are_those_of_all_logins(database, store: AccountStore) -> None:
    for number, scheme in enumerate((1, 3, 2, 1, 3), start=1):
        await run(database, insert(store, make_account(f"name{number}"), scheme=scheme))
        if number == 2:
            assert await store.schemes_in_use() == {ServerHash.HMAC, ServerHash.BCRYPT}
    assert await store.schemes_in_use() == set(ServerHash)


async def test_a_scheme_that_is_none_is_damage(database, store: AccountStore) -> None:
    await run(database, insert(store, make_account(), scheme=9))
    with pytest.raises(DamagedError):
        await store.schemes_in_use()


# Inserting


@pytest.mark.parametrize("same", ["name_key", "skeleton", "email_key", "id", "u:login", "e:login"])
async def test_insert_is_refused_for_each_key_that_somebody_has(
    database, store: AccountStore, same: str
) -> None:
    first = await add_account(database, "anna")
    second = make_account("bert")
    logins = make_logins(second)
    if same.endswith("login"):
        taken = {login.identifier_key[:2]: login.identifier_key for login in make_logins(first)}[same[:2]]
        logins = [
            dataclasses.replace(login, identifier_key=taken)
            if login.identifier_key.startswith(same[:2])
            else login
            for login in logins
        ]
    else:
        changes: dict[str, Any] = {same: getattr(first, same)}
        second = dataclasses.replace(second, **changes)
        logins = [dataclasses.replace(login, account_id=second.id) for login in logins]
    work = run(database, lambda unit: store.insert(unit, second, logins, make_chest(second)))
    assert await refused_by(work) == "name"
    assert await store.page(after=None, limit=10) == [first]
    assert (await count(database, "logins"), await count(database, "chests")) == (2, 1)
    assert await count(database, "chest_keys") == 1
    assert (await found_login(store, "u:anna")).account == first


async def test_two_accounts_without_an_address_do_not_collide(database, store: AccountStore) -> None:
    for name in ("anna", "bert"):
        await add_account(database, name, email=None, email_key=None)
    assert len(await store.page(after=None, limit=10)) == 2


async def test_a_lookalike_of_an_account_is_refused(database, store: AccountStore) -> None:
    anna, bert = await add_account(database, "anna"), make_account("bert")

    def guarded(skeleton: str) -> list[Callable[[Unit], None]]:
        return [lambda unit: store.require_no_lookalike(unit, skeleton), insert(store, bert)]

    assert await refused_by(run(database, *guarded(anna.skeleton))) == "name"
    assert await store.find(bert.id) is None
    assert await refused_by(run(database, *guarded("nobody has this"))) is None
    assert await store.find(bert.id) == bert


async def test_fault_B10_a_name_is_taken_once_by_50_at_a_time(database, store: AccountStore) -> None:
    candidates = [
        make_account(f"n{number}", name_key="anna", email=None, email_key=None) for number in range(50)
    ]
    works = [run(database, insert(store, one), key=b"%d" % number) for number, one in enumerate(candidates)]
    outcomes = await outcomes_of(works)
    assert sorted(map(str, outcomes)) == ["None"] + ["name"] * 49
    assert await store.page(after=None, limit=100) == [candidates[outcomes.index(None)]]


# Invitations


async def test_an_invitation_comes_back_and_is_claimed_by_its_verifier_alone(
    database, store: AccountStore
) -> None:
    invite, other = make_invite(), make_invite("other")
    await run(database, lambda unit: store.insert_invite(unit, invite))
    assert await store.find_invite(invite.id) == invite
    assert await store.find_invite(other.id) is None

    def claim(one: InviteId, verifier: bytes) -> Any:
        return refused_by(run(database, lambda unit: store.claim_invite(unit, one, verifier, NOW)))

    assert await claim(other.id, invite.verifier) == "invite"
    assert await claim(invite.id, other.verifier) == "invite"
    assert await claim(invite.id, b"") == "invite"
    assert await store.find_invite(invite.id) == invite
    assert await claim(invite.id, invite.verifier) is None
    assert await store.find_invite(invite.id) == dataclasses.replace(invite, used_at=NOW)
    assert await claim(invite.id, invite.verifier) == "invite"


async def test_an_invitation_is_claimed_until_just_before_its_end(database, store: AccountStore) -> None:
    early, late = make_invite("early"), make_invite("late")
    await run(database, invite_of(store, early, late))
    edge = early.expires_at

    def claim(one: Invite, at: Instant) -> Any:
        return refused_by(run(database, claim_of(store, one, at)))

    assert await claim(late, edge) == "invite"
    assert await claim(late, later(edge, 1)) == "invite"
    assert await claim(early, Instant(edge - 1)) is None


async def test_an_invitation_is_claimed_once_by_50_at_a_time(database, store: AccountStore) -> None:
    invite = make_invite()
    await run(database, lambda unit: store.insert_invite(unit, invite))
    works = [run(database, claim_of(store, invite, Instant(NOW + at)), key=b"%d" % at) for at in range(50)]
    outcomes = await outcomes_of(works)
    assert sorted(map(str, outcomes)) == ["None"] + ["invite"] * 49
    used = await store.find_invite(invite.id)
    assert used is not None
    assert used.used_at == NOW + outcomes.index(None)


async def test_listed_invitations_are_those_still_good_oldest_first(database, store: AccountStore) -> None:
    good = [make_invite(f"i{place}", at=Instant(NOW + place)) for place in range(3)]
    used, over = make_invite("used"), make_invite("over", expires_at=NOW)
    await run(database, invite_of(store, *reversed(good), used, over))
    await run(database, lambda unit: store.claim_invite(unit, used.id, used.verifier, NOW))
    assert await store.list_invites(now=NOW, limit=10) == good
    assert await store.list_invites(now=NOW, limit=2) == good[:2]
    assert over in await store.list_invites(now=Instant(NOW - 1), limit=10)
    assert await store.list_invites(now=later(NOW, DAY), limit=10) == good[1:]


# What a login asks for


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, None),
        ({"password_version": 2}, "account"),
        ({"password_version": 0}, "account"),
        ({"id": NOBODY}, "account"),
    ],
)
async def test_an_account_is_current_with_its_password_version(
    database, store: AccountStore, changes: dict[str, Any], refused: str | None
) -> None:
    account = dataclasses.replace(await add_account(database), **changes)
    work = run(database, lambda unit: store.require_current(unit, account))
    assert await refused_by(work) == refused


async def test_a_suspended_account_is_not_current(database, store: AccountStore) -> None:
    account = await add_account(database)
    for state, refused in ((AccountState.SUSPENDED, "account"), (AccountState.ACTIVE, None)):
        await run(database, set_state(store, account, state))
        work = run(database, lambda unit: store.require_current(unit, account))
        assert await refused_by(work) == refused


async def test_a_verifier_is_replaced_only_while_it_is_the_old_one(database, store: AccountStore) -> None:
    account = await add_account(database)
    login, untouched = make_logins(account)
    new, newer = b"\x01new" + bytes(34), b"\x01newer" + bytes(32)
    key = login.identifier_key
    await run(database, lambda unit: store.replace_verifier(unit, key, login.verifier, new))
    assert (await found_login(store, key)).login == dataclasses.replace(login, verifier=new)
    await run(
        database, lambda unit: store.replace_verifier(unit, key, login.verifier, newer)
    )  # no error, no effect
    assert (await found_login(store, key)).login.verifier == new
    assert (await found_login(store, untouched.identifier_key)).login == untouched
    assert (await found_login(store, key)).account == account


# Changing the password


def change(store: AccountStore, account: Account, **more: Any) -> Callable[[Unit], None]:
    options: dict[str, Any] = {
        "logins": make_logins(account, of="second"),
        "chest": make_chest(account, 2),
        "seed": blob("second seed"),
        "now": later(NOW, 50),
        **more,
    }
    logins = options.pop("logins")
    return lambda unit: store.change_password(unit, account, logins, **options)


async def test_a_new_password_replaces_all_that_hangs_on_it(database, store: AccountStore) -> None:
    account, other = await add_account(database), await add_account(database, "bert")
    await run(database, change(store, account))
    changed = dataclasses.replace(
        account, password_version=2, client_key_seed=blob("second seed"), updated_at=later(NOW, 50)
    )
    assert await store.find(account.id) == changed
    assert await store.find(other.id) == other
    for login in make_logins(account, of="second"):
        record = await found_login(store, login.identifier_key)
        assert record.login == login
        assert (record.chest.version, record.chest.sealed) == (2, make_chest(account, 2).body.sealed)
    row = await database.fetch_one(
        "select * from chest_keys where account_id = :id", {"id": account.id.value}
    )
    body = make_chest(account, 2).body
    expected = (
        account.id.value,
        body.identity_key,
        body.archive_key,
        2,
        body.recovery_key,
        body.recovery_wrapped,
    )
    assert tuple(row or ())[:6] == expected
    assert tuple(row or ())[6] == blob("recovery")  # a new password makes no new recovery key
    seeds = await database.fetch_all("select account_id, version, seed, retired_at from retired_seeds", {})
    assert [tuple(one) for one in seeds] == [(account.id.value, 1, account.client_key_seed, NOW + 50)]


async def test_a_new_password_is_refused_by_name_and_changes_nothing(database, store: AccountStore) -> None:
    account = await add_account(database)
    foreign = await add_account(database, "bert")
    unknown = make_logins(make_account("cyd"))
    mixed = [dataclasses.replace(one, account_id=account.id) for one in make_logins(foreign, of="stolen")]
    first, second = make_logins(account)
    kinds = [dataclasses.replace(first, kind=second.kind), dataclasses.replace(second, kind=first.kind)]
    cases: list[tuple[str, Account, dict[str, Any]]] = [
        ("account", dataclasses.replace(account, password_version=2), {"chest": make_chest(account, 3)}),
        ("account", dataclasses.replace(account, password_version=0), {}),
        ("account", make_account("nobody"), {}),
        ("chest", account, {"chest": make_chest(account, 1)}),
        ("chest", account, {"chest": make_chest(account, 3)}),
        ("chest", account, {"chest": make_chest(account, 2, identity_key="another")}),
        ("chest", account, {"chest": make_chest(account, 2, recovery_key="another")}),
        ("login", account, {"logins": unknown}),
        ("login", account, {"logins": mixed}),
        ("login", account, {"logins": kinds}),
    ]
    before = await everything(database)
    for guard, who, options in cases:
        assert await refused_by(run(database, change(store, who, **options))) == guard, options
        assert await everything(database) == before
    await run(database, lambda unit: store.set_state(unit, account.id, AccountState.SUSPENDED, NOW))
    assert await refused_by(run(database, change(store, account))) == "account"


async def test_a_password_is_changed_once_by_50_at_a_time(database, store: AccountStore) -> None:
    account = await add_account(database)
    works = [
        run(database, change(store, account, seed=blob(f"seed {number}")), key=b"%d" % number)
        for number in range(50)
    ]
    outcomes = await outcomes_of(works)
    assert sorted(map(str, outcomes)) == ["None"] + ["account"] * 49
    found = await store.find(account.id)
    assert found is not None
    assert found.client_key_seed == blob(f"seed {outcomes.index(None)}")
    assert found.password_version == 2


async def test_retired_seeds_are_dropped_once_older_than_the_instant(database, store: AccountStore) -> None:
    account = await add_account(database)
    await run(database, change(store, account, now=NOW))
    await run(database, lambda unit: store.drop_retired_seeds(unit, NOW))
    assert await count(database, "retired_seeds") == 1
    await run(database, lambda unit: store.drop_retired_seeds(unit, later(NOW, 1)))
    assert await count(database, "retired_seeds") == 0
    found = await store.find(account.id)
    assert found is not None
    assert found.client_key_seed == blob("second seed")


# What operators do


async def test_level_and_state_are_set_for_one_account_alone(database, store: AccountStore) -> None:
    account, other = await add_account(database), await add_account(database, "bert")
    at = later(NOW, 99)
    await run(database, lambda unit: store.set_level(unit, account.id, 9, at))
    assert await store.find(account.id) == dataclasses.replace(account, level=9, updated_at=at)
    await run(database, lambda unit: store.set_state(unit, account.id, AccountState.SUSPENDED, later(at, 1)))
    assert await store.find(account.id) == dataclasses.replace(
        account, level=9, state=AccountState.SUSPENDED, updated_at=later(at, 1)
    )
    assert not (await found_login(store, "u:anna")).account.active
    assert await store.find(other.id) == other


async def test_what_is_done_to_nobody_is_refused(database, store: AccountStore) -> None:
    await add_account(database)
    works: list[Callable[[Unit], None]] = [
        lambda unit: store.set_level(unit, NOBODY, 1, NOW),
        lambda unit: store.set_state(unit, NOBODY, AccountState.SUSPENDED, NOW),
        lambda unit: store.delete(unit, NOBODY),
    ]
    before = await everything(database)
    for work in works:
        assert await refused_by(run(database, work)) == "account"
    assert await everything(database) == before


TABLES = (
    "accounts", "logins", "retired_seeds", "chests", "chest_keys", "devices", "sessions", "enrolment_credentials",
)  # fmt: skip


async def everything(database: Database) -> dict[str, list[str]]:
    return {
        table: sorted(repr(tuple(row)) for row in await database.fetch_all(f"select * from {table}", {}))
        for table in TABLES
    }


async def fill(database: AuditedDatabase, store: AccountStore, name: str) -> Account:
    """An account with something in every table."""
    account = await add_account(database, name)
    await run(database, change(store, account))
    devices, device = SQLDeviceStore(database), make_device(account)
    await run(
        database,
        lambda unit: devices.insert(unit, device),
        lambda unit: devices.insert_credential(unit, make_credential(account)),
        lambda unit: SQLSessionStore(database).insert(unit, make_session(device)),
    )
    return account


async def test_deletion_takes_all_of_one_account_and_its_names_are_free_again(
    database, store: AccountStore
) -> None:
    await fill(database, store, "bert")
    others = await everything(database)
    anna = await fill(database, store, "anna")
    both = await everything(database)
    assert all(len(both[table]) == 2 * len(others[table]) > 0 for table in TABLES)
    await run(database, lambda unit: store.delete(unit, anna.id))
    assert await everything(database) == others
    assert await store.find_login("u:anna") is None
    assert await refused_by(run(database, lambda unit: store.delete(unit, anna.id))) == "account"
    assert await fill(database, store, "anna") == anna  # the same keys and ids go in again


# Races


async def test_suspension_against_logins_leaves_no_login_after_it(database, store: AccountStore) -> None:
    """Each login demands the active account in its own unit; what it grants is older than the suspension, or gone."""
    account = await add_account(database)
    device, sessions = make_device(account), SQLSessionStore(database)
    await run(database, lambda unit: SQLDeviceStore(database).insert(unit, device))

    def log_in(number: int) -> Any:
        session = make_session(device, str(number), at=Instant(NOW + number))
        return run(
            database,
            lambda unit: store.require_current(unit, account),
            lambda unit: sessions.insert(unit, session),
            key=account.id.value,
        )

    def suspend() -> Any:
        return run(
            database,
            lambda unit: store.set_state(unit, account.id, AccountState.SUSPENDED, NOW),
            lambda unit: sessions.end_all(unit, account.id, NOW),
            key=account.id.value,
        )

    outcomes, _ = await asyncio.gather(outcomes_of([log_in(number) for number in range(20)]), suspend())
    assert set(outcomes) <= {None, "account"}
    assert await sessions.count_live(account.id, now=NOW) == 0
    assert await refused_by(log_in(99)) == "account"
    assert await count(database, "sessions") == outcomes.count(None)


async def test_a_rehash_against_a_new_password_never_wins(database, store: AccountStore) -> None:
    account = await add_account(database)
    old = make_logins(account)[0]
    rehash = run(
        database,
        lambda unit: store.replace_verifier(unit, old.identifier_key, old.verifier, b"\x01rehashed"),
        key=b"another",
    )
    await asyncio.gather(rehash, run(database, change(store, account)))
    found = (await found_login(store, old.identifier_key)).login
    assert found == make_logins(account, of="second")[0]
