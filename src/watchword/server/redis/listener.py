"""Hears what other nodes publish, on a connection of its own."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from watchword.core.secret import Secret
from watchword.server.logs import get_log
from watchword.server.redis.line import make_connection

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

Receiver = Callable[[bytes], None]
"""Called on the event loop with each message; must not raise or wait."""
BEGUN: Final = b""
"""What each receiver hears whenever listening begins, the first time too: look for what was missed."""
PING_S: Final = 5.0
"""Silence after which the connection is asked whether it still is one."""
RETRY_S: Final = 0.25
_log: Final = get_log("redis")


class Listener:
    """Does nothing where nobody wants to hear."""

    def __init__(self, url: Secret) -> None:
        self._url: Final = url
        self._receivers: Final[dict[str, Receiver]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, channel: str, receive: Receiver) -> None:
        self._receivers[channel] = receive

    def start(self) -> None:
        """Listen anew: the connection of before may be of a Redis that is gone."""
        if self._task is not None:
            self._task.cancel()
        if self._receivers:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="redis listener")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415  # loaded by now

        while True:
            connection = make_connection(self._url)
            try:
                await self._listen(connection)
            except (RedisError, OSError, EOFError) as error:
                _log.debug("redis.not_heard", error=type(error).__name__)
            finally:
                with contextlib.suppress(RedisError):
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(RETRY_S)

    async def _listen(self, connection: "AbstractConnection") -> None:
        """Until the connection fails, or does not answer."""
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py: in part
        await connection.send_command("SUBSCRIBE", *self._receivers, check_health=False)
        asked = False
        while True:
            message = await connection.read_response(timeout=PING_S)
            if message is not None:
                asked = False
                self._receive(message)
            elif asked:
                return
            else:
                asked = True
                await connection.send_command("PING", check_health=False)

    def _receive(self, message: Any) -> None:
        """`message` is [kind, channel, content]; answers to PING are of another kind."""
        if not isinstance(message, list) or len(message) != 3:  # noqa: PLR2004  # above
            return
        kind, channel, content = message
        if kind == b"message":
            self._receivers[channel.decode()](content)
        elif kind == b"subscribe":
            self._receivers[channel.decode()](BEGUN)
