"""RFC 7515 A.3, RFC 7638, RFC 8037 A.4."""

import hashlib
import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from watchword.core.encoding import decode_b64u, encode_b64u, encode_canonical_json
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey, DeviceVerifyingKey
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import SignatureError

VECTORS = json.loads((Path(__file__).parent / "jose" / "jose.json").read_text())


def test_rfc7515_a3_verifies_and_one_changed_byte_does_not():
    vector = VECTORS["rfc7515_a3"]
    key = TokenVerifyingKey.from_jwk(vector["jwk"])
    signature, message = decode_b64u(vector["signature"]), vector["signing_input"].encode()
    key.verify(signature, message)
    with pytest.raises(SignatureError):
        key.verify(signature, message[:-1] + b"R")


def test_rfc7638_thumbprint_of_the_published_key():
    vector = VECTORS["rfc7638_3_1"]
    digest = hashlib.sha256(encode_canonical_json(vector["members"])).digest()
    assert encode_b64u(digest) == vector["thumbprint"]


def test_our_thumbprint_is_the_other_librarys():
    key = TokenSigningKey.generate()
    assert key.kid == key.public.thumbprint() == ECKey.import_key(dict(key.public.to_jwk())).thumbprint()


def test_rfc8037_a4_signs_to_the_published_signature():
    vector = VECTORS["rfc8037_a4"]
    key = DeviceSigningKey.from_seed(Secret(decode_b64u(vector["d"])))
    message, signature = vector["signing_input"].encode(), decode_b64u(vector["signature"])
    assert key.public.to_bytes() == decode_b64u(vector["x"])
    assert key.sign(message) == signature
    DeviceVerifyingKey.from_bytes(decode_b64u(vector["x"])).verify(signature, message)
