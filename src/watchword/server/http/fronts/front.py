"""The process of a front: greets the connections that it is handed, and ends with its server.

python -c "from watchword.server.http.fronts.front import main; main()" LINK DOOR     (handles of two socket pairs)
"""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Iterator
from typing import Any, Final, cast

from watchword.core.secret import Secret
from watchword.server.http.connections import ConnectionLimits, Place, Places, raise_handles
from watchword.server.http.fronts.child import MAX_SHOWN, NUMBER_SIZE
from watchword.server.http.fronts.confine import confine
from watchword.server.http.fronts.frames import Hello, Ready
from watchword.server.http.fronts.relay import FarPlace, FrontProtocol, Relay
from watchword.server.http.listener import CurrentTLS, Listener, MakeProtocol
from watchword.server.http.proxies import NO_PROXIES
from watchword.server.http.serve import Server, calm_collector, log_exception, make_config, run
from watchword.server.http.tls import make_tls_context
from watchword.server.http.wire import Receive, Scope, Send
from watchword.server.logs import configure_logs, get_log
from watchword.server.memory import give_back_free_memory

_AT_ONCE: Final = 64
_MORE_GRACE_S: Final = 2
"""Beyond the server's own, which answers whom it cancels."""
_log: Final = get_log("http")
_NO_LIMITS: Final = ConnectionLimits(total=0, per_source=0)


class Door(Listener):
    """Takes connections that were accepted, counted and handed over by the server."""

    def __init__(
        self, door: socket.socket, relay: Relay, *, tls: CurrentTLS | None, make: MakeProtocol
    ) -> None:
        super().__init__(door, tls=tls, places=Places(_NO_LIMITS), make=make, proxies=NO_PROXIES)
        self._relay = relay

    def open(self) -> None:
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, handles, _, _ = socket.recv_fds(self._socket, NUMBER_SIZE + MAX_SHOWN, 1)
            except (BlockingIOError, InterruptedError):
                return
            if not data:  # the server is gone; the link says so too
                self._loop.remove_reader(self._socket)
                return
            place = self._relay.place(
                int.from_bytes(data[:NUMBER_SIZE], "big"), data[NUMBER_SIZE:].decode("ascii")
            )
            connection = socket.socket(fileno=handles[0]) if handles else None
            if connection is not None and place is not None:
                self._receive(connection, place, self._greet)
            elif connection is not None:  # the server needed its place while it waited here
                connection.close()
            elif place is not None:  # we have no handle left for it
                place.release()


class FrontServer(Server):
    """The server's own way of serving and stopping, behind a door of another kind, and without signals."""

    def __init__(
        self, relay: Relay, door: socket.socket, tls: CurrentTLS | None, stop: asyncio.Event, grace_s: int
    ) -> None:
        config = make_config(_nobody, grace_s, lifespan="off")
        super().__init__(
            config,
            door,
            tls,
            _say_nothing,
            stop,
            places=Places(_NO_LIMITS),
            proxies=NO_PROXIES,
            on_stopping=_go_on,
        )
        self._relay = relay

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        del sockets
        await self.lifespan.startup()
        door = Door(self._listen, self._relay, tls=self._tls, make=self._make_protocol)
        door.open()
        self.servers = [cast("asyncio.Server", door)]
        self.started = True
        self._relay.send(Ready())

    def _make_protocol(self, place: Place) -> FrontProtocol:
        return FrontProtocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            place=cast("FarPlace", place),
            relay=self._relay,
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _nobody(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """The application is elsewhere: `FrontProtocol` never calls one."""


def _say_nothing(_address: Any) -> None:
    """Who listens is the server."""


def _go_on() -> None:
    """What was begun is finished."""


async def _serve(link: socket.socket, door: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_exception)
    hellos: asyncio.Queue[Hello] = asyncio.Queue()
    stop = asyncio.Event()
    _, relay = await loop.create_unix_connection(lambda: Relay(hellos.put_nowait, stop.set), sock=link)
    work = asyncio.ensure_future(_work(relay, hellos, door, stop))
    await asyncio.wait([work, relay.lost], return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        work.result()
    relay.transport.close()  # after what is written to it


async def _work(
    relay: Relay, hellos: "asyncio.Queue[Hello]", door: socket.socket, stop: asyncio.Event
) -> None:
    hello = await hellos.get()
    served = _Served(hello)
    calm_collector()
    give_back_free_memory()
    renewal = asyncio.ensure_future(served.follow(hellos))
    tls = served.current if hello.chain else None
    try:
        await FrontServer(relay, door, tls, stop, hello.grace_s + _MORE_GRACE_S).serve()
    finally:
        renewal.cancel()


class _Served:
    """What the server said last: how lines are logged, and the TLS of the next connection."""

    def __init__(self, hello: Hello) -> None:
        self._take(hello)

    def current(self) -> ssl.SSLContext:
        return self._context

    async def follow(self, hellos: "asyncio.Queue[Hello]") -> None:
        while True:
            hello = await hellos.get()
            try:
                self._take(hello)
            except Exception as error:  # noqa: BLE001  # no handles or memory, perhaps: the next one must be heard too
                _log.fault("http.front_hello_failed", error)

    def _take(self, hello: Hello) -> None:
        configure_logs(level=hello.log_level, as_json=hello.log_as_json)
        if hello.chain:
            self._context = make_tls_context(hello.chain, Secret(hello.key))


def main() -> None:
    confine()
    raise_handles()
    link, door = (socket.socket(fileno=int(handle)) for handle in sys.argv[1:3])
    for each in (link, door):
        each.setblocking(False)
    try:
        run(_serve(link, door))
    except Exception as error:  # noqa: BLE001  # its text may show what a caller sent
        _log.fault("http.front_failed", error)
        sys.exit(1)
