"""How many connections may be open: in all, and from one source. What is more is closed at once.

When there is no room, the one that has been quiet for longest gives way: it has asked for nothing yet, or has had its
answer. So nobody holds the door shut by connecting and keeping silent, nor by a request now and then. Who waits for an
answer keeps its place.

    accepted ──▶ quiet ──(whole head)──▶ heard ──▶ released
                  │  ▲                     │
                  │  └──(answered)─────────┘
                  └──(no room, and quiet for `QUIET_S`)──▶ ended, and released
"""

import asyncio
import contextlib
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from watchword.server.addresses import WHOLE, AddressForm, source_of
from watchword.server.http.trickle import IsBanned, Trickle, nobody_is_banned
from watchword.server.logs import get_log
from watchword.server.measures import ConnectionMeasures

MAX_HANDLES: Final = 65_536
MAX_CONNECTIONS: Final = 8_192
"""Open connections in all; one costs about 100 KB while its TLS is new."""
OTHER_HANDLES: Final = 128
"""Kept free for the database, its log, and the files of the data directory."""
SHARE: Final = 4
"""One source may have this part of all: a quarter. Generous, since a proxy or a network may stand behind it."""
QUIET_S: Final = 1.0
"""For the handshake and a head, and for an answer to leave, when others wait for the place."""
_SAY_EVERY_S: Final = 5.0
_LEAST: Final = 16

_log: Final = get_log("http")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    total: int
    per_source: int

    @classmethod
    def of_process(cls) -> "ConnectionLimits":
        """What the limit of open files allows, after that was raised as far as we may."""
        handles = raise_handles()
        total = max(_LEAST, min(MAX_CONNECTIONS, handles - OTHER_HANDLES))
        return cls(total=total, per_source=max(1, total // SHARE))


def raise_handles() -> int:
    """Raise the soft limit of open files to the hard one, up to `MAX_HANDLES`; return what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_HANDLES if hard == resource.RLIM_INFINITY else min(hard, MAX_HANDLES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_HANDLES if soft == resource.RLIM_INFINITY else soft
    with contextlib.suppress(OSError, ValueError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Place:
    """One connection's place, from its acceptance until it is released."""

    __slots__ = ("_places", "address", "end", "since", "source")

    def __init__(self, places: "Places", address: str, since: float) -> None:
        self._places = places
        self.address, self.source, self.since = address, source_of(address), since
        """`address`: of the other end, or of whom the proxy there speaks for; canonical, empty on a Unix socket."""
        """`since`: quiet for so long, on the loop's clock."""
        self.end: Callable[[], object] | None = None
        """How to end the connection, as soon as there is a way."""

    @property
    def shown(self) -> str:
        """The address as it may be written down."""
        return self._places.form.show(self.address)

    def heard(self) -> None:
        """A whole head came: the connection is in use."""
        self._places.unquiet(self)

    def idle(self) -> None:
        """It has had its answer, and has asked for nothing more so far."""
        self._places.quiet(self)

    @property
    def measures(self) -> ConnectionMeasures:
        return self._places.measures

    def release(self) -> None:
        """The connection is gone; may be said more than once."""
        self._places.release(self)


class Places:
    """All places of one server, on its loop."""

    def __init__(
        self,
        limits: ConnectionLimits,
        measures: ConnectionMeasures | None = None,
        form: AddressForm = WHOLE,
        *,
        is_banned: IsBanned = nobody_is_banned,
    ) -> None:
        self._limits = limits
        self._trickle = Trickle(is_banned)
        self.form = form
        self.measures = measures or ConnectionMeasures()
        self._taken: dict[str, set[Place]] = {}
        self._quiet: dict[Place, None] = {}  # the longest quiet first
        self._quiet_of: dict[str, dict[Place, None]] = {}
        self._said_shed = _NowAndThen("http.connections_shed")
        self._said_banned = _NowAndThen("http.connections_banned")

    @property
    def open(self) -> int:
        return self.measures.open

    @property
    def shed(self) -> int:
        """Closed for want of room, ever."""
        return self.measures.shed

    def take(self, address: str, *, shared: bool = False) -> Place | None:
        """A place for a connection from `address` (canonical); None where it gets none: close it.

        `shared`: many callers stand behind this address, so it may have all the places.
        """
        now, source = asyncio.get_running_loop().time(), source_of(address)
        if not shared and not self._may_connect(address, now):
            return None
        if not shared and len(self._taken.get(source, ())) >= self._limits.per_source:
            room = self._make_room(self._quiet_of.get(source, {}), now)
        else:
            room = self.open < self._limits.total or self._make_room(self._quiet, now)
        if not room:
            self._shed_one(now)
            return None
        place = Place(self, address, now)
        self._taken.setdefault(source, set()).add(place)
        self._append(place)
        self.measures.open += 1
        self.measures.accepted += 1
        return place

    def move(self, place: Place, address: str, *, shared: bool) -> bool:
        """Count `place` for `address` from now on, as `take` would; False where that has no room, or it was ended."""
        now, source = asyncio.get_running_loop().time(), source_of(address)
        if place not in self._taken.get(place.source, ()):
            return False
        if not shared and not self._may_connect(address, now):
            return False
        if source != place.source:
            if not shared and not self._has_share(source, now):
                self._shed_one(now)
                return False
            self._forget(place)
            self._taken.setdefault(source, set()).add(place)
            place.source, place.since = source, now
            self._append(place)
        place.address = address
        return True

    def _may_connect(self, address: str, now: float) -> bool:
        if self._trickle.lets_in(address, now):
            return True
        self.measures.banned += 1
        self._said_banned.count(now, open_now=self.open)
        return False

    def _has_share(self, source: str, now: float) -> bool:
        """Whether `source` may have one more."""
        full = len(self._taken.get(source, ())) >= self._limits.per_source
        return not full or self._make_room(self._quiet_of.get(source, {}), now)

    def _forget(self, place: Place) -> None:
        """It counts for its source no more."""
        self.unquiet(place)
        taken = self._taken[place.source]
        taken.remove(place)
        if not taken:
            del self._taken[place.source]

    def quiet(self, place: Place) -> None:
        """Put it behind all that are quiet; one that was released meanwhile stays so."""
        if place in self._taken.get(place.source, ()):
            self.unquiet(place)
            place.since = asyncio.get_running_loop().time()
            self._append(place)

    def _append(self, place: Place) -> None:
        self._quiet[place] = None
        self._quiet_of.setdefault(place.source, {})[place] = None

    def unquiet(self, place: Place) -> None:
        self._quiet.pop(place, None)
        mine = self._quiet_of.get(place.source)
        if mine is not None:
            mine.pop(place, None)
            if not mine:
                del self._quiet_of[place.source]

    def release(self, place: Place) -> None:
        if place in self._taken.get(place.source, ()):
            self._forget(place)
            self.measures.open -= 1

    def _make_room(self, quiet: dict[Place, None], now: float) -> bool:
        """End the longest quiet of `quiet`, if it had its time."""
        oldest = next(iter(quiet), None)
        if oldest is None or oldest.end is None or now - oldest.since < QUIET_S:
            return False
        end = oldest.end
        oldest.release()
        end()
        self._shed_one(now)
        return True

    def _shed_one(self, now: float) -> None:
        self.measures.shed += 1
        self._said_shed.count(now, open_now=self.open)


class _NowAndThen:
    """A line of the log for many things that happen: how many did since the last one."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._unsaid = 0
        self._said_at = float("-inf")

    def count(self, now: float, *, open_now: int) -> None:
        self._unsaid += 1
        if now - self._said_at >= _SAY_EVERY_S:
            _log.warning(self._event, count=self._unsaid, open=open_now)
            self._unsaid, self._said_at = 0, now
