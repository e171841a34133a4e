"""Short keys (docs/protocol/short-key.md): single-use challenges, known again by a MAC, not by a row.

    1  format version (1)            19  network tag (8): MAC of the caller's network
    1  data key version (2)          27  identifier tag (16): MAC of the canonical login name
    3  boot id (8)                   43  random (12)
    11 time, ms (7); 18 purpose (1)  55  MAC-SHA-256 over all before (32)

Only a bad MAC under a known key id is *forged*. Another network, boot or key id, or age, is merely *expired*: refused
without penalty, and the client begins again by itself, once. Who judges a key's age, and whether it was used, is told
by its boot id (boots.py): this process, or the Redis that all nodes share.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from watchword.core.clock import Instant
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.kdf import Label, derive, tag
from watchword.errors import BeginAgainError, MalformedError, RefusedError, WatchwordError
from watchword.protocol.envelope import Purpose
from watchword.server.addresses import source_bytes
from watchword.server.sessions.boots import Boots, IssuedKey

_VERSION: Final = 1
_BODY_SIZE: Final = 55
_MAC_SIZE: Final = 32
_TEXT_SIZE: Final = -(-(_BODY_SIZE + _MAC_SIZE) * 4 // 3)
_PURPOSES: Final = {Purpose.LOGIN: 1, Purpose.REGISTER: 2, Purpose.PASSWORD: 3}


@dataclass(frozen=True, slots=True)
class _Keys:
    mac: bytes
    name: Secret
    network: Secret

    @classmethod
    def of(cls, key: Secret) -> "_Keys":
        return cls(
            derive(key, Label.SHORT_KEY_MAC).reveal(),
            derive(key, Label.SHORT_KEY_NAME),
            derive(key, Label.SHORT_KEY_NETWORK),
        )


@dataclass(slots=True, kw_only=True)
class ShortKeys:
    """Issues and claims short keys.

    `current` and `find` give the short-key data keys; `find` raises for a version that is not known.
    """

    current: Callable[[], VersionedKey]
    find: Callable[[int], Secret]
    boots: Boots
    entropy: Entropy
    _cache: dict[int, _Keys] = field(default_factory=dict)

    async def issue(self, *, purpose: Purpose, identifier_key: str, address: str) -> str:
        """A fresh key for this caller and identifier. Raises `UnavailableError` where nobody could judge it."""
        boot = await self.boots.current()
        version = self.current().version
        keys = self._keys(version)
        body = b"".join(
            (
                bytes((_VERSION,)),
                version.to_bytes(2, "big"),
                boot.id,
                boot.now.to_bytes(7, "big"),
                bytes((_PURPOSES[purpose],)),
                tag(keys.network, source_bytes(address), 8),
                tag(keys.name, identifier_key.encode(), 16),
                self.entropy.bytes(12),
            )
        )
        return encode_b64u(body + hmac.digest(keys.mac, body, "sha256"))

    async def claim(self, text: str, *, purpose: Purpose, address: str) -> "ClaimedKey":
        """Use `text` up.

        Raises:
            RefusedError: it is forged, for another purpose, or was used.
            BeginAgainError: it has expired, or belongs to another network, boot or data key.
            OverloadedError: nobody could remember that it was used.
            UnavailableError: Redis, which would know whether it was used, does not say so.
        """
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
        if not hmac.compare_digest(body[19:27], tag(keys.network, source_bytes(address), 8)):
            raise BeginAgainError("short_key_network")
        issued_at = Instant(int.from_bytes(body[11:18], "big"))
        await self.boots.claim(IssuedKey(boot_id=body[3:11], issued_at=issued_at, unique=body[11:]))
        return ClaimedKey(keys.name, body[27:43])

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

    _name_key: Secret
    _tag: bytes

    def check_identifier(self, identifier_key: str) -> None:
        """Raise `RefusedError` unless the key was issued for this identifier."""
        if not hmac.compare_digest(self._tag, tag(self._name_key, identifier_key.encode(), 16)):
            raise RefusedError("short_key_identifier")
