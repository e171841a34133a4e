"""Kept addresses end: on both engines, in small steps, and the trail verifies as before."""

from pathlib import Path

import pytest
from tests.conformance.test_audit_store import attach, make_service
from tests.conformance.test_sessions_store import add_device, add_session, stored
from tests.kits.audit import ACCOUNT
from tests.kits.stored import NOW, add_account

from watchword.core.clock import DAY, HOUR, Clock, Instant
from watchword.server import retention
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.audit.service import AuditService
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.server.retention import AddressRetention
from watchword.server.sessions.sql import SQLSessionStore
from watchword.testing import FixedClock

pytestmark = pytest.mark.anyio


def login(at: Instant) -> AuditEvent:
    personal = {"address": "203.0.113.9", "device": 'the "address":["x"', "identifier": "anna"}
    return AuditEvent(tag=AuditTag.LOGIN_REFUSED, at=at, facts={"account": ACCOUNT}, personal=personal)


async def record(database: AuditedDatabase, *ats: Instant) -> None:
    for at in ats:
        unit = Unit(key=b"test")
        unit.note(login(at))
        await database.commit(unit)


def made(database: AuditedDatabase, service: AuditService, clock: Clock) -> AddressRetention:
    return AddressRetention(
        days=30, audit=service, sessions=SQLSessionStore(database), database=database, clock=clock
    )


async def held(service: AuditService) -> list[bool]:
    """Of each refused login, in order, whether its address is there."""
    entries = [entry for entry in await service.tail(1000) if entry.tag == AuditTag.LOGIN_REFUSED]
    return ["203.0.113.9" in (entry.personal or "") for entry in entries]


async def test_older_addresses_go_and_nothing_else(database: AuditedDatabase, tmp_path: Path) -> None:
    clock = FixedClock()
    now = clock.now()
    service = make_service(database, attach(database), tmp_path)
    await record(database, Instant(now - 31 * DAY), Instant(now - 30 * DAY - 1), Instant(now - 30 * DAY), now)
    await made(database, service, clock).turn()
    assert await held(service) == [False, False, True, True]
    first = (await service.tail(100))[0]
    assert first.personal is not None
    assert '"device"' in first.personal
    assert '"identifier"' in first.personal
    report = await service.verify()
    assert [problem.kind.value for problem in report.problems] == ["no-checkpoints"]
    assert report.erased == 2


async def test_fault_M15_a_clock_that_is_set_forward_erases_nothing(
    database: AuditedDatabase, tmp_path: Path
) -> None:
    clock = FixedClock()
    service = make_service(database, attach(database), tmp_path)
    await record(database, Instant(clock.now() - DAY))
    upkeep = made(database, service, clock)
    clock.jump(10 * 365 * DAY)
    await upkeep.turn()
    assert await held(service) == [True]


async def test_an_erasure_is_noted_once_an_hour_at_most(database: AuditedDatabase, tmp_path: Path) -> None:
    clock = FixedClock()
    service = make_service(database, attach(database), tmp_path)
    await record(database, Instant(clock.now() - 31 * DAY))
    upkeep = made(database, service, clock)
    await upkeep.turn()
    await record(database, Instant(clock.now() - 31 * DAY))
    await upkeep.turn()
    assert await held(service) == [False, True]
    clock.advance(HOUR)
    await upkeep.turn()
    assert await held(service) == [False, False]
    erasures = [entry for entry in await service.tail(100) if entry.tag == AuditTag.AUDIT_ERASED]
    assert len(erasures) == 2
    assert '"fields":"address"' in erasures[0].facts


async def test_a_long_trail_takes_several_turns_of_small_steps(
    database: AuditedDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEPS", 2)
    monkeypatch.setattr(retention, "SPAN", 10)
    clock = FixedClock()
    service = make_service(database, attach(database), tmp_path)
    await record(database, *[Instant(clock.now() - 31 * DAY)] * 45)
    upkeep = made(database, service, clock)
    left = []
    for _ in range(4):
        await upkeep.turn()
        left.append(sum(await held(service)))
    assert left == [35, 15, 0, 0]


async def test_one_step_takes_some_hundred_entries_at_most(database: AuditedDatabase, tmp_path: Path) -> None:
    clock = FixedClock()
    service = make_service(database, attach(database), tmp_path)
    unit = Unit(key=b"many")
    for _ in range(201):
        unit.note(login(Instant(clock.now() - 31 * DAY)))
    await database.commit(unit)
    went = [0]
    while went[-1] < 201:
        went.append(await service.erase_next("main", "address", clock.now(), after=went[-1], until=201))
    assert went == [0, 100, 200, 201]


async def test_sessions_forget_where_they_were_begun(
    database: AuditedDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS", 2)
    clock = FixedClock(NOW)
    account = await add_account(database)
    ages = (31 * DAY, 30 * DAY + 1, 30 * DAY + 1, 30 * DAY, 0)
    sessions = []
    for number, age in enumerate(ages):
        device = await add_device(database, account, f"device {number}")
        sessions.append(await add_session(database, device, f"session {number}", at=Instant(NOW - age)))
    service = make_service(database, attach(database), tmp_path)
    await made(database, service, clock).turn()
    store = SQLSessionStore(database)
    found = [await stored(store, session) for session in sessions]
    assert [each.address for each in found] == ["", "", "", "192.0.2.7", "192.0.2.7"]
    assert {each.user_agent for each in found} == {"a test"}
