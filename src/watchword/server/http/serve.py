"""Listening, serving, and stopping without losing what is in flight."""

import asyncio
import contextlib
import gc
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, Literal, TypeVar, cast

import uvicorn
import uvloop

from watchword.errors import UnavailableError
from watchword.server.addresses import WHOLE, AddressForm
from watchword.server.http.connections import ConnectionLimits, Place, Places
from watchword.server.http.fronts.pool import Fronts
from watchword.server.http.listener import CurrentTLS, Listener
from watchword.server.http.protocol import HTTPProtocol
from watchword.server.http.proxies import NO_PROXIES, Proxies
from watchword.server.http.sockets import Address, address_of
from watchword.server.http.trickle import IsBanned, nobody_is_banned
from watchword.server.http.wire import ASGIApp
from watchword.server.logs import get_log
from watchword.server.measures import ConnectionMeasures

OnReady = Callable[[Address], None]
OnStopping = Callable[[], None]
Result = TypeVar("Result")

GRACE_S: Final = 10
"""How long requests in flight may take once the server was told to stop."""
_GOODBYE_S: Final = 1.0
"""For callers of cancelled requests, to take their leave."""
_YOUNG_OBJECTS: Final = 10_000
_PAUSE_S: Final = 0.02
_STOP: Final = (signal.SIGINT, signal.SIGTERM)
_RELOAD: Final = signal.SIGHUP
_log: Final = get_log("http")


def _nobody() -> None:
    return


def calm_collector() -> None:
    """Keep what the start has made out of the cyclic collector's way; for the process that serves, before it does.

    Without it a full collection walks every imported module, and holds each request up that comes meanwhile: under a
    storm of logins the 99th percentile of others' waiting (in CPU time) was 1.3 ms, with it 0.8 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def until_told_to_stop(main: Coroutine[Any, Any, None]) -> None:
    """Run `main`; SIGINT or SIGTERM while it does not `serve` yet ends it there, as nothing was promised so far.

    At the end signals are ignored: a process that has stopped cleanly must not end as one that was killed.
    """
    task = asyncio.ensure_future(main)
    ignore_reload()
    _take_signals(task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        _log.info("server.stopped_before_ready")
    finally:
        _ignore_signals()


def on_reload(act: Callable[[], object]) -> None:
    """Call `act` for each SIGHUP from now on, in the main thread alone; at the end it does nothing again."""
    if _in_main_thread():
        asyncio.get_running_loop().add_signal_handler(_RELOAD, act)


def ignore_reload() -> None:
    """SIGHUP does nothing: for the time before there is something to reload."""
    if _in_main_thread():
        asyncio.get_running_loop().remove_signal_handler(_RELOAD)
        signal.signal(_RELOAD, signal.SIG_IGN)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _take_signals(act: Callable[[], object]) -> None:
    """Call `act` for a signal to stop from now on, in the main thread alone."""
    if _in_main_thread():
        loop = asyncio.get_running_loop()
        for number in _STOP:
            loop.add_signal_handler(number, act)


def _ignore_signals() -> None:
    if _in_main_thread():
        loop = asyncio.get_running_loop()
        for number in (*_STOP, _RELOAD):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def serve(
    app: ASGIApp,
    *,
    listen: socket.socket,
    tls: CurrentTLS | None,
    on_ready: OnReady,
    shutdown_grace_s: int = GRACE_S,
    stop: asyncio.Event | None = None,
    limits: ConnectionLimits | None = None,
    proxies: Proxies = NO_PROXIES,
    on_stopping: OnStopping = _nobody,
    measures: ConnectionMeasures | None = None,
    fronts: Fronts | None = None,
    addresses: AddressForm = WHOLE,
    is_banned: IsBanned = nobody_is_banned,
) -> None:
    """Serve `app` on `listen` (from `bind`) until SIGINT, SIGTERM or `stop`.

    `tls` is asked for each connection; None serves plain HTTP, for a proxy on this machine. `proxies` are many
    callers each, so they have no share of the connections. `on_ready` gets the address once connections are accepted.
    Then `on_stopping`: no new connections, requests in flight finish
    within `shutdown_grace_s`; a second signal does not wait. Signals are taken in the main thread only. Without
    `limits` of connections the limit of open files is raised, and gives them. `measures` counts connections.
    `fronts` do TLS and HTTP for us, as far as there are any. `addresses` is how callers' addresses are written down.
    Who `is_banned` gets few new connections.
    Raises `UnavailableError` when the app's lifespan does not start; its own event in the log says why.
    """
    config = make_config(app, shutdown_grace_s)
    asyncio.get_running_loop().set_exception_handler(log_exception)
    places = Places(limits or ConnectionLimits.of_process(), measures, addresses, is_banned=is_banned)
    server = Server(
        config,
        listen,
        tls,
        on_ready,
        stop,
        places=places,
        proxies=proxies,
        on_stopping=on_stopping,
        fronts=fronts,
    )
    try:
        await server.serve()
    finally:
        if fronts is not None:
            await fronts.close()


def make_config(
    app: ASGIApp, shutdown_grace_s: int, *, lifespan: Literal["on", "off"] = "on"
) -> uvicorn.Config:
    """Settings of uvicorn, without all that it would decide by itself."""
    return uvicorn.Config(
        app,
        http=HTTPProtocol,
        ws="none",
        interface="asgi3",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        workers=1,
        timeout_graceful_shutdown=shutdown_grace_s,
    )


class Server(uvicorn.Server):
    """uvicorn's server with our listener, our signals, and no other way to start."""

    def __init__(
        self,
        config: uvicorn.Config,
        listen: socket.socket,
        tls: CurrentTLS | None,
        on_ready: OnReady,
        stop: asyncio.Event | None,
        *,
        places: Places,
        proxies: Proxies,
        on_stopping: OnStopping,
        fronts: Fronts | None = None,
    ) -> None:
        super().__init__(config)
        self._listen, self._tls, self._on_ready, self._stop = listen, tls, on_ready, stop
        self._places, self._proxies, self._on_stopping = places, proxies, on_stopping
        self._fronts = fronts

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        del sockets
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self._listen.close()
            raise UnavailableError("the server did not start")
        listener = Listener(
            self._listen,
            tls=self._tls,
            places=self._places,
            make=self._make_protocol,
            proxies=self._proxies,
            hand_over=self._fronts.hand_over if self._fronts else None,
        )
        listener.open()
        if self._fronts is not None:
            self._fronts.open(cast("ASGIApp", self.config.app), self.server_state)
        self.servers = [cast("asyncio.Server", listener)]  # as far as uvicorn uses one
        self.started = True
        self._on_ready(address_of(self._listen))

    def _make_protocol(self, place: Place) -> HTTPProtocol:
        return HTTPProtocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            place=place,
        )

    async def on_tick(self, counter: int) -> bool:
        if self._stop is not None and self._stop.is_set():
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, and then whatever is left: callers of cancelled requests, and everybody on a second signal."""
        self._on_stopping()
        if self._fronts is not None:
            self._fronts.stop()
        await super().shutdown(sockets)
        ends = asyncio.get_running_loop().time() + (0 if self.force_exit else _GOODBYE_S)
        while self.server_state.connections and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110  # they leave without a word
            await asyncio.sleep(_PAUSE_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(_PAUSE_S)  # transports close in the loop's next iterations

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In place of uvicorn's, which raises the signal again at the end and so makes the exit code a failure."""
        _take_signals(self._told_to_stop)
        try:
            yield
        finally:
            _take_signals(_stopping_already)

    def _told_to_stop(self) -> None:
        self.force_exit, self.should_exit = self.should_exit, True


def _stopping_already() -> None:
    """For signals between the last answer and the end: what is left takes a moment and must be done."""


def log_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """For what nobody awaited. The loop's own text would show the exception's, which may hold what a caller sent."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        _log.fault("loop.exception", error)
    else:
        _log.error("loop.exception", message=context.get("message", ""))
