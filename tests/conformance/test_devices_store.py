"""The device store on both engines: devices, and the credentials that let one in once."""

import dataclasses
from collections.abc import Callable

import pytest
from tests.kits.stored import (
    NOW,
    add_account,
    blob,
    count,
    make_account,
    make_credential,
    make_device,
    outcomes_of,
    refused_by,
    run,
)

from watchword.core.clock import MINUTE, Instant, later
from watchword.core.ids import DeviceId
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.server.devices.model import Device, EnrolmentCredential
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.devices.store import DeviceStore

pytestmark = pytest.mark.anyio
TABLE = "enrolment_credentials"


@pytest.fixture
def store(database: AuditedDatabase) -> DeviceStore:
    return SQLDeviceStore(database)


def add(store: DeviceStore, *devices: Device) -> Callable[[Unit], None]:
    def step(unit: Unit) -> None:
        for device in devices:
            store.insert(unit, device)

    return step


def issue(store: DeviceStore, *credentials: EnrolmentCredential) -> Callable[[Unit], None]:
    def step(unit: Unit) -> None:
        for credential in credentials:
            store.insert_credential(unit, credential)

    return step


def claim(
    store: DeviceStore, credential: EnrolmentCredential, device: Device, at: Instant = NOW
) -> Callable[[Unit], None]:
    return lambda unit: store.claim_credential(unit, credential, device, at)


async def test_a_device_comes_back_as_it_went_in(database, store: DeviceStore) -> None:
    anna, bert = await add_account(database, "anna"), await add_account(database, "bert")
    devices = [make_device(anna), make_device(anna, "phone"), make_device(bert)]
    await run(database, add(store, *devices))
    for device in devices:
        assert await store.find(device.id) == device
    assert await store.find(DeviceId(bytes(16))) is None
    assert await store.count(anna.id) == 2
    assert await store.count(bert.id) == 1
    assert await store.count(make_account("nobody").id) == 0


@pytest.mark.parametrize("same", ["signing_key", "id"])
async def test_a_signing_key_and_an_id_name_one_device_alone(database, store: DeviceStore, same: str) -> None:
    anna, bert = await add_account(database, "anna"), await add_account(database, "bert")
    first = make_device(anna)
    await run(database, add(store, first))
    for other in (make_device(bert), make_device(anna, "phone")):
        changed = dataclasses.replace(other, **{same: getattr(first, same)})
        assert await refused_by(run(database, add(store, changed))) == "device"
    assert await store.find(first.id) == first
    assert await count(database, "devices") == 1


async def test_one_key_enrolled_50_times_at_once_is_one_device(database, store: DeviceStore) -> None:
    anna = await add_account(database)
    devices = [make_device(anna, f"device {number}", signing_key=blob("the same")) for number in range(50)]
    works = [run(database, add(store, one), key=b"%d" % place) for place, one in enumerate(devices)]
    outcomes = await outcomes_of(works)
    assert sorted(map(str, outcomes)) == ["None"] + ["device"] * 49
    assert await store.find(devices[outcomes.index(None)].id) is not None
    assert await store.count(anna.id) == 1


async def test_a_credential_comes_back_unused_then_with_who_used_it(database, store: DeviceStore) -> None:
    anna = await add_account(database)
    credential, other, device = make_credential(anna), make_credential(anna, "other"), make_device(anna)
    await run(database, issue(store, credential, other))
    assert await store.find_credential(credential.selector) == credential
    assert await store.find_credential(bytes(16)) is None
    assert await store.find_credential(b"") is None
    await run(database, claim(store, credential, device, later(NOW, 7)), add(store, device))
    used = dataclasses.replace(
        credential, used_at=later(NOW, 7), signing_key=device.signing_key, device_id=device.id
    )
    assert await store.find_credential(credential.selector) == used
    assert await store.find_credential(other.selector) == other


async def test_a_credential_is_used_once_and_remembers_its_first_user(database, store: DeviceStore) -> None:
    anna = await add_account(database)
    credential = make_credential(anna)
    first, second = make_device(anna), make_device(anna, "phone")
    await run(database, issue(store, credential), claim(store, credential, first))
    for device in (first, second):
        assert await refused_by(run(database, claim(store, credential, device))) == "credential"
    found = await store.find_credential(credential.selector)
    assert found is not None
    assert (found.device_id, found.signing_key) == (first.id, first.signing_key)
    unknown = make_credential(anna, "unknown")
    assert await refused_by(run(database, claim(store, unknown, second))) == "credential"


async def test_a_credential_is_good_until_just_before_its_end(database, store: DeviceStore) -> None:
    anna = await add_account(database)
    early, late, device = make_credential(anna), make_credential(anna, "late"), make_device(anna)
    await run(database, issue(store, early, late))
    edge = early.expires_at
    assert edge == NOW + 5 * MINUTE
    for at in (edge, later(edge, 1)):
        assert await refused_by(run(database, claim(store, late, device, at))) == "credential"
    assert await refused_by(run(database, claim(store, early, device, Instant(edge - 1)))) is None


async def test_fault_B12_a_credential_is_claimed_once_by_50_at_a_time(database, store: DeviceStore) -> None:
    anna = await add_account(database)
    credential = make_credential(anna)
    await run(database, issue(store, credential))
    devices = [make_device(anna, f"device {number}") for number in range(50)]
    works = [
        run(database, claim(store, credential, one), add(store, one), key=b"%d" % place)
        for place, one in enumerate(devices)
    ]
    outcomes = await outcomes_of(works)
    assert sorted(map(str, outcomes)) == ["None"] + ["credential"] * 49
    won = devices[outcomes.index(None)]
    assert await store.find(won.id) == won
    assert await store.count(anna.id) == 1


async def test_a_claim_whose_device_is_refused_is_undone(database, store: DeviceStore) -> None:
    anna = await add_account(database)
    credential, device = make_credential(anna), make_device(anna)
    await run(database, issue(store, credential), add(store, device))
    again = run(database, claim(store, credential, device), add(store, device))
    assert await refused_by(again) == "device"
    assert await store.find_credential(credential.selector) == credential


async def test_unused_credentials_of_one_account_are_dropped_used_ones_stay(
    database, store: DeviceStore
) -> None:
    anna, bert = await add_account(database, "anna"), await add_account(database, "bert")
    used, *unused = [make_credential(anna, f"credential {number}") for number in range(3)]
    other = make_credential(bert)
    await run(database, issue(store, used, *unused, other), claim(store, used, make_device(anna)))
    await run(database, lambda unit: store.drop_credentials(unit, anna.id))
    for credential in unused:
        assert await store.find_credential(credential.selector) is None
        refused = refused_by(run(database, claim(store, credential, make_device(anna, "phone"))))
        assert await refused == "credential"
    kept = await store.find_credential(used.selector)
    assert kept is not None
    assert kept.used_at == NOW  # what a lost answer is given again by
    assert await store.find_credential(other.selector) == other


async def test_old_credentials_are_dropped_by_when_they_were_made_used_or_not(
    database, store: DeviceStore
) -> None:
    anna = await add_account(database)
    made = [
        make_credential(anna, f"{kind} {offset}", at=Instant(NOW + offset))
        for offset in (-1, 0, 1)
        for kind in ("used", "unused")
    ]
    await run(database, issue(store, *made))
    for number, credential in enumerate(made[::2]):
        await run(database, claim(store, credential, make_device(anna, f"device {number}")))
    await run(database, lambda unit: store.drop_old_credentials(unit, NOW))
    left = [one for one in made if await store.find_credential(one.selector) is not None]
    assert left == made[2:]
    assert await count(database, TABLE) == 4


async def test_dropping_credentials_against_a_claim_is_one_or_the_other(database, store: DeviceStore) -> None:
    """A new password drops what is unused: either the claim came first and stays, or it finds nothing."""
    anna = await add_account(database)
    for number in range(10):
        credential, device = make_credential(anna, f"c{number}"), make_device(anna, f"d{number}")
        await run(database, issue(store, credential))
        claimed, dropped = await outcomes_of(
            [
                run(database, claim(store, credential, device), add(store, device), key=b"a"),
                run(database, lambda unit: store.drop_credentials(unit, anna.id), key=b"b"),
            ]
        )
        assert dropped is None
        found = await store.find_credential(credential.selector)
        if claimed is None:
            assert found is not None
            assert found.device_id == device.id
            assert await store.find(device.id) == device
        else:
            assert claimed == "credential"
            assert found is None
            assert await store.find(device.id) is None
