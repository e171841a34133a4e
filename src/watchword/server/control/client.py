"""The calling end, for the command line: blocking, and light to import."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from watchword.errors import ForbiddenError, UnreachableError
from watchword.server.control import place
from watchword.server.control.errors import remote_error
from watchword.server.control.rpc import MAX_ANSWER, Request, encode_request

CONNECT_S: Final = 5.0
ANSWER_S: Final = 60.0
"""Twice the server's own limit: it is the server that says what happened."""

OnEvent = Callable[[str, dict[str, Any]], None]


class NoServerError(UnreachableError):
    """Nobody listens there."""


class ControlClient:
    """One connection to a running server. Use as a context manager."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._calls = 0

    @classmethod
    def connect(cls, path: Path) -> Self:
        """Raises `NoServerError`; `ForbiddenError` when the socket is another user's; `UnreachableError`."""
        try:
            return cls(place.connect(path, timeout_s=CONNECT_S))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise NoServerError(f"no server is running on {path.parent}") from None
        except PermissionError:
            raise ForbiddenError(
                f"{path} belongs to another user: run as the user that runs the server"
            ) from None
        except OSError as error:
            raise UnreachableError(
                f"the server on {path} does not answer: {error.strerror or error}"
            ) from None

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        on_event: OnEvent | None = None,
        patient: bool = False,
    ) -> Any:
        """The result. `on_event` hears what a long call tells; a `patient` one waits for ever.

        Raises `ControlError` with the server's code and words, or `UnreachableError`.
        """
        self._calls += 1
        self._connection.settimeout(None if patient else ANSWER_S)
        self._send(Request(id=self._calls, method=method, params=dict(params)))
        while True:
            message = self._read()
            if "method" not in message:
                return _result(message)
            if on_event is not None:
                on_event(str(message["method"]), message["params"])

    def _send(self, request: Request) -> None:
        # A server that refuses us says why and closes, perhaps before we have spoken: what it said is read next.
        with _told(), contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.sendall(encode_request(request))

    def _read(self) -> dict[str, Any]:
        with _told():
            line = self._lines.readline(MAX_ANSWER)
        if not line.endswith(b"\n"):
            raise UnreachableError("the server ended the connection; look whether it is stopping")
        message: dict[str, Any] = json.loads(line)
        return message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._connection.close()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What goes wrong on the connection, and nowhere else, is the server's absence."""
    try:
        yield
    except OSError as error:
        raise UnreachableError(f"the server went away: {error.strerror or 'no answer in time'}") from None


def _result(message: dict[str, Any]) -> Any:
    error = message.get("error")
    if error is None:
        return message["result"]
    raised = remote_error(error["data"]["code"], error["data"]["detail"])
    raised.request_id = error["data"].get("request_id")
    raise raised
