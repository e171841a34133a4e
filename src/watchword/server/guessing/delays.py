"""How long a lane is held, what a failure makes of it, and how many may verify in it at once. Pure.

Five failures are free. Then 30 s, doubling to an hour; a day without a failure forgets that. A hundred failures in a
row close the lane. So one lane takes 34 guesses in its first day and 24 on each further one. User name and e-mail
address of an account have a lane each, so that both are held as names are that nobody has, and are closed together.

Two nodes may let a guess in at the same moment. The second of them counts as made when it would have been allowed, so
the lane is held for as long as both delays together, and a day has no more guesses, however many nodes there are.

`now` and the instants of failures come from clocks that may be set between two runs of the server. A failure that lies
further ahead than that can explain was noted by a wrong clock: it holds nobody, and the next failure puts it right.
"""

from typing import Final

from watchword.core.clock import DAY, HOUR, SECOND, Instant
from watchword.server.guessing.model import LaneState

FREE: Final = 5
"""Failures before the first delay."""
FIRST_DELAY: Final = 30 * SECOND
LONGEST_DELAY: Final = HOUR
QUIET: Final = DAY
"""After so long without a failure the delays begin anew."""
AHEAD: Final = 6 * HOUR
"""How far ahead a failure is believed: seven nodes at once, at the longest delay."""
LIMIT: Final = 100
"""Failures in a row (NIST SP 800-63B-4, 3.2.2)."""
_MOST_DOUBLINGS: Final = (LONGEST_DELAY // FIRST_DELAY).bit_length()


def delay_after(recent: int) -> int:
    """Milliseconds between the failure number `recent` and the next guess."""
    if recent < FREE:
        return 0
    return min(FIRST_DELAY << min(recent - FREE, _MOST_DOUBLINGS), LONGEST_DELAY)


def is_closed(state: LaneState) -> bool:
    return state.row >= LIMIT


def wait_ms(state: LaneState, now: Instant) -> int:
    """For how long the lane is held; 0: not. One that is closed says the longest delay, always."""
    if is_closed(state):
        return LONGEST_DELAY
    return min(_held_for(state, now), LONGEST_DELAY)


def places(state: LaneState, now: Instant) -> int:
    """How many may verify at once: as many as may fail before the next delay, or before the lane is closed; or one."""
    recent = 0 if _is_quiet(state, now) else state.recent
    return max(1, min(FREE - recent, LIMIT - state.row))


def failed(state: LaneState, now: Instant) -> LaneState:
    """The lane after one more failure."""
    recent = 1 if _is_quiet(state, now) else state.recent + 1
    counted_at = min(now + _held_for(state, now), now + AHEAD)
    return LaneState(recent, state.in_row + 1, Instant(counted_at), state.beside)


def _held_for(state: LaneState, now: Instant) -> int:
    """Until the delay after the newest failure is over."""
    since = now - state.failed_at
    return max(0, delay_after(state.recent) - since) if since >= -AHEAD else 0


def _is_quiet(state: LaneState, now: Instant) -> bool:
    return not state.recent or now - state.failed_at >= QUIET
