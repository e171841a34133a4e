"""A book of offences that does not know of whom: what it keeps, in the database or in Redis, tells nobody's address.

Counting only asks whether two sources are the same, so a keyed hash of a source does as well as the source.
"""

from typing import Final

from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive, tag
from watchword.server.bans.book import OffenceBook, Told

_SIZE: Final = 16
"""Bytes: among 65,536 sources no two are taken for one."""


class KeyedBook:
    """`OffenceBook` before another. `key` must stay the same for a window at least, and on all nodes."""

    def __init__(self, book: OffenceBook, key: Secret) -> None:
        self._book: Final = book
        self._key: Final = derive(key, Label.OFFENCE_SOURCE)

    def count(self, source: str, tag: bytes, told: Told) -> None:
        self._book.count(self._hidden(source), tag, told)

    def forget(self, source: str) -> None:
        self._book.forget(self._hidden(source))

    async def load(self) -> None:
        await self._book.load()

    async def flush(self) -> None:
        await self._book.flush()

    def _hidden(self, source: str) -> str:
        return tag(self._key, source.encode(), _SIZE).hex()
