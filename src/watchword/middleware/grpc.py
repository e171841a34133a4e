"""gRPC servers, blocking and `grpc.aio`: every call has a verified caller, or is refused before it is handled.

The token is in the metadata `authorization`. A refusal is a status and, as trailing metadata, `watchword-code`,
`watchword-request-id`, `www-authenticate`, `retry-after` and `watchword-problem-bin`: the same problem document
that the faces of HTTP send. All four kinds of methods; servicers ask for more by `watchword.middleware.require`.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from contextvars import copy_context
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, Final, NoReturn, Unpack

import grpc
import grpc.aio

from watchword.errors import WatchwordError
from watchword.middleware.current import Admission, current_identity, enter
from watchword.middleware.guard import Guard
from watchword.middleware.refusals import ROUTE_ERRORS
from watchword.middleware.settings import Settings
from watchword.middleware.waiting import Steps, run_async, run_blocking

__all__ = ["WatchwordAioInterceptor", "WatchwordInterceptor", "call_credentials", "current_identity"]

Handler = Any
"""A `grpc.RpcMethodHandler`, of whatever messages."""
Behavior = Callable[[Any, Any], Any]
_STATUS: Final[Mapping[int, grpc.StatusCode]] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_ALSO_TOLD: Final = frozenset({b"www-authenticate", b"retry-after"})


class _Call:
    """One call at the door: what it brought, and how it is refused."""

    def __init__(self, guard: Guard, details: grpc.HandlerCallDetails) -> None:
        self._guard = guard
        self._metadata = list(details.invocation_metadata or ())
        self.method: Final = _text(details.method)

    def steps(self) -> Steps[Admission]:
        return self._guard.steps(self.method, self._values("authorization"))

    def refusal(
        self, error: WatchwordError
    ) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]:
        """Status, its sentence, and trailing metadata; nothing of the error's own text."""
        given = self._values("x-request-id")
        denial = self._guard.refuse(error, kind="grpc", request_id=given[0] if given else None)
        told = [(name.decode(), value.decode()) for name, value in denial.headers if name in _ALSO_TOLD]
        trailing: tuple[tuple[str, str | bytes], ...] = (
            ("watchword-code", str(denial.code)),
            ("watchword-request-id", denial.request_id),
            *told,
            ("watchword-problem-bin", denial.body),
        )
        return _STATUS.get(denial.status, grpc.StatusCode.INTERNAL), denial.title, trailing

    def abort(self, context: Any, error: WatchwordError) -> NoReturn:
        """Refuse a call that has not been answered yet."""
        status, sentence, trailing = self.refusal(error)
        context.set_trailing_metadata(trailing)
        context.abort(status, sentence)
        raise AssertionError("abort returned")

    def mark(self, context: Any, error: WatchwordError) -> None:
        """Have the stream end with the refusal once it returns: `grpc.aio` may still be sending what came before."""
        status, sentence, trailing = self.refusal(error)
        context.set_trailing_metadata(trailing)
        context.set_code(status)
        context.set_details(sentence)

    def _values(self, name: str) -> list[str]:
        return [_text(value) for key, value in self._metadata if key == name]


class WatchwordInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """For `grpc.server(..., interceptors=[WatchwordInterceptor(issuer=..., audience=...)])`.

    The options are `Settings`; `public` has methods ("/grpc.health.v1.Health/Check") or services
    ("/grpc.health.v1.Health/"). `current_identity()` is the caller. Raise `InvalidConfigError` for a mistake.
    """

    def __init__(self, **settings: Unpack[Settings]) -> None:
        self._guard = Guard(**settings)

    def intercept_service(self, continuation: Callable[[Any], Handler], handler_call_details: Any) -> Handler:
        """Decide at once where nothing can block; else in the call's own thread: this one serves all calls."""
        call = _Call(self._guard, handler_call_details)
        steps = call.steps()
        if self._guard.has_checks:
            return _guarded(continuation(handler_call_details) or _UNKNOWN, call, lambda: run_blocking(steps))
        try:
            flight = next(steps)
        except StopIteration as done:
            admission: Admission = done.value
            handler = continuation(handler_call_details)
            return handler and _guarded(handler, call, lambda: admission)
        except WatchwordError as error:
            return _refusing(call, error)
        return _guarded(continuation(handler_call_details) or _UNKNOWN, call, lambda: _resumed(flight, steps))


class WatchwordAioInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # as above
    """The same for `grpc.aio.server(interceptors=[...])`. Methods may be blocking too: grpc runs them in threads."""

    def __init__(self, **settings: Unpack[Settings]) -> None:
        self._guard = Guard(**settings)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: Any
    ) -> Handler:
        call = _Call(self._guard, handler_call_details)
        try:
            admission = await run_async(call.steps())
        except WatchwordError as error:
            return _refusing_async(call, error)
        handler = await continuation(handler_call_details)
        return handler and _guarded(handler, call, lambda: admission)


def call_credentials(token: Callable[[], str]) -> grpc.CallCredentials:
    """For clients: credentials that ask `token()` for an access token at each call, in a thread of grpc's.

    Compose them with those of the channel (`grpc.composite_channel_credentials`); grpc sends them over TLS only.
    """
    return grpc.metadata_call_credentials(_Plugin(token), name="watchword")


class _Plugin(grpc.AuthMetadataPlugin):
    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(self, _context: Any, callback: Any) -> None:
        try:
            metadata = (("authorization", f"Bearer {self._token()}"),)
        except Exception as error:  # noqa: BLE001  # whatever it is, the call must fail rather than hang
            callback((), error)
        else:
            callback(metadata, None)


def _resumed(flight: Any, steps: Steps[Admission]) -> Admission:
    def all_steps() -> Steps[Admission]:
        yield flight
        return (yield from steps)

    return run_blocking(all_steps())


def _entered(call: _Call, context: Any, admit: Callable[[], Admission]) -> Any:
    """A context of its own in which the caller is known; what grpc's threads do next must not see it."""
    try:
        admission = admit()
    except WatchwordError as error:
        call.abort(context, error)
    ours = copy_context()
    ours.run(enter, admission)
    return ours


def _guarded(handler: Handler, call: _Call, admit: Callable[[], Admission]) -> Handler:
    """The handler with each method made to know its caller; of the same kind and with the same messages."""
    inner: Behavior
    if handler.response_streaming:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
        return _same_kind(handler, _many(inner, call, admit))
    inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
    return _same_kind(handler, _one(inner, call, admit))


def _one(inner: Behavior, call: _Call, admit: Callable[[], Admission]) -> Behavior:
    async def waiting(request: Any, context: Any) -> Any:
        enter(admit())  # the task is this call's alone
        try:
            return await inner(request, context)
        except ROUTE_ERRORS as error:
            await _abort_async(call, context, error)

    def direct(request: Any, context: Any) -> Any:
        ours = _entered(call, context, admit)
        try:
            return ours.run(inner, request, context)
        except ROUTE_ERRORS as error:
            call.abort(context, error)

    return waiting if iscoroutinefunction(inner) else direct


def _many(inner: Behavior, call: _Call, admit: Callable[[], Admission]) -> Behavior:
    async def streaming(request: Any, context: Any) -> Any:
        enter(admit())
        try:
            async with aclosing(inner(request, context)) as answers:
                async for answer in answers:
                    yield answer
        except ROUTE_ERRORS as error:
            await _abort_async(call, context, error)

    def yielding(request: Any, context: Any) -> Iterator[Any]:
        ours = _entered(call, context, admit)
        answers: Any = None
        try:
            answers = ours.run(inner, request, context)
            yield from _within(ours, iter(answers))
        except ROUTE_ERRORS as error:
            call.mark(context, error)
        finally:
            if hasattr(answers, "close"):
                ours.run(answers.close)

    if isasyncgenfunction(inner):
        return streaming
    return _one(inner, call, admit) if iscoroutinefunction(inner) else yielding


def _within(ours: Any, answers: Iterator[Any]) -> Iterator[Any]:
    end = object()
    while (answer := ours.run(next, answers, end)) is not end:
        yield answer


def _refusing(call: _Call, error: WatchwordError) -> Handler:
    """Refuses a call of any kind without reading what it sends."""

    def refuse(_requests: Any, context: Any) -> Any:
        call.abort(context, error)

    return grpc.stream_stream_rpc_method_handler(refuse)


def _refusing_async(call: _Call, error: WatchwordError) -> Handler:
    async def refuse(_requests: Any, context: Any) -> None:
        await _abort_async(call, context, error)

    return grpc.stream_stream_rpc_method_handler(refuse)


async def _abort_async(call: _Call, context: Any, error: WatchwordError) -> NoReturn:
    await context.abort(*call.refusal(error))
    raise AssertionError("abort returned")


def _same_kind(handler: Handler, behavior: Behavior) -> Handler:
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make: Any = makers[bool(handler.request_streaming), bool(handler.response_streaming)]
    return make(
        behavior,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _unknown_method(_requests: Any, context: Any) -> NoReturn:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    raise AssertionError("abort returned")


_UNKNOWN: Final = grpc.stream_stream_rpc_method_handler(_unknown_method)
"""For a method that does not exist, told only to callers that were let in; in grpc's own words."""


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
