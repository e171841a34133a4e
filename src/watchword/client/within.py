"""Blocking connections that keep to the time of the call they are in, however slowly an answer trickles.

httpx bounds each read alone: a byte now and then would hold a call for ever, in the head of an answer at least, where
nobody else can look at the clock. So every read and write is bounded by what is left of the call.
"""

import ssl
from collections.abc import Callable, Iterable
from typing import Any, Final

import httpcore
import httpx

from watchword.client.plain import check_plain, peer_of

MAX_CONNECTIONS: Final = 10
_KEPT_S: Final = 5.0
Left = Callable[[], float]
"""Seconds that are left; raises when there are none."""


class WithinTransport(httpx.HTTPTransport):
    """httpx's own, on a pool whose streams ask `left` before each step."""

    def __init__(self, context: ssl.SSLContext, left: Left) -> None:
        super().__init__(verify=context)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=_KEPT_S,
            network_backend=_Backend(left),
        )


class _Backend(httpcore.SyncBackend):
    def __init__(self, left: Left) -> None:
        self._left = left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = super().connect_tcp(host, port, _shorter(timeout, self._left), local_address, socket_options)
        return _Stream(stream, self._left, plain_to=host)


class _Stream(httpcore.NetworkStream):
    """`plain_to` is the host that it was connected to, as long as there is no TLS."""

    def __init__(self, stream: httpcore.NetworkStream, left: Left, *, plain_to: str | None) -> None:
        self._stream, self._left, self._plain_to = stream, left, plain_to

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _shorter(timeout, self._left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._plain_to is not None:
            check_plain(self._plain_to, peer_of(self._stream))
        self._stream.write(buffer, _shorter(timeout, self._left))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _shorter(timeout, self._left))
        return _Stream(stream, self._left, plain_to=None)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _shorter(timeout: float | None, left: Left) -> float:
    rest = left()
    return rest if timeout is None else min(timeout, rest)
