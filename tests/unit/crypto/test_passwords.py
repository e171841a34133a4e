"""The password split: stretching, and the two secrets that come from it."""

import hmac
import json
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.secret import Secret
from watchword.crypto.passwords import (
    MAX_PASSWORD_SIZE,
    SALT_SIZE,
    StretchParams,
    login_secret,
    stretch,
    wrapping_key,
)
from watchword.errors import MalformedError

SALT = bytes(range(SALT_SIZE))
FLOOR = StretchParams()
BIGGER = StretchParams(passes=4)
STRETCHED = Secret(bytes(range(32)))
JSON = {"alg": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 1}


def test_the_default_is_the_floor_req_M3():
    assert FLOOR == StretchParams.FLOOR
    assert (FLOOR.memory_kib, FLOOR.passes, FLOOR.lanes) == (64 * 1024, 3, 1)
    FLOOR.check()
    StretchParams.CEILING.check()


@pytest.mark.parametrize(
    "params",
    [
        StretchParams(memory_kib=64 * 1024 - 1),
        StretchParams(memory_kib=0),
        StretchParams(memory_kib=-1),
        StretchParams(memory_kib=1024 * 1024 + 1),
        StretchParams(memory_kib=4194304),
        StretchParams(passes=2),
        StretchParams(passes=0),
        StretchParams(passes=17),
        StretchParams(passes=10**6),
        StretchParams(lanes=0),
        StretchParams(lanes=2),
        StretchParams(lanes=255),
    ],
    ids=str,
)
def test_parameters_below_the_floor_or_above_the_ceiling_are_refused_without_computing_fault_C13(params):
    with pytest.raises(MalformedError):
        params.check()
    with pytest.raises(MalformedError):
        StretchParams.from_json(params.to_json())
    with pytest.raises(MalformedError):
        stretch(Secret(b"password"), SALT, params)


def test_parameters_survive_json():
    assert FLOOR.to_json() == JSON
    assert StretchParams.from_json(json.loads(json.dumps(JSON))) == FLOOR
    assert StretchParams.from_json(BIGGER.to_json()) == BIGGER


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "argon2id",
        {},
        {**JSON, "alg": "argon2i"},
        {**JSON, "alg": "scrypt"},
        {**JSON, "more": 1},
        {name: JSON[name] for name in ("alg", "memory_kib", "passes")},
        {**JSON, "memory_kib": "65536"},
        {**JSON, "memory_kib": 65536.0},
        {**JSON, "lanes": True},
        {**JSON, "passes": None},
    ],
    ids=str,
)
def test_other_json_is_malformed(value):
    with pytest.raises(MalformedError):
        StretchParams.from_json(value)


def test_stretch_is_deterministic_and_depends_on_all_its_inputs():
    found = stretch(Secret(b"password"), SALT, FLOOR)
    assert len(found) == 32
    assert found == stretch(Secret(b"password"), SALT, FLOOR)
    others = [
        stretch(Secret(b"passwore"), SALT, FLOOR),
        stretch(Secret(b"password"), SALT[::-1], FLOOR),
        stretch(Secret(b"password"), SALT, BIGGER),
    ]
    assert all(found != other for other in others)


def test_nothing_is_cut_at_72_bytes_or_at_a_nul_fault_C10_fault_C12():
    passwords = [
        b"a" * 72 + b"x",
        b"a" * 72 + b"y",
        b"a" * 72,
        b"abc",
        b"abc\0def",
        b"abc\0xyz",
        b"abc\0",
        b"",
        b"\0",
    ]
    stretched = {stretch(Secret(password), SALT, FLOOR).reveal() for password in passwords}
    assert len(stretched) == len(passwords)


def test_password_and_salt_are_bounded_fault_C2():
    with pytest.raises(MalformedError):
        stretch(Secret(bytes(MAX_PASSWORD_SIZE + 1)), SALT, FLOOR)
    for size in (0, 15, 17, 32):
        with pytest.raises(MalformedError):
            stretch(Secret(b"password"), bytes(size), FLOOR)
        with pytest.raises(MalformedError):
            login_secret(STRETCHED, salt=bytes(size), params=FLOOR)
        with pytest.raises(MalformedError):
            wrapping_key(STRETCHED, salt=bytes(size), params=FLOOR)


def test_both_secrets_are_hkdf_with_salt_and_parameters_in_the_info_req_M3():
    for derive, label in ((login_secret, b"password/login"), (wrapping_key, b"password/wrap")):
        canonical = b'{"alg":"argon2id","lanes":1,"memory_kib":65536,"passes":3}'
        info = b"watchword/v1/" + label + b"\0" + SALT + canonical
        prk = hmac.digest(bytes(32), STRETCHED.reveal(), "sha256")
        assert derive(STRETCHED, salt=SALT, params=FLOOR).reveal() == hmac.digest(prk, info + b"\1", "sha256")


@given(stretched=st.binary(min_size=32, max_size=32), salt=st.binary(min_size=16, max_size=16))
def test_the_server_secret_is_not_the_wrapping_key_and_both_bind_their_inputs(stretched, salt):
    key = Secret(stretched)
    found = {
        derive(key, salt=one, params=params).reveal()
        for derive in (login_secret, wrapping_key)
        for one in (salt, bytes(byte ^ 1 for byte in salt))
        for params in (FLOOR, BIGGER)
    }
    assert len(found) == 8


def test_stretching_lets_other_threads_run():
    """While one thread stretches, this one counts: with the interpreter lock held it would not get a turn."""
    done = threading.Event()

    def work() -> None:
        stretch(Secret(b"password"), SALT, FLOOR)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not done.wait(0.001):
        turns += 1
    thread.join()
    assert turns >= 5


def test_a_machine_without_the_memory_gets_a_plain_error_fault_C13():
    script = """
import resource
from watchword.core.secret import Secret
from watchword.crypto.passwords import StretchParams, stretch
from watchword.errors import UnavailableError
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
try:
    stretch(Secret(b"password"), bytes(16), StretchParams.CEILING)
except UnavailableError as error:
    print(error.detail)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "not enough memory to hash a password"
