"""What a new device offers: three keys that are its own, one signature, and a name that people can read."""

import pytest

from watchword.client.flows.account import DeviceKeys
from watchword.core.encoding import encode_b64u
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import RefusedError
from watchword.protocol.device_proof import prove_device
from watchword.protocol.messages import DevicePublicKeys
from watchword.server.enrolment.service import _check_keys, _printable
from watchword.testing import SeededEntropy

KEYS = DeviceKeys.generate(SeededEntropy("device"))
OTHER = DeviceKeys.generate(SeededEntropy("another device"))
DIGEST = bytes(range(32))


def reason(keys: DevicePublicKeys, signature: str | None) -> str:
    with pytest.raises(RefusedError) as refusal:
        _check_keys(keys, DIGEST, signature)
    return refusal.value.reason


def changed(**members: str) -> DevicePublicKeys:
    public = KEYS.public()
    return DevicePublicKeys(
        signing=members.get("signing", public.signing),
        message_signing=members.get("message_signing", public.message_signing),
        sealing=members.get("sealing", public.sealing),
    )


def test_the_devices_own_keys_come_out_as_bytes() -> None:
    found = _check_keys(KEYS.public(), DIGEST, prove_device(KEYS.signing, DIGEST))
    assert (found.signing, found.message_signing, found.sealing) == (
        KEYS.signing.public.to_bytes(),
        KEYS.message_signing.public.to_bytes(),
        KEYS.sealing.public.to_bytes(),
    )


def test_a_signature_is_by_the_signing_key_over_this_envelope() -> None:
    others = [
        prove_device(OTHER.signing, DIGEST),
        prove_device(KEYS.message_signing, DIGEST),
        prove_device(KEYS.signing, bytes(32)),
        "",
        "A" * 86,
        "not base64url!",
        None,
    ]
    for signature in others:
        assert reason(KEYS.public(), signature) == "device_keys"


def test_keys_that_nobody_could_use_or_that_are_one_are_refused() -> None:
    good = prove_device(KEYS.signing, DIGEST)
    classical = SealingPrivateKey.generate(Suite.X25519, SeededEntropy(1)).public.to_bytes()
    for bad in (
        {"signing": encode_b64u(bytes(32))},
        {"message_signing": encode_b64u(b"\x01" + bytes(31))},  # of small order
        {"message_signing": encode_b64u(bytes(31))},
        {"sealing": encode_b64u(classical)},
        {"sealing": ""},
    ):
        assert reason(changed(**bad), good) == "device_keys"
    assert reason(changed(message_signing=KEYS.public().signing), good) == "device_keys_equal"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Anna’s laptop", "Anna’s laptop"),
        ("  laptop  ", "laptop"),
        ("lap\r\ntop\x1b[31m\0", "laptop[31m"),
        ("\u202eevil\u2028", "evil"),
        ("", "device"),
        (" \n\t ", "device"),
        ("x" * 500, "x" * 100),
    ],
)
def test_a_devices_name_is_a_short_line_of_visible_signs(given: str, shown: str) -> None:
    assert _printable(given) == shown
