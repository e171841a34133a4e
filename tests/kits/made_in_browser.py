"""Material for the modules of the pages, and what must be true of what they make of it."""

from dataclasses import dataclass
from typing import Any, Self

from watchword.core.clock import DAY, Instant
from watchword.core.encoding import decode_b64u, decode_b64u_sized, decode_json, encode_b64u, encode_json
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.authority import Authority
from watchword.crypto.device_keys import DeviceSigningKey, DeviceVerifyingKey
from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey, Suite
from watchword.crypto.passwords import StretchParams, login_secret, stretch, wrapping_key
from watchword.crypto.signing import TokenSigningKey
from watchword.protocol.chest import (
    Chest,
    RecoveryKey,
    new_chest_key,
    open_chest,
    recover_chest,
    wrap_chest_key,
)
from watchword.protocol.device_proof import check_device_proof
from watchword.protocol.envelope import NEEDS_SHORT_KEY, Purpose, SealedEnvelope, seal_reply
from watchword.protocol.keydocument import (
    KeyDocument,
    PublishedSealingKey,
    build_key_document,
    root_fingerprint,
)
from watchword.protocol.messages import (
    BeginAnswer,
    BeginPayload,
    ChestBody,
    EnrolAnswer,
    EnrolPayload,
    LoginAnswer,
    LoginPayload,
    LoginSplit,
    PasswordAnswer,
    PasswordPayload,
    RegisterAnswer,
    RegisterPayload,
    StretchBody,
    WrappedChest,
)
from watchword.protocol.passwords import prepare
from watchword.protocol.wire import Message, convert_message, parse_message

ISSUER = "https://id.example"
KID = "hybrid-1"
NOW = Instant(1_800_000_000_000)
PASSWORD = "correct\u00a0horse ✓ cafe\u0301"
"""Not as it is stretched: a space of another kind, and a letter in two parts."""
KINDS: dict[Purpose, type[Message]] = {
    Purpose.BEGIN: BeginPayload,
    Purpose.LOGIN: LoginPayload,
    Purpose.REGISTER: RegisterPayload,
    Purpose.ENROL: EnrolPayload,
    Purpose.PASSWORD: PasswordPayload,
}
ANSWERS: dict[Purpose, type[Message]] = {
    Purpose.BEGIN: BeginAnswer,
    Purpose.LOGIN: LoginAnswer,
    Purpose.REGISTER: RegisterAnswer,
    Purpose.ENROL: EnrolAnswer,
    Purpose.PASSWORD: PasswordAnswer,
}
STRETCH = StretchBody(alg="argon2id", memory_kib=65536, passes=3, lanes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Keys and secrets of a server and of an account, for one run of the modules."""

    server: SealingPrivateKey
    short_key: str
    recovery: RecoveryKey
    chest: Chest
    chest_key: Secret
    wrapping: Secret

    @classmethod
    def make(cls, entropy: Entropy) -> Self:
        recovery = RecoveryKey.generate(entropy)
        return cls(
            server=SealingPrivateKey.generate(Suite.HYBRID, entropy),
            short_key=encode_b64u(entropy.bytes(87)),
            recovery=recovery,
            chest=Chest.create(recovery, entropy),
            chest_key=new_chest_key(entropy),
            wrapping=Secret(entropy.bytes(32)),
        )


def asked_of_modules(material: Material, entropy: Entropy) -> dict[str, Any]:
    """What the modules are given; `Asked` in web/test/made.ts reads it."""
    return {
        "issuer": ISSUER,
        "recipient": {"kid": KID, "public": material.server.public.to_bytes().hex()},
        "shortKey": material.short_key,
        "password": PASSWORD,
        "chest": _asked_chest(material, entropy),
        "replies": [_asked_reply(purpose, entropy) for purpose in Purpose],
        "keyDocument": _asked_document(material.server.public, entropy),
    }


def _asked_chest(material: Material, entropy: Entropy) -> dict[str, Any]:
    body = material.chest.seal(material.chest_key, entropy)
    return {
        "version": body.version,
        "sealed": body.sealed,
        "wrapped_key": wrap_chest_key(
            material.chest_key, material.wrapping, kind="username", entropy=entropy
        ),
        "recovery_wrapped": body.recovery_wrapped,
        "kind": "username",
        "wrappingKey": material.wrapping.reveal().hex(),
        "recoveryKey": material.recovery.text(),
        "contents": contents_of(material.chest),
    }


def _asked_reply(purpose: Purpose, entropy: Entropy) -> dict[str, Any]:
    reply_key, digest = Secret(entropy.bytes(32)), entropy.bytes(32)
    answer: Message = PasswordAnswer(
        client_key=encode_b64u(entropy.bytes(32)), seed_version=2, server_time=NOW
    )
    if purpose is Purpose.BEGIN:
        salt = encode_b64u(entropy.bytes(16))
        answer = BeginAnswer(short_key="s" * 116, salt=salt, stretch=STRETCH, server_time=NOW)
    return {
        "purpose": purpose.value,
        "replyKey": reply_key.reveal().hex(),
        "digest": digest.hex(),
        "sealed": seal_reply(answer, reply_key, purpose=purpose, request=digest, entropy=entropy),
        "answer": decode_json(encode_json(_members(answer))),
    }


def _members(message: Message) -> dict[str, Any]:
    values = {name: getattr(message, name) for name in message.__struct_fields__}
    return {name: _members(value) if isinstance(value, Message) else value for name, value in values.items()}


def _asked_document(key: SealingPublicKey, entropy: Entropy) -> dict[str, Any]:
    authority = Authority.create(NOW, entropy)
    document = KeyDocument(
        issuer=ISSUER,
        number=1,
        issued_at=NOW,
        expires_at=Instant(NOW + 30 * DAY),
        sealing=(PublishedSealingKey(kid=KID, key=key, is_current=True),),
        signing=(TokenSigningKey.generate().public,),
    )
    signer, root = authority.issue_document_signer(NOW), authority.root.certificate
    return {
        "document": build_key_document(document, signer=signer, root=root),
        "pin": root_fingerprint(root).hex(),
        "now": NOW,
    }


def contents_of(chest: Chest) -> dict[str, Any]:
    return {
        "version": chest.version,
        "identity": encode_b64u(chest.identity.seed().reveal()),
        "archive": [
            {"generation": number, "seed": encode_b64u(key.seed().reveal())} for number, key in chest.archive
        ],
        "recovery_key": encode_b64u(chest.recovery_key.to_bytes()),
    }


def check_made(made: dict[str, Any], asked: dict[str, Any], server: SealingPrivateKey) -> None:
    """Open everything as the server and other clients would."""
    check_exchanges(made["exchanges"], asked, server)
    check_device(made["device"])
    recovery = RecoveryKey.parse(made["recovery_key"])
    chest = check_account(made["account"], asked["password"], recovery)
    assert contents_of(chest) == made["chest"]
    check_renewed(made["renewed"], asked)


def check_exchanges(
    exchanges: list[dict[str, Any]], asked: dict[str, Any], server: SealingPrivateKey
) -> None:
    assert {exchange["purpose"] for exchange in exchanges} == {purpose.value for purpose in Purpose}
    for exchange in exchanges:
        purpose = Purpose(exchange["purpose"])
        envelope = SealedEnvelope.parse(exchange["envelope"], purpose=purpose, issuer=asked["issuer"])
        assert (envelope.kid, envelope.suite) == (asked["recipient"]["kid"], Suite.HYBRID)
        assert envelope.unverified_short_key == (asked["shortKey"] if purpose in NEEDS_SHORT_KEY else None)
        assert envelope.digest.hex() == exchange["digest"]
        payload = envelope.open(server)
        assert decode_json(payload) == exchange["payload"]
        message = parse_message(payload, KINDS[purpose])
        decode_b64u_sized(message.reply_key, 32)  # type: ignore[attr-defined]  # each payload has one
        device = DeviceVerifyingKey.from_bytes(decode_b64u(exchange["signing"]))
        check_device_proof(device, envelope.digest, exchange["signature"])


def check_device(device: dict[str, Any]) -> None:
    signing = DeviceSigningKey.from_seed(Secret(bytes.fromhex(device["signing_seed"])))
    assert signing.public.to_bytes().hex() == device["signing"]
    sealing = SealingPrivateKey.from_seed(Suite.HYBRID, Secret(bytes.fromhex(device["sealing_seed"])))
    assert sealing.public.to_bytes().hex() == device["sealing"]
    generated = DeviceVerifyingKey.from_bytes(bytes.fromhex(device["generated"]))
    generated.verify(bytes.fromhex(device["generated_signed"]), b"watchword")
    assert device["extractable"] is False


def check_account(account: dict[str, Any], password: str, recovery: RecoveryKey) -> Chest:
    """The splits are what Python stretches, each opens the chest, and so does the recovery key."""
    body = convert_message(account["body"], ChestBody)
    SealingPublicKey.from_bytes(Suite.HYBRID, decode_b64u(body.archive_key))
    chests = [open_with(split, body, password) for split in account["logins"]]
    chests.append(recover_chest(body.version, body.sealed, body.recovery_wrapped, recovery))
    assert all(contents_of(chest) == contents_of(chests[0]) for chest in chests)
    assert encode_b64u(chests[0].identity.public.to_bytes()) == body.identity_key
    generation, newest = chests[0].archive[0]
    assert (generation, encode_b64u(newest.public.to_bytes())) == (body.archive_generation, body.archive_key)
    assert len({split["salt"] for split in account["logins"]}) == len(account["logins"])
    return chests[0]


def open_with(split: dict[str, Any], body: ChestBody, password: str) -> Chest:
    login = convert_message(split, LoginSplit)
    salt, params = decode_b64u_sized(login.salt, 16), StretchParams()
    assert login.stretch == STRETCH
    stretched = stretch(prepare(password), salt, params)
    assert encode_b64u(login_secret(stretched, salt=salt, params=params).reveal()) == login.login_secret
    wrapped = WrappedChest(version=body.version, sealed=body.sealed, wrapped_key=login.wrapped_chest_key)
    return open_chest(wrapped, wrapping_key(stretched, salt=salt, params=params), kind=login.kind)


def check_renewed(account: dict[str, Any], asked: dict[str, Any]) -> None:
    """The next version of Python's own chest: a new archive key in front, identity and recovery key as they were."""
    older = asked["chest"]["contents"]
    recovery = RecoveryKey.parse(asked["chest"]["recoveryKey"])
    newer = contents_of(check_account(account, asked["password"], recovery))
    assert newer["version"] == older["version"] + 1
    assert newer["archive"][1:] == older["archive"]
    assert newer["archive"][0]["generation"] == older["archive"][0]["generation"] + 1
    assert (newer["identity"], newer["recovery_key"]) == (older["identity"], older["recovery_key"])


def check_answers(taken: list[dict[str, Any]]) -> None:
    """Changed answers that the modules took all the same: Python takes them too."""
    assert {answer["purpose"] for answer in taken} == {purpose.value for purpose in Purpose}
    for answer in taken:
        convert_message(answer["answer"], ANSWERS[Purpose(answer["purpose"])])
