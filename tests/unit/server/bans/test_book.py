"""The book of offences: its bound, and who is kept when it is full."""

import pytest

from watchword.core.clock import MINUTE, SECOND, Instant, SteadyClock
from watchword.errors import UnavailableError
from watchword.server.bans.book import MemoryOffenceBook
from watchword.server.bans.limited import EveryNth
from watchword.server.bans.policy import BanPolicy, Tally
from watchword.server.bans.sql import SQLBanStore
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.testing import FixedClock

pytestmark = pytest.mark.anyio


class Stage:
    def __init__(self, database: AuditedDatabase, max_sources: int = 100) -> None:
        self.clock = FixedClock()
        self.database = database
        self.max_sources = max_sources
        self.book = self.open()

    def open(self) -> MemoryOffenceBook:
        return MemoryOffenceBook(
            BanPolicy(),
            SteadyClock(self.clock),
            store=SQLBanStore(self.database),
            database=self.database,
            node="one",
            max_sources=self.max_sources,
        )

    def count(self, source: str, times: int = 1, tag: bytes = b"") -> Tally:
        told: list[Tally] = []
        for _ in range(times):
            self.book.count(source, tag, told.append)
        return told[-1]


@pytest.fixture
def stage(sqlite_database: AuditedDatabase) -> Stage:
    return Stage(sqlite_database)


async def test_failures_and_names_are_told_at_once(stage: Stage) -> None:
    assert stage.count("192.0.2.7") == Tally(1, 0)
    assert stage.count("192.0.2.7", 2, b"a" * 8) == Tally(3, 1)
    assert stage.count("192.0.2.8", 1, b"b" * 8) == Tally(1, 1)
    stage.book.forget("192.0.2.7")
    assert stage.count("192.0.2.7") == Tally(1, 0)


async def test_fault_D13_a_flood_of_addresses_does_not_drop_those_who_fail_again(stage: Stage) -> None:
    attackers = [f"198.51.100.{number}" for number in range(50)]
    for attacker in attackers:
        stage.count(attacker, 10)
    for number in range(5000):
        stage.count(f"10.0.{number >> 8}.{number & 255}")
        stage.clock.advance(10)
    assert len(stage.book) == 100
    assert {stage.count(attacker).failures for attacker in attackers} == {11}


async def test_among_those_who_failed_again_the_least_telling_gives_way(stage: Stage) -> None:
    for number in range(100):
        stage.count(f"10.0.0.{number}", 2 if number == 3 else 5)
    stage.count("192.0.2.7", 5)
    assert stage.count("10.0.0.0").failures == 6
    assert stage.count("10.0.0.3").failures == 1


async def test_what_is_older_than_the_window_gives_way_first_and_is_tidied(stage: Stage) -> None:
    for number in range(60):
        stage.count(f"10.0.0.{number}", 15)
    stage.clock.advance(10 * MINUTE)
    for number in range(60):
        stage.count(f"10.0.1.{number}", 2)
    assert {stage.count(f"10.0.1.{number}").failures for number in range(60)} == {3}
    stage.book.tidy()
    assert len(stage.book) == 60


async def test_counts_are_kept_and_read_again(stage: Stage) -> None:
    stage.count("192.0.2.7", 7, b"a" * 8)
    stage.count("192.0.2.8", 3)
    stage.count("192.0.2.9", 3)
    await stage.book.flush()
    stage.clock.advance(MINUTE)
    stage.count("192.0.2.7", 1)
    stage.book.forget("192.0.2.8")
    await stage.book.flush()
    stage.book = stage.open()
    await stage.book.load()
    assert stage.count("192.0.2.7") == Tally(9, 1)
    assert stage.count("192.0.2.8") == Tally(1, 0)
    assert stage.count("192.0.2.9") == Tally(4, 0)
    stage.clock.advance(9 * MINUTE)
    assert stage.count("192.0.2.7") == Tally(3, 0)


async def test_while_the_database_is_away_no_more_is_noted_than_there_are_sources(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        stage.count(f"192.0.2.{number}")
    await stage.book.flush()

    async def away(_unit: Unit) -> None:
        raise UnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(stage.database, "commit", away)
        for number in range(100):
            stage.book.forget(f"192.0.2.{number}")
        for number in range(1000):
            source = f"10.0.{number >> 8}.{number & 255}"
            stage.count(source)
            if not number % 10:
                with pytest.raises(UnavailableError):
                    await stage.book.flush()
            stage.book.forget(source)
    assert len(stage.book._forgotten) == len(stage.book._kept) == 100


async def test_of_what_was_never_kept_nothing_is_to_be_dropped(stage: Stage) -> None:
    for number in range(50):
        stage.count(f"192.0.2.{number}")
        stage.book.forget(f"192.0.2.{number}")
    assert not stage.book._forgotten


async def test_what_was_read_is_dropped_when_it_is_forgotten(stage: Stage) -> None:
    stage.count("192.0.2.7", 3)
    await stage.book.flush()
    for _ in range(2):
        stage.book = stage.open()
        await stage.book.load()
        stage.book.forget("192.0.2.7")
        await stage.book.flush()
    stage.book = stage.open()
    await stage.book.load()
    assert len(stage.book) == 0


async def test_fault_D16_counts_of_a_clock_that_was_ahead_end_in_a_window(stage: Stage) -> None:
    stage.clock.jump(3650 * 86_400 * SECOND)
    stage.book = stage.open()
    stage.count("192.0.2.7", 7)
    await stage.book.flush()
    stage.clock.jump(-3650 * 86_400 * SECOND)
    stage.book = stage.open()
    await stage.book.load()
    assert stage.count("192.0.2.7").failures == 8
    stage.clock.advance(10 * MINUTE)
    assert stage.count("192.0.2.7").failures == 1


def test_each_hundredth_is_due_for_each_source_by_itself() -> None:
    each, now = EveryNth(100, 10 * MINUTE, max_sources=3), Instant(0)
    assert [number for number in range(1, 301) if each.is_due("192.0.2.7", now)] == [100, 200, 300]
    assert not any(each.is_due(f"10.0.0.{number}", now) for number in range(50))
    assert len(each) == 3


def test_refusals_of_an_earlier_window_do_not_count_with_those_of_now() -> None:
    each = EveryNth(100, 10 * MINUTE)
    assert not any(each.is_due("192.0.2.7", Instant(0)) for _ in range(99))
    assert not any(each.is_due("192.0.2.7", Instant(10 * MINUTE)) for _ in range(99))
    assert each.is_due("192.0.2.7", Instant(20 * MINUTE - 1))
