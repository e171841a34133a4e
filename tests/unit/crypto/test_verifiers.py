"""What the server stores of a login secret."""

import hashlib
import hmac
import subprocess
import sys
import threading

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.encoding import encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.passwords import (
    ServerHash,
    check_verifier,
    dummy_verifier,
    make_verifier,
    nest_verifier,
    pepper_versions_of,
    scheme_numbered,
    scheme_of,
)
from watchword.crypto.slow_hashes import BcryptCost
from watchword.crypto.verifiers import MAX_NESTING
from watchword.errors import ConflictError, DamagedError
from watchword.testing import SeededEntropy

SCHEMES = list(ServerHash)
PEPPERS = {version: Secret(hashlib.sha256(bytes((version,))).digest()) for version in range(1, 6)}
PEPPER = VersionedKey(version=1, key=PEPPERS[1])
RIGHT, WRONG = Secret(b"r" * 32), Secret(b"w" * 32)
MADE = {
    scheme: make_verifier(scheme, RIGHT, pepper=PEPPER, entropy=SeededEntropy(scheme)) for scheme in SCHEMES
}


def peppers(version: int) -> Secret:
    return PEPPERS[version]


def versioned(version: int) -> VersionedKey:
    return VersionedKey(version=version, key=PEPPERS[version])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_right_secret_passes_and_wrong_ones_do_not(scheme):
    assert check_verifier(MADE[scheme], RIGHT, peppers=peppers)
    for wrong in (WRONG, Secret(b""), Secret(b"r" * 31), Secret(b"r" * 33), Secret(b"r" * 31 + b"\0")):
        assert not check_verifier(MADE[scheme], wrong, peppers=peppers)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_scheme_byte_comes_first(scheme):
    assert MADE[scheme][0] == {"hmac": 1, "argon2id": 2, "bcrypt": 3}[scheme.value]
    assert scheme_of(MADE[scheme]) is scheme_numbered(MADE[scheme][0]) is scheme
    assert pepper_versions_of(MADE[scheme]) == (1,)


@pytest.mark.parametrize("number", [0, 4, 255])
def test_an_unknown_scheme_byte_is_damage(number):
    with pytest.raises(DamagedError):
        scheme_numbered(number)


def test_the_default_is_hmac_of_the_login_secret_under_the_pepper_req_M3():
    expected = hmac.digest(PEPPERS[1].reveal(), RIGHT.reveal(), "sha256")
    assert MADE[ServerHash.HMAC] == bytes((1, 1, 0, 0, 0, 1)) + expected


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_the_pepper_nothing_verifies(scheme):
    other = Secret(bytes(32))
    assert not check_verifier(MADE[scheme], RIGHT, peppers=lambda _: other)
    with pytest.raises(DamagedError):
        check_verifier(MADE[scheme], RIGHT, peppers={9: other}.__getitem__)


@pytest.mark.parametrize("scheme", [ServerHash.ARGON2ID, ServerHash.BCRYPT])
def test_slow_hashes_are_salted(scheme):
    entropy = SeededEntropy()
    one, other = (make_verifier(scheme, RIGHT, pepper=PEPPER, entropy=entropy) for _ in range(2))
    assert one[-32:] != other[-32:]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_secrets_with_a_common_beginning_or_a_nul_differ_fault_C10_fault_C12(scheme):
    secrets = [Secret(b"a" * 72 + end) for end in (b"x", b"y", b"\0x", b"\0y", b"")]
    same_salt = [make_verifier(scheme, one, pepper=PEPPER, entropy=SeededEntropy()) for one in secrets]
    assert len({verifier[:-32] for verifier in same_salt}) == 1
    assert len({verifier[-32:] for verifier in same_salt}) == len(secrets)


def test_bcrypt_sees_43_characters_without_nul_fault_C11():
    """The wrapper's bcrypt is bcrypt: the package's own check accepts the text rebuilt from the verifier."""
    keyed = hmac.digest(PEPPERS[1].reveal(), RIGHT.reveal(), "sha256")
    text = encode_b64u(keyed).encode()
    assert len(text) == 43
    assert b"\0" not in text
    salted = bcrypt.hashpw(text, b"$2b$10$" + b"." * 22)
    assert BcryptCost(10).hash(keyed, bytes(16)) == hashlib.sha256(salted[29:]).digest()
    assert bcrypt.checkpw(text, salted)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_single_bit_flip_of_the_tag_fails_and_nothing_raises_otherwise(scheme):
    """In the head a flip may name another scheme, pepper or cost; it must be damage or a plain no."""
    verifier = MADE[scheme]
    step = {ServerHash.HMAC: 1, ServerHash.ARGON2ID: 29, ServerHash.BCRYPT: 101}[scheme]
    for position in range(0, len(verifier) * 8, step):
        flipped = bytearray(verifier)
        flipped[position // 8] ^= 1 << (position % 8)
        try:
            passed = check_verifier(bytes(flipped), RIGHT, peppers=peppers)
        except DamagedError:
            passed = position // 8 >= len(verifier) - 32  # a changed tag parses, so it must be a plain no
        assert not passed


@pytest.mark.parametrize("scheme", SCHEMES)
def test_truncated_and_longer_verifiers_are_damage(scheme):
    verifier = MADE[scheme]
    for damaged in [verifier[:size] for size in range(len(verifier))] + [verifier + b"\0"]:
        for use in (
            lambda v=damaged: check_verifier(v, RIGHT, peppers=peppers),
            lambda v=damaged: scheme_of(v),
            lambda v=damaged: nest_verifier(v, pepper=versioned(2)),
        ):
            with pytest.raises(DamagedError):
                use()


@given(junk=st.binary(max_size=80))
def test_junk_is_damage(junk):
    if len(junk) > 1 and junk[0] == 1 and len(junk) == 34 + 4 * junk[1]:
        return
    with pytest.raises(DamagedError):
        scheme_of(junk)


@pytest.mark.parametrize(
    "head",
    [
        bytes((2, 1, 0, 0, 0, 1)) + (4194304).to_bytes(4, "big") + bytes((2,)),
        bytes((2, 1, 0, 0, 0, 1)) + (19456).to_bytes(4, "big") + bytes((255,)),
        bytes((2, 1, 0, 0, 0, 1)) + (19456).to_bytes(4, "big") + bytes((1,)),
        bytes((2, 1, 0, 0, 0, 1)) + (8).to_bytes(4, "big") + bytes((2,)),
        bytes((3, 1, 0, 0, 0, 1, 31)),
        bytes((3, 1, 0, 0, 0, 1, 4)),
        bytes((3, 1, 0, 0, 0, 1, 0)),
    ],
)
def test_costs_out_of_bounds_are_damage_without_computing_fault_C13(head):
    with pytest.raises(DamagedError):
        check_verifier(head + bytes(48), RIGHT, peppers=peppers)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_peppers_rotate_by_nesting_without_the_secret(scheme):
    verifier = MADE[scheme]
    for version in (2, 3):
        verifier = nest_verifier(verifier, pepper=versioned(version))
        assert pepper_versions_of(verifier) == tuple(range(1, version + 1))
        assert scheme_of(verifier) is scheme
        assert check_verifier(verifier, RIGHT, peppers=peppers)
        assert not check_verifier(verifier, WRONG, peppers=peppers)
        assert not check_verifier(verifier, RIGHT, peppers=lambda v: PEPPERS[v] if v == 1 else PEPPERS[5])
        assert nest_verifier(verifier, pepper=versioned(version)) == verifier
    with pytest.raises(DamagedError):
        check_verifier(verifier, RIGHT, peppers={1: PEPPERS[1], 2: PEPPERS[2]}.__getitem__)


def test_nesting_ends_somewhere():
    verifier = MADE[ServerHash.HMAC]
    for version in range(2, MAX_NESTING + 1):
        verifier = nest_verifier(verifier, pepper=VersionedKey(version=version, key=PEPPERS[1]))
    assert check_verifier(verifier, RIGHT, peppers=lambda _: PEPPERS[1])
    with pytest.raises(ConflictError):
        nest_verifier(verifier, pepper=VersionedKey(version=1000, key=PEPPERS[1]))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_dummy_has_a_real_ones_shape_and_matches_nothing_fault_C7(scheme):
    dummy = dummy_verifier(scheme, versions=(1,))
    cost_end = 6 + {"hmac": 0, "argon2id": 5, "bcrypt": 1}[scheme.value]
    assert len(dummy) == len(MADE[scheme])
    assert dummy[:cost_end] == MADE[scheme][:cost_end]
    for secret in (RIGHT, WRONG, Secret(b""), Secret(bytes(32))):
        assert not check_verifier(dummy, secret, peppers=peppers)


def test_a_dummy_takes_the_versions_it_is_given():
    assert pepper_versions_of(dummy_verifier(ServerHash.HMAC, versions=(2, 3))) == (2, 3)
    for versions in ((), (-1,), (1 << 32,), tuple(range(256))):
        with pytest.raises(ValueError, match="pepper versions"):
            dummy_verifier(ServerHash.HMAC, versions=versions)


@pytest.mark.parametrize("scheme", [ServerHash.ARGON2ID, ServerHash.BCRYPT])
def test_slow_hashes_let_other_threads_run(scheme):
    done = threading.Event()

    def work() -> None:
        check_verifier(MADE[scheme], RIGHT, peppers=peppers)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not done.wait(0.001):
        turns += 1
    thread.join()
    assert turns >= 2


def test_a_client_needs_no_bcrypt():
    script = "import sys, watchword.crypto.passwords; print('bcrypt' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
