"""One connection to Redis, on which many questions are under way at the same time, answered in their order."""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Self

from watchword.core.secret import Secret
from watchword.errors import InvalidConfigError, UnavailableError
from watchword.server.redis.reasons import reason_of
from watchword.server.redis.url import OPTIONS, has_unknown_options

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

Argument = str | bytes | int
_GRACE_S: Final = 0.02
"""At least that long an answer may lie here unread after its time: it came, and we did not look."""
_MAX_WAITING: Final = 4096
"""Questions under way; more only ever wait for a Redis that is gone."""


def pack(arguments: tuple[Argument, ...]) -> bytes:
    """A command in RESP. The library's own packer takes four times as long."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def make_connection(url: Secret) -> "AbstractConnection":
    """A connection that connects once and never by itself again: what it was asked must not be asked twice.

    Raises `InvalidConfigError` when the URL has options that mean nothing here; no value of it is in the error.
    """
    from redis.asyncio.connection import ConnectionPool  # noqa: PLC0415  # 0.2 s, only where Redis is used
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.exceptions import ConnectionError as LostError  # noqa: PLC0415

    connected = False

    async def connect_once(connection: "AbstractConnection") -> None:
        nonlocal connected
        if connected:
            raise LostError
        connected = True
        await connection.on_connect()

    text = url.reveal().decode()
    if has_unknown_options(text):
        raise InvalidConfigError(f"redis: the URL has other options than {', '.join(sorted(OPTIONS))}")
    try:
        pool = ConnectionPool.from_url(
            text,
            protocol=2,
            driver_info=None,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=connect_once,
        )
        made: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py: in part
    except (TypeError, ValueError):
        raise InvalidConfigError("redis: the URL has a value that is none") from None
    return made


class Line:
    """Made by `open`. Once ended, it answers nothing; what was under way has failed, and may have been done or not."""

    def __init__(
        self, connection: "AbstractConnection", silence_s: float, on_end: Callable[[str], None]
    ) -> None:
        self._connection: Final = connection
        self._silence_s: Final = silence_s
        self._on_end = on_end
        self._waiting: Final[deque[tuple[asyncio.Future[Any], float]]] = deque()
        """In the order of their answers, each with the moment when it was asked."""
        self._outbox: list[bytes] = []
        self._loop: Final = asyncio.get_running_loop()
        self._wake: Final = asyncio.Event()
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()
        self._ended: Final = asyncio.Event()
        self._tasks: Final = [self._loop.create_task(self._read()), self._loop.create_task(self._write())]

    @classmethod
    async def open(cls, url: Secret, *, silence_s: float, on_end: Callable[[str], None]) -> Self:
        """Connect and authenticate. `on_end` is called once with a word for why, unless `close` ends it.

        It ends when a question was asked, and nothing at all was heard for `silence_s`.
        Raises what the library raises (`RedisError`, `OSError`).
        """
        connection = make_connection(url)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py: in part
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return cls(connection, silence_s, on_end)

    def ask(self, *arguments: Argument) -> asyncio.Future[Any]:
        """The answer to come: what Redis says, its `ResponseError`, or `UnavailableError`."""
        future = self._loop.create_future()
        if self._ended.is_set() or len(self._waiting) >= _MAX_WAITING:
            future.set_exception(UnavailableError(retry_after=1))
            return future
        self._waiting.append((future, self._loop.time()))
        self._outbox.append(pack(arguments))
        self._wake.set()
        if self._watch is None:
            self._watch = self._loop.call_later(self._silence_s, self._look)
        return future

    async def ended(self, within_s: float) -> bool:
        """Whether the line ends within that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._ended.wait()
        return self._ended.is_set()

    def end(self, why: str) -> None:
        """Answer nothing more; everything under way fails."""
        if self._ended.is_set():
            return
        self._ended.set()
        if self._watch is not None:
            self._watch.cancel()
        for task in self._tasks:
            task.cancel()
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(UnavailableError(retry_after=1))
        self._waiting.clear()
        self._on_end(why)

    async def close(self) -> None:
        """End without telling, and free everything; also for one that has ended."""
        self._on_end = _nobody
        self.end("")
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            await self._connection.disconnect(nowait=True)

    def _look(self, given_grace: tuple[float, float] | None = None) -> None:
        """Whether it is silent for too long: asked then, heard then, and nothing since."""
        self._watch = None
        if not self._waiting:
            return
        silence = (self._waiting[0][1], self._heard_at)
        rest = max(silence) + self._silence_s - self._loop.time()
        if rest > 0:
            self._watch = self._loop.call_later(rest, self._look)
        elif silence == given_grace:
            self.end("timeout")
        else:  # as long as our own loop was late, Redis could not be heard, or not be asked
            grace = max(_GRACE_S, min(-rest, self._silence_s))
            self._watch = self._loop.call_later(grace, self._look, silence)

    async def _write(self) -> None:
        """All that came together leaves together; a caller that is cancelled leaves no half of a command."""
        with self._ending():
            while True:
                await self._wake.wait()
                self._wake.clear()
                packed, self._outbox = self._outbox, []
                await self._connection.send_packed_command(packed, check_health=False)

    async def _read(self) -> None:
        from redis.exceptions import ResponseError  # noqa: PLC0415  # loaded by now

        with self._ending():
            while True:
                error = answer = None
                try:
                    answer = await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
                except ResponseError as refusal:
                    error = refusal
                self._heard_at = self._loop.time()
                future, _ = self._waiting.popleft()
                if future.done():
                    continue
                if error is None:
                    future.set_result(answer)
                else:
                    future.set_exception(error)

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """Whatever ends reading or writing ends the line."""
        from redis.exceptions import RedisError  # noqa: PLC0415  # loaded by now

        try:
            yield
        except (RedisError, OSError, EOFError, IndexError) as error:
            self.end(reason_of(error))


def _nobody(why: str) -> None:
    del why
