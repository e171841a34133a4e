"""Connections, from their acceptance."""

from typing import Final


class ConnectionMeasures:
    def __init__(self) -> None:
        self.open = 0
        self.accepted = 0
        self.shed = 0
        """Closed for want of room."""
        self.banned = 0
        """Closed because their source is banned and has had its few."""
        self.refused: Final[dict[int, int]] = {}
        """What was no request, by the status of its answer: 400, 408, 414, 431."""

    def refuse(self, status: int) -> None:
        self.refused[status] = self.refused.get(status, 0) + 1
