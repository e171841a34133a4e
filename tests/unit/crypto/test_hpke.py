"""Sealing to a public key."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.secret import Secret
from watchword.crypto.hpke import (
    MAX_INFO,
    MAX_PLAINTEXT,
    SealingPrivateKey,
    SealingPublicKey,
    Suite,
    overhead,
)
from watchword.errors import MalformedError, TooLargeError, UnsealError
from watchword.testing import SeededEntropy
from watchword.testing.counts import count

SUITES = list(Suite)
KEYS = {suite: SealingPrivateKey.generate(suite, SeededEntropy(suite)) for suite in SUITES}
INFO = b"watchword/v1/test"
FIELD = (1 << 255) - 19
ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
LOW_ORDER = [u.to_bytes(32, "little") for u in (0, 1, *ORDER_8, FIELD - 1, FIELD, FIELD + 1)]
"""The seven values of RFC 7748's and Bernstein's lists: five points, and two further spellings of 0 and 1."""
NON_CANONICAL = [
    (FIELD + 9).to_bytes(32, "little"),
    ((1 << 255) - 1).to_bytes(32, "little"),
    ((1 << 255) + 9).to_bytes(32, "little"),  # the bit that RFC 7748 would ignore
]


def refused(key: SealingPrivateKey, sealed: bytes, info: bytes = INFO) -> None:
    """Assert that it does not open, and that the error says nothing."""
    with pytest.raises(UnsealError) as caught:
        key.open(sealed, info=info)
    assert caught.value.args == ()
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("suite", SUITES)
@given(plaintext=st.binary(max_size=200), info=st.binary(max_size=200))
def test_what_is_sealed_opens(suite, plaintext, info):
    key = KEYS[suite]
    sealed = key.public.seal(plaintext, info=info)
    assert len(sealed) == len(plaintext) + overhead(suite)
    assert key.open(sealed, info=info) == plaintext


@pytest.mark.parametrize(("suite", "size"), [(Suite.HYBRID, 1216), (Suite.X25519, 32)])
def test_keys_survive_their_bytes(suite, size):
    key = KEYS[suite]
    again = SealingPrivateKey.from_seed(suite, key.seed())
    public = SealingPublicKey.from_bytes(suite, key.public.to_bytes())
    assert len(key.seed()) == 32
    assert len(public.to_bytes()) == size
    assert again.public == public == key.public
    assert hash(again.public) == hash(public)
    assert again.open(public.seal(b"x", info=INFO), info=INFO) == b"x"


@pytest.mark.parametrize("suite", SUITES)
def test_two_seals_of_one_text_differ_everywhere(suite):
    one, other = (KEYS[suite].public.seal(b"text", info=INFO) for _ in range(2))
    assert one[:32] != other[:32]
    assert one[-20:] != other[-20:]


@pytest.mark.parametrize("suite", SUITES)
def test_every_single_bit_flip_and_every_truncation_is_refused_fault_C16(suite):
    key = KEYS[suite]
    sealed = key.public.seal(b"ab", info=INFO)
    for position in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[position // 8] ^= 1 << (position % 8)
        refused(key, bytes(flipped))
    for size in range(len(sealed)):
        refused(key, sealed[:size])
    for longer in (sealed + b"\0", b"\0" + sealed, sealed + sealed):
        refused(key, longer)
    assert key.open(sealed, info=INFO) == b"ab"


MUCH_THE_SAME_S = 250e-6


@pytest.mark.parametrize("suite", SUITES)
def test_refusals_take_much_the_same_time_wherever_the_flip_is_fault_C16(suite):
    """The best of 15 runs for each position, or of 60: what the machine does besides only ever adds."""
    key = KEYS[suite]
    sealed = key.public.seal(bytes(40), info=INFO)
    positions = range(0, len(sealed), count(len(sealed) // 24, 1))
    best = dict.fromkeys(positions, float("inf"))
    for turn in range(60):
        if turn >= 15 and max(best.values()) - min(best.values()) < MUCH_THE_SAME_S:
            break
        for position in positions:
            flipped = sealed[:position] + bytes((sealed[position] ^ 1,)) + sealed[position + 1 :]
            begun = time.perf_counter()
            with contextlib.suppress(UnsealError):
                key.open(flipped, info=INFO)
            best[position] = min(best[position], time.perf_counter() - begun)
    assert max(best.values()) - min(best.values()) < MUCH_THE_SAME_S


@pytest.mark.parametrize("suite", SUITES)
def test_every_single_bit_of_the_header_is_bound_fault_C19(suite):
    key = KEYS[suite]
    sealed = key.public.seal(b"ab", info=INFO)
    for position in range(len(INFO) * 8):
        flipped = bytearray(INFO)
        flipped[position // 8] ^= 1 << (position % 8)
        refused(key, sealed, bytes(flipped))
    for info in (b"", INFO[:-1], INFO + b"\0"):
        refused(key, sealed, info)


@pytest.mark.parametrize("suite", SUITES)
def test_another_key_does_not_open_fault_C17(suite):
    other = SealingPrivateKey.generate(suite, SeededEntropy("other"))
    refused(other, KEYS[suite].public.seal(b"ab", info=INFO))


def test_the_suites_do_not_open_each_others_seals_fault_C23():
    seed = Secret(bytes(range(32)))
    one, other = (SealingPrivateKey.from_seed(suite, seed) for suite in SUITES)
    refused(one, other.public.seal(bytes(1200), info=INFO))
    refused(other, one.public.seal(bytes(1200), info=INFO))


@pytest.mark.parametrize("point", LOW_ORDER + NON_CANONICAL, ids=lambda point: point.hex()[:8])
@pytest.mark.parametrize("suite", SUITES)
def test_a_point_that_gives_nothing_is_refused_as_encapsulation_and_as_key_fault_C18(suite, point):
    key = KEYS[suite]
    sealed = key.public.seal(b"ab", info=INFO)
    end = len(sealed) - 18
    refused(key, sealed[: end - 32] + point + sealed[end:])
    with pytest.raises(MalformedError):
        SealingPublicKey.from_bytes(suite, key.public.to_bytes()[:-32] + point)


@pytest.mark.parametrize("suite", SUITES)
def test_an_encapsulation_of_zeros_or_of_another_length_is_refused_fault_C18(suite):
    key = KEYS[suite]
    sealed = key.public.seal(bytes(64), info=INFO)
    enc = overhead(suite) - 16
    refused(key, bytes(enc) + sealed[enc:])
    for size in (0, 1, enc - 1):
        refused(key, sealed[:size] + sealed[enc:])
    refused(key, sealed[:enc] + b"\0" + sealed[enc:])


def test_an_all_zero_mlkem_part_is_refused_fault_C18():
    key = KEYS[Suite.HYBRID]
    sealed = key.public.seal(b"ab", info=INFO)
    refused(key, bytes(1088) + sealed[1088:])


def test_mlkem_coefficients_out_of_range_are_no_key_fault_C18():
    data = KEYS[Suite.HYBRID].public.to_bytes()
    with pytest.raises(MalformedError):
        SealingPublicKey.from_bytes(Suite.HYBRID, b"\xff\xff\xff" + data[3:])


@pytest.mark.parametrize("suite", SUITES)
def test_keys_of_the_wrong_length_are_refused(suite):
    data = KEYS[suite].public.to_bytes()
    for wrong in (b"", data[:-1], data + b"\0"):
        with pytest.raises(MalformedError):
            SealingPublicKey.from_bytes(suite, wrong)
    for size in (0, 31, 33):
        with pytest.raises(MalformedError):
            SealingPrivateKey.from_seed(suite, Secret(bytes(size)))


@pytest.mark.parametrize("suite", SUITES)
def test_sizes_are_bounded_before_any_work_fault_C2(suite):
    key = KEYS[suite]
    largest = key.public.seal(bytes(MAX_PLAINTEXT), info=bytes(MAX_INFO))
    assert len(key.open(largest, info=bytes(MAX_INFO))) == MAX_PLAINTEXT
    refused(key, largest + b"\0", bytes(MAX_INFO))
    refused(key, largest, bytes(MAX_INFO + 1))
    for plaintext, info in ((bytes(MAX_PLAINTEXT + 1), b""), (b"", bytes(MAX_INFO + 1))):
        with pytest.raises(TooLargeError):
            key.public.seal(plaintext, info=info)


@pytest.mark.parametrize("suite", SUITES)
@given(junk=st.binary(max_size=1400))
def test_junk_is_refused_and_raises_nothing_else(suite, junk):
    refused(KEYS[suite], junk)


@pytest.mark.parametrize("suite", SUITES)
def test_a_private_key_does_not_show_its_seed_in_repr(suite):
    key = KEYS[suite]
    assert key.seed().reveal().hex() not in repr(key)
    assert repr(key.seed()) == "<Secret 32 bytes>"
