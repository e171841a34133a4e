"""Offences, and the bans that they lead to."""

import enum
from dataclasses import dataclass, field
from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import BanId

FOR_EVER: Final = Instant(253_402_300_799_000)
"""The end of the year 9999: how the end of a ban is kept that has none."""
MAX_NOTE: Final = 200
"""Characters of an operator's own words."""


class OffenceKind(enum.StrEnum):
    """What somebody at an address did."""

    CREDENTIAL = "credential"
    """Bad credentials, of whatever kind."""
    FORGED = "forged"
    """A short key, cookie or device proof that we never made. A typing error does not look like that."""
    SCANNER = "scanner"
    """A path that only scanners ask for."""
    CONCURRENT = "concurrent"
    """Too many requests at once."""
    LIMITED = "limited"
    """A request over a limit."""


class BanReason(enum.StrEnum):
    """Why a ban was made. Values are stored, and are labels of a metric: add, never rename."""

    FAILURES = "failures"
    NAMES = "names"
    FORGED = "forged"
    SCANNER = "scanner"
    CONCURRENT = "concurrent"
    LIMITED = "limited"
    NEIGHBOURS = "neighbours"
    """Several networks of the same one were banned."""
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Offence:
    """`address` is canonical; `name` the canonical name that a credential was tried for, where one was.

    `request` is the id of the request that it was, which its log line and its answer have.
    """

    kind: OffenceKind
    address: str
    name: str = field(default="", repr=False)
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """The newest ban of a network, live or not. One that was lifted ends when it was made."""

    id: BanId
    network: str
    """Canonical: "192.0.2.7", "192.0.2.0/24", "2001:db8:1:2::/64"."""
    reason: BanReason
    made_at: Instant
    ends_at: Instant
    doublings: int
    """How often the length of the first ban was doubled for this one."""
    note: str = ""

    @property
    def length_ms(self) -> int:
        return self.ends_at - self.made_at

    @property
    def is_for_ever(self) -> bool:
        return self.ends_at >= FOR_EVER

    @property
    def was_lifted(self) -> bool:
        return self.ends_at <= self.made_at

    def is_live(self, now: Instant) -> bool:
        return now < self.ends_at
