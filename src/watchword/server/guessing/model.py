"""A lane: whose guesses it counts, and how many have failed."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId

BY_NAME: Final = b""
BY_EMAIL: Final = b"@"
"""The ways of strangers, who give one or the other."""
_BESIDE: Final = {BY_NAME: BY_EMAIL, BY_EMAIL: BY_NAME}


class LaneKey(NamedTuple):
    """Whose lane. `owner` is an account's id, or the place of a name that nobody has.

    `way` is how somebody comes: `BY_NAME`, `BY_EMAIL`, or the id of the device. `tag` tells names apart that share a
    place; b"" for accounts.
    """

    owner: bytes
    way: bytes = BY_NAME
    tag: bytes = b""

    @property
    def is_device(self) -> bool:
        return self.way not in _BESIDE

    @property
    def kind(self) -> str:
        """How metrics and audit name it: "device" or "strangers"."""
        return "device" if self.is_device else "strangers"

    @property
    def beside(self) -> "LaneKey | None":
        """The other lane of the same account's strangers, with which it is closed; None for all others."""
        return None if self.is_device or self.tag else LaneKey(self.owner, _BESIDE[self.way])


def strangers_of(account_id: AccountId, way: bytes = BY_NAME) -> LaneKey:
    return LaneKey(account_id.value, way)


def lane_of(account_id: AccountId, device_id: DeviceId) -> LaneKey:
    return LaneKey(account_id.value, device_id.value)


@dataclass(frozen=True, slots=True)
class LaneState:
    """`recent` failures, which a quiet day forgets, make the delays; those `in_row`, which a success ends, close it."""

    recent: int
    in_row: int
    failed_at: Instant
    """The newest failure."""
    beside: int = 0
    """Failures in a row in the lane beside it: both are closed by their sum."""

    @property
    def row(self) -> int:
        """What closes the lane."""
        return self.in_row + self.beside


FRESH: Final = LaneState(0, 0, Instant(0))
"""A lane without failures, which has no row."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a lane was when it was read; `mark` was taken before (`Guessing.mark`)."""

    key: LaneKey
    state: LaneState
    mark: int
