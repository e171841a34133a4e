"""How long a lane is held, and how many guesses that leaves."""

import itertools
from dataclasses import replace

import pytest

from watchword.core.clock import DAY, HOUR, MINUTE, SECOND, Instant
from watchword.server.guessing.delays import (
    FREE,
    LIMIT,
    LONGEST_DELAY,
    delay_after,
    failed,
    is_closed,
    places,
    wait_ms,
)
from watchword.server.guessing.model import FRESH, LaneState

NOW = Instant(1_800_000_000_000)
YEAR = 365 * DAY


def after(failures: int, *, at: Instant = NOW) -> LaneState:
    """The newest of them at `at`, each when it was allowed."""
    return LaneState(failures, failures, at) if failures else FRESH


def test_fault_D1_delays_begin_at_the_sixth_guess_and_double_to_an_hour() -> None:
    assert [delay_after(failures) // SECOND for failures in range(15)] == [
        *(0, 0, 0, 0, 0),
        *(30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600),
    ]
    assert delay_after(10**9) == HOUR


def test_a_delay_is_half_open() -> None:
    state = after(FREE)
    assert wait_ms(state, NOW) == 30 * SECOND
    assert wait_ms(state, Instant(NOW + 30 * SECOND - 1)) == 1
    assert wait_ms(state, Instant(NOW + 30 * SECOND)) == 0


def test_a_quiet_day_forgets_delays_and_not_the_row() -> None:
    state = after(12)
    almost, quiet = Instant(NOW + DAY - 1), Instant(NOW + DAY)
    assert failed(state, almost).recent == 13
    assert failed(state, quiet).recent == 1
    assert failed(state, quiet).in_row == 13
    assert places(state, almost) == 1
    assert places(state, quiet) == FREE


def test_as_many_may_verify_as_may_fail_before_the_next_delay() -> None:
    assert [places(after(failures), NOW) for failures in range(8)] == [5, 4, 3, 2, 1, 1, 1, 1]
    nearly = LaneState(1, LIMIT - 2, NOW)
    assert places(nearly, NOW) == 2
    assert places(nearly, Instant(NOW + DAY)) == 2


def test_a_lane_is_closed_at_a_hundred_in_a_row_for_ever() -> None:
    assert not is_closed(after(LIMIT - 1))
    closed = after(LIMIT)
    assert is_closed(closed)
    assert {wait_ms(closed, Instant(NOW + ahead)) for ahead in (-YEAR, 0, DAY, 10 * YEAR)} == {LONGEST_DELAY}


def test_two_lanes_side_by_side_are_closed_by_the_sum_of_their_rows() -> None:
    almost = LaneState(1, LIMIT - 42, NOW, beside=40)
    assert not is_closed(almost)
    assert places(almost, NOW) == 2
    assert not is_closed(failed(almost, NOW))
    assert is_closed(failed(failed(almost, NOW), NOW))
    assert wait_ms(LaneState(0, 0, Instant(0), beside=LIMIT), NOW) == LONGEST_DELAY
    assert wait_ms(LaneState(0, 0, Instant(0), beside=LIMIT - 1), NOW) == 0


@pytest.mark.parametrize("step", [HOUR, -HOUR, 10 * YEAR, -10 * YEAR])
def test_fault_D16_no_clock_that_is_set_holds_a_lane_for_longer_than_two_hours(step: int) -> None:
    """The failure was noted by a clock that is then set by `step`."""
    state = after(FREE + 20)
    then = Instant(NOW + step)
    waits = [wait_ms(state, Instant(then + passed)) for passed in range(0, 3 * HOUR, MINUTE)]
    assert max(waits) <= HOUR
    assert not any(waits[2 * HOUR // MINUTE :])


def test_fault_D16_a_failure_after_the_clock_was_set_back_far_holds_again() -> None:
    state = after(FREE + 20, at=Instant(NOW + 10 * YEAR))
    assert wait_ms(state, NOW) == 0
    assert wait_ms(failed(state, NOW), NOW) == HOUR


def guesses(days: int, *, quiet: int = 0, nodes: int = 1) -> list[int]:
    """How many guesses an attacker who asks at every second gets, by day, whatever their number of addresses.

    `quiet` days are left out after each day of guessing. Each of `nodes` lets one in before it hears of the others'.
    """
    state, now, got = FRESH, NOW, [0] * days
    while (day := (now - NOW) // DAY) < days and not is_closed(state):
        if quiet and day % (quiet + 1):
            now = Instant(NOW + (day // (quiet + 1) + 1) * (quiet + 1) * DAY + HOUR)
            continue
        wait = wait_ms(state, now)
        if wait:
            now = Instant(now + -(-wait // SECOND) * SECOND)
            continue
        for _ in range(nodes):
            got[day] += 1
            state = failed(state, now)
    return got


def test_fault_D2_whoever_guesses_all_day_gets_35_then_24_and_a_hundred_in_all() -> None:
    got = guesses(8)
    assert got[0] == 34
    assert all(day <= 24 for day in got[1:])
    assert sum(got) == LIMIT
    every_day = list(itertools.accumulate(got))
    assert every_day == [34, 58, 82, 100, 100, 100, 100, 100]


def test_fault_D2_by_name_and_e_mail_day_one_gives_68_guesses_and_a_row_still_a_hundred() -> None:
    lanes, now, got = [FRESH, FRESH], NOW, [0] * 4
    while now < NOW + 4 * DAY:
        for mine in (0, 1):
            state = replace(lanes[mine], beside=lanes[1 - mine].in_row)
            while not wait_ms(state, now):
                state = failed(state, now)
                got[(now - NOW) // DAY] += 1
            lanes[mine] = state
        now = Instant(now + 30 * SECOND)
    assert got == [68, 32, 0, 0]
    assert sum(got) == LIMIT


@pytest.mark.parametrize("nodes", [2, 5])
def test_fault_D2_several_nodes_that_let_guesses_in_at_once_give_no_more_of_them(nodes: int) -> None:
    got = guesses(8, nodes=nodes)
    assert got[0] <= 35 + nodes
    assert all(day <= 24 + nodes for day in got[1:])
    assert LIMIT <= sum(got) < LIMIT + nodes


def test_a_guess_that_two_nodes_let_in_at_once_holds_the_lane_for_both() -> None:
    state = failed(after(FREE + 20), Instant(NOW + HOUR))
    twice = failed(state, Instant(NOW + HOUR))
    assert [wait_ms(twice, Instant(NOW + hours * HOUR)) for hours in (1, 2, 3)] == [HOUR, HOUR, 0]


def test_fault_D2_quiet_days_between_gain_nothing() -> None:
    assert sum(guesses(6, quiet=1)) <= sum(guesses(6))
