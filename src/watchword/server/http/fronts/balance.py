"""Which connections the server keeps for itself: so many that nobody is idle while a front has all that it can do.

A handshake costs as much as a login decides. When callers only connect, the front is the busiest, and a server that
waits for it would leave its own core idle.
"""

from typing import Final

LEAST: Final = 0.2
"""Share of a core that a front uses before there is anything to balance."""
RATIO: Final = 1.5
_STEP: Final = 0.1
_MOST: Final = 0.5
"""Of all connections: beyond it the server would be the busier one again."""


class Balance:
    def __init__(self) -> None:
        self.kept = 0.0
        """The part of all connections that the server keeps."""
        self._due = 0.0

    def look(self, own: float, theirs: float) -> None:
        """Once a second: the share of a core that the server's loop used, and that of its busiest front."""
        more = theirs > LEAST and theirs > RATIO * own
        self.kept = min(_MOST, self.kept + _STEP) if more else max(0.0, self.kept - _STEP)

    def keeps_next(self) -> bool:
        """Whether the next connection is one of those."""
        self._due += self.kept
        if self._due < 1:
            return False
        self._due -= 1
        return True
