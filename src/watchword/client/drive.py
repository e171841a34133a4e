"""Driving a flow to its end: what it asks for is performed, and the outcome or the error is handed back to it.

Once for a blocking transport and once for an asynchronous one; the flows themselves are written once.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

from watchword.errors import WatchwordError

E = TypeVar("E")
"""What the flow asks for."""
R = TypeVar("R")
"""What it is handed."""
T = TypeVar("T")


def drive(flow: Generator[E, R, T], perform: Callable[[E], R]) -> T:
    """What `flow` returns. Raises what it raises; it may catch what `perform` raises."""
    try:
        effect = next(flow)
        while True:
            try:
                reply = perform(effect)
            except WatchwordError as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        flow.close()


async def drive_async(flow: Generator[E, R, T], perform: Callable[[E], Awaitable[R]]) -> T:
    """As `drive`, where performing waits. Cancelled, it closes the flow where it stands."""
    try:
        effect = next(flow)
        while True:
            try:
                reply = await perform(effect)
            except WatchwordError as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        flow.close()
