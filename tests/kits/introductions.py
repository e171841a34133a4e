"""What proxies say first, by the PROXY protocol: version 2, and the version 1 that is not taken."""

import ipaddress
from typing import Final

from watchword.server.http.proxy_v2 import SIGNATURE

VERSION_1: Final = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n"
LOCAL: Final = SIGNATURE + b"\x20\x00\x00\x00"


def introduce(address: str) -> bytes:
    """A header that names `address`."""
    source = ipaddress.ip_address(address).packed
    body = source + bytes(len(source)) + b"\x12\x67\x01\xbb"
    family = b"\x11" if len(source) == 4 else b"\x21"
    return SIGNATURE + b"\x21" + family + len(body).to_bytes(2, "big") + body
