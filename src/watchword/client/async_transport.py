"""The asynchronous driver: HTTPS through httpx, slow work in threads, and no part left half done by a cancellation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from watchword.client.connecting import Body, app_context, error_in, options, pinned_context
from watchword.client.deadline import Deadline
from watchword.client.drive import drive_async
from watchword.client.plain import AsyncPlainTransport
from watchword.client.reconnecting import PAUSES_S, was_cut_off
from watchword.client.settings import Timeouts
from watchword.client.steps import Send, SessionFlow, Sleep, Step, T, Whole, Work
from watchword.core.clock import Clock
from watchword.errors import UnreachableError

_HTTP: Final = (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError)


class AsyncTransport:
    """Performs steps on one loop, for as many tasks as like.

    A `Whole` runs in a task of its own, one at a time: who waits for it may be cancelled, it goes on. `close` waits
    for those that run.
    """

    def __init__(
        self,
        *,
        timeouts: Timeouts,
        clock: Clock,
        app_roots: str | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._timeouts, self._clock, self._app_roots, self._sleep = timeouts, clock, app_roots, sleep
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._alone = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def run(self, flow: SessionFlow[T]) -> T:
        """Drive `flow` to its end, within the total timeout. Raises what it raises."""
        deadline = Deadline(self._timeouts, self._clock)
        return await drive_async(flow, lambda step: self._perform(step, deadline))

    async def _perform(self, step: Step, deadline: Deadline) -> Any:
        if isinstance(step, Send):
            return await self._send(step, deadline)
        if isinstance(step, Sleep):
            return await self._sleep(deadline.sleep_for(step.seconds))
        if isinstance(step, Whole):
            return await self._whole(step)
        return await self._work(step, deadline)

    async def _whole(self, step: Whole) -> Any:
        """In its own time, since it may serve others than the caller who began it."""
        task = asyncio.create_task(self._run_alone(step), name="watchword-client")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def _run_alone(self, step: Whole) -> Any:
        async with self._alone:
            return await self.run(step.flow())

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to hear of it

    @staticmethod
    async def _work(step: Work, deadline: Deadline) -> Any:
        with deadline.paused():
            return await asyncio.to_thread(step.run)

    async def _send(self, send: Send, deadline: Deadline) -> httpx.Response:
        left = deadline.left()
        try:
            async with asyncio.timeout(left):
                return await self._send_until_heard(send, deadline)
        except TimeoutError:
            raise UnreachableError(f"no answer within {self._timeouts.total:g} seconds") from None

    async def _send_until_heard(self, send: Send, deadline: Deadline) -> httpx.Response:
        pauses = iter(PAUSES_S)
        while True:
            try:
                return await self._exchange(send, deadline)
            except _HTTP as error:
                pause = next(pauses, None) if was_cut_off(error) else None
                if pause is None:
                    raise error_in(send, error) from error
            await self._sleep(deadline.sleep_for(pause))

    async def _exchange(self, send: Send, deadline: Deadline) -> httpx.Response:
        body = Body(send.max_answer)
        async with self._client(send).stream(
            send.method,
            send.url,
            headers=dict(send.headers),
            content=send.content,
            timeout=deadline.for_httpx(),
        ) as streamed:
            async for chunk in streamed.aiter_bytes():
                body.add(chunk)
            return body.answer_of(streamed)

    def _client(self, send: Send) -> httpx.AsyncClient:
        key = send.server.root_pem if send.server else ""
        found = self._clients.get(key)
        if found is None:
            context = pinned_context(key) if key else app_context(self._app_roots)
            found = self._clients[key] = httpx.AsyncClient(
                transport=AsyncPlainTransport(context), **options(context)
            )
        return found
