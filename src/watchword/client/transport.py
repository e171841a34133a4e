"""The blocking driver: HTTPS through httpx, everything else in the calling thread."""

import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from watchword.client.answers import error_of
from watchword.client.connecting import Body, app_context, error_in, options, pinned_context
from watchword.client.deadline import Deadline
from watchword.client.drive import drive
from watchword.client.reconnecting import PAUSES_S, was_cut_off
from watchword.client.settings import Timeouts
from watchword.client.steps import Send, SessionFlow, Sleep, Step, T, Whole, Work
from watchword.client.within import WithinTransport
from watchword.core.clock import Clock
from watchword.core.secret import Secret

__all__ = ["StretchProgress", "Transport", "error_of", "pinned_context"]

StretchProgress = Callable[[Callable[[], Secret]], Secret]
"""Runs a stretch and shows that something happens."""
_HTTP: Final = (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError)


class Transport:
    """Performs steps. Connections are kept open for each root; one thread at a time."""

    def __init__(
        self,
        *,
        timeouts: Timeouts,
        clock: Clock,
        app_roots: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeouts, self._clock, self._app_roots, self._sleep = timeouts, clock, app_roots, sleep
        self._clients: dict[str, httpx.Client] = {}
        self._deadline: Deadline | None = None

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def run(self, flow: SessionFlow[T]) -> T:
        """Drive `flow` to its end, within the total timeout. Raises what it raises."""
        deadline = Deadline(self._timeouts, self._clock)
        return drive(flow, lambda step: self._perform(step, deadline))

    def _perform(self, step: Step, deadline: Deadline) -> Any:
        if isinstance(step, Send):
            return self._send(step, deadline)
        if isinstance(step, Sleep):
            return self._sleep(deadline.sleep_for(step.seconds))
        if isinstance(step, Whole):
            return drive(step.flow(), lambda inner: self._perform(inner, deadline))
        return self._work(step, deadline)

    @staticmethod
    def _work(step: Work, deadline: Deadline) -> Any:
        with deadline.paused():
            return step.run()

    def _send(self, send: Send, deadline: Deadline) -> httpx.Response:
        pauses = iter(PAUSES_S)
        while True:
            try:
                return self._exchange(send, deadline)
            except _HTTP as error:
                pause = next(pauses, None) if was_cut_off(error) else None
                if pause is None:
                    raise error_in(send, error) from error
            self._sleep(deadline.sleep_for(pause))

    def _exchange(self, send: Send, deadline: Deadline) -> httpx.Response:
        body, self._deadline = Body(send.max_answer), deadline
        with self._client(send).stream(
            send.method,
            send.url,
            headers=dict(send.headers),
            content=send.content,
            timeout=deadline.for_httpx(),
        ) as streamed:
            for chunk in streamed.iter_bytes():
                body.add(chunk)
            return body.answer_of(streamed)

    def _client(self, send: Send) -> httpx.Client:
        key = send.server.root_pem if send.server else ""
        found = self._clients.get(key)
        if found is None:
            context = pinned_context(key) if key else app_context(self._app_roots)
            found = self._clients[key] = httpx.Client(
                transport=WithinTransport(context, self._left), **options(context)
            )
        return found

    def _left(self) -> float:
        return self._deadline.left() if self._deadline else self._timeouts.total
