"""Argon2id: libsodium's own vector; RFC 9106 through a second implementation, which then checks ours."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from nacl.bindings import crypto_pwhash_alg, crypto_pwhash_ALG_ARGON2ID13

from watchword.core.secret import Secret
from watchword.crypto.passwords import StretchParams, stretch

HERE = Path(__file__).parent / "argon2"


def test_libsodium_gives_its_published_hash():
    for vector in json.loads((HERE / "libsodium.json").read_text()):
        password, salt, expected = (bytes.fromhex(vector[name]) for name in ("password", "salt", "hash"))
        found = crypto_pwhash_alg(
            len(expected),
            password,
            salt,
            vector["passes"],
            vector["memory_bytes"],
            crypto_pwhash_ALG_ARGON2ID13,
        )
        assert found == expected


def test_rfc9106_section_5_3_holds_for_the_second_implementation():
    vector = json.loads((HERE / "rfc9106-5.3.json").read_text())
    password, salt, secret, ad, tag = (
        bytes.fromhex(vector[name]) for name in ("password", "salt", "secret", "ad", "tag")
    )
    second = Argon2id(
        salt=salt,
        length=len(tag),
        iterations=vector["passes"],
        lanes=vector["lanes"],
        memory_cost=vector["memory_kib"],
        ad=ad,
        secret=secret,
    )
    assert second.derive(password) == tag


def test_stretch_is_the_second_implementations_argon2id_at_our_parameters():
    params, password, salt = StretchParams(), "correct horse ✓".encode(), bytes(range(16))
    second = Argon2id(salt=salt, length=32, iterations=params.passes, lanes=1, memory_cost=params.memory_kib)
    assert stretch(Secret(password), salt, params).reveal() == second.derive(password)
