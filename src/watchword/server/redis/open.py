"""Opens the link that the configuration asks for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import InvalidConfigError
from watchword.server.redis.line import Line
from watchword.server.redis.link import LinkTimes, RedisLink
from watchword.server.redis.reasons import reason_of


def check_package() -> None:
    """Raise `InvalidConfigError` where the client library of Redis is missing."""
    if find_spec("redis") is None:
        raise InvalidConfigError(
            "redis needs its client library, which is not installed: pip install “watchword[redis]”"
        )


@asynccontextmanager
async def open_redis(url: str | None, *, clock: Clock, entropy: Entropy) -> AsyncIterator[RedisLink | None]:
    """A link to be started, which is closed at the end; None without `url`.

    Raises `InvalidConfigError` for a URL that means nothing, or where the library is missing.
    """
    if url is None:
        yield None
        return
    check_package()
    link = RedisLink(Secret.from_text(url), clock=clock, entropy=entropy)
    try:
        yield link
    finally:
        await link.close()


async def find_trouble(url: str) -> str:
    """Why Redis cannot be reached at this moment, in a word (reasons.py); "" where it can. Raises as `open_redis`."""
    check_package()
    patience = LinkTimes().connect_s
    try:
        async with asyncio.timeout(patience):
            line = await Line.open(Secret.from_text(url), silence_s=patience, on_end=_nobody)
            try:
                await line.ask("INFO", "server")
            finally:
                await line.close()
    except InvalidConfigError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, it is said
        return reason_of(error)
    return ""


def _nobody(why: str) -> None:
    del why  # who asks hears it as an error
