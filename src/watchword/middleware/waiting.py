"""One way of verifying for blocking callers and for event loops: steps that say what they wait for, and who waits.

Whatever may have to wait for a fetch is a generator of the fetches; the two functions here drive it.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

WAIT: Final = 2
"""Seconds that one request waits for a fetch; what came of it is for the steps to look at."""

T = TypeVar("T")
Steps: TypeAlias = Generator["Future[None]", Any, T]


def run_blocking(steps: Steps[T]) -> T:
    """Run the steps in a thread that may wait."""
    try:
        while True:
            _block(next(steps))
    except StopIteration as done:
        value: T = done.value
        return value


async def run_async(steps: Steps[T]) -> T:
    """Run the steps on an event loop, which goes on while they wait."""
    try:
        while True:
            await _await(next(steps))
    except StopIteration as done:
        value: T = done.value
        return value


def _block(flight: "Future[None]") -> None:
    from concurrent.futures import wait  # noqa: PLC0415  # loaded with the fetch

    wait((flight,), timeout=WAIT)


async def _await(flight: "Future[None]") -> None:
    import asyncio  # noqa: PLC0415  # an ASGI application has it; one that only imports us need not

    try:
        async with asyncio.timeout(WAIT):
            await asyncio.shield(asyncio.wrap_future(flight))
    except TimeoutError:
        return
