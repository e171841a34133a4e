"""HPKE against RFC 9180's published vectors, and our hybrid against those of draft-ietf-hpke-pq."""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke as pyca
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import UnsealError

HERE = Path(__file__).parent
RFC9180 = json.loads((HERE / "rfc9180" / "x25519-hkdf-sha256-aes-256-gcm.json").read_text())
XWING = json.loads((HERE / "xwing" / "hpke-pq-0x647a.json").read_text())
CASES = [
    pytest.param(Suite.X25519, RFC9180, id="rfc9180"),
    pytest.param(Suite.HYBRID, XWING, id="xwing"),
]
AEADS = {2: pyca.AEAD.AES_256_GCM, 3: pyca.AEAD.CHACHA20_POLY1305}
KEMS = {Suite.X25519: pyca.KEM.X25519, Suite.HYBRID: pyca.KEM.MLKEM768_X25519}


def unhex(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def private_key(suite: Suite, vector: dict[str, Any]) -> SealingPrivateKey:
    return SealingPrivateKey.from_seed(suite, Secret(unhex(vector, "skRm")))


def key_schedule(vector: dict[str, Any], aead_id: int) -> tuple[bytes, bytes]:
    """Key and base nonce from the vector's shared secret: RFC 9180, section 5.1, mode base, written out."""
    suite_id = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (vector["kem_id"], vector["kdf_id"], aead_id))

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + ikm, "sha256")

    def expand(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
        info = size.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + context
        return hmac.digest(secret, info + b"\x01", "sha256")[:size]

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", unhex(vector, "info"))
    secret = extract(unhex(vector, "shared_secret"), b"secret", b"")
    return expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)


@pytest.mark.parametrize(("suite", "vector"), CASES)
def test_the_published_private_key_has_the_published_public_key(suite, vector):
    assert private_key(suite, vector).public.to_bytes() == unhex(vector, "pkRm")


@pytest.mark.parametrize(("suite", "vector"), CASES)
def test_the_published_encryption_opens_with_our_private_key(suite, vector):
    first = vector["encryptions"][0]
    bare = pyca.Suite(KEMS[suite], pyca.KDF.HKDF_SHA256, AEADS[vector["aead_id"]])
    opened = openssl.hpke._decrypt_with_aad(
        bare,
        unhex(vector, "enc") + unhex(first, "ct"),
        private_key(suite, vector)._key,
        info=unhex(vector, "info"),
        aad=unhex(first, "aad"),
    )
    assert opened == unhex(first, "pt")


@pytest.mark.parametrize("vector", [RFC9180, XWING], ids=["rfc9180", "xwing"])
def test_the_key_schedule_written_out_here_gives_the_published_key(vector):
    assert key_schedule(vector, vector["aead_id"]) == (unhex(vector, "key"), unhex(vector, "base_nonce"))


@pytest.mark.parametrize(("suite", "vector"), CASES)
def test_what_is_sealed_under_the_published_secret_opens_with_the_wrapper(suite, vector):
    """The published vectors have associated data, our form has none: so seal by hand, open with ours."""
    key, nonce = key_schedule(vector, 2)
    sealed = unhex(vector, "enc") + AESGCM(key).encrypt(nonce, b"Beauty is truth", None)
    assert private_key(suite, vector).open(sealed, info=unhex(vector, "info")) == b"Beauty is truth"
    with pytest.raises(UnsealError):
        private_key(suite, vector).open(sealed, info=unhex(vector, "info") + b"\0")
