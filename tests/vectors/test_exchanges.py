"""The recorded exchanges, read as another implementation would read them; and read by one in JavaScript."""

import hmac
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from watchword.core.encoding import decode_b64u, decode_json, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.device_keys import DeviceVerifyingKey
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.jwe import encode_jwe_with_nonce
from watchword.crypto.kdf import Label, derive
from watchword.errors import MalformedError, RefusedError, TooLargeError, UnsealError
from watchword.protocol.device_proof import check_device_proof
from watchword.protocol.envelope import Purpose, SealedEnvelope, open_reply
from watchword.protocol.messages import (
    BeginPayload,
    EnrolPayload,
    LoginPayload,
    PasswordAnswer,
    PasswordPayload,
    RegisterPayload,
)
from watchword.protocol.wire import Message, parse_message
from watchword.server.sessions.boots import OwnBoot
from watchword.server.sessions.short_keys import ShortKeys
from watchword.testing import FixedClock, SeededEntropy, components

HERE = Path(__file__).parent / "watchword"
VECTORS = json.loads((HERE / "exchanges.json").read_text())
ISSUER = VECTORS["issuer"]
KINDS: dict[Purpose, type[Message]] = {
    Purpose.BEGIN: BeginPayload,
    Purpose.LOGIN: LoginPayload,
    Purpose.REGISTER: RegisterPayload,
    Purpose.ENROL: EnrolPayload,
    Purpose.PASSWORD: PasswordPayload,
}
KEYS = {
    key["suite"]: SealingPrivateKey.from_seed(Suite(key["suite"]), Secret(bytes.fromhex(key["seed"])))
    for key in VECTORS["keys"]
}


def name(vector: dict[str, Any]) -> str:
    return " ".join(vector[part] for part in ("suite", "purpose", "why") if part in vector)


def test_the_file_holds_every_purpose_in_both_suites() -> None:
    held = {(one["suite"], one["purpose"]) for one in VECTORS["good"]}
    assert held == {(suite.value, purpose.value) for suite in Suite for purpose in Purpose}
    assert {one["step"] for one in VECTORS["bad"]} == {"form", "header", "expectation", "open", "payload"}
    for key in VECTORS["keys"]:
        assert KEYS[key["suite"]].public.to_bytes().hex() == key["public"]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=name)
def test_a_recorded_request_opens_to_its_payload(vector: dict[str, Any]) -> None:
    purpose = Purpose(vector["purpose"])
    envelope = SealedEnvelope.parse(vector["envelope"], purpose=purpose, issuer=ISSUER)
    first = vector["envelope"].partition(".")[0]
    assert decode_json(decode_b64u(first)) == vector["header"]
    assert bytes.fromhex(vector["info"]) == b"watchword/v1/envelope\0" + first.encode()
    assert (envelope.kid, envelope.digest.hex()) == (vector["header"]["kid"], vector["digest"])
    assert envelope.unverified_short_key == vector["header"].get("sk")
    payload = envelope.open(KEYS[vector["suite"]])
    assert payload.decode() == vector["payload"]
    parse_message(payload, KINDS[purpose])
    device = DeviceVerifyingKey.from_bytes(bytes.fromhex(VECTORS["device"]["public"]))
    check_device_proof(device, envelope.digest, vector["device_signature"])


@pytest.mark.parametrize("vector", VECTORS["good"], ids=name)
def test_a_recorded_answer_is_what_we_write(vector: dict[str, Any]) -> None:
    reply_key = Secret(bytes.fromhex(vector["reply_key"]))
    key = derive(reply_key, Label.REPLY, context=vector["purpose"].encode())
    assert key.reveal().hex() == vector["reply_content_key"]
    payload = json.dumps(vector["reply_payload"], separators=(",", ":"), ensure_ascii=False).encode()
    written = encode_jwe_with_nonce(
        payload,
        key,
        kid=vector["purpose"],
        typ="watchword-reply+jwe",
        nonce=bytes.fromhex(vector["reply_nonce"]),
    )
    assert written == vector["reply"]


def refusing_step(text: str, suite: str) -> str | None:
    """Which step of docs/protocol/envelope.md refuses `text` at an endpoint for `login`."""
    if text.count(".") != 1 or any(not part_decodes(part) for part in text.split(".")):
        return "form"
    try:
        envelope = SealedEnvelope.parse(text, purpose=Purpose.LOGIN, issuer=ISSUER)
    except MalformedError:
        return "header"
    except UnsealError:
        return "expectation"
    try:
        payload = envelope.open(KEYS[suite])
    except UnsealError:
        return "open"
    try:
        parse_message(payload, LoginPayload)
    except (MalformedError, TooLargeError):
        return "payload"
    return None


def part_decodes(part: str) -> bool:
    try:
        decode_b64u(part)
    except MalformedError:
        return False
    return True


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=name)
def test_a_bad_request_is_refused_by_the_step_that_it_names(vector: dict[str, Any]) -> None:
    assert refusing_step(vector["envelope"], vector["suite"]) == vector["step"]


@pytest.mark.parametrize("vector", VECTORS["bad_replies"]["replies"], ids=name)
def test_a_bad_answer_is_refused(vector: dict[str, Any]) -> None:
    bad = VECTORS["bad_replies"]
    with pytest.raises(UnsealError):
        open_reply(
            vector["reply"],
            Secret(bytes.fromhex(bad["reply_key"])),
            PasswordAnswer,
            purpose=Purpose(bad["purpose"]),
            request=bytes.fromhex(bad["request"]),
        )


@pytest.mark.anyio
async def test_the_recorded_short_key_is_claimed() -> None:
    vector = VECTORS["short_key"]
    key = Secret(bytes.fromhex(vector["data_key"]))
    for label, member in (
        (Label.SHORT_KEY_MAC, "mac_key"),
        (Label.SHORT_KEY_NAME, "name_key"),
        (Label.SHORT_KEY_NETWORK, "network_key"),
    ):
        assert derive(key, label).reveal().hex() == vector[member]
    entropy = SeededEntropy("vectors")
    keys = ShortKeys(
        current=lambda: VersionedKey(version=1, key=key),
        find=lambda _: key,
        boots=OwnBoot(FixedClock(vector["issued_at"]), entropy, boot_id=bytes.fromhex(vector["boot_id"])),
        entropy=entropy,
    )
    claimed = await keys.claim(
        vector["short_key"], purpose=Purpose(vector["purpose"]), address=vector["address"]
    )
    claimed.check_identifier(vector["identifier_key"])
    with pytest.raises(RefusedError):
        claimed.check_identifier("u:bert")
    raw = decode_b64u(vector["short_key"])
    mac = hmac.digest(bytes.fromhex(vector["mac_key"]), raw[:55], "sha256")
    assert encode_b64u(raw[55:]) == encode_b64u(mac)


def test_another_language_opens_requests_and_answers() -> None:
    node = components.require("node")
    run = subprocess.run(
        [node, str(HERE / "open_exchanges.mjs")], capture_output=True, text=True, timeout=240
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"opened": 5, "refused": 7, "replies": 10}
