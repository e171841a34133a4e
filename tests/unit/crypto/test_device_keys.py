"""Ed25519 keys and signatures of devices."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey, DeviceVerifyingKey
from watchword.errors import MalformedError, SignatureError
from watchword.testing import SeededEntropy

KEY = DeviceSigningKey.generate(SeededEntropy("device"))
L = 2**252 + 27742317777372353535851937790883648493
FIELD = (1 << 255) - 19
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
]
NON_CANONICAL = [
    (FIELD + 1).to_bytes(32, "little").hex(),
    (FIELD).to_bytes(32, "little").hex(),
    ((1 << 255) - 1).to_bytes(32, "little").hex(),
    (1 + (1 << 255)).to_bytes(32, "little").hex(),
    ((1 << 256) - 1).to_bytes(32, "little").hex(),
]


def refused(signature: bytes, message: bytes = b"m", key: DeviceVerifyingKey = KEY.public) -> None:
    with pytest.raises(SignatureError) as caught:
        key.verify(signature, message)
    assert caught.value.args == ()
    assert caught.value.__cause__ is None


@given(message=st.binary(max_size=500))
def test_signs_what_openssl_signs(message):
    signature = KEY.sign(message)
    assert signature == Ed25519PrivateKey.from_private_bytes(KEY.seed().reveal()).sign(message)
    KEY.public.verify(signature, message)


def test_every_single_bit_flip_of_signature_and_message_is_refused():
    signature = KEY.sign(b"ab")
    for position in range(len(signature) * 8):
        flipped = bytearray(signature)
        flipped[position // 8] ^= 1 << (position % 8)
        refused(bytes(flipped), b"ab")
    for position in range(16):
        changed = bytearray(b"ab")
        changed[position // 8] ^= 1 << (position % 8)
        refused(signature, bytes(changed))


def test_s_at_or_above_the_group_order_is_refused_fault_E16():
    signature = KEY.sign(b"m")
    s = int.from_bytes(signature[32:], "little")
    for more in range(1, 16):
        if s + more * L < 1 << 256:
            refused(signature[:32] + (s + more * L).to_bytes(32, "little"))
    for edge in (L, L + 1, (1 << 256) - 1):
        refused(signature[:32] + edge.to_bytes(32, "little"))


def test_other_lengths_are_refused_fault_E16():
    signature = KEY.sign(b"m")
    for wrong in (b"", signature[:63], signature + b"\0", b"\0" + signature):
        refused(wrong)
    refused(signature[:63], signature[63:] + b"m")  # the boundary to the message does not move
    refused(signature + b"m", b"")


@pytest.mark.parametrize("point", SMALL_ORDER + NON_CANONICAL)
def test_small_order_and_non_canonical_points_are_no_keys_fault_E16(point):
    with pytest.raises(MalformedError):
        DeviceVerifyingKey.from_bytes(bytes.fromhex(point))


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_small_order_commitment_is_refused_fault_E16(point):
    refused(bytes.fromhex(point) + bytes(32))


def test_a_key_outside_the_prime_order_group_is_refused_fault_E16():
    """A good point plus the point of order two, (0, -1): its coordinates are both negated."""
    y = int.from_bytes(KEY.public.to_bytes(), "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    mixed = (FIELD - y) | (1 - sign) << 255
    with pytest.raises(MalformedError):
        DeviceVerifyingKey.from_bytes(mixed.to_bytes(32, "little"))


@given(data=st.binary(max_size=40))
def test_junk_is_no_key_or_a_key_that_verifies_nothing(data):
    try:
        key = DeviceVerifyingKey.from_bytes(data)
    except MalformedError:
        return
    refused(KEY.sign(b"m"), key=key)


def test_keys_survive_their_bytes_and_do_not_show_them():
    again = DeviceSigningKey.from_seed(KEY.seed())
    public = DeviceVerifyingKey.from_bytes(KEY.public.to_bytes())
    assert again.public == public == KEY.public
    assert hash(public) == hash(KEY.public)
    public.verify(again.sign(b"m"), b"m")
    assert KEY.seed().reveal().hex() not in repr(KEY) + repr(KEY.seed())
    assert public != DeviceSigningKey.generate(SeededEntropy("other")).public


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_wrong_sizes_are_refused(size):
    with pytest.raises(MalformedError):
        DeviceSigningKey.from_seed(Secret(bytes(size)))
    with pytest.raises(MalformedError):
        DeviceVerifyingKey.from_bytes(KEY.public.to_bytes()[:1] * size)
