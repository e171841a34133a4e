"""Both clients under one set of tests: the asynchronous one is driven from outside its loop, call by call."""

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from watchword.client.async_client import AsyncClient
from watchword.client.client import Client

KINDS: Final = ("blocking", "async")


class _Driven:
    """An `AsyncClient` whose methods return their results."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **options: self._runner.run(found(*args, **options))


def make(kind: str, *args: Any, **options: Any) -> Any:
    """A context manager that gives a client of this kind with the blocking one's manners."""
    return Client(*args, **options) if kind == "blocking" else _driving(AsyncClient(*args, **options))


def opened(kind: str, **options: Any) -> Any:
    """As `make`, by `open`."""
    return Client.open(**options) if kind == "blocking" else _driving(AsyncClient.open(**options))


@contextmanager
def _driving(client: AsyncClient) -> Iterator[Client]:
    with asyncio.Runner() as runner:
        runner.run(client.__aenter__())
        try:
            yield cast("Client", _Driven(client, runner))
        finally:
            runner.run(client.__aexit__(None, None, None))


def note_sleeps(client: Any) -> list[float]:
    """From now on `client` sleeps not at all; how long it would have."""
    slept: list[float] = []
    transport = client._transport  # what stands for time there
    if isinstance(client, _Driven):

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        transport._sleep = sleep
    else:
        transport._sleep = slept.append
    return slept
