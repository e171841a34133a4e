"""The PROXY protocol, version 2: every field of its header, and what is none."""

import asyncio
import ipaddress
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.errors import MalformedError
from watchword.server.http.proxy_v2 import (
    HEAD_SIZE,
    MAX_SIZE,
    SIGNATURE,
    crc32c,
    parse_introduction,
    receive_introduction,
)

V4 = bytes((203, 0, 113, 9)) + bytes((10, 0, 0, 1)) + struct.pack(">HH", 4711, 443)
V6 = bytes.fromhex("20010db9" + "00" * 11 + "01") + bytes(16) + struct.pack(">HH", 4711, 443)
UNIX = b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0")
INET, INET6, SOCKET = 0x11, 0x21, 0x31


def header(family: int = INET, addresses: bytes = V4, tlvs: bytes = b"", command: int = 0x21) -> bytes:
    body = addresses + tlvs
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">BH", kind, len(value)) + value


def summed(**given) -> bytes:
    """With a right checksum as its last TLV."""
    zero = header(**{**given, "tlvs": given.get("tlvs", b"") + tlv(3, bytes(4))})
    return zero[:-4] + crc32c(zero).to_bytes(4, "big")


def test_the_checksum_is_the_one_of_the_specification():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (header(), "203.0.113.9"),
        (header(INET6, V6), "2001:db9::1"),
        (header(SOCKET, UNIX), ""),
        (header(0x00, b""), ""),
        (header(0x00, b"whatever"), ""),
        (header(command=0x20), ""),
        (header(0x00, b"", command=0x20), ""),
        (header(0xFF, b"any", command=0x20), ""),
        (header(tlvs=tlv(1, b"h2") + tlv(4, bytes(3)) + tlv(0xE0, b"")), "203.0.113.9"),
        (summed(), "203.0.113.9"),
        (summed(family=INET6, addresses=V6, tlvs=tlv(2, b"id.example.org")), "2001:db9::1"),
        (header(tlvs=tlv(4, bytes(MAX_SIZE - 31))), "203.0.113.9"),
    ],
)
def test_a_header_names_its_caller_or_says_that_it_names_none(said: bytes, address: str):
    assert parse_introduction(said) == address


@pytest.mark.parametrize(
    "said",
    [
        b"", SIGNATURE, b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n", b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01" + bytes(20),
        header()[:-1], header() + b"\0", header(addresses=V4[:-1]), header(INET6, V4), header(SOCKET, UNIX[:-1]),
        header(command=0x11), header(command=0x31), header(command=0x22), header(command=0x01),
        header(0x12), header(0x10), header(0x01), header(0x41), header(0x20, V6), header(0x22, V6),
        header(tlvs=b"\1"), header(tlvs=b"\1\0"), header(tlvs=b"\1\0\1"), header(tlvs=tlv(1, b"h2") + b"\0"),
        header(tlvs=tlv(3, bytes(4))), header(tlvs=tlv(3, bytes(3))), header(tlvs=tlv(3, b"")),
        summed(tlvs=tlv(3, bytes(4))), summed()[:-1] + b"\0", header(tlvs=tlv(4, bytes(MAX_SIZE - 30))),
    ],
)  # fmt: skip
def test_what_is_no_header_is_refused(said: bytes):
    with pytest.raises(MalformedError):
        parse_introduction(said)


@given(st.ip_addresses(), st.lists(st.tuples(st.integers(4, 255), st.binary(max_size=20)), max_size=5))
def test_what_is_written_by_the_specification_is_read_back(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, others: list[tuple[int, bytes]]
):
    family = INET if address.version == 4 else INET6
    addresses = address.packed + bytes(len(address.packed)) + bytes(4)
    tlvs = b"".join(tlv(kind, value) for kind, value in others)
    assert parse_introduction(header(family, addresses, tlvs)) == str(address)
    good = summed(family=family, addresses=addresses, tlvs=tlvs)
    assert parse_introduction(good) == str(address)


@given(st.data())
def test_a_checksum_shows_every_changed_bit(data: st.DataObject):
    good = summed(tlvs=tlv(2, b"id.example.org"))
    place = data.draw(st.integers(16, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = parse_introduction(bytes(bad))
    except MalformedError:
        return
    # The checksum's own type or a length was hit: then it is another TLV, and the addresses are untouched.
    assert place >= HEAD_SIZE + len(V4)
    assert found == "203.0.113.9"


@given(st.one_of(st.binary(max_size=600), st.binary(max_size=560).map(lambda rest: SIGNATURE + rest)))
def test_any_bytes_are_a_header_or_malformed(said: bytes):
    try:
        found = parse_introduction(said)
    except MalformedError:
        return
    assert not found or str(ipaddress.ip_address(found)) == found


async def _received(*pieces: bytes, end: bool = False) -> tuple[str, bytes]:
    """What was read, and what was left."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        reading = asyncio.ensure_future(receive_introduction(ours))
        for piece in pieces:
            theirs.sendall(piece)
            await asyncio.sleep(0)
        if end:
            theirs.shutdown(socket.SHUT_WR)
        address = await reading
        try:
            return address, ours.recv(100)
        except BlockingIOError:
            return address, b""


@pytest.mark.anyio
async def test_no_byte_behind_the_header_is_taken():
    said = summed(family=INET6, addresses=V6)
    assert await _received(said + b"\x16\x03\x01") == ("2001:db9::1", b"\x16\x03\x01")
    assert await _received(*(bytes((each,)) for each in said), b"rest") == ("2001:db9::1", b"rest")
    assert await _received(header(0x00, b"", command=0x20) + b"rest") == ("", b"rest")


@pytest.mark.anyio
async def test_a_header_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(MalformedError, match="longer"):
        await _received(SIGNATURE + b"\x21\x11" + (MAX_SIZE - HEAD_SIZE + 1).to_bytes(2, "big"))


@pytest.mark.anyio
@pytest.mark.parametrize("size", [1, 12, 16, 20, 27])
async def test_a_header_that_is_cut_off_is_refused(size: int):
    with pytest.raises(MalformedError):
        await _received(header()[:size], end=True)


@pytest.mark.anyio
async def test_a_peer_that_only_looks_whether_somebody_listens_has_just_left():
    with pytest.raises(ConnectionResetError):
        await _received(end=True)
