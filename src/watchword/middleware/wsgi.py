"""The middleware for WSGI (PEP 3333): every request has a verified caller, or is refused before the application."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final, Unpack

from watchword.errors import WatchwordError
from watchword.middleware.current import Admission, enter
from watchword.middleware.denial import Denial
from watchword.middleware.guard import Guard
from watchword.middleware.refusals import ROUTE_ERRORS
from watchword.middleware.requirement import IDENTITY_KEY, NOW_KEY
from watchword.middleware.settings import Settings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HEAD: Final = "HEAD"


class WatchwordMiddleware:
    """Puts the caller's `Identity` in `environ["watchword.identity"]`; `current_identity()` gives it too.

    Every path needs a caller, except those in `public`; functions ask for more by `require`. The options are
    `Settings`; raise `InvalidConfigError` for a mistake in them. Serves threads, and may be forked.
    """

    def __init__(self, app: "WSGIApplication", **settings: Unpack[Settings]) -> None:
        self._app = app
        self.guard: Final = Guard(**settings)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        values = [environ[name] for name in ("HTTP_AUTHORIZATION",) if name in environ]
        try:
            admission = self.guard.admit_blocking(environ.get("PATH_INFO", ""), values)
        except WatchwordError as error:
            return self._deny(error, environ, start_response)
        _note(environ, admission)
        context = copy_context()
        context.run(enter, admission)
        return self._serve(context, environ, start_response)

    def refuse(self, error: WatchwordError, environ: "WSGIEnvironment") -> Denial:
        """The answer to what a route raised, for frameworks that turn errors into answers themselves."""
        return self.guard.refuse(error, kind="http", request_id=environ.get("HTTP_X_REQUEST_ID"))

    def _serve(
        self, context: Context, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        def deny(error: WatchwordError) -> Iterable[bytes]:
            # Replaces what the application has started; once anything is sent the server raises the error again.
            return self._deny(error, environ, start_response, (type(error), error, error.__traceback__))

        try:
            pieces = context.run(self._app, environ, start_response)
        except ROUTE_ERRORS as error:
            return deny(error)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(pieces, list | tuple) or (isinstance(wrapper, type) and isinstance(pieces, wrapper)):
            return pieces  # nothing of the application runs any more
        return _Pieces(context, pieces, deny)

    def _deny(
        self,
        error: WatchwordError,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        cause: Any = None,
    ) -> Iterable[bytes]:
        denial = self.refuse(error, environ)
        start_response(f"{denial.status} {denial.title}", denial.text_headers, cause)
        return [] if environ.get("REQUEST_METHOD") == _HEAD else [denial.body]


class _Pieces:
    """An answer that is still being made: the caller stays known, and a refusal before the first piece is ours."""

    def __init__(
        self, context: Context, pieces: Iterable[bytes], deny: Callable[[WatchwordError], Iterable[bytes]]
    ) -> None:
        self._context = context
        self._pieces = pieces
        self._deny = deny
        self._iterator: Iterator[bytes] | None = None
        self._begun = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = self._context.run(self._step)
        except ROUTE_ERRORS as error:
            if self._begun:
                raise
            self._iterator = iter(self._deny(error))
            piece = next(self._iterator)
        self._begun = True  # servers send the headers even with an empty piece
        return piece

    def _step(self) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._pieces)
        return next(self._iterator)

    def close(self) -> None:
        """As the server does once it has all, or the client has gone."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            self._context.run(close)


def _note(environ: "WSGIEnvironment", admission: Admission) -> None:
    environ.pop(IDENTITY_KEY, None)  # what another layer put there proves nothing here
    environ[NOW_KEY] = admission.now
    if admission.identity is not None:
        environ[IDENTITY_KEY] = admission.identity
