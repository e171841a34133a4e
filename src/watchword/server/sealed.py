"""The one way into a sealed exchange: parse, claim the short key, open, read. Cheap refusals come first.

Steps 1 to 7 of docs/protocol/envelope.md, section 3.

    parse the header -> short key (before anything is opened) -> sealing key -> open -> payload

Whatever is wrong with an envelope is one outward error, except what an honest client can mend by itself: a short key
that has expired (`BeginAgainError`) and a sealing key that is no longer in use (`KeyUnknownError`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from watchword.core.encoding import decode_b64u_sized
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import MalformedError, RefusedError, TooLargeError, UnsealError
from watchword.protocol.envelope import NEEDS_SHORT_KEY, REPLY_KEY_SIZE, Purpose, SealedEnvelope, seal_reply
from watchword.protocol.messages import SealedAnswer, SealedRequest
from watchword.protocol.wire import Message, parse_message
from watchword.server.context import RequestContext
from watchword.server.spans import part

M = TypeVar("M", bound=Message)
_CLASSICAL: Final = frozenset({Purpose.BEGIN, Purpose.LOGIN, Purpose.ENROL})
"""What may be sealed without the hybrid: never what carries a new password's secrets or what is stored."""


class ClaimedKey(Protocol):
    """A short key that was good and is now used."""

    def check_identifier(self, identifier_key: str) -> None:
        """Raise `RefusedError` unless the key was issued for this identifier."""
        ...


class ShortKeyClaims(Protocol):
    """What the door needs of short keys; whoever assembles the server hands them in."""

    async def claim(self, text: str, *, purpose: Purpose, address: str) -> ClaimedKey:
        """Use `text` up. Raises `RefusedError`, `BeginAgainError`, `OverloadedError`, `UnavailableError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Generic[M]):
    """An envelope that opened: its payload, its digest, and the short key that came with it."""

    payload: M
    digest: bytes
    purpose: Purpose
    reply_key: Secret
    short_key: ClaimedKey | None

    def check_identifier(self, identifier_key: str) -> None:
        """Raise `RefusedError` unless the short key was issued for this identifier."""
        if self.short_key is None:
            raise RefusedError("short_key_missing")
        self.short_key.check_identifier(identifier_key)


class SealedDoor:
    """Opens envelopes for this issuer, and seals the answers."""

    def __init__(
        self,
        *,
        issuer: str,
        sealing_key: Callable[[str], Awaitable[SealingPrivateKey]],
        short_keys: ShortKeyClaims,
        entropy: Entropy,
    ) -> None:
        self._issuer = issuer
        self._sealing_key = sealing_key
        self._short_keys = short_keys
        self._entropy = entropy

    async def open(
        self, request: SealedRequest, purpose: Purpose, kind: type[M], context: RequestContext
    ) -> Opened[M]:
        """Raises `RefusedError`, `BeginAgainError`, `KeyUnknownError`, `OverloadedError`, `UnavailableError`."""
        _check_proof_form(request, purpose)
        try:
            envelope = SealedEnvelope.parse(request.envelope, purpose=purpose, issuer=self._issuer)
        except (MalformedError, TooLargeError, UnsealError):
            raise RefusedError("envelope_form") from None
        if envelope.suite is Suite.X25519 and purpose not in _CLASSICAL:
            raise RefusedError("envelope_suite")
        short_key = await self._claim(envelope, context)
        key = await self._sealing_key(envelope.kid)
        try:
            with part("open"):
                payload = parse_message(envelope.open(key), kind)
                reply_key = _reply_key(payload)
        except (MalformedError, TooLargeError, UnsealError):
            raise RefusedError("envelope_contents") from None
        return Opened(
            payload=payload, digest=envelope.digest, purpose=purpose, reply_key=reply_key, short_key=short_key
        )

    def answer(self, opened: Opened[M], message: Message) -> SealedAnswer:
        """Seal `message` as the answer to what was opened."""
        return SealedAnswer(
            sealed=seal_reply(
                message,
                opened.reply_key,
                purpose=opened.purpose,
                request=opened.digest,
                entropy=self._entropy,
            )
        )

    async def _claim(self, envelope: SealedEnvelope, context: RequestContext) -> ClaimedKey | None:
        if envelope.purpose not in NEEDS_SHORT_KEY:
            return None
        return await self._short_keys.claim(
            envelope.unverified_short_key or "", purpose=envelope.purpose, address=context.address
        )


def _check_proof_form(request: SealedRequest, purpose: Purpose) -> None:
    """A proof stands where one is looked at, and nowhere else. Raise `RefusedError`."""
    if request.device is not None and purpose is not Purpose.LOGIN:
        raise RefusedError("unexpected_device")
    if request.signature is not None and purpose not in (Purpose.LOGIN, Purpose.ENROL):
        raise RefusedError("unexpected_signature")


def _reply_key(payload: Message) -> Secret:
    text = getattr(payload, "reply_key", None)
    if not isinstance(text, str):
        raise MalformedError("a payload without a reply key")
    return Secret(decode_b64u_sized(text, REPLY_KEY_SIZE))
