"""The offline list of common passwords, as a filter that a browser can read as well.

`data/common_passwords.bin`, all integers big-endian:

    4 bytes   magic "WWcp"
    1 byte    version, 1
    1 byte    prefix size P in bytes, 5
    4 bytes   count N
    N * P     the first P bytes of the SHA-256 of each entry, ascending, without repetition

An entry is ASCII in lower case, hashed as it is. A password is looked up whole: its `A`-`Z` become small,
its UTF-8 is hashed, and the prefix is searched by bisection. With N entries a password that is not on the
list is refused with probability N / 2^40. Entries shorter than the smallest length ever accepted (8) are
not kept: the length refuses them. `tools/make_common_passwords.py` makes the file and names its sources.
"""

import functools
import hashlib
from pathlib import Path
from typing import Final

from watchword.errors import DamagedError

_SOURCE: Final = Path(__file__).parent / "data/common_passwords.bin"
MAGIC: Final = b"WWcp"
VERSION: Final = 1
PREFIX_SIZE: Final = 5
_HEADER_SIZE: Final = 10
_CAPITALS_TO_SMALL: Final = {point: point + 32 for point in range(ord("A"), ord("Z") + 1)}


class CommonPasswords:
    """A sorted table of hash prefixes."""

    __slots__ = ("_prefixes",)

    def __init__(self, data: bytes) -> None:
        """Raises `DamagedError` unless `data` is the whole file."""
        header = MAGIC + bytes((VERSION, PREFIX_SIZE))
        count = int.from_bytes(data[len(header) : _HEADER_SIZE], "big")
        if not data.startswith(header) or len(data) != _HEADER_SIZE + count * PREFIX_SIZE:
            raise DamagedError("the list of common passwords is damaged")
        self._prefixes = memoryview(data)[_HEADER_SIZE:]

    def __len__(self) -> int:
        return len(self._prefixes) // PREFIX_SIZE

    def __contains__(self, password: str) -> bool:
        wanted = prefix_of(password)
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if bytes(self._prefixes[middle * PREFIX_SIZE : (middle + 1) * PREFIX_SIZE]) < wanted:
                low = middle + 1
            else:
                high = middle
        return bytes(self._prefixes[low * PREFIX_SIZE : (low + 1) * PREFIX_SIZE]) == wanted


def prefix_of(password: str) -> bytes:
    return hashlib.sha256(password.translate(_CAPITALS_TO_SMALL).encode()).digest()[:PREFIX_SIZE]


@functools.cache
def common_passwords() -> CommonPasswords:
    """The list that is shipped; read at first use."""
    return CommonPasswords(_SOURCE.read_bytes())
