"""Accepting connections ourselves, so that those for which there is no room cost neither a handshake nor a handle.

A loop's own server takes every connection and tells of it after the handshake: up to ten seconds later.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Final

from watchword.errors import InvalidConfigError, MalformedError
from watchword.server.addresses import canonical_address
from watchword.server.http.connections import Place, Places
from watchword.server.http.proxies import Proxies
from watchword.server.http.proxy_v2 import receive_introduction
from watchword.server.logs import get_log
from watchword.server.memory import has_room

BACKLOG: Final = 2048
_HANDSHAKE_S: Final = 10.0
_INTRODUCTION_S: Final = 3.0
"""For a proxy's first bytes, which it sends at once."""
_GOODBYE_S: Final = 1.0
"""For the caller's side of closing TLS."""
_AT_ONCE: Final = 64
"""Connections taken before others have their turn on the loop."""
_AGAIN_S: Final = 0.2
"""Pause after one that could not be accepted: no handles, no memory."""
_SAY_EVERY_S: Final = 5.0

CurrentTLS = Callable[[], ssl.SSLContext]
"""What the next connection is greeted with: another one after a renewal or a reload."""
MakeProtocol = Callable[[Place], asyncio.Protocol]
HandOver = Callable[[socket.socket, Place], bool]
"""Gives a connection and its place to a front; False where there is none: greet it here."""
Receive = Callable[[socket.socket, Place], Coroutine[None, None, None]]
_log: Final = get_log("http")


class Listener:
    """Takes connections from `open` to `close`. Has what uvicorn asks of a server."""

    def __init__(
        self,
        listen: socket.socket,
        *,
        tls: CurrentTLS | None,
        places: Places,
        make: MakeProtocol,
        proxies: Proxies,
        hand_over: HandOver | None = None,
    ) -> None:
        self._socket, self._tls, self._places, self._make = listen, tls, places, make
        self._proxies, self._hand_over = proxies, hand_over
        self._loop = asyncio.get_running_loop()
        self._greeting: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._said_at = float("-inf")
        self._unintroduced, self._told_at = 0, float("-inf")
        self._closed = False

    def open(self) -> None:
        try:
            self._socket.listen(BACKLOG)
        except OSError as error:  # two may bind one address before either listens
            self._socket.close()
            raise InvalidConfigError(f"cannot listen: {error.strerror}") from None
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Take nobody any more; who is still in the handshake has asked for nothing."""
        if self._closed:
            return
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for task in self._greeting:
            task.cancel()

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._greeting, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            if not has_room():
                self._pause(MemoryError())
                return
            try:
                connection, address = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # it left again already
                continue
            except (OSError, MemoryError) as error:
                self._pause(error)
                return
            try:
                self._admit(connection, address[0] if address else "")  # a Unix socket has none
            except MemoryError as error:
                connection.close()
                self._pause(error)
                return

    def _admit(self, connection: socket.socket, address: str) -> None:
        found = canonical_address(address)
        place = self._places.take(found, shared=self._proxies.trust(found))
        if place is None:
            connection.close()
        elif self._proxies.introduces(found):
            self._receive(connection, place, self._introduce)
        else:
            self._enter(connection, place)

    def _enter(self, connection: socket.socket, place: Place) -> None:
        """The caller of `place` is known."""
        if self._hand_over is None or not self._hand_over(connection, place):
            self._receive(connection, place, self._greet)

    def _receive(self, connection: socket.socket, place: Place, how: Receive) -> None:
        """Hear it out or greet it, and tell its place how to end it."""
        try:
            connection.setblocking(False)
            task = self._loop.create_task(how(connection, place))
        except BaseException:
            place.release()
            raise
        place.end = task.cancel
        self._greeting.add(task)
        task.add_done_callback(lambda task: self._greeted(task, connection, place))

    def _greeted(self, task: asyncio.Task[None], connection: socket.socket, place: Place) -> None:
        self._greeting.discard(task)
        if task.cancelled():  # perhaps before it began
            connection.close()
            place.release()

    async def _introduce(self, connection: socket.socket, place: Place) -> None:
        """Read whom the proxy speaks for, count the connection for that one, and let it enter."""
        try:
            known = await self._is_introduced(connection, place)
        except BaseException:
            connection.close()
            place.release()
            raise
        if known:
            self._enter(connection, place)
        else:
            connection.close()
            place.release()

    async def _is_introduced(self, connection: socket.socket, place: Place) -> bool:
        """False for one that is to be closed: no introduction, or no room for whom it names."""
        try:
            async with asyncio.timeout(_INTRODUCTION_S):
                address = await receive_introduction(connection)
        except (MalformedError, TimeoutError) as error:
            self._say_unintroduced(str(error) or "it took too long")
            return False
        except OSError:  # it left, as health checks do that only look whether somebody listens
            return False
        found = canonical_address(address) or place.address
        return self._places.move(place, found, shared=self._proxies.trust(found))

    def _say_unintroduced(self, reason: str) -> None:
        """A proxy of ours that is set up otherwise than we are: now and then, since all its connections are so."""
        self._unintroduced += 1
        now = self._loop.time()
        if now - self._told_at >= _SAY_EVERY_S:
            _log.warning("http.not_introduced", reason=reason, count=self._unintroduced)
            self._told_at, self._unintroduced = now, 0

    async def _greet(self, connection: socket.socket, place: Place) -> None:
        """The handshake. From its end on the protocol releases the place."""
        try:
            _need_room()  # those that were accepted with this one may have taken it
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: self._make(place),
                connection,
                ssl=self._tls() if self._tls else None,
                ssl_handshake_timeout=_HANDSHAKE_S if self._tls else None,
                ssl_shutdown_timeout=_GOODBYE_S if self._tls else None,
            )
        except BaseException as error:
            place.release()
            connection.close()
            if isinstance(error, MemoryError):
                self._pause(error)
            elif not isinstance(error, OSError | asyncio.CancelledError):
                _log.fault("http.not_greeted", error)
            if not isinstance(error, Exception):
                raise
        else:
            place.end = transport.abort

    def _pause(self, error: BaseException) -> None:
        """Leave the others in the kernel's queue for a moment."""
        if self._closed:
            return
        now = self._loop.time()
        if now - self._said_at >= _SAY_EVERY_S:
            self._said_at = now
            _log.fault("http.not_accepted", error, open=self._places.open)
        if self._again is None:
            self._loop.remove_reader(self._socket)
            self._again = self._loop.call_later(_AGAIN_S, self._go_on)

    def _go_on(self) -> None:
        self._again = None
        self._loop.add_reader(self._socket, self._accept)


def _need_room() -> None:
    if not has_room():
        raise MemoryError
