"""Our own vectors, as another implementation would read them, and that they are what the generator writes."""

import json
from pathlib import Path
from typing import Any

import pytest

from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey, Suite
from watchword.crypto.jwe import decode_jwe, encode_jwe_with_nonce, read_jwe_kid
from watchword.crypto.passwords import StretchParams, login_secret, stretch, wrapping_key
from watchword.errors import MalformedError, UnsealError

HERE = Path(__file__).parent / "watchword"
HPKE = json.loads((HERE / "hpke.json").read_text())
JWE = json.loads((HERE / "jwe.json").read_text())
PASSWORDS = json.loads((HERE / "passwords.json").read_text())


def name(vector: dict[str, Any]) -> str:
    told = vector.get("why") or vector.get("sealed_by") or vector.get("nonce") or vector["password"]
    return f"{vector.get('suite', '')} {told}"


def private_key(vector: dict[str, str]) -> SealingPrivateKey:
    return SealingPrivateKey.from_seed(Suite(vector["suite"]), Secret(bytes.fromhex(vector["seed"])))


def test_the_files_hold_what_their_readers_expect():
    assert {(one["suite"], one["sealed_by"].split()[0]) for one in HPKE["good"]} == {
        (suite.value, by) for suite in Suite for by in ("watchword", "Go", "JavaScript")
    }
    assert {one["suite"] for one in HPKE["bad"]} == {suite.value for suite in Suite}
    assert min(len(HPKE["bad"]), len(HPKE["bad_public_keys"]), len(JWE["bad"])) >= 10


@pytest.mark.parametrize("vector", HPKE["good"], ids=name)
def test_good_hpke_opens_to_its_plaintext(vector):
    key = private_key(vector)
    assert key.public.to_bytes().hex() == vector["public"]
    opened = key.open(bytes.fromhex(vector["sealed"]), info=bytes.fromhex(vector["info"]))
    assert opened.hex() == vector["plaintext"]


@pytest.mark.parametrize("vector", HPKE["bad"], ids=name)
def test_bad_hpke_is_refused(vector):
    with pytest.raises(UnsealError):
        private_key(vector).open(bytes.fromhex(vector["sealed"]), info=bytes.fromhex(vector["info"]))


@pytest.mark.parametrize("vector", HPKE["bad_public_keys"], ids=name)
def test_bad_public_keys_are_refused_fault_C18(vector):
    with pytest.raises(MalformedError):
        SealingPublicKey.from_bytes(Suite(vector["suite"]), bytes.fromhex(vector["public"]))


@pytest.mark.parametrize("vector", JWE["good"], ids=name)
def test_good_jwe_is_what_we_write_and_opens(vector):
    key, nonce, plaintext = (bytes.fromhex(vector[part]) for part in ("key", "nonce", "plaintext"))
    named = {"kid": vector["kid"], "typ": vector["typ"]}
    assert encode_jwe_with_nonce(plaintext, Secret(key), **named, nonce=nonce) == vector["jwe"]
    assert decode_jwe(vector["jwe"], Secret(key), **named, max_size=4096) == plaintext
    assert read_jwe_kid(vector["jwe"], typ=vector["typ"]) == vector["kid"]


@pytest.mark.parametrize("vector", JWE["bad"], ids=name)
def test_bad_jwe_is_refused(vector):
    with pytest.raises(UnsealError):
        decode_jwe(
            vector["jwe"],
            Secret(bytes.fromhex(vector["key"])),
            kid=vector["kid"],
            typ=vector["typ"],
            max_size=4096,
        )


@pytest.mark.parametrize("vector", PASSWORDS["good"], ids=name)
def test_the_password_split_gives_these_secrets(vector):
    salt, params = bytes.fromhex(vector["salt"]), StretchParams.from_json(vector["params"])
    stretched = stretch(Secret.from_text(vector["password"]), salt, params)
    assert stretched.reveal().hex() == vector["stretched"]
    assert login_secret(stretched, salt=salt, params=params).reveal().hex() == vector["login_secret"]
    assert wrapping_key(stretched, salt=salt, params=params).reveal().hex() == vector["wrapping_key"]
