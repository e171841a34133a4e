"""Opens the link that the configuration asks for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import InvalidConfigError
from watchword.server.redis.link import RedisLink


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
