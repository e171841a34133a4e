"""Tokens that were verified before, so that the second request of a token costs a hash and a look-up."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Instant
from watchword.crypto.signing import TokenVerifyingKey
from watchword.middleware.identity import Identity

MAX_SEEN: Final = 4096
"""Tokens; about 4 MB. The one unused longest goes first."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a verified token proved, the key that it holds under, and when that ends."""

    identity: Identity
    key: TokenVerifyingKey
    ends_at: Instant


class SeenTokens:
    """By SHA-256 of the token, so that the cache itself holds none that could be stolen from it."""

    def __init__(self, limit: int = MAX_SEEN) -> None:
        self._limit = limit
        self._seen: OrderedDict[bytes, Seen] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def find(self, name: bytes, now: Instant) -> Seen | None:
        """What is known of the token of this `name_of`, unless it has ended."""
        seen = self._seen.get(name)
        if seen is None:
            return None
        if now >= seen.ends_at:
            self._seen.pop(name, None)
            return None
        try:  # noqa: SIM105  # this is on the path whose speed is promised
            self._seen.move_to_end(name)
        except KeyError:  # another thread let go of it meanwhile
            pass
        return seen

    def add(self, name: bytes, seen: Seen) -> None:
        self._seen[name] = seen
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)

    def forget(self, name: bytes) -> None:
        self._seen.pop(name, None)


def name_of(token: str) -> bytes:
    """What a token is remembered by: its SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
