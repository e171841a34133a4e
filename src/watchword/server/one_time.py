"""Single-use secrets: temporary tokens and invitations. At rest only keyed hashes; claimed in one atomic statement.

    text     = prefix "_" base64url(selector (16) || secret (32))
    verifier = key version (4) || HMAC-SHA-256(one-time key of that version, prefix, selector, secret)

The selector, ordered by time, finds the row; the secret proves. Rows are never found by anything secret.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Instant
from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.ids import ID_SIZE, ordered_bytes
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.kdf import KEY_SIZE, Label, derive, mac
from watchword.errors import MalformedError, WatchwordError

_VERSION_SIZE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeSecret:
    """A secret as its holder presents it."""

    prefix: str
    selector: bytes
    secret: Secret

    @classmethod
    def parse(cls, text: str, *, prefix: str) -> "OneTimeSecret":
        """Raises `MalformedError` for anything but the exact text form."""
        start, _, rest = text.partition("_")
        if start != prefix:
            raise MalformedError("not a one-time secret of this kind")
        raw = decode_b64u_sized(rest, ID_SIZE + KEY_SIZE)
        return cls(prefix=prefix, selector=raw[:ID_SIZE], secret=Secret(raw[ID_SIZE:]))

    def text(self) -> str:
        return f"{self.prefix}_{encode_b64u(self.selector + self.secret.reveal())}"


class OneTimeSecrets:
    """Makes and checks them under the one-time data key."""

    def __init__(
        self, current: Callable[[], VersionedKey], find: Callable[[int], Secret], entropy: Entropy
    ) -> None:
        self._current = current
        self._find = find
        self._entropy = entropy

    def make(self, prefix: str, now: Instant) -> tuple[OneTimeSecret, bytes]:
        """A fresh secret, and the verifier to store."""
        secret = OneTimeSecret(
            prefix=prefix,
            selector=ordered_bytes(now, self._entropy),
            secret=Secret(self._entropy.bytes(KEY_SIZE)),
        )
        return secret, self._verifier(secret, self._current().version)

    def check(self, secret: OneTimeSecret, verifier: bytes) -> bool:
        """Whether `verifier` was stored for `secret`; the same work for one that was not."""
        try:
            expected = self._verifier(secret, int.from_bytes(verifier[:_VERSION_SIZE], "big"))
        except WatchwordError:
            return False
        return hmac.compare_digest(expected, verifier)

    def decoy(self) -> bytes:
        """A verifier that nothing matches, for a row that does not exist."""
        return self._current().version.to_bytes(_VERSION_SIZE, "big") + bytes(32)

    def _verifier(self, secret: OneTimeSecret, version: int) -> bytes:
        key = derive(self._find(version), Label.ONE_TIME)
        tag = mac(key, secret.prefix.encode(), secret.selector, secret.secret.reveal())
        return version.to_bytes(_VERSION_SIZE, "big") + tag
