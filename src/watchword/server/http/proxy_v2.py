"""The PROXY protocol, version 2: a proxy's first bytes, which say whom the connection is from.

HAProxy's proxy-protocol.txt, section 2.2:

    0  signature (12)      13  family and transport (1)
    12 version, command    14  length of what follows (2)
    16 addresses (INET 12, INET6 36, UNIX 216), then TLVs: type (1), length (2), value
"""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Iterator
from typing import Final

from watchword.errors import MalformedError

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
HEAD_SIZE: Final = 16
MAX_SIZE: Final = 536
"""Bytes of a whole header: what section 2.2 has every receiver take."""
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
"""Version 2 in the upper half."""
_UNSPEC: Final = 0x00
_ADDRESSES: Final = {0x11: (12, 4), 0x21: (36, 16), 0x31: (216, 0)}
"""By family and transport (all streams): the size of the addresses, and of the source's in them."""
_CRC32C: Final = 0x03
_TLV: Final = struct.Struct(">BH")
_CRC_SIZE: Final = 4


async def receive_introduction(connection: socket.socket) -> str:
    """The caller's address, not yet canonical; empty where the proxy speaks for itself, or for a Unix socket's peer.

    Takes the header from `connection` (which does not block) and no byte behind it: that is for TLS.
    Raises `MalformedError` for what is none, `OSError` when the peer leaves before it has said anything.
    """
    head = await _receive(connection, HEAD_SIZE)
    if not head:
        raise ConnectionResetError
    size = _size_of(head)
    return parse_introduction(head + (await _receive(connection, size) if size else b""))


async def _receive(connection: socket.socket, size: int) -> bytes:
    """So many bytes, fewer only where the connection ends."""
    data = b""
    while len(data) < size:
        piece = await asyncio.get_running_loop().sock_recv(connection, size - len(data))
        if not piece:
            break
        data += piece
    return data


def parse_introduction(header: bytes) -> str:
    """As `receive_introduction`, of a whole header."""
    if len(header) - HEAD_SIZE != _size_of(header):
        raise MalformedError("not as long as it says")
    command, family = header[12], header[13]
    if command == _LOCAL:
        return ""  # the proxy's own, a health check: what follows is to be ignored, whatever it is
    if command != _PROXY:
        raise MalformedError("no command of version 2")
    if family == _UNSPEC:
        return ""
    if family not in _ADDRESSES:
        raise MalformedError("no family of streams")
    size, source_size = _ADDRESSES[family]
    if len(header) < HEAD_SIZE + size:
        raise MalformedError("the addresses are cut off")
    _check_tlvs(header, HEAD_SIZE + size)
    source = header[HEAD_SIZE : HEAD_SIZE + source_size]
    return str(ipaddress.ip_address(source)) if source else ""


def _size_of(head: bytes) -> int:
    """How many bytes follow the first `HEAD_SIZE`. Raises `MalformedError`."""
    if len(head) < HEAD_SIZE or not head.startswith(SIGNATURE):
        raise MalformedError("not the PROXY protocol, version 2")
    size = int.from_bytes(head[14:16], "big")
    if size > MAX_SIZE - HEAD_SIZE:
        raise MalformedError("a longer header than any proxy sends")
    return size


def _check_tlvs(header: bytes, start: int) -> None:
    """Raise `MalformedError` unless what follows the addresses are whole TLVs, and a checksum is the right one."""
    sums = [(at, value) for kind, at, value in _tlvs(header, start) if kind == _CRC32C]
    if len(sums) > 1 or any(len(value) != _CRC_SIZE for _, value in sums):
        raise MalformedError("not one checksum")
    for at, value in sums:
        zeroed = header[:at] + bytes(_CRC_SIZE) + header[at + _CRC_SIZE :]
        if crc32c(zeroed) != int.from_bytes(value, "big"):
            raise MalformedError("a wrong checksum")


def _tlvs(header: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Type, place of the value, value."""
    while at < len(header):
        if len(header) - at < _TLV.size:
            raise MalformedError("a TLV is cut off")
        kind, size = _TLV.unpack_from(header, at)
        at += _TLV.size
        if len(header) - at < size:
            raise MalformedError("a TLV is cut off")
        yield kind, at, header[at : at + size]
        at += size


def _table() -> Iterator[int]:
    for number in range(256):
        rest = number
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
        yield rest


_CRC_TABLE: Final = tuple(_table())


def crc32c(data: bytes) -> int:
    """The Castagnoli CRC (RFC 3720, B.4)."""
    rest = 0xFFFFFFFF
    for each in data:
        rest = rest >> 8 ^ _CRC_TABLE[(rest ^ each) & 0xFF]
    return rest ^ 0xFFFFFFFF
