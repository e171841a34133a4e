"""Who is banned and for how long, by the rules alone."""

from dataclasses import dataclass

import pytest

from watchword.core.clock import DAY, HOUR, MINUTE, SECOND, Instant
from watchword.core.ids import BanId
from watchword.server.bans.model import Ban, BanReason, OffenceKind
from watchword.server.bans.policy import BanPolicy, Tally, is_remembered
from watchword.server.bans.window import NOTHING, Window, read_window

NOW = Instant(1_800_000_000_000)
BALANCED = BanPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    policy: str = "balanced"
    failures: int | None = None
    names: int | None = None
    window_s: int | None = None
    first_s: int | None = None
    longest_s: int | None = None
    forged_s: int | None = None


STRICT = BanPolicy.of(Settings(policy="strict"))


def ban(*, doublings: int = 0, length: int = 10 * MINUTE, ended_ago: int = 0) -> Ban:
    end = Instant(NOW - ended_ago)
    return Ban(
        id=BanId(bytes(16)),
        network="192.0.2.7",
        reason=BanReason.FAILURES,
        made_at=Instant(end - length),
        ends_at=end,
        doublings=doublings,
    )


def test_balanced_bans_at_once_for_what_is_forged_alone() -> None:
    assert {kind: BALANCED.judge_at_once(kind) for kind in OffenceKind if BALANCED.judge_at_once(kind)} == {
        OffenceKind.FORGED: BanReason.FORGED
    }


def test_strict_bans_at_once_for_everything_but_limits() -> None:
    assert {kind for kind in OffenceKind if STRICT.judge_at_once(kind) is None} == {OffenceKind.LIMITED}


def test_the_twentieth_failure_bans_and_the_nineteenth_does_not() -> None:
    assert BALANCED.judge(OffenceKind.CREDENTIAL, Tally(19, 0)) is None
    assert BALANCED.judge(OffenceKind.CREDENTIAL, Tally(20, 0)) is BanReason.FAILURES
    assert BALANCED.judge(OffenceKind.LIMITED, Tally(20, 0)) is BanReason.LIMITED


def test_single_settings_make_a_policy_of_ones_own() -> None:
    policy = BanPolicy.of(
        Settings(failures=100, names=5, first_s=60, longest_s=120, forged_s=30, window_s=10)
    )
    assert policy.judge(OffenceKind.CREDENTIAL, Tally(99, 4)) is None
    assert policy.judge(OffenceKind.CREDENTIAL, Tally(99, 5)) is BanReason.NAMES
    lengths = [policy.length_ms(BanReason.NAMES, doublings) for doublings in range(3)]
    assert lengths == [60 * SECOND, 120 * SECOND, 120 * SECOND]
    assert policy.length_ms(BanReason.FORGED, 0) == 30 * SECOND
    assert policy.window_ms == 10 * SECOND


def test_bans_double_up_to_a_day() -> None:
    minutes = [BALANCED.length_ms(BanReason.FAILURES, doublings) // MINUTE for doublings in range(10)]
    assert minutes == [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]
    assert BALANCED.length_ms(BanReason.FAILURES, 10**9) == DAY


@pytest.mark.parametrize(
    ("before", "ended_ago", "doublings"),
    [(0, 0, 1), (0, DAY - 1, 1), (0, DAY, 0), (3, HOUR, 4), (3, DAY, 3), (3, 4 * DAY, 0), (3, 40 * DAY, 0)],
)
def test_each_day_without_a_ban_forgets_a_doubling(before: int, ended_ago: int, doublings: int) -> None:
    previous = ban(doublings=before, ended_ago=ended_ago)
    assert BALANCED.doublings(previous, NOW) == doublings
    assert is_remembered(previous, NOW) == (doublings > 0)


def test_a_lifted_ban_is_forgotten() -> None:
    lifted = ban(doublings=5, length=0)
    assert BALANCED.doublings(lifted, NOW) == 0
    assert not is_remembered(lifted, NOW)


def test_doublings_of_a_table_are_bounded() -> None:
    assert BALANCED.length_ms(BanReason.FAILURES, BALANCED.doublings(ban(doublings=10**12), NOW)) == DAY


def test_a_live_ban_is_extended_by_what_matters_alone() -> None:
    live = ban(length=HOUR, ended_ago=-HOUR)
    assert not BALANCED.extends(live, HOUR, NOW)
    assert not BALANCED.extends(live, HOUR + 6 * MINUTE, NOW)
    assert BALANCED.extends(live, HOUR + 7 * MINUTE, NOW)
    assert BALANCED.extends(ban(), SECOND, NOW)


def add(window: Window, *seconds: int, tag: bytes = b"", policy: BanPolicy = BALANCED) -> Window:
    for second in seconds:
        window = window.add(tag, Instant(NOW + second * SECOND), policy)
    return window


def test_a_failure_counts_for_the_window_and_not_longer() -> None:
    window = add(NOTHING, 0, 1, 2)
    assert window.since(Instant(NOW + SECOND)).tally() == (1, 0)
    assert add(window, 600).tally() == (3, 0)
    assert add(window, 602).tally() == (1, 0)


def test_a_name_counts_once_however_often_it_is_tried() -> None:
    window = add(add(NOTHING, 0, 1, 2, tag=b"a" * 8), 3, 4, tag=b"b" * 8)
    assert window.tally() == (5, 2)


def test_a_window_never_holds_more_than_the_policy_asks_about() -> None:
    window = NOTHING
    for number in range(500):
        window = window.add(number.to_bytes(8, "big"), NOW, BALANCED)
    assert window.tally() == (20, 20)
    assert window.size == 20 * 8 + 20 * 16


def test_instants_of_a_clock_that_was_ahead_become_now() -> None:
    window = add(add(NOTHING, 0, tag=b"a" * 8), 500, tag=b"b" * 8).not_after(NOW)
    assert window.newest_at == NOW
    assert window.tally() == (2, 2)


@pytest.mark.parametrize(("times", "names"), [(b"1234567", b""), (bytes(8), bytes(15))])
def test_what_is_no_window_is_refused(times: bytes, names: bytes) -> None:
    with pytest.raises(ValueError, match="fixed sizes"):
        read_window(times, names)
