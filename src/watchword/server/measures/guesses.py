"""Guesses at passwords: those that reached verification, and those that a lane held up."""

from typing import Final

LANES: Final = ("device", "strangers")


class GuessMeasures:
    def __init__(self) -> None:
        self.verified = 0
        """Right ones as well: nobody knows before."""
        self.held: Final[dict[str, int]] = dict.fromkeys(LANES, 0)
