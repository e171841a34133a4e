"""A lane: whose guesses it counts, and how many have failed."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId


class LaneKey(NamedTuple):
    """Whose lane. `owner` is an account's id, or the place of a name that nobody has; `device` is b"" for strangers.

    `tag` tells names apart that share a place; b"" for accounts.
    """

    owner: bytes
    device: bytes = b""
    tag: bytes = b""

    @property
    def kind(self) -> str:
        """How metrics and audit name it: "device" or "strangers"."""
        return "device" if self.device else "strangers"


def strangers_of(account_id: AccountId) -> LaneKey:
    return LaneKey(account_id.value)


def lane_of(account_id: AccountId, device_id: DeviceId) -> LaneKey:
    return LaneKey(account_id.value, device_id.value)


@dataclass(frozen=True, slots=True)
class LaneState:
    """`recent` failures, which a quiet day forgets, make the delays; those `in_row`, which a success ends, close it."""

    recent: int
    in_row: int
    failed_at: Instant
    """The newest failure."""


FRESH: Final = LaneState(0, 0, Instant(0))
"""A lane without failures, which has no row."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a lane was when it was read; `mark` was taken before (`Guessing.mark`)."""

    key: LaneKey
    state: LaneState
    mark: int
