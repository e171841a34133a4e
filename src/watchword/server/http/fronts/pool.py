"""The fronts of a server: started when there is use for them, handed connections, replaced when they die.

The server accepts every connection itself, so that its limits hold for all together; where no front is ready, or each
has more waiting than it takes, or more to do than the server (`balance`), it serves the connection itself.

    starting ──Ready──▶ serving ──(link lost, or silent for `SILENT_S`)──▶ gone, and replaced after a pause that doubles
                           └──Stop──▶ finishing ──▶ gone
"""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final

from uvicorn.server import ServerState

from watchword.server.http.connections import Place
from watchword.server.http.fronts.balance import Balance
from watchword.server.http.fronts.child import Child
from watchword.server.http.fronts.demand import Demand
from watchword.server.http.fronts.frames import Hello
from watchword.server.http.fronts.link import Link
from watchword.server.http.wire import ASGIApp
from watchword.server.logs import get_log

TICK_S: Final = 1.0
SILENT_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 60.0
_SOUND_S: Final = 60.0
"""Who lived so long did not die of its start."""
_log: Final = get_log("http")


class Fronts:
    """Used from the server's loop. `hello` gives what a front has to know, as it is at the moment."""

    def __init__(self, demand: Demand, hello: Callable[[], Hello]) -> None:
        self._demand, self._hello = demand, hello
        self._balance = Balance()
        self._children: list[Child] = []
        self._ending: dict[asyncio.Task[None], Child] = {}
        self._watch: asyncio.Task[None] | None = None
        self._pause = _FIRST_PAUSE_S
        self._not_before = 0.0

    @property
    def ready(self) -> int:
        """How many take connections."""
        return sum(child.link.ready for child in self._children)

    def pids(self) -> list[int]:
        return [child.process.pid for child in self._children]

    def has(self, pid: int) -> bool:
        """Whether that process is one of ours, also while it is made to end."""
        return any(child.process.pid == pid for child in (*self._children, *self._ending.values()))

    def open(self, app: ASGIApp, state: ServerState) -> None:
        """Begin to look after them. To uvicorn's `state` each is a connection, and its requests are tasks."""
        self._app, self._state = app, state
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.create_task(self._look_after())

    def hand_over(self, connection: socket.socket, place: Place) -> bool:
        """Give a connection to the front that has fewest; False where none takes it, or we have more time."""
        ready = [child for child in self._children if child.link.ready]
        if not ready or self._balance.keeps_next():
            return False
        child = min(ready, key=lambda child: child.link.load)
        return child.hand_over(connection, place)

    def renew(self) -> None:
        """Tell all what has changed: another certificate."""
        for child in self._children:
            child.link.send(self._hello())

    def stop(self) -> None:
        """No more of them. Those that are there are connections of uvicorn's, which tells them to finish."""
        if self._watch is not None:
            self._watch.cancel()

    async def close(self) -> None:
        """Nothing is left of them after this."""
        self.stop()
        await asyncio.gather(*([self._watch] if self._watch else []), return_exceptions=True)
        for child in list(self._children):
            self._bury(child)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _look_after(self) -> None:
        """Once a second: how much there was to do, who is silent, who is missing."""
        used = time.thread_time()
        while True:
            before, used = used, time.thread_time()
            try:
                started = await self._look((used - before) / TICK_S, self._loop.time())
            except Exception as error:  # noqa: BLE001  # short of memory, perhaps: the next second is another
                _log.fault("http.fronts", error)
                started = False
            if not started:
                await asyncio.sleep(TICK_S)

    async def _look(self, share: float, now: float) -> bool:
        """Whether one was started."""
        connections = sum(child.link.load for child in self._children)
        wanted = self._demand.look(share, connections=connections, now=now)
        self._balance.look(share, max((child.link.share for child in self._children), default=0.0))
        for child in self._children:
            self._ask_after(child, now)
            if not wanted:
                child.link.shutdown()
        if len(self._children) >= wanted or now < self._not_before:
            return False
        await self._start()
        return True

    def _ask_after(self, child: Child, now: float) -> None:
        if now - child.link.heard_at > SILENT_S:
            _log.error("http.front_silent", pid=child.process.pid)
            child.process.kill()
        else:
            child.link.ping()

    async def _start(self) -> None:
        try:
            child = await Child.start(lambda: Link(self._app, self._state, self._lost), self._hello)
        except (OSError, MemoryError) as error:
            _log.fault("http.front_not_started", error)
            self._put_off(self._loop.time())
            return
        self._children.append(child)
        if child.link.lost:
            self._lost(child.link)

    def _lost(self, link: Link) -> None:
        for child in self._children:
            if child.link is link:
                self._bury(child)
                return

    def _bury(self, child: Child) -> None:
        self._children.remove(child)
        task = self._loop.create_task(self._end(child))
        self._ending[task] = child
        task.add_done_callback(self._ending.pop)

    async def _end(self, child: Child) -> None:
        code = await child.end()
        if not child.link.stopping:
            now = self._loop.time()
            _log.error("http.front_lost", pid=child.process.pid, code=code)
            if now - child.started_at > _SOUND_S:
                self._pause = _FIRST_PAUSE_S
            self._put_off(now)

    def _put_off(self, now: float) -> None:
        """The next one not at once: what kills one may kill the next."""
        self._not_before = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
