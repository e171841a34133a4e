"""Bans that wait for the database: how many, which, and in what order."""

from watchword.core.clock import Instant
from watchword.core.ids import BanId
from watchword.server.bans.model import Ban, BanReason
from watchword.server.bans.waiting import PendingBan, Waiting
from watchword.testing import SeededEntropy

ENTROPY = SeededEntropy()


def made(network: str, ends_at: int) -> PendingBan:
    ban = Ban(
        id=BanId.new(Instant(0), ENTROPY),
        network=network,
        reason=BanReason.FAILURES,
        made_at=Instant(0),
        ends_at=Instant(ends_at),
        doublings=0,
    )
    return PendingBan(ban)


def networks(waiting: Waiting) -> list[str]:
    return [each.ban.network for each in waiting.take(1000)]


def test_those_that_end_soonest_go_where_there_are_too_many() -> None:
    waiting = Waiting(3)
    for network, ends_at in (("a", 5), ("b", 9), ("c", 7), ("d", 8), ("a", 6), ("e", 1)):
        waiting.put(made(network, ends_at))
    assert networks(waiting) == ["b", "c", "d"]


def test_a_ban_made_anew_goes_by_its_new_end() -> None:
    waiting = Waiting(2)
    for network, ends_at in (("a", 1), ("b", 5), ("a", 9), ("c", 6)):
        waiting.put(made(network, ends_at))
    assert networks(waiting) == ["a", "c"]


def test_what_is_put_back_stands_behind_what_was_made_since() -> None:
    waiting = Waiting(3)
    for network in ("a", "b"):
        waiting.put(made(network, 5))
    taken = waiting.take(2)
    waiting.put(made("a", 8))
    waiting.put(made("c", 9))
    waiting.put(made("d", 7))
    waiting.put_back(taken)
    assert networks(waiting) == ["a", "c", "d"]


def test_a_storm_that_is_written_at_once_leaves_nothing_behind() -> None:
    waiting = Waiting(100)
    for number in range(5000):
        waiting.put(made(str(number), number))
        assert len(waiting.take(1)) == 1
    assert len(waiting) == 0
    assert len(waiting._ends) <= 1002
