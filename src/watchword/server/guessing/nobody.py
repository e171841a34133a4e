"""The lane of a name that nobody has.

It is a row as well: so it costs what that of an account costs, outlives a restart, and is the same on every node. There
are 16,777,216 places for all such names, a gigabyte on disk at most and nothing in memory; a keyed tag of the name says
which, so nobody can choose names for a place. Of two names with one place the later takes it, and the earlier begins
anew. Rows never end by age: those of accounts do not either.
"""

from typing import Final

from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive, mac
from watchword.server.guessing.model import LaneKey

_PLACE_SIZE: Final = 3
"""Bytes: no account's id is as short."""
_TAG_SIZE: Final = 16


class NobodysLanes:
    """`key` is the decoy data key, which does not rotate."""

    def __init__(self, key: Secret) -> None:
        self._key = derive(key, Label.DECOY_LANE)

    def of(self, identifier_key: str) -> LaneKey:
        """The lane of this name, should nobody have it. Call it for every name, to spend the same time."""
        tag = mac(self._key, identifier_key.encode())
        return LaneKey(owner=tag[:_PLACE_SIZE], tag=tag[_PLACE_SIZE : _PLACE_SIZE + _TAG_SIZE])
