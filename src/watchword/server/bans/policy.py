"""Who is banned, and for how long: pure rules.

offence ──▶ at once?  ──yes──▶ ban of the source ──▶ length: first, doubled for each ban that is remembered
              │no                    │
              ▼                      ▼
        counted in the window   enough neighbours banned? ──▶ ban of the wider network
        ──▶ enough? ──yes──▶ ban
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, Self

from watchword.core.clock import DAY, SECOND, Instant
from watchword.server.bans.model import Ban, BanReason, OffenceKind

_MAX_DOUBLINGS: Final = 32
"""More than from a second to a month: a bound for what is read from a table."""
_EXTENDS: Final = 10
"""A live ban is made longer only by a tenth of its new length or more: not each request is worth a write."""


class BanSettings(Protocol):
    """`bans` of the configuration: None where the policy decides."""

    @property
    def policy(self) -> str: ...
    @property
    def failures(self) -> int | None: ...
    @property
    def names(self) -> int | None: ...
    @property
    def window_s(self) -> int | None: ...
    @property
    def first_s(self) -> int | None: ...
    @property
    def longest_s(self) -> int | None: ...
    @property
    def forged_s(self) -> int | None: ...


class Tally(NamedTuple):
    """What a source has done within the window."""

    failures: int
    names: int
    """Different ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BanPolicy:
    """The defaults are those of `balanced`. Lengths in milliseconds."""

    failures: int = 20
    names: int = 20
    window_ms: int = 600 * SECOND
    first_ms: int = 600 * SECOND
    longest_ms: int = 86_400 * SECOND
    forged_ms: int = 900 * SECOND
    limited_each: int = 100
    """So many requests over a limit count as one failure."""
    strict: bool = False
    off: bool = False

    @classmethod
    def of(cls, settings: BanSettings) -> Self:
        strict, base = settings.policy == "strict", cls()
        return cls(
            failures=settings.failures or base.failures,
            names=settings.names or base.names,
            window_ms=_ms(settings.window_s) or base.window_ms,
            first_ms=_ms(settings.first_s) or base.first_ms,
            longest_ms=_ms(settings.longest_s) or base.longest_ms,
            forged_ms=_ms(settings.forged_s) or base.forged_ms,
            limited_each=1 if strict else base.limited_each,
            strict=strict,
            off=settings.policy == "off",
        )

    def judge_at_once(self, kind: OffenceKind) -> BanReason | None:
        """Why one offence of this kind bans; None where offences are counted."""
        if kind is OffenceKind.FORGED:
            return BanReason.FORGED
        return _STRICT.get(kind) if self.strict else None

    def judge(self, kind: OffenceKind, tally: Tally) -> BanReason | None:
        """Why a source with this `tally` is banned, whose last offence was of `kind`; None if it is not."""
        if tally.failures >= self.failures:
            return BanReason.LIMITED if kind is OffenceKind.LIMITED else BanReason.FAILURES
        return BanReason.NAMES if tally.names >= self.names else None

    def doublings(self, previous: Ban | None, now: Instant) -> int:
        """For a ban that is made now of a network whose last one was `previous`, which has ended."""
        if previous is None or not _counts(previous):
            return 0
        return max(0, min(previous.doublings, _MAX_DOUBLINGS) + 1 - _days_since(previous, now))

    def length_ms(self, reason: BanReason, doublings: int) -> int:
        first = self.forged_ms if reason is BanReason.FORGED else self.first_ms
        return min(first << min(doublings, _MAX_DOUBLINGS), self.longest_ms)

    def extended_ms(self, live: Ban) -> int:
        """For how long from now on `live` holds at most when more comes from there: it never grows while it is live."""
        return min(live.length_ms, self.longest_ms)

    @property
    def remembered_ms(self) -> int:
        """After its end, no ban makes a difference for longer."""
        return (_MAX_DOUBLINGS + 1) * DAY

    def extends(self, previous: Ban | None, length_ms: int, now: Instant) -> bool:
        """Whether a ban from now on is worth making beside `previous`, which may be live."""
        if previous is None or not previous.is_live(now):
            return True
        return now + length_ms - previous.ends_at >= length_ms // _EXTENDS


def is_remembered(ban: Ban, now: Instant) -> bool:
    """Whether a further ban of the same network would be longer because of this one."""
    return _counts(ban) and ban.doublings + 1 > _days_since(ban, now)


def remembered_till(ban: Ban) -> Instant:
    """Until when `is_remembered`, of one that is."""
    return Instant(ban.ends_at + (ban.doublings + 1) * DAY)


def widens(ban: Ban) -> bool:
    """Whether `ban` counts for the networks around it: many failures led to it, or it is not the first one.

    A single forgery does not: a telephone that changes its network with each would have its carrier's banned.
    """
    if ban.reason is BanReason.FORGED:
        return ban.doublings > 0
    return ban.reason is not BanReason.OPERATOR


class Widening(NamedTuple):
    """At least so many live bans (that widen) of networks with `of` leading bits ban the one with `to` they share."""

    of: int
    to: int
    least: int


WIDENINGS: Final = (Widening(64, 56, 4), Widening(56, 48, 4), Widening(64, 48, 16))
"""Who has many sources has them side by side. The last is for who takes care to use three of each /56."""

_STRICT: Final = {
    OffenceKind.CREDENTIAL: BanReason.FAILURES,
    OffenceKind.SCANNER: BanReason.SCANNER,
    OffenceKind.CONCURRENT: BanReason.CONCURRENT,
}


def _counts(ban: Ban) -> bool:
    """Whether `ban` is the policy's own, and nobody took it back."""
    return ban.reason is not BanReason.OPERATOR and not ban.was_lifted


def _ms(seconds: int | None) -> int:
    return (seconds or 0) * SECOND


def _days_since(ban: Ban, now: Instant) -> int:
    return max(0, (now - ban.ends_at) // DAY)
