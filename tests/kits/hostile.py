"""Servers of key sets that mean harm: raw bytes over loopback, whole or without an end."""

import contextlib
import gzip
import socket
import threading
from collections.abc import Iterator
from typing import Final, Self

from tests.kits.tokens import KEY, key_set

from watchword.core.encoding import encode_json
from watchword.crypto.signing import TokenSigningKey

_GOOD: Final = key_set(KEY)
_JWK: Final = KEY.public.to_jwk()


def _answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    stated = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {stated}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def _chunked(*chunks: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


ENDING: Final[dict[str, bytes]] = {
    "huge": _answer(b" " * (8 << 20) + _GOOD),
    "huge in chunks": _chunked(*[b"10000\r\n" + b" " * 65536 + b"\r\n"] * 128, b"0\r\n\r\n"),
    "a chunk of unbelievable size": _chunked(b"fffffffffffffff0\r\n" + _GOOD),
    "a chunk size that is no number": _chunked(b"-5\r\n" + _GOOD),
    "redirecting": _answer(_GOOD, "Location: http://localhost:9/keys", status="302 Found"),
    "moved for good": _answer(_GOOD, "Location: https://169.254.169.254/", status="308 Permanent Redirect"),
    "nothing": b"",
    "no JSON": _answer(b"<html>hello</html>"),
    "half of the JSON": _answer(_GOOD[:-9]),
    "JSON twice": _answer(_GOOD + _GOOD),
    "a member twice": _answer(b'{"keys":[],' + _GOOD[1:]),
    "not text": _answer(b"\xff\xfe" + _GOOD),
    "a list": _answer(b"[]"),
    "a number": _answer(b"1e999"),
    "deep": _answer(b"[" * 20000 + b"]" * 20000),
    "keys that are no list": _answer(b'{"keys":{"0":1}}'),
    "no key": _answer(b'{"keys":[]}'),
    "other things for keys": _answer(b'{"keys":[null,1,"x",[],{}]}'),
    "a hundred keys": _answer(key_set(*[TokenSigningKey.generate() for _ in range(100)])),
    "one key id twice": _answer(
        encode_json({"keys": [_JWK, TokenSigningKey.generate().public.to_jwk() | {"kid": KEY.kid}]})
    ),
    "a secret key": _answer(encode_json({"keys": [_JWK | {"d": "A" * 43}]})),
    "a key off the curve": _answer(encode_json({"keys": [_JWK | {"x": "A" * 43}]})),
    "a symmetric key": _answer(
        encode_json({"keys": [{"kty": "oct", "kid": KEY.kid, "k": "AAAA", "alg": "HS256"}]})
    ),
    "HTTP/0.9": _GOOD,
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n",
    "a gzip bomb": _answer(gzip.compress(b" " * (16 << 20)), "Content-Encoding: gzip"),
    "a gzip bomb unannounced": _answer(gzip.compress(b" " * (16 << 20))),
    "closing early": _answer(_GOOD[:20], length=len(_GOOD)),
    "closing in a chunk": _chunked(b"fff\r\n" + _GOOD),
    "closing in the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a length that is a lie": _answer(_GOOD, length=1 << 40),
    "a thousand headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n" + _GOOD,
    "a long header": b"HTTP/1.1 200 OK\r\nA: " + b"b" * (1 << 20) + b"\r\n\r\n" + _GOOD,
    "unchanged, unasked": _answer(b"", status="304 Not Modified"),
    "no content": _answer(b"", status="204 No Content"),
    "partial": _answer(_GOOD, status="206 Partial Content"),
    "a fault": _answer(_GOOD, status="500 Internal Server Error"),
    "an odd status": _answer(_GOOD, status="99999 What"),
}
"""Answers that end, none of which is a key set."""
ENDLESS: Final[dict[str, tuple[bytes, bytes]]] = {
    "silent": (b"", b""),
    "dripping the status": (b"", b"H"),
    "dripping headers": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "continue for ever": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "dripping a body": (_answer(b"", length=1000)[:-2] + b"\r\n", b" "),
    "dripping chunks": (_chunked(), b"1\r\n \r\n"),
}
"""A beginning, and what is repeated after it for as long as anybody listens."""


class HostileServer:
    """Answers every connection with `first`, and then with `more`, every 20 ms, without an end."""

    def __init__(self, first: bytes, more: bytes | None = None) -> None:
        self.first, self.more = first, more
        self.connections = 0
        self.go_on = threading.Event()
        """While it is not set, nobody gets an answer."""
        self.go_on.set()
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.origin = f"http://localhost:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def hang_up(self) -> None:
        """End what has no end."""
        self.go_on.set()
        self._over.set()

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(60)

    def _start(self, target: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]  # either loop
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        for peer in self._peers():
            self.connections += 1
            self._start(self._serve, peer)

    def _peers(self) -> Iterator[socket.socket]:
        with contextlib.suppress(OSError):  # closed: it is over
            while True:
                yield self._socket.accept()[0]

    def _serve(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):  # whoever asked may have heard enough
            peer.recv(4096)
            self.go_on.wait(60)
            peer.sendall(self.first)
            while self.more is not None and not self._over.wait(0.02):
                if self.more:
                    peer.sendall(self.more)
