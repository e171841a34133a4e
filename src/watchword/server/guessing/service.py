"""Entering a lane before a password is verified, and what comes of it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from watchword.core.clock import SECOND, Instant
from watchword.core.ids import AccountId, DeviceId
from watchword.errors import OverloadedError, RefusedError, TooManyError
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.guessing.delays import FREE, LIMIT, failed, is_closed, places, wait_ms
from watchword.server.guessing.model import FRESH, LaneKey, LaneState, Reading
from watchword.server.guessing.store import LaneStore
from watchword.server.guessing.turns import Turns
from watchword.server.measures import GuessMeasures

_MOST_WAITING_S: Final = 10.0
"""For a turn: many times what those before take, were every one of them a slow hash."""
_TRIES: Final = 8
"""Each time another node counted a failure of the same lane first."""

_OPENED_BY: Final = ("account", "device", "session")

EndDevice = Callable[[Unit, DeviceId, Instant], None]
"""Adds to a unit of work the end of a device and of its session."""


class CountedError(RefusedError):
    """A refusal that is counted, and whose audit entry is on disk."""


class Guessing:
    """`present` is a time that setting the clock does not move. Where it is not `enabled` everybody enters."""

    def __init__(
        self,
        *,
        store: LaneStore,
        database: Database,
        present: Callable[[], Instant],
        end_device: EndDevice,
        measures: GuessMeasures,
        enabled: bool = True,
    ) -> None:
        self._store = store
        self._database = database
        self._present = present
        self._end_device = end_device
        self._enabled = enabled
        self._turns = Turns()
        self._measures = measures

    def mark(self) -> int:
        """Take it before a lane is read together with something else."""
        return self._turns.mark()

    async def read(self, key: LaneKey) -> Reading:
        mark = self._turns.mark()
        return Reading(key, await self._store.find(key), mark)

    def check_held(self, lane: Reading) -> None:
        """For who has work to do before it can enter. Raises `TooManyError` while held."""
        if self._enabled:
            self._refuse_held(lane.key, wait_ms(lane.state, self._present()))

    @asynccontextmanager
    async def guess(
        self, lane: Reading, strangers: Reading, describe: Callable[[str], AuditEvent]
    ) -> AsyncIterator["Turn"]:
        """A turn to verify one secret. A `RefusedError` within becomes `CountedError`, by the event that tells why.

        `strangers` is a lane of the account's for those, which may be `lane` itself. Raises `TooManyError` while held.
        """
        turn = await self.enter(lane, strangers)
        try:
            yield turn
        except RefusedError as refusal:
            await turn.fail(describe(refusal.reason))
            raise CountedError(refusal.reason) from None
        finally:
            turn.leave()

    async def enter(self, lane: Reading, strangers: Reading) -> "Turn":
        """A turn; `leave` it. Waits where others verify who may use up what is left."""
        if not self._enabled:
            return Turn(self, lane, strangers, counted=False)
        try:
            return Turn(self, await self._enter(lane), strangers)
        except BaseException:
            self._turns.wake(lane.key)  # whoever was to have this turn does not take it
            raise

    async def _enter(self, lane: Reading) -> Reading:
        waited = False
        while True:
            if self._turns.changed(lane.key, lane.mark):
                lane = await self.read(lane.key)
                continue
            now = self._present()
            self._refuse_held(lane.key, wait_ms(lane.state, now))
            if self._turns.take(lane.key, places(lane.state, now)):
                self._measures.verified += 1
                return lane
            try:
                await self._turns.wait(lane.key, _MOST_WAITING_S, first=waited)
            except TimeoutError:
                self._refuse_held(lane.key, SECOND)
            waited, lane = True, await self.read(lane.key)

    def _refuse_held(self, key: LaneKey, wait: int) -> None:
        if wait > 0:
            self._measures.held[key.kind] += 1
            raise TooManyError(-(-wait // SECOND), reason="lane")

    def leave(self, key: LaneKey) -> None:
        self._turns.leave(key)

    async def record(self, event: AuditEvent) -> None:
        """Write `event` and count nothing."""
        unit = Unit(key=str(event.facts["request"]).encode())
        unit.note(event)
        await self._database.commit(unit)

    async def count(self, lane: Reading, event: AuditEvent) -> None:
        """A failure, in one unit of work with `event`, which describes it; one of a lane after the other."""
        async with self._turns.recording(lane.key), self._closing(lane):
            for _ in range(_TRIES):
                if self._turns.changed(lane.key, lane.mark):
                    lane = await self.read(lane.key)
                try:
                    await self._database.commit(self._failure(lane.key, lane.state, event))
                except GuardError:  # another node has counted one
                    lane = await self.read(lane.key)
                else:
                    return
                finally:
                    self._note_change(lane.key)  # of a commit whose caller has left as well
        raise OverloadedError

    def _closing(self, lane: Reading) -> AbstractAsyncContextManager[None]:
        """Near the limit two lanes side by side count in turn, so that one of them sees that it closes both.

        Not before: that one waits for the other would tell that both are one account's.
        """
        near = lane.state.row >= LIMIT - 2 * FREE  # more than can have been counted since it was read
        return self._turns.closing(lane.key.owner) if near else nullcontext()

    def _note_change(self, key: LaneKey) -> None:
        """The lane beside it is closed by the same row."""
        self._turns.note_change(key)
        if key.beside is not None:
            self._turns.note_change(key.beside)

    def _failure(self, key: LaneKey, state: LaneState, event: AuditEvent) -> Unit:
        worse = failed(state, self._present())
        unit = Unit(key=key.owner)
        self._store.replace(unit, key, state, worse)
        unit.note(event)
        if is_closed(worse) and not is_closed(state):
            self._close(unit, key, event)
        return unit

    def _close(self, unit: Unit, key: LaneKey, event: AuditEvent) -> None:
        """After too many failures in a row no stranger is heard any more, or the device is ended."""
        if not key.is_device:
            whose = {"lane": "nobody"} if key.tag else {"account": str(AccountId(key.owner))}
            unit.note(_beside(event, AuditTag.LANE_CLOSED, whose))
            return
        device = DeviceId(key.way)
        self._end_device(unit, device, event.at)
        facts = {"account": str(AccountId(key.owner)), "device": str(device)}
        unit.note(_beside(event, AuditTag.DEVICE_ENDED, facts))

    def add_success(self, unit: Unit, lane: Reading, strangers: Reading, event: AuditEvent) -> None:
        """What a right password does to lanes, added to `unit`: nothing where none had failures.

        A device's own lane is as new. Those of strangers are open, and keep their delays, whoever it was: nobody gains
        guesses by the owner's coming and going, nor learns of it.
        """
        if lane.key.is_device and lane.state != FRESH:
            self._store.clear(unit, lane.key)
        if strangers.state.row:
            self._store.end_row(unit, strangers.key)
            if is_closed(strangers.state):
                by = {name: event.facts[name] for name in _OPENED_BY if name in event.facts}
                unit.note(_beside(event, AuditTag.LANE_OPENED, by))

    def note_success(self, lane: Reading, strangers: Reading) -> None:
        """The unit that `add_success` added to is on disk."""
        for reading in (lane, strangers):
            if reading.state != FRESH:
                self._note_change(reading.key)


@dataclass(slots=True)
class Turn:
    """The right to verify one secret now."""

    _guessing: Guessing
    lane: Reading
    strangers: Reading
    counted: bool = True
    _left: bool = field(default=False, init=False)

    def leave(self) -> None:
        """Let the next one in. It may be called again."""
        if self.counted and not self._left:
            self._guessing.leave(self.lane.key)
        self._left = True

    async def fail(self, event: AuditEvent) -> None:
        """Write `event`, and count the failure that it describes. Before `leave`. Raises `OverloadedError`."""
        await (self._guessing.count(self.lane, event) if self.counted else self._guessing.record(event))

    def add_success(self, unit: Unit, event: AuditEvent) -> None:
        """See `Guessing.add_success`; `event` names the account."""
        if self.counted:
            self._guessing.add_success(unit, self.lane, self.strangers, event)

    def note_success(self) -> None:
        """Once that unit is on disk."""
        if self.counted:
            self._guessing.note_success(self.lane, self.strangers)


def _beside(event: AuditEvent, tag: AuditTag, facts: Mapping[str, str | int]) -> AuditEvent:
    """Another event of the same request."""
    personal = {name: value for name, value in event.personal.items() if name != "identifier"}
    return AuditEvent(
        tag=tag, at=event.at, facts={**facts, "request": event.facts["request"]}, personal=personal
    )
