"""A long stream sealed in chunks, read as it comes: AES-256-GCM in the STREAM construction.

(Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, 2015.)
The nonce of a chunk is its number (11 bytes, big-endian) and 1 for the last chunk, 0 for every other: chunks cannot be
left out, swapped, repeated or cut off at the end. A key seals one stream only.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.core.secret import Secret
from watchword.errors import UnsealError

TAG_SIZE: Final = 16
"""By how many bytes a sealed chunk is longer."""
_NUMBER_SIZE: Final = 11


class StreamCipher:
    """One direction through one stream. `key`: 32 bytes that nothing else uses; `associated` is bound to each chunk."""

    def __init__(self, key: Secret, *, associated: bytes) -> None:
        self._cipher = AESGCM(key.reveal())
        self._associated = associated
        self._number = 0

    def seal(self, chunk: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(self._nonce(last=last), chunk, self._associated)
        self._number += 1
        return sealed

    def open(self, sealed: bytes, *, last: bool) -> bytes:
        """The next chunk. After an error the same place is still the next.

        Raises:
            UnsealError: it is not the next chunk, or not the last one, or was changed.
        """
        try:
            chunk = self._cipher.decrypt(self._nonce(last=last), sealed, self._associated)
        except (InvalidTag, ValueError):
            raise UnsealError from None
        self._number += 1
        return chunk

    def _nonce(self, *, last: bool) -> bytes:
        return self._number.to_bytes(_NUMBER_SIZE, "big") + bytes((last,))
