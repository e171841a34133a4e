"""HKDF-SHA-256: RFC 5869 against a formula written out here, and that formula against `kdf.derive`."""

import hmac
import json
from pathlib import Path

import pytest

from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive

VECTORS = json.loads((Path(__file__).parent / "rfc5869" / "hkdf-sha256.json").read_text())


def hkdf(ikm: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """RFC 5869, sections 2.2 and 2.3."""
    prk = hmac.digest(salt or bytes(32), ikm, "sha256")
    okm = block = b""
    for number in range(1, -(-size // 32) + 1):
        block = hmac.digest(prk, block + info + bytes((number,)), "sha256")
        okm += block
    return okm[:size]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_rfc5869_vector(vector):
    ikm, salt, info = (bytes.fromhex(vector[name]) for name in ("ikm", "salt", "info"))
    assert hkdf(ikm, salt, info, vector["size"]).hex() == vector["okm"]


@pytest.mark.parametrize("label", Label)
def test_derive_is_hkdf_with_the_label_a_zero_byte_and_the_context_as_info(label):
    key, salt, context = bytes(range(32)), b"salt", b"context"
    info = b"watchword/v1/" + label.value.encode() + b"\0" + context
    derived = derive(Secret(key), label, salt=salt, context=context, size=42)
    assert derived.reveal() == hkdf(key, salt, info, 42)
    assert derive(Secret(key), label).reveal() == hkdf(key, b"", info[: -len(context)], 32)
