"""When checkpoints are written: after a start, every minute in which the head moved, and at a clean stop.

The guarantee of the trail is that an entry is in the transaction that it describes. A checkpoint is extra, so
a file that cannot be written does not stop the server: it is an alarm at once, and readiness says `degraded`
after DEGRADED_AFTER. That also covers a task that died or hangs.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Clock
from watchword.errors import InvalidConfigError
from watchword.server.audit.checkpoint_file import CheckpointFile, FileEnd
from watchword.server.audit.checkpoints import CheckpointSigner
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.verify import Problem, ProblemKind
from watchword.server.logs import get_log

INTERVAL: Final = 60.0
"""Seconds."""
DEGRADED_AFTER: Final = 300.0
"""Seconds without a good checkpoint."""
_log: Final = get_log("audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointHealth:
    """For the readiness page: no names, no paths."""

    degraded: bool
    failing: bool
    seconds_since_good: int


class Checkpointer:
    """Writes the checkpoints of one chain. `head` and `signer` are asked each time: both move."""

    def __init__(
        self,
        *,
        file: CheckpointFile,
        node: str,
        head: Callable[[], ChainHead],
        signer: Callable[[], CheckpointSigner],
        clock: Clock,
    ) -> None:
        self._file = file
        self._node = node
        self._head = head
        self._signer = signer
        self._clock = clock
        self._good_at = clock.monotonic()
        self._failing = False
        self._writing = threading.Lock()

    def start(self, *, fresh: bool = False) -> list[Problem]:
        """Repair the file, hold the database's head against its last line, and write the first checkpoint.

        A chain that ends before its last checkpoint is an alarm, not a refusal: a restored backup looks so too.
        A `fresh` chain, begun by this process, has no checkpoint to miss.
        """
        head = self._head()
        try:
            end = self._file.open()
        except (OSError, InvalidConfigError) as error:
            self._failed(error)
            return []
        problems = list(_compare(self._node, head, end, fresh=fresh))
        for problem in problems:
            _log.error("audit.damaged", kind=problem.kind.value, node=problem.node, detail=problem.detail)
        self.tick()
        return problems

    def tick(self) -> bool:
        """Write a checkpoint if the head moved. True when the newest head is signed on disk. Never raises."""
        with self._writing:
            head, at = self._head(), self._clock.now()
            try:
                self._file.append(node=self._node, head=head, at=at, signer=self._signer())
            except Exception as error:  # noqa: BLE001  # whatever stops checkpoints, the alarm must go off
                self._failed(error)
                return False
            if self._failing:
                _log.info("audit.checkpoint_written_again", seq=head.seq)
            self._failing = False
            self._good_at = self._clock.monotonic()
            return True

    async def run(self, *, every: float = INTERVAL) -> None:
        """Tick for ever, `every` so many seconds; the writing and syncing happens on a thread."""
        while True:
            await asyncio.sleep(every)
            try:
                await asyncio.to_thread(self.tick)
            except Exception as error:  # noqa: BLE001  # no thread or no memory, perhaps: the next time tries again
                self._failed(error)

    def health(self) -> CheckpointHealth:
        since = self._clock.monotonic() - self._good_at
        return CheckpointHealth(
            degraded=since >= DEGRADED_AFTER, failing=self._failing, seconds_since_good=int(since)
        )

    def _failed(self, error: Exception) -> None:
        self._failing = True
        since = int(self._clock.monotonic() - self._good_at)
        _log.fault("audit.checkpoint_failed", error, seconds_since_good=since)


def _compare(node: str, head: ChainHead, end: FileEnd, *, fresh: bool) -> Iterator[Problem]:
    """A last line of another node says nothing of ours: this data came from a backup, and a new chain began."""
    if end.head is None:
        if head.seq and not end.number and not fresh:
            yield Problem(kind=ProblemKind.NO_CHECKPOINTS, node=node, detail="there are no checkpoints")
    elif end.node != node:
        return
    elif head.seq < end.head.seq:
        detail = f"entries {head.seq + 1} to {end.head.seq} were cut off"
        yield Problem(kind=ProblemKind.CUT_OFF, node=node, seq=head.seq + 1, detail=detail)
    elif head.seq == end.head.seq and head.mac != end.head.mac:  # compare: both are our own records
        detail = "the last checkpoint holds another MAC for the last entry"
        yield Problem(kind=ProblemKind.CHECKPOINT_MISMATCH, node=node, seq=head.seq, detail=detail)
