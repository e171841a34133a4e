"""Serving the control socket: one task a connection, one request at a time on it.

An ordinary call runs to its end, whoever waits for it. A long one (verifying, following) ends with its client: it is
told nothing meanwhile, so whatever the connection says, its end most of all, ends the call.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.ids import RequestId as CallId
from watchword.errors import (
    ErrorCode,
    ForbiddenError,
    MalformedError,
    OverloadedError,
    TimedOutError,
    TooLargeError,
    UnavailableError,
    WatchwordError,
)
from watchword.server.control import place
from watchword.server.control.errors import remote_error
from watchword.server.control.methods import METHODS, REQUEST_S, Call, Running, dispatch
from watchword.server.control.rpc import (
    MAX_REQUEST,
    Request,
    encode_error,
    encode_notification,
    encode_result,
    parse_request,
)
from watchword.server.logs import get_log
from watchword.server.operator.model import LocalOperator
from watchword.server.operator.service import OperatorService

MAX_CONNECTIONS: Final = 32
"""Of operators; a few commands and a few who follow the trail."""
IDLE_S: Final = 60.0
"""How long a connection may wait with its next request."""
_STOP_S: Final = 5.0
"""How long calls in work may take once the server stops."""
_ROOM: Final = 1 << 20
"""Bytes waiting for a slow reader, beyond which progress is left out."""
_ASKED_OFTEN: Final = frozenset({"server.health", "server.metrics"})
"""By health checks: a line for each would hide the others."""
_CLOCK: Final = SystemClock()
_ENTROPY: Final = SystemEntropy()
_log: Final = get_log("control")


@contextlib.asynccontextmanager
async def serve_control(
    path: Path,
    service: OperatorService,
    *,
    running: Running | None = None,
    check_peer: place.PeerCheck = place.owner_or_root,
    request_s: float = REQUEST_S,
    idle_s: float = IDLE_S,
) -> AsyncIterator[None]:
    """Serve `service` at `path` while the block runs; then the socket is gone and calls in work are finished.

    `running` is what the server tells of itself; `request_s` bounds ordinary calls.
    Raises `InvalidConfigError` when the socket cannot be made, or a live server has it.
    """
    listener, inode = place.listen(path)
    control = _Control(service, running, check_peer, request_s, idle_s)
    server = await asyncio.start_unix_server(control.accept, sock=listener, limit=MAX_REQUEST)
    try:
        yield
    finally:
        place.remove(path, inode)
        server.close()
        await control.stop()


class _Control:
    """The connections there are."""

    def __init__(
        self,
        service: OperatorService,
        running: Running | None,
        check_peer: place.PeerCheck,
        request_s: float,
        idle_s: float,
    ) -> None:
        self._service = service
        self._running = running
        self._check_peer = check_peer
        self._request_s = request_s
        self._idle_s = idle_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Calls in work may finish; then everything ends."""
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_S)
        await _cancel(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer)
        try:
            operator = self._admit(writer)
            while (request := await self._next(connection)) is not None:
                await self._answer(connection, request, operator)
        except WatchwordError as error:  # not one request went wrong but the connection
            with contextlib.suppress(OSError):
                await connection.write(encode_error(None, error))
        except OSError:
            pass  # the client is gone
        except Exception as error:  # noqa: BLE001  # logged; nobody else would hear of it
            _log.fault("control.failed", error)
        finally:
            await connection.close()

    def _admit(self, writer: asyncio.StreamWriter) -> LocalOperator:
        """Raises `ForbiddenError`, `OverloadedError`."""
        # A copy of the descriptor: what event loops call a socket here does not always have `getsockopt`.
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as peer:
            try:
                operator = LocalOperator(self._check_peer(peer))
            except ForbiddenError:
                _log.warning("control.refused")
                raise
        if len(self._tasks) > MAX_CONNECTIONS:
            raise OverloadedError
        return operator

    async def _next(self, connection: "_Connection") -> Request | None:
        """The next request; None at the end of the connection, and when the server stops."""
        line = await _first(connection.read_line(), self._stopping.wait(), timeout_s=self._idle_s)
        return parse_request(line) if isinstance(line, bytes) and line else None

    async def _answer(self, connection: "_Connection", request: Request, operator: LocalOperator) -> None:
        named = replace(operator, request=_new_request_id())
        call = Call(service=self._service, operator=named, stream=connection, running=self._running)
        if not _takes_long(request.method):
            await connection.write(await self._work(call, request))
            return
        work = asyncio.ensure_future(self._work(call, request))
        sent = asyncio.ensure_future(connection.read_any())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({work, sent, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await connection.write(work.result())
            elif stopping.done():
                raise UnavailableError("the server is stopping")
            elif sent.result():
                raise MalformedError("nothing is read while a long call runs: end the connection to end it")
        finally:
            await _cancel(work, sent, stopping)

    async def _work(self, call: Call, request: Request) -> bytes:
        """The answer's line, whatever happens; and its line in the log."""
        began = _CLOCK.monotonic()
        line, code = await self._try(call, request)
        tell = _log.debug if request.method in _ASKED_OFTEN and not code else _log.info
        tell(
            "control.request",
            method=request.method if request.method in METHODS else None,
            code=code or None,
            ms=(_CLOCK.monotonic() - began) * 1000,
            request=call.operator.request,
            uid=call.operator.uid,
        )
        return line

    async def _try(self, call: Call, request: Request) -> tuple[bytes, str]:
        """The answer's line and the code of its error, if it is one."""
        method = METHODS.get(request.method)
        limit = None if method is None or method.timeout_s is None else self._request_s
        try:
            async with asyncio.timeout(limit):
                return encode_result(request.id, await dispatch(call, request.method, request.params)), ""
        except WatchwordError as error:
            failed = error
        except TimeoutError:
            failed = TimedOutError("the call took too long; look whether it happened")
        except Exception as error:  # noqa: BLE001  # the operator is told that it is our fault; the log says what
            failed = _internal(call.operator.request, request.method, error)
        return encode_error(request.id, failed, call.operator.request), failed.code


def _new_request_id() -> str:
    return str(CallId.new(_CLOCK.now(), _ENTROPY))


def _internal(request: str, method: str, error: Exception) -> WatchwordError:
    _log.fault("control.failed", error, method=method, request=request)
    return remote_error(ErrorCode.INTERNAL, f"internal error in the server ({request}); its log says more")


def _takes_long(name: str) -> bool:
    method = METHODS.get(name)
    return method is not None and method.timeout_s is None


async def _first(*waits: Any, timeout_s: float) -> Any:
    """The result of whichever is done first; None when time is up."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return next((task.result() for task in tasks if task in done), None)
    finally:
        await _cancel(*tasks)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Connection:
    """Lines in and out; also the `Stream` of a long call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read_line(self) -> bytes:
        """The next line; empty at the end, also where the end cuts a line off. Raises `TooLargeError`."""
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return b""
        except asyncio.LimitOverrunError:
            raise TooLargeError(f"a request has at most {MAX_REQUEST} bytes") from None

    async def read_any(self) -> bytes:
        """Whatever comes; empty at the end."""
        with contextlib.suppress(OSError):
            return await self._reader.read(1)
        return b""

    async def write(self, line: bytes) -> None:
        self._writer.write(line)
        await self._writer.drain()

    def offer(self, event: str, params: dict[str, Any]) -> None:
        if self._writer.transport.get_write_buffer_size() < _ROOM:
            self._writer.write(encode_notification(event, params))

    async def send(self, event: str, params: dict[str, Any]) -> None:
        await self.write(encode_notification(event, params))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._writer.wait_closed()
