"""Any bytes into any codec give a value, `MalformedError`, or the error that the codec names; never another one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kits.fuzzing import bytes_for, fuzzed, text_for

from watchword.client.transport import error_of
from watchword.core.clock import DAY, Instant
from watchword.core.encoding import (
    decode_b64u,
    decode_crockford,
    decode_json,
    encode_b64u,
    encode_crockford,
)
from watchword.core.ids import AccountId, SessionId
from watchword.core.secret import Secret
from watchword.crypto.authority import Authority
from watchword.crypto.device_keys import DeviceVerifyingKey
from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey, Suite
from watchword.crypto.jwe import decode_jwe, encode_jwe, read_jwe_kid
from watchword.crypto.keyring import RootKey
from watchword.crypto.passwords import StretchParams
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import (
    InvalidConfigError,
    MalformedError,
    NotTrustedError,
    SignatureError,
    TooLargeError,
    UnsealError,
    WatchwordError,
)
from watchword.protocol import messages
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.envelope import Purpose, Recipient, SealedEnvelope, open_reply, seal_envelope
from watchword.protocol.keydocument import (
    KeyDocument,
    PublishedSealingKey,
    build_key_document,
    parse_fingerprint,
    read_unverified_root,
    root_fingerprint,
    verify_key_document,
)
from watchword.protocol.names import parse_email, parse_identifier, parse_username
from watchword.protocol.passwords import prepare
from watchword.protocol.wire import Message, parse_message
from watchword.server.audit.checkpoints import Checkpoint, encode_checkpoint, read_unverified
from watchword.server.audit.entry import (
    AuditEntry,
    ChainHead,
    decode_commitments,
    decode_object,
    decode_personal,
)
from watchword.server.audit.lines import as_json_line, parse_json_line
from watchword.server.control.rpc import Request, encode_request, parse_request
from watchword.server.one_time import OneTimeSecret
from watchword.testing import FixedClock, SeededEntropy

ENTROPY = SeededEntropy("fuzz")
NOW = FixedClock().now()
ISSUER = "https://localhost:8443"
KEY = Secret(bytes(range(32)))
SEALING = SealingPrivateKey.generate(Suite.X25519, ENTROPY)
SIGNING = TokenSigningKey.generate()
AUTHORITY = Authority.create(NOW, ENTROPY)
PIN = root_fingerprint(AUTHORITY.root.certificate)
ACCOUNT = AccountId.new(NOW, ENTROPY)
SECRET = OneTimeSecret(prefix="wtt", selector=ENTROPY.bytes(16), secret=KEY)
RECIPIENT = Recipient(kid="k1", key=SEALING.public, issuer=ISSUER)
BEGIN = seal_envelope(b'{"identifier":"anna","reply_key":"x"}', RECIPIENT, Purpose.BEGIN)
LOGIN = seal_envelope(b"{}", RECIPIENT, Purpose.LOGIN, short_key="A" * 116)
JWE = encode_jwe(b'{"req":"x","answer":{}}', KEY, kid="login", typ="x", entropy=ENTROPY)
ENTRY = AuditEntry(
    node="node-1", seq=1, at=NOW, tag="server:process:start", facts='{"origin":"x"}', commitments="{}",
    personal=None, key_version=1, previous_mac=bytes(32), mac=bytes(32),
)  # fmt: skip
DOCUMENT = build_key_document(
    KeyDocument(
        issuer=ISSUER,
        number=7,
        issued_at=NOW,
        expires_at=Instant(NOW + DAY),
        sealing=(PublishedSealingKey(kid="k1", key=SEALING.public, is_current=True),),
        signing=(SIGNING.public,),
    ),
    signer=AUTHORITY.issue_document_signer(NOW),
    root=AUTHORITY.root.certificate,
)
CHECKPOINT = encode_checkpoint(
    Checkpoint(number=1, node="node-1", head=ChainHead(seq=3, mac=bytes(32)), at=NOW, previous=bytes(32)),
    SIGNING,
)


@dataclass(frozen=True)
class Codec:
    """A decoder of text or bytes, something that it takes, and what it may raise besides `MalformedError`."""

    name: str
    decode: Callable[[Any], Any]
    good: str | bytes
    named: tuple[type[WatchwordError], ...] = ()
    encode: Callable[[Any], str | bytes] | None = None
    """Where each value has one spelling: whatever was taken comes out as it went in."""


def members(data: bytes) -> dict[str, Any]:
    value = decode_json(data)
    if not isinstance(value, dict):
        raise MalformedError
    return value


CODECS = [
    Codec("json", decode_json, b'{"a":[1,"x",{"b":null}],"c":true}', (TooLargeError,)),
    Codec("b64u", decode_b64u, encode_b64u(b"some bytes"), encode=encode_b64u),
    Codec(
        "crockford",
        lambda text: decode_crockford(text, 10),
        encode_crockford(b"ten bytes!"),
        encode=encode_crockford,
    ),
    Codec("account id", AccountId.parse, str(ACCOUNT), encode=str),
    Codec("session id", SessionId.parse, str(SessionId.new(NOW, ENTROPY)), encode=str),
    Codec(
        "envelope",
        lambda text: SealedEnvelope.parse(text, purpose=Purpose.BEGIN, issuer=ISSUER).open(SEALING),
        BEGIN.text,
        (UnsealError, TooLargeError),
    ),
    Codec(
        "envelope with a short key",
        lambda text: SealedEnvelope.parse(text, purpose=Purpose.LOGIN, issuer=ISSUER).open(SEALING),
        LOGIN.text,
        (UnsealError, TooLargeError),
    ),
    Codec(
        "jwe", lambda text: decode_jwe(text, KEY, kid="login", typ="x", max_size=1000), JWE, (UnsealError,)
    ),
    Codec("jwe key id", lambda text: read_jwe_kid(text, typ="x"), JWE),
    Codec(
        "reply",
        lambda text: open_reply(text, KEY, messages.BeginAnswer, purpose=Purpose.LOGIN, request=bytes(32)),
        JWE,
        (UnsealError, TooLargeError),
    ),
    Codec(
        "sealed bytes",
        lambda data: SEALING.open(data, info=b""),
        SEALING.public.seal(b"x", info=b""),
        (UnsealError,),
    ),
    Codec(
        "one-time secret",
        lambda text: OneTimeSecret.parse(text, prefix="wtt"),
        SECRET.text(),
        encode=lambda found: found.text(),
    ),
    Codec("recovery key", RecoveryKey.parse, RecoveryKey.generate(ENTROPY).text()),
    Codec(
        "key document",
        lambda text: verify_key_document(text, pin=PIN, now=NOW, at_least=1),
        DOCUMENT,
        (NotTrustedError, SignatureError, TooLargeError),
    ),
    Codec("unverified root", read_unverified_root, DOCUMENT, (NotTrustedError, TooLargeError)),
    Codec("fingerprint", parse_fingerprint, "SHA256:" + "-".join(["abcd"] * 13)),
    Codec("username", parse_username, "anna.b-c"),
    Codec("email", parse_email, "anna@example.org"),
    Codec("identifier", parse_identifier, "anna@example.org"),
    Codec("password", prepare, "violet kangaroo plays chess"),
    Codec(
        "token key",
        lambda data: TokenVerifyingKey.from_jwk(members(data)),
        json.dumps(SIGNING.public.to_jwk()).encode(),
        (TooLargeError,),
    ),
    Codec("device key", DeviceVerifyingKey.from_bytes, bytes(31) + b"\x58"),
    Codec(
        "sealing key, X25519",
        lambda data: SealingPublicKey.from_bytes(Suite.X25519, data),
        SEALING.public.to_bytes(),
    ),
    Codec(
        "sealing key, hybrid",
        lambda data: SealingPublicKey.from_bytes(Suite.HYBRID, data),
        SealingPrivateKey.generate(Suite.HYBRID, ENTROPY).public.to_bytes(),
    ),
    Codec(
        "stretch parameters",
        lambda data: StretchParams.from_json(decode_json(data)),
        b'{"memory_kib":65536,"passes":3,"lanes":1}',
        (TooLargeError, InvalidConfigError),
    ),
    Codec("root key", lambda data: RootKey.parse(Secret(data)), b"x", (InvalidConfigError,)),
    Codec(
        "audit line",
        parse_json_line,
        as_json_line(ENTRY).encode(),
        encode=lambda entry: as_json_line(entry).encode(),
    ),
    Codec("audit facts", decode_object, '{"origin":"x"}'),
    Codec("audit personal values", decode_personal, '{"address":["00","127.0.0.1"]}'),
    Codec("audit commitments", decode_commitments, '{"address":"00"}'),
    Codec("checkpoint", read_unverified, CHECKPOINT),
    Codec(
        "control request",
        parse_request,
        encode_request(Request(id=1, method="accounts.list", params={"after": "x"})),
        (TooLargeError,),
    ),
]
MESSAGES = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, Message)]


def decoded(codec: Codec, data: Any) -> Any:
    """The value, or None where the codec refused as it may."""
    refusals: tuple[type[WatchwordError], ...] = (MalformedError, *codec.named)
    try:
        return codec.decode(data)
    except refusals:
        return None


def same(codec: Codec, data: str | bytes) -> None:
    found = decoded(codec, data)
    if found is not None and codec.encode is not None:
        given_back = codec.encode(found)
        assert given_back == (data.removesuffix(b"\n") if isinstance(data, bytes) else data)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@fuzzed()
@given(draw=st.data())
def test_any_input_gives_a_value_or_a_named_error(codec: Codec, draw: Any) -> None:
    strategy = text_for(codec.good) if isinstance(codec.good, str) else bytes_for(codec.good)
    same(codec, draw.draw(strategy))


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@fuzzed(quick=30)
@given(draw=st.data())
def test_any_json_is_a_message_or_malformed(kind: type[Message], draw: Any) -> None:
    members = dict.fromkeys(kind.__struct_fields__, "AAAA")
    data = draw.draw(bytes_for(json.dumps(members).encode()))
    try:
        found = parse_message(data, kind)
    except (MalformedError, TooLargeError):
        return
    assert type(found) is kind


@fuzzed()
@given(status=st.integers(300, 599), body=bytes_for(b'{"code":"refused","detail":"x","status":401}'))
def test_any_answer_of_a_server_is_an_error_of_ours(status: int, body: bytes) -> None:
    assert isinstance(error_of(status, body), WatchwordError)
