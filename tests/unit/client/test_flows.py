"""The client's exchanges, driven by hand: what they answer to a server that errs or lies."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from watchword.client.effects import Call, Effect, Flow, Stretch, T
from watchword.client.flows import account, api
from watchword.client.flows.sealed import begin, beginning_again, recipient_of
from watchword.core.clock import HOUR, Instant
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import (
    BeginAgainError,
    MalformedError,
    NotTrustedError,
    RefusedError,
    TooLargeError,
    UnsealError,
    WatchwordError,
)
from watchword.protocol.envelope import Purpose, Recipient, SealedEnvelope, seal_reply
from watchword.protocol.keydocument import KeyDocument, PublishedSealingKey
from watchword.protocol.messages import BeginAnswer, SealedAnswer, SealedRequest, StretchBody
from watchword.protocol.wire import encode_message
from watchword.testing import FixedClock, SeededEntropy

ISSUER = "https://id.example"
KEY = SealingPrivateKey.from_seed(Suite.HYBRID, Secret(bytes(32)))
TO = Recipient(kid="k1", key=KEY.public, issuer=ISSUER)
ENTROPY = SeededEntropy("flows")
PASSWORD = Secret(b"violet kangaroo plays chess")
GOOD_STRETCH = StretchBody(alg="argon2id", memory_kib=65536, passes=3, lanes=1)


def begin_answer(**changes: Any) -> BeginAnswer:
    good = BeginAnswer(short_key="S" * 116, salt=encode_b64u(bytes(16)), stretch=GOOD_STRETCH, server_time=1)
    return msgspec.structs.replace(good, **changes)


@dataclass
class FakeServer:
    """Holds the real sealing key, and answers as the test says."""

    answers: list[Callable[[dict[str, Any], bytes], bytes] | WatchwordError]
    calls: list[Call] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)

    def run(self, flow: Flow[T]) -> T:
        try:
            effect: Effect = next(flow)
            while True:
                try:
                    effect = flow.send(self.perform(effect))
                except WatchwordError as error:
                    if not isinstance(error, ThrownError):
                        raise
                    effect = flow.throw(error.inner)
        except StopIteration as end:
            result: T = end.value
            return result

    def perform(self, effect: Effect) -> bytes | Secret:
        if isinstance(effect, Stretch):
            self.stretches.append(effect)
            return Secret(bytes(32))
        self.calls.append(effect)
        answer = self.answers.pop(0)
        if isinstance(answer, WatchwordError):
            raise ThrownError(answer)
        assert isinstance(effect.body, SealedRequest)
        purpose = Purpose.BEGIN if effect.path.endswith("begin") else Purpose(effect.path.rpartition("/")[2])
        envelope = SealedEnvelope.parse(effect.body.envelope, purpose=purpose, issuer=ISSUER)
        payload = msgspec.json.decode(envelope.open(KEY))
        return answer(payload, envelope.digest)


class ThrownError(WatchwordError):
    """Carries what the server answered out of `perform`."""

    def __init__(self, inner: WatchwordError) -> None:
        super().__init__()
        self.inner = inner


def sealed(message: Any, purpose: Purpose = Purpose.BEGIN) -> Callable[[dict[str, Any], bytes], bytes]:
    """Answer with `message`, as a good server would."""

    def answer(payload: dict[str, Any], digest: bytes) -> bytes:
        key = Secret(decode_b64u(payload["reply_key"]))
        return encode_message(
            SealedAnswer(sealed=seal_reply(message, key, purpose=purpose, request=digest, entropy=ENTROPY))
        )

    return answer


def login() -> Flow[account.LoggedIn]:
    return account.log_in("anna", PASSWORD, to=TO, entropy=ENTROPY)


def test_an_expired_short_key_begins_again_once() -> None:
    server = FakeServer(
        [sealed(begin_answer()), BeginAgainError(), sealed(begin_answer()), BeginAgainError()]
    )
    with pytest.raises(BeginAgainError):
        server.run(login())
    assert [call.path for call in server.calls] == ["/api/login/begin", "/api/login"] * 2
    envelopes = [call.body.envelope for call in server.calls if isinstance(call.body, SealedRequest)]
    assert len(set(envelopes)) == 4


def test_a_refusal_is_not_tried_again() -> None:
    server = FakeServer([sealed(begin_answer()), RefusedError("by_server")])
    with pytest.raises(RefusedError):
        server.run(login())
    assert len(server.calls) == 2


def test_what_is_begun_again_is_the_whole_attempt() -> None:
    tried = []

    def attempt() -> Flow[int]:
        tried.append(1)
        yield Call(method="GET", path="/")
        return len(tried)

    flow = beginning_again(attempt)
    next(flow)
    flow.throw(BeginAgainError())
    with pytest.raises(StopIteration) as end:
        flow.send(b"")
    assert end.value.value == 2


@pytest.mark.parametrize(
    "weak",
    [
        {"memory_kib": 65535},
        {"memory_kib": 8},
        {"passes": 2},
        {"passes": 0},
        {"lanes": 2},
        {"lanes": 0},
        {"memory_kib": 1024 * 1024 + 1},
        {"passes": 17},
    ],
)
def test_a_server_that_asks_for_another_stretch_is_refused_before_any_stretching(
    weak: dict[str, int],
) -> None:
    stretch = msgspec.structs.replace(GOOD_STRETCH, **weak)
    server = FakeServer([sealed(begin_answer(stretch=stretch))])
    with pytest.raises(MalformedError):
        server.run(login())
    assert server.stretches == []
    assert len(server.calls) == 1


@pytest.mark.parametrize("salt", ["", "A" * 21, "A" * 43, "!" * 22])
def test_a_salt_of_another_size_is_refused(salt: str) -> None:
    server = FakeServer([sealed(begin_answer(salt=salt))])
    with pytest.raises(MalformedError):
        server.run(login())
    assert server.stretches == []


def test_an_answer_to_another_request_is_refused() -> None:
    def other(payload: dict[str, Any], _digest: bytes) -> bytes:
        return sealed(begin_answer())(payload, bytes(32))

    with pytest.raises(UnsealError):
        FakeServer([other]).run(login())


def test_an_answer_for_another_purpose_or_under_another_key_is_refused() -> None:
    def foreign(_payload: dict[str, Any], digest: bytes) -> bytes:
        return sealed(begin_answer())({"reply_key": encode_b64u(bytes(32))}, digest)

    for answer in (foreign, sealed(begin_answer(), Purpose.LOGIN)):
        with pytest.raises(UnsealError):
            FakeServer([answer]).run(login())


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", MalformedError),
        (b"null", MalformedError),
        (b'{"sealed":1}', MalformedError),
        (b'{"sealed":"x","more":1}', MalformedError),
        (b'{"sealed":""}', UnsealError),
        (b'{"sealed":"a.b.c.d.e"}', UnsealError),
        (b" " * (1 << 19), TooLargeError),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_ours(raw: bytes, error: type[WatchwordError]) -> None:
    with pytest.raises(error):
        FakeServer([lambda *_: raw]).run(login())


def test_a_recorded_answer_does_not_serve_a_second_time() -> None:
    recorded: list[bytes] = []

    def record(payload: dict[str, Any], digest: bytes) -> bytes:
        recorded.append(sealed(begin_answer())(payload, digest))
        return recorded[0]

    flow = begin("anna", Purpose.LOGIN, to=TO, entropy=ENTROPY)
    assert FakeServer([record]).run(flow).short_key == "S" * 116
    with pytest.raises(UnsealError):
        FakeServer([lambda *_: recorded[0]]).run(begin("anna", Purpose.LOGIN, to=TO, entropy=ENTROPY))


def test_a_server_without_a_hybrid_key_is_not_talked_into() -> None:
    classical = SealingPrivateKey.from_seed(Suite.X25519, Secret(bytes(31) + b"\1")).public
    now = FixedClock().now()
    document = KeyDocument(
        issuer=ISSUER,
        number=1,
        issued_at=now,
        expires_at=Instant(now + HOUR),
        sealing=(PublishedSealingKey(kid="x", key=classical, is_current=True),),
        signing=(),
    )
    with pytest.raises(NotTrustedError):
        recipient_of(document)
    retiring = PublishedSealingKey(kid="h", key=KEY.public, is_current=False)
    with pytest.raises(NotTrustedError):
        recipient_of(dataclasses.replace(document, sealing=(retiring,)))


def test_what_an_api_answers_is_held_to_its_form() -> None:
    flow = api.who_am_i(Secret(b"token"))
    call = next(flow)
    assert isinstance(call, Call)
    assert call.access_token == Secret(b"token")
    with pytest.raises(MalformedError):
        flow.send(b'{"account":{"id":"a","username":"anna","level":0},"is_admin":true}')


def test_no_secret_of_a_flow_shows_in_its_effects() -> None:
    server = FakeServer([sealed(begin_answer()), RefusedError("by_server")])
    with pytest.raises(RefusedError):
        server.run(login())
    shown = repr(server.calls) + repr(server.stretches)
    assert "violet" not in shown
