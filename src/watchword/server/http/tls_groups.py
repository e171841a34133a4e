"""Which key exchange our TLS agrees on: asked of the library itself, since Python cannot name groups before 3.15.

A ClientHello that offers one group and no key of it is answered by a HelloRetryRequest for that group, if the server
speaks it, and by an alert if not (RFC 8446, 4.1.4 and 4.2.8). Nothing secret is made for it, and nothing is sent.
"""

import contextlib
import enum
import ssl
from typing import Final

_HANDSHAKE: Final = 22
_SERVER_HELLO: Final = 2
_RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a ServerHello that is a HelloRetryRequest: SHA-256 of those words."""
_KEY_SHARE: Final = 51
_RANDOM_SIZE: Final = 32


class Group(enum.IntEnum):
    """Code points of the IANA registry of TLS supported groups."""

    X25519 = 0x001D
    X25519MLKEM768 = 0x11EC


def speaks(context: ssl.SSLContext, group: Group) -> bool:
    """Whether a server with `context` agrees on `group`."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(client_hello(group))
    with contextlib.suppress(ssl.SSLError):  # it waits for the second hello, or has refused the first
        server.do_handshake()
    return retried_group(outgoing.read()) == group


def client_hello(group: Group) -> bytes:
    """A TLS 1.3 ClientHello, as a record, that offers `group` alone and brings no key share."""
    extensions = b"".join(
        (
            _extension(43, b"\x02\x03\x04"),  # supported_versions: TLS 1.3
            _extension(10, _sized(int(group).to_bytes(2, "big"), 2)),  # supported_groups
            _extension(13, _sized(b"\x04\x03\x08\x04\x08\x07\x05\x03", 2)),  # signature_algorithms
            _extension(_KEY_SHARE, b"\x00\x00"),
        )
    )
    body = (
        b"\x03\x03"
        + bytes(_RANDOM_SIZE)  # of no use to anybody: no key comes of this
        + b"\x00"  # session id
        + _sized(b"\x13\x01\x13\x02\x13\x03", 2)
        + b"\x01\x00"  # compression: none
        + _sized(extensions, 2)
    )
    message = b"\x01" + _sized(body, 3)
    return bytes((_HANDSHAKE, 3, 1)) + _sized(message, 2)


def retried_group(answer: bytes) -> int | None:
    """The group that a HelloRetryRequest asks for; None for any other answer."""
    message = answer[5:]
    random_at = 4 + 2
    retry = message[random_at : random_at + _RANDOM_SIZE] == _RETRY
    if answer[:1] != bytes((_HANDSHAKE,)) or message[:1] != bytes((_SERVER_HELLO,)) or not retry:
        return None
    rest = message[random_at + _RANDOM_SIZE :]
    if not rest:
        return None
    at = 1 + rest[0] + 2 + 1 + 2  # session id, cipher suite, compression, length of the extensions
    while at + 6 <= len(rest):
        kind, size = int.from_bytes(rest[at : at + 2], "big"), int.from_bytes(rest[at + 2 : at + 4], "big")
        if kind == _KEY_SHARE:
            return int.from_bytes(rest[at + 4 : at + 6], "big")
        at += 4 + size
    return None


def _extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _sized(content, 2)


def _sized(content: bytes, width: int) -> bytes:
    return len(content).to_bytes(width, "big") + content
