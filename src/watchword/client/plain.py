"""Without TLS only this machine is spoken to, whatever a resolver makes of a name below `localhost`.

A stream is judged by the address that it leads to: after it is connected, and before anything is written to it.
"""

import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final

import httpcore
import httpx

from watchword.errors import NotTrustedError

MAX_CONNECTIONS: Final = 100
_KEPT_S: Final = 5.0


def peer_of(stream: httpcore.NetworkStream | httpcore.AsyncNetworkStream) -> str:
    """The address at the other end of a TCP connection. Raises `httpcore.ConnectError`: it is gone already."""
    try:
        address: str = stream.get_extra_info("server_addr")[0]
    except (OSError, TypeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return address


def check_plain(host: str, peer: str) -> None:
    """Raises `NotTrustedError` unless `peer`, to which the name `host` has led, is this machine."""
    if not ip_address(peer).is_loopback:
        raise NotTrustedError(f"{host} is not this machine, but {peer}: use https; nothing was sent")


class AsyncPlainTransport(httpx.AsyncHTTPTransport):
    """httpx's own, on a pool whose streams write in clear to this machine alone."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=_KEPT_S,
            network_backend=_Backend(),
        )


class _Backend(httpcore.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream, host)


class _Stream(httpcore.AsyncNetworkStream):
    """In clear. TLS over it is a stream of its own, with a certificate to be judged by."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, host: str) -> None:
        self._stream, self._host = stream, host

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        check_plain(self._host, peer_of(self._stream))
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return await self._stream.start_tls(ssl_context, server_hostname, timeout)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
