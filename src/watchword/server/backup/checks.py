"""The chunks of a backup in the clear: each with a check, so that damage shows where it is.

It shows what a disk or a transfer did. It proves nothing about who wrote the file, and neither does a seal, which
anyone with the public key can make: whose data it is, the fingerprint of the authority in it tells (`authority.py`).
"""

import hashlib
from typing import Final

from watchword.errors import UnsealError

CHECK_SIZE: Final = 16
_LABEL: Final = b"watchword/v1/backup/plain\0"
_NUMBER_SIZE: Final = 11


class StreamChecks:
    """The shape of `StreamCipher`, without a key: SHA-256 over label, head's hash, number, last flag, chunk."""

    def __init__(self, head: bytes) -> None:
        self._start = _LABEL + head
        self._number = 0

    def seal(self, chunk: bytes, *, last: bool) -> bytes:
        checked = chunk + self._check(chunk, last=last)
        self._number += 1
        return checked

    def open(self, sealed: bytes, *, last: bool) -> bytes:
        """Raise `UnsealError`."""
        chunk, check = sealed[:-CHECK_SIZE], sealed[-CHECK_SIZE:]
        if check != self._check(chunk, last=last):  # compare: against damage, no secret
            raise UnsealError
        self._number += 1
        return chunk

    def _check(self, chunk: bytes, *, last: bool) -> bytes:
        place = self._number.to_bytes(_NUMBER_SIZE, "big") + bytes((last,))
        return hashlib.sha256(self._start + place + chunk).digest()[:CHECK_SIZE]
