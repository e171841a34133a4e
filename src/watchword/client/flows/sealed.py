"""Sealed exchanges: seal a payload, send it, open the answer; begin again once where that is all it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from watchword.client.effects import Call, Flow, call
from watchword.core.encoding import encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey
from watchword.crypto.hpke import Suite
from watchword.errors import BeginAgainError, NotTrustedError
from watchword.protocol.device_header import HeaderKey
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import REPLY_KEY_SIZE, Purpose, Recipient, open_reply, seal_envelope
from watchword.protocol.keydocument import KeyDocument
from watchword.protocol.messages import BeginAnswer, BeginPayload, SealedAnswer, SealedRequest
from watchword.protocol.wire import M, encode_message, parse_message

MAX_ANSWER: Final = 1 << 18
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReplyKey:
    """32 fresh bytes under which the server seals its answer."""

    secret: Secret

    @classmethod
    def generate(cls, entropy: Entropy) -> "ReplyKey":
        return cls(Secret(entropy.bytes(REPLY_KEY_SIZE)))

    @property
    def text(self) -> str:
        return encode_b64u(self.secret.reveal())


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """A device that proves itself beside an envelope; `device_id` is None while it enrols.

    With `header` it proves itself before that as well, should its address be banned (docs/protocol/device-header.md).
    """

    key: DeviceSigningKey
    device_id: str | None = None
    header: HeaderKey | None = None


def recipient_of(document: KeyDocument) -> Recipient:
    """The server's current hybrid sealing key: ours is never talked into the classical suite."""
    found = document.current_sealing(Suite.HYBRID)
    if found is None:
        raise NotTrustedError("the server publishes no hybrid sealing key")
    return Recipient(kid=found.kid, key=found.key, issuer=document.issuer)


def exchange(
    path: str,
    payload: bytes,
    kind: type[M],
    *,
    to: Recipient,
    purpose: Purpose,
    reply_key: ReplyKey,
    short_key: str | None = None,
    prover: Prover | None = None,
    access_token: Secret | None = None,
    header: HeaderKey | None = None,
    repeatable: bool = False,
) -> Flow[M]:
    """Seal, send, open. Raises what the server answered, or `UnsealError` for an answer to something else."""
    envelope = seal_envelope(payload, to, purpose, short_key=short_key)
    body = SealedRequest(
        envelope=envelope.text,
        device=prover.device_id if prover else None,
        signature=prove_device(prover.key, envelope.digest) if prover else None,
    )
    raw = yield from call(
        Call(
            method="POST",
            path=path,
            body=body,
            access_token=access_token,
            device=header,
            repeatable=repeatable,
        )
    )
    answer = parse_message(raw, SealedAnswer, max_size=MAX_ANSWER)
    return open_reply(answer.sealed, reply_key.secret, kind, purpose=purpose, request=envelope.digest)


def begin(
    identifier: str, purpose: Purpose, *, to: Recipient, entropy: Entropy, header: HeaderKey | None = None
) -> Flow[BeginAnswer]:
    """A short key and how to stretch, for this identifier and purpose. Changes nothing, so it may be repeated."""
    reply_key = ReplyKey.generate(entropy)
    payload = BeginPayload(purpose=purpose.value, identifier=identifier, reply_key=reply_key.text)  # type: ignore[arg-type]  # the three purposes that have a short key
    return (
        yield from exchange(
            "/api/login/begin",
            encode_message(payload),
            BeginAnswer,
            to=to,
            purpose=Purpose.BEGIN,
            reply_key=reply_key,
            header=header,
            repeatable=True,
        )
    )


def beginning_again(attempt: Callable[[], Flow[T]]) -> Flow[T]:
    """Run `attempt`; once more if its short key had expired."""
    try:
        return (yield from attempt())
    except BeginAgainError:
        return (yield from attempt())
