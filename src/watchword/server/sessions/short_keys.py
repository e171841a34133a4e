"""Short keys (docs/protocol/short-key.md): single-use challenges, known again by a MAC, not by a row.

    1  format version (1)            19  network tag (8): MAC of the caller's network
    1  data key version (2)          27  identifier tag (16): MAC of the canonical login name
    3  boot id (8)                   43  random (12)
    11 time, ms (7); 18 purpose (1)  55  MAC-SHA-256 over all before (32)

Only a bad MAC under a known key id is *forged*. Another network, boot or key id, or age, is merely *expired*: refused
without penalty, and the client begins again by itself, once. A key of an earlier boot is always refused, so that what
this process remembers in memory is all that was used. Time is the wall clock as it was at boot, advanced by the
monotonic clock: a wall clock that is set forward or back neither expires a key nor revives one.
"""

import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from watchword.core.clock import SECOND, Clock, Instant
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.kdf import Label, derive
from watchword.errors import BeginAgainError, MalformedError, OverloadedError, RefusedError, WatchwordError
from watchword.protocol.envelope import Purpose
from watchword.server.addresses import source_bytes

LIFE: Final = 60 * SECOND
BOOT_ID_SIZE: Final = 8
MAX_REMEMBERED: Final = 1_000_000
"""Used keys remembered at once, about 100 bytes each; more than 16,000 logins a second for a minute. Full: refuse."""
_VERSION: Final = 1
_BODY_SIZE: Final = 55
_MAC_SIZE: Final = 32
_TEXT_SIZE: Final = -(-(_BODY_SIZE + _MAC_SIZE) * 4 // 3)
_PURPOSES: Final = {Purpose.LOGIN: 1, Purpose.REGISTER: 2, Purpose.PASSWORD: 3}


@dataclass(frozen=True, slots=True)
class _Keys:
    mac: bytes
    name: bytes
    network: bytes

    @classmethod
    def of(cls, key: Secret) -> "_Keys":
        return cls(
            derive(key, Label.SHORT_KEY_MAC).reveal(),
            derive(key, Label.SHORT_KEY_NAME).reveal(),
            derive(key, Label.SHORT_KEY_NETWORK).reveal(),
        )


class UsedKeys:
    """Which keys this process has seen used. Bounded; forgets a key only once it has expired."""

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._seen: set[bytes] = set()
        self._order: deque[tuple[Instant, bytes]] = deque()

    def claim(self, key: bytes, *, expires_at: Instant, now: Instant) -> bool:
        """True for the first caller alone. Raises `OverloadedError` when nothing more can be remembered."""
        while self._order and self._order[0][0] <= now:
            self._seen.discard(self._order.popleft()[1])
        if key in self._seen:
            return False
        if len(self._seen) >= self._limit:
            raise OverloadedError
        self._seen.add(key)
        self._order.append((expires_at, key))
        return True


@dataclass(slots=True)
class ShortKeys:
    """Issues and claims short keys for this process.

    `current` and `find` give the short-key data keys; `find` raises for a version that is not known.
    """

    current: Callable[[], VersionedKey]
    find: Callable[[int], Secret]
    clock: Clock
    entropy: Entropy
    used: UsedKeys = field(default_factory=UsedKeys)
    boot_id: bytes = b""
    _cache: dict[int, _Keys] = field(default_factory=dict)
    _offset: int = 0

    def __post_init__(self) -> None:
        self.boot_id = self.boot_id or self.entropy.bytes(BOOT_ID_SIZE)
        self._offset = self.clock.now() - int(self.clock.monotonic() * SECOND)

    def _present(self) -> Instant:
        return Instant(self._offset + int(self.clock.monotonic() * SECOND))

    def issue(self, *, purpose: Purpose, identifier_key: str, address: str) -> str:
        """A fresh key for this caller and identifier."""
        version = self.current().version
        keys = self._keys(version)
        body = b"".join(
            (
                bytes((_VERSION,)),
                version.to_bytes(2, "big"),
                self.boot_id,
                self._present().to_bytes(7, "big"),
                bytes((_PURPOSES[purpose],)),
                _tag(keys.network, source_bytes(address), 8),
                _tag(keys.name, identifier_key.encode(), 16),
                self.entropy.bytes(12),
            )
        )
        return encode_b64u(body + hmac.digest(keys.mac, body, "sha256"))

    def claim(self, text: str, *, purpose: Purpose, address: str) -> "ClaimedKey":
        """Use `text` up. Raises `RefusedError` (forged, used), `BeginAgainError` (expired), `OverloadedError`."""
        try:
            raw = decode_b64u(text) if len(text) == _TEXT_SIZE else b""
        except MalformedError:
            raw = b""
        if len(raw) != _BODY_SIZE + _MAC_SIZE or raw[0] != _VERSION:
            raise RefusedError("short_key_malformed")
        body, mac = raw[:_BODY_SIZE], raw[_BODY_SIZE:]
        keys = self._known_keys(int.from_bytes(body[1:3], "big"))
        if not hmac.compare_digest(hmac.digest(keys.mac, body, "sha256"), mac):
            raise RefusedError("short_key_forged")
        if body[18] != _PURPOSES[purpose]:
            raise RefusedError("short_key_purpose")
        now = self._present()
        issued_at = Instant(int.from_bytes(body[11:18], "big"))
        expires_at = Instant(issued_at + LIFE)
        self._check_fresh(body, keys, address, fresh=issued_at <= now < expires_at)
        if not self.used.claim(body[3:], expires_at=expires_at, now=now):
            raise RefusedError("short_key_used")
        return ClaimedKey(keys.name, body[27:43])

    def _check_fresh(self, body: bytes, keys: _Keys, address: str, *, fresh: bool) -> None:
        """Raise `BeginAgainError` for another boot, age, or another network."""
        if body[3:11] != self.boot_id:
            raise BeginAgainError("short_key_boot")
        if not fresh:
            raise BeginAgainError("short_key_expired")
        if not hmac.compare_digest(body[19:27], _tag(keys.network, source_bytes(address), 8)):
            raise BeginAgainError("short_key_network")

    def _known_keys(self, version: int) -> _Keys:
        try:
            return self._keys(version)
        except WatchwordError:
            raise BeginAgainError("short_key_key_id") from None

    def _keys(self, version: int) -> _Keys:
        found = self._cache.get(version)
        if found is None:
            found = self._cache[version] = _Keys.of(self.find(version))
        return found


@dataclass(frozen=True, slots=True)
class ClaimedKey:
    """A key that was good and is now used; what it was issued for can still be asked."""

    _name_key: bytes
    _tag: bytes

    def check_identifier(self, identifier_key: str) -> None:
        """Raise `RefusedError` unless the key was issued for this identifier."""
        if not hmac.compare_digest(self._tag, _tag(self._name_key, identifier_key.encode(), 16)):
            raise RefusedError("short_key_identifier")


def _tag(key: bytes, message: bytes, size: int) -> bytes:
    return hmac.digest(key, message, "sha256")[:size]
