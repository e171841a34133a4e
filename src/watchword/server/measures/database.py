"""What the database's writer does, and how long those who wait for it wait."""

from typing import Final

from watchword.server.measures.histogram import COMMIT_S, GROUP_UNITS, Histogram
from watchword.server.measures.outcomes import Outcomes


class DatabaseMeasures:
    """Both engines fill the same. Written on the event loop alone."""

    def __init__(self) -> None:
        self.commits: Final = Histogram(COMMIT_S)
        """Seconds from handing a unit in until it is on disk: waiting, running and syncing."""
        self.guarded = 0
        """Units undone because a guard did not hold; what a race or a refusal does."""
        self.failed = 0
        """Units that the engine could not commit."""
        self.failing = False
        """Whether the last unit that reached the disk's door failed there."""
        self.groups: Final = Histogram(GROUP_UNITS)
        """Units in one transaction."""
        self.syncs: Final = Histogram(COMMIT_S)
        """Seconds of the commit itself, which is the sync to disk."""
        self.outcomes: Final = Outcomes()

    def group(self, units: int, seconds: float) -> None:
        """Count a transaction that is on disk; its commit took `seconds`."""
        self.groups.observe(units)
        self.syncs.observe(seconds)
