"""Write `exchanges.json` anew: `python tests/vectors/watchword/generate_exchanges.py`.

Everything comes of a seed but the HPKE encapsulation, which is random: each run records other sealed requests.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.kdf import Label, derive
from watchword.crypto.passwords import StretchParams
from watchword.protocol.chest import Chest, RecoveryKey
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import NEEDS_SHORT_KEY, Purpose, envelope_digest, seal_reply
from watchword.protocol.wire import Message
from watchword.testing import SeededEntropy

HERE = Path(__file__).parent
ISSUER = "https://id.example"
INFO = b"watchword/v1/envelope\0"
ENTROPY = SeededEntropy("exchanges")
SEEDS = {Suite.HYBRID: bytes(range(32)), Suite.X25519: bytes(range(32, 64))}
KIDS = {Suite.HYBRID: "hybrid-1", Suite.X25519: "classic-1"}
NOW = 1_800_000_000_000
OPEN_STEP: Final = "open"


class Recorded(Message, frozen=True):
    """Any answer: the members as they stand."""

    short_key: str | None = None
    salt: str | None = None
    stretch: dict[str, Any] | None = None
    account: dict[str, Any] | None = None
    temporary_token: str | None = None
    temporary_token_expires_at: int | None = None
    chest: dict[str, Any] | None = None
    grant: dict[str, Any] | None = None
    device: str | None = None
    key_document: str | None = None
    client_key: str | None = None
    seed_version: int | None = None
    server_time: int | None = None


def fresh(size: int = 32) -> str:
    return encode_b64u(ENTROPY.bytes(size))


ACCOUNT = {"id": "acc_01k0000000abcdefghjkmnpqrs", "username": "anna", "level": 0}
RECOVERY = RecoveryKey.generate(ENTROPY)
CHEST = Chest.create(RECOVERY, ENTROPY).seal(Secret(ENTROPY.bytes(32)), ENTROPY)
DEVICE = DeviceSigningKey.generate(ENTROPY)
LOGIN_SECRET = fresh()
STRETCH = StretchParams().to_json()
SPLIT = {
    "kind": "username",
    "salt": fresh(16),
    "stretch": STRETCH,
    "login_secret": LOGIN_SECRET,
    "wrapped_chest_key": "wrapped",
}
SESSION: dict[str, Any] = {
    "id": "ses_01k0000000abcdefghjkmnpqrs",
    "device": "dev_01k0000000abcdefghjkmnpqrs",
    "created_at": NOW,
    "expires_at": NOW + 604_800_000,
    "ends_at": NOW + 2_592_000_000,
}
GRANT = {
    "session": SESSION,
    "sign_in_token": f"wsi_{fresh(48)}",
    "access_token": "header.payload.signature",
    "access_token_expires_at": NOW + 600_000,
    "client_key": fresh(),
    "seed_version": 1,
}


def payloads() -> dict[Purpose, dict[str, Any]]:
    """What a client sends, without its reply key."""
    return {
        Purpose.BEGIN: {"purpose": "login", "identifier": "anna"},
        Purpose.LOGIN: {"identifier": "anna", "login_secret": LOGIN_SECRET},
        Purpose.REGISTER: {
            "username": "anna",
            "logins": [SPLIT],
            "chest": msgspec.to_builtins(CHEST),
            "recovery_secret": encode_b64u(RECOVERY.secret().reveal()),
        },
        Purpose.ENROL: {
            "credential": f"wtt_{fresh(48)}",
            "device_name": "laptop",
            "keys": {
                "signing": encode_b64u(DEVICE.public.to_bytes()),
                "message_signing": encode_b64u(DeviceSigningKey.generate(ENTROPY).public.to_bytes()),
                "sealing": encode_b64u(SealingPrivateKey.generate(Suite.HYBRID, ENTROPY).public.to_bytes()),
            },
        },
        Purpose.PASSWORD: {
            "identifier": "anna",
            "login_secret": LOGIN_SECRET,
            "logins": [SPLIT],
            "chest": {**msgspec.to_builtins(CHEST), "version": 2, "archive_generation": 2},
        },
    }


def answers() -> dict[Purpose, Recorded]:
    token: dict[str, Any] = {
        "temporary_token": f"wtt_{fresh(48)}",
        "temporary_token_expires_at": NOW + 300_000,
    }
    chest: dict[str, Any] = {
        "version": 1,
        "sealed": "sealed",
        "wrapped_key": "wrapped",
    }
    return {
        Purpose.BEGIN: Recorded(short_key=fresh(87), salt=fresh(16), stretch=STRETCH, server_time=NOW),
        Purpose.LOGIN: Recorded(account=ACCOUNT, chest=chest, grant=GRANT, server_time=NOW),
        Purpose.REGISTER: Recorded(account=ACCOUNT, server_time=NOW, **token),
        Purpose.ENROL: Recorded(
            account=ACCOUNT, device=SESSION["device"], grant=GRANT, key_document="a.b.c", server_time=NOW
        ),
        Purpose.PASSWORD: Recorded(client_key=fresh(), seed_version=2, server_time=NOW),
    }


def seal(header: dict[str, Any], payload: bytes, suite: Suite) -> str:
    key = SealingPrivateKey.from_seed(suite, Secret(SEEDS[suite]))
    first = encode_b64u(encode_json(header))
    return f"{first}.{encode_b64u(key.public.seal(payload, info=INFO + first.encode()))}"


def header_of(suite: Suite, purpose: Purpose, short_key: str) -> dict[str, Any]:
    header = {"v": 1, "suite": suite.value, "kid": KIDS[suite], "purpose": purpose.value, "iss": ISSUER}
    return {**header, "sk": short_key} if purpose in NEEDS_SHORT_KEY else header


def good() -> Iterator[dict[str, Any]]:
    for suite in Suite:
        for purpose, members in payloads().items():
            reply_key, nonce, short_key = fresh(), ENTROPY.bytes(12), fresh(87)
            payload = encode_json({**members, "reply_key": reply_key})
            envelope = seal(header_of(suite, purpose, short_key), payload, suite)
            answer, digest = answers()[purpose], envelope_digest(envelope)
            reply = seal_reply(
                answer,
                Secret(decode_b64u(reply_key)),
                purpose=purpose,
                request=digest,
                entropy=_Once(nonce),
            )
            yield {
                "suite": suite.value,
                "purpose": purpose.value,
                "envelope": envelope,
                "header": header_of(suite, purpose, short_key),
                "info": (INFO + envelope.partition(".")[0].encode()).hex(),
                "payload": payload.decode(),
                "digest": digest.hex(),
                "device_signature": prove_device(DEVICE, digest),
                "reply_key": decode_b64u(reply_key).hex(),
                "reply_content_key": derive(
                    Secret(decode_b64u(reply_key)), Label.REPLY, context=purpose.value.encode()
                )
                .reveal()
                .hex(),
                "reply_nonce": nonce.hex(),
                "reply": reply,
                "reply_payload": {"req": encode_b64u(digest), "answer": msgspec.to_builtins(answer)},
            }


class _Once:
    """Gives the nonce that the vector names."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def bytes(self, size: int) -> bytes:
        assert size == len(self._value)
        return self._value


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def bad() -> Iterator[dict[str, Any]]:
    """`step` is the step of docs/protocol/envelope.md that must refuse, at an endpoint for `login`."""
    for suite in Suite:
        short_key = fresh(87)
        payload = encode_json({**payloads()[Purpose.LOGIN], "reply_key": fresh()})
        header = header_of(suite, Purpose.LOGIN, short_key)
        envelope = seal(header, payload, suite)
        first, _, second = envelope.partition(".")
        raw = decode_b64u(second)

        def headed(**changes: Any) -> str:
            members = {**header, **changes}  # noqa: B023  # used up within this turn of the loop
            kept = {name: value for name, value in members.items() if value is not None}
            return seal(kept, payload, suite)  # noqa: B023

        moved = encode_b64u(encode_json(header_of(suite, Purpose.LOGIN, fresh(87))))
        spaced = encode_b64u(json.dumps(header).encode())
        doubled = encode_b64u(encode_json(header)[:-1] + b',"v":1}')
        other = Suite.X25519 if suite is Suite.HYBRID else Suite.HYBRID
        renamed = encode_b64u(encode_json(header_of(other, Purpose.LOGIN, short_key)))
        for step, why, text in (
            ("form", "no dot", first + second),
            ("form", "a third part", f"{envelope}.AA"),
            ("form", "padding", f"{envelope}="),
            ("form", "empty", ""),
            ("header", "a member twice", f"{doubled}.{second}"),
            ("header", "version 2", headed(v=2)),
            ("header", "version as text", headed(v="1")),
            ("header", "version true", headed(v=True)),
            ("header", "no version", headed(v=None)),
            ("header", "unknown suite", headed(suite="P256")),
            ("header", "no suite", headed(suite=None)),
            ("header", "key id with slashes", headed(kid="../root")),
            ("header", "a member too many", headed(alg="none")),
            ("header", "no short key", headed(sk=None)),
            ("expectation", "another purpose", headed(purpose="register")),
            ("expectation", "another issuer", headed(iss="https://other.example")),
            (
                OPEN_STEP,
                "another suite named than sealed with",
                f"{renamed}.{second}",
            ),
            (OPEN_STEP, "short key exchanged after sealing", f"{moved}.{second}"),
            (OPEN_STEP, "header spelled with spaces after sealing", f"{spaced}.{second}"),
            (OPEN_STEP, "first bit of the encapsulation", f"{first}.{encode_b64u(flip(raw, 0))}"),
            (OPEN_STEP, "last byte of the tag", f"{first}.{encode_b64u(flip(raw, len(raw) - 1))}"),
            (OPEN_STEP, "cut by one byte", f"{first}.{encode_b64u(raw[:-1])}"),
            (OPEN_STEP, "nothing sealed", f"{first}."),
            ("payload", "a member too many", seal(header, payload[:-1] + b',"is_admin":true}', suite)),
            ("payload", "a member twice", seal(header, payload[:-1] + b',"identifier":"bert"}', suite)),
            ("payload", "no reply key", seal(header, encode_json(payloads()[Purpose.LOGIN]), suite)),
            ("payload", "not JSON", seal(header, b"anna", suite)),
        ):
            yield {"suite": suite.value, "step": step, "why": why, "envelope": text}


def bad_replies() -> Iterator[dict[str, Any]]:
    """To a `login` envelope whose digest is all zero, under a reply key of zeros."""
    key, digest = Secret(bytes(32)), bytes(32)
    answer = answers()[Purpose.PASSWORD]
    nonce = ENTROPY.bytes(12)

    def reply(purpose: Purpose = Purpose.LOGIN, request: bytes = digest, under: Secret = key) -> str:
        return seal_reply(answer, under, purpose=purpose, request=request, entropy=_Once(nonce))

    text = reply()
    yield {"why": "answers another request", "reply": reply(request=hashlib.sha256(b"").digest())}
    yield {"why": "answers for another purpose", "reply": reply(Purpose.BEGIN)}
    yield {"why": "under another key", "reply": reply(under=Secret(b"\1" * 32))}
    yield {"why": "last character changed", "reply": text[:-1] + ("A" if text[-1] != "A" else "Q")}
    yield {"why": "cut", "reply": text[:-4]}


def short_keys() -> dict[str, Any]:
    """The layout of a short key, under the data key of 32 zeros."""
    data_key = Secret(bytes(32))
    mac_key = derive(data_key, Label.SHORT_KEY_MAC)
    name_key = derive(data_key, Label.SHORT_KEY_NAME)
    network_key = derive(data_key, Label.SHORT_KEY_NETWORK)
    boot, random = ENTROPY.bytes(8), ENTROPY.bytes(12)
    network = bytes((192, 0, 2, 1))
    body = b"".join(
        (
            b"\1",
            (1).to_bytes(2, "big"),
            boot,
            NOW.to_bytes(7, "big"),
            b"\1",
            hmac.digest(network_key.reveal(), network, "sha256")[:8],
            hmac.digest(name_key.reveal(), b"u:anna", "sha256")[:16],
            random,
        )
    )
    return {
        "data_key": bytes(32).hex(),
        "mac_key": mac_key.reveal().hex(),
        "name_key": name_key.reveal().hex(),
        "network_key": network_key.reveal().hex(),
        "version": 1,
        "boot_id": boot.hex(),
        "issued_at": NOW,
        "purpose": "login",
        "address": "192.0.2.1",
        "identifier_key": "u:anna",
        "random": random.hex(),
        "short_key": encode_b64u(body + hmac.digest(mac_key.reveal(), body, "sha256")),
    }


def main() -> None:
    content = {
        "issuer": ISSUER,
        "keys": [
            {
                "suite": suite.value,
                "kid": KIDS[suite],
                "seed": SEEDS[suite].hex(),
                "public": SealingPrivateKey.from_seed(suite, Secret(SEEDS[suite])).public.to_bytes().hex(),
            }
            for suite in Suite
        ],
        "device": {"seed": DEVICE.seed().reveal().hex(), "public": DEVICE.public.to_bytes().hex()},
        "good": list(good()),
        "bad": list(bad()),
        "bad_replies": {
            "reply_key": bytes(32).hex(),
            "purpose": "login",
            "request": bytes(32).hex(),
            "replies": list(bad_replies()),
        },
        "short_key": short_keys(),
    }
    text = json.dumps(content, indent=1) + "\n"
    assert decode_json(text.encode()) == content
    (HERE / "exchanges.json").write_text(text)


if __name__ == "__main__":
    main()
