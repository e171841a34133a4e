"""What the session logic asks of whoever drives it. Written once; a blocking and an asynchronous driver perform it.

The exchanges in `flows` know less: they yield `Call` and `Stretch`, which the session turns into these.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from watchword.client.effects import Effect, Flow, Reply
from watchword.client.trust import TrustedServer
from watchword.errors import WatchwordError


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One request, once. The answer is a whole `httpx.Response`, whatever its status.

    `server` is whose root TLS must lead to; None for an app, which is trusted as the client was told.
    Raises `UnreachableError`, `NotTrustedError`, `MalformedError` (the answer is longer than `max_answer` bytes).
    """

    method: str
    url: str
    max_answer: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    server: TrustedServer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """Wait. Raises `UnreachableError` at once where the call's time would be over."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Something that takes a while on this machine: a stretch, a file, a question to a person. Gives its result."""

    run: Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A part that changes what the client knows: one at a time, and once begun it goes on to its end.

    A caller who stops waiting for it does not stop it: what the server has granted is saved. Never inside another.
    """

    flow: Callable[[], "SessionFlow[Any]"]


Step = Send | Sleep | Work | Whole
T = TypeVar("T")
SessionFlow = Generator[Step, Any, T]


def performed(flow: Flow[T], perform: Callable[[Effect], SessionFlow[Reply]]) -> SessionFlow[T]:
    """An exchange as steps: each effect that it yields is performed by steps. Raises what it raises."""
    try:
        effect = next(flow)
        while True:
            try:
                reply = yield from perform(effect)
            except WatchwordError as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        flow.close()
