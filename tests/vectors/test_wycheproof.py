"""Wycheproof (C2SP, Apache-2.0), read where it lies: our wrappers where they apply, else our primitive."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_public_key
from joserfc import jwe as joserfc_jwe
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from watchword.core.encoding import decode_b64u, decode_json, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceVerifyingKey
from watchword.crypto.hpke import SealingPublicKey, Suite
from watchword.crypto.jwe import decode_jwe, read_jwe_kid
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import MalformedError, SignatureError, UnsealError
from watchword.testing.published import published


def cases(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each test of the set with its group."""
    for group in json.loads(published(f"wycheproof/{name}_test.json").read_text())["testGroups"]:
        for test in group["tests"]:
            yield group, test


def unhex(test: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(test[name]) for name in names]


def disagreements(name: str, accepts: Any) -> tuple[list[int], int]:
    """The ids of tests on which `accepts(group, test)` and the set disagree, and how many there were."""
    wrong, total = [], 0
    for group, test in cases(name):
        total += 1
        if test["result"] != "acceptable" and accepts(group, test) != (test["result"] == "valid"):
            wrong.append(test["tcId"])
    return wrong, total


def test_es256_r_s_with_our_key_class_fault_E16():
    def accepts(group, test):
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        x, y = encode_b64u(point[1:33]), encode_b64u(point[33:])
        key = TokenVerifyingKey.from_jwk({"kty": "EC", "crv": "P-256", "x": x, "y": y})
        try:
            key.verify(*unhex(test, "sig", "msg"))
        except SignatureError:
            return False
        return True

    wrong, total = disagreements("ecdsa_secp256r1_sha256_p1363", accepts)
    assert (wrong, total) == ([], 262)


def test_es256_in_der_is_never_taken_for_r_s_fault_E16():
    def accepts(group, test):
        signature, message = unhex(test, "sig", "msg")
        public = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert isinstance(public, ec.EllipticCurvePublicKey)
        with pytest.raises(SignatureError):
            TokenVerifyingKey(public).verify(signature, message)
        try:
            public.verify(signature, message, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    wrong, total = disagreements("ecdsa_secp256r1_sha256", accepts)
    assert (wrong, total) == ([], 484)


def test_ed25519_with_our_key_class_fault_E16():
    def accepts(group, test):
        try:
            DeviceVerifyingKey.from_bytes(decode_b64u(group["publicKeyJwk"]["x"])).verify(
                *unhex(test, "sig", "msg")
            )
        except (SignatureError, MalformedError):
            return False
        return True

    wrong, total = disagreements("ed25519", accepts)
    assert (wrong, total) == ([], 151)


def test_aes_gcm():
    def accepts(group, test):
        if group["ivSize"] != 96 or group["tagSize"] != 128:
            return test["result"] == "valid"  # nonces of ours have 96 bits, tags 128
        key, nonce, aad, plaintext, ciphertext, tag = unhex(test, "key", "iv", "aad", "msg", "ct", "tag")
        try:
            return AESGCM(key).decrypt(nonce, ciphertext + tag, aad) == plaintext
        except InvalidTag:
            return False

    wrong, total = disagreements("aes_gcm", accepts)
    assert (wrong, total) == ([], 316)


def test_hkdf_sha256():
    def accepts(_group, test):
        ikm, salt, info, okm = unhex(test, "ikm", "salt", "info", "okm")
        try:
            made = HKDF(algorithm=SHA256(), length=test["size"], salt=salt or None, info=info).derive(ikm)
        except ValueError:
            return False
        return made == okm

    wrong, total = disagreements("hkdf_sha256", accepts)
    assert (wrong, total) == ([], 86)


def test_hmac_sha256():
    def accepts(group, test):
        key, message, tag = unhex(test, "key", "msg", "tag")
        return hmac.digest(key, message, "sha256")[: group["tagSize"] // 8] == tag

    wrong, total = disagreements("hmac_sha256", accepts)
    assert (wrong, total) == ([], 174)


def test_mlkem768_decapsulation_and_keys_from_seeds():
    def accepts(_group, test):
        seed, ciphertext, shared = unhex(test, "seed", "c", "K")
        try:
            key = MLKEM768PrivateKey.from_seed_bytes(seed)
            found = key.decapsulate(ciphertext)
        except ValueError:
            return False
        return key.public_key().public_bytes_raw().hex() == test["ek"] and found == shared

    wrong, total = disagreements("mlkem_768", accepts)
    assert (wrong, total) == ([], 193)


def test_x25519_and_our_refusal_of_every_point_that_gives_nothing_fault_C18():
    """Where the shared secret is zero or the public value is not canonical, our parser has refused before."""
    refused = total = 0
    for _group, test in cases("x25519"):
        total += 1
        public, private, shared = unhex(test, "public", "private", "shared")
        try:
            SealingPublicKey.from_bytes(Suite.X25519, public)
        except MalformedError:
            refused += 1
            assert {"LowOrderPublic", "NonCanonicalPublic", "Twist", "ZeroSharedSecret"} & set(test["flags"])
            continue
        key = X25519PrivateKey.from_private_bytes(private)
        assert key.exchange(X25519PublicKey.from_public_bytes(public)) == shared != bytes(32)
    assert total == 518
    assert refused >= 30


def opens_with_joserfc(private: dict[str, Any], text: str) -> bytes | None:
    algorithms = joserfc_jwe.JWERegistry.algorithms
    names = {*algorithms["alg"], *algorithms["enc"]} - {"RSA1_5"}  # nothing of ours ever allows that one
    registry = joserfc_jwe.JWERegistry(algorithms=sorted(names))
    try:
        return joserfc_jwe.decrypt_compact(text, import_key(private), registry=registry).plaintext
    except (JoseError, ValueError, TypeError):
        return None


def test_our_jwe_opens_nothing_of_the_published_set_fault_E16():
    """None of them has our header, so every one of them must be refused, even if it is valid elsewhere."""
    total = 0
    for group, test in cases("json_web_encryption"):
        total += 1
        key = Secret(hashlib.sha256(json.dumps(group["private"]).encode()).digest())
        if "k" in group["private"] and len(decode_b64u(group["private"]["k"])) == 32:
            key = Secret(decode_b64u(group["private"]["k"]))
        kid = group["private"].get("kid", "a")
        with pytest.raises(UnsealError):
            decode_jwe(test["jwe"], key, kid=kid if "@" not in kid else "a", typ="JWE", max_size=1 << 20)
        with pytest.raises(MalformedError):
            read_jwe_kid(test["jwe"], typ="JWE")
    assert total == 139


def test_joserfc_as_the_verifier_of_foreign_jwe():
    """What our codec does not read, joserfc does; it opens no invalid one under the key's algorithm."""
    opened_invalid, total = [], 0
    for group, test in cases("json_web_encryption"):
        total += 1
        try:
            header = decode_json(decode_b64u(test["jwe"].partition(".")[0]))
        except MalformedError:
            header = {}
        if test["result"] == "invalid" and header.get("alg") == group["private"].get("alg"):
            plaintext = opens_with_joserfc(group["private"], test["jwe"])
            if plaintext is not None:
                opened_invalid.append((test["tcId"], test["comment"]))
    assert total == 139
    assert opened_invalid == []
