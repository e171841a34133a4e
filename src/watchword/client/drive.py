"""Driving a flow to its end: what it asks for is performed, and the outcome or the error is handed back to it.

Once for a blocking transport and once for an asynchronous one; the flows themselves are written once.
"""

from collections.abc import Awaitable, Callable

from watchword.client.effects import Effect, Flow, Reply, T
from watchword.errors import WatchwordError


def drive(flow: Flow[T], perform: Callable[[Effect], Reply]) -> T:
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


async def drive_async(flow: Flow[T], perform: Callable[[Effect], Awaitable[Reply]]) -> T:
    """As `drive`, where performing waits."""
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
