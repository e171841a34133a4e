"""ES256 keys and signatures."""

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import MalformedError, SignatureError

KEY = TokenSigningKey.generate()
JWK = KEY.public.to_jwk()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1


def refused(signature: bytes, message: bytes = b"m") -> None:
    with pytest.raises(SignatureError) as caught:
        KEY.public.verify(signature, message)
    assert caught.value.args == ()
    assert caught.value.__cause__ is None


def b64u32(number: int) -> str:
    return encode_b64u(number.to_bytes(32, "big"))


@given(message=st.binary(max_size=500))
def test_a_signature_verifies_and_has_64_bytes(message):
    signature = KEY.sign(message)
    assert len(signature) == 64
    KEY.public.verify(signature, message)


def test_joserfc_verifies_ours_and_we_verify_joserfcs():
    private = ECKey.import_key(KEY.to_private_bytes().reveal())
    text = jws.serialize_compact({"alg": "ES256"}, b"payload", private, algorithms=["ES256"])
    signing_input, _, signature = text.rpartition(".")
    KEY.public.verify(decode_b64u(signature), signing_input.encode())
    ours = f"{signing_input}.{encode_b64u(KEY.sign(signing_input.encode()))}"
    assert jws.deserialize_compact(ours, private, algorithms=["ES256"]).payload == b"payload"


def test_every_single_bit_flip_of_signature_and_message_is_refused():
    message = b"ab"
    signature = KEY.sign(message)
    for position in range(len(signature) * 8):
        flipped = bytearray(signature)
        flipped[position // 8] ^= 1 << (position % 8)
        refused(bytes(flipped), message)
    for position in range(len(message) * 8):
        changed = bytearray(message)
        changed[position // 8] ^= 1 << (position % 8)
        refused(signature, bytes(changed))


@pytest.mark.parametrize("r", [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1])
def test_r_and_s_at_the_edges_are_refused_fault_E16(r, s):
    refused(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_r_or_s_plus_the_order_is_refused_where_it_fits_fault_E16():
    signature = KEY.sign(b"m")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    fitting = [pair for pair in ((r + ORDER, s), (r, s + ORDER)) if max(pair) < 2**256]
    for one, other in fitting:
        refused(one.to_bytes(32, "big") + other.to_bytes(32, "big"))
    refused(bytes(32) + signature[32:])
    refused(signature[:32] + bytes(32))


def test_other_lengths_and_der_are_refused_fault_E16():
    signature = KEY.sign(b"m")
    private = ec.generate_private_key(ec.SECP256R1())
    for wrong in (b"", signature[:63], signature + b"\0", b"\0" + signature, signature * 2):
        refused(wrong)
    der = private.sign(b"m", ec.ECDSA(SHA256()))
    with pytest.raises(SignatureError):
        TokenVerifyingKey(private.public_key()).verify(der, b"m")


def test_another_key_does_not_verify():
    with pytest.raises(SignatureError):
        TokenSigningKey.generate().public.verify(KEY.sign(b"m"), b"m")


def test_a_private_key_survives_its_bytes_and_does_not_show_them():
    again = TokenSigningKey.from_private_bytes(KEY.to_private_bytes())
    assert again.kid == KEY.kid == KEY.public.kid
    KEY.public.verify(again.sign(b"m"), b"m")
    assert KEY.to_private_bytes().reveal().hex() not in repr(KEY) + repr(KEY.to_private_bytes())


def test_only_p256_private_keys_are_read():
    form = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    p384, ed = ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()
    datas = [p384.private_bytes(*form), ed.private_bytes(*form)]
    whole = KEY.to_private_bytes().reveal()
    for data in (*datas, b"", b"junk", whole[:-1], whole + b"\0"):
        with pytest.raises(MalformedError):
            TokenSigningKey.from_private_bytes(Secret(data))


def test_the_public_jwk_has_these_members_and_nothing_private_fault_E32():
    assert set(JWK) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (JWK["kty"], JWK["crv"], JWK["alg"], JWK["use"]) == ("EC", "P-256", "ES256", "sig")
    assert b64u32(KEY._key.private_numbers().private_value) not in JWK.values()


def test_a_jwk_survives():
    again = TokenVerifyingKey.from_jwk(JWK)
    assert again.to_jwk() == JWK
    assert again.kid == again.thumbprint() == KEY.kid
    bare = TokenVerifyingKey.from_jwk({name: JWK[name] for name in ("kty", "crv", "x", "y")})
    assert bare.kid == KEY.kid
    named = TokenVerifyingKey.from_jwk({**JWK, "kid": "2026-1", "x5t": "ignored", "key_ops": ["verify"]})
    assert (named.kid, named.thumbprint()) == ("2026-1", KEY.kid)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_jwk_with_a_private_member_is_refused_fault_E32(member):
    with pytest.raises(MalformedError):
        TokenVerifyingKey.from_jwk({**JWK, member: b64u32(5)})


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA"},
        {"kty": "oct"},
        {"kty": None},
        {"kty": ["EC"]},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": None},
        {"use": "enc"},
        {"use": ""},
        {"use": ["sig"]},
        {"alg": "ES384"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": {}},
        {"key_ops": ["sign"]},
        {"key_ops": ["verify", "sign"]},
        {"key_ops": "verify"},
        {"kid": ""},
        {"kid": "a" * 65},
        {"kid": "../etc/passwd"},
        {"kid": "a\n"},
        {"kid": "' or 1=1"},
        {"kid": 7},
        {"kid": None},
        {"x": JWK["x"] + "="},
        {"x": JWK["x"][:-2]},
        {"x": JWK["x"] + "AA"},
        {"x": "AA" + JWK["x"]},
        {"x": 5},
        {"x": None},
        {"y": JWK["x"]},
        {"x": b64u32(0), "y": b64u32(0)},
        {"x": b64u32(FIELD), "y": b64u32(1)},
        {"x": b64u32(2**256 - 1)},
    ],
    ids=" ".join,  # not the values: they differ from process to process
)
def test_a_jwk_for_anything_else_is_refused_fault_E16(change):
    with pytest.raises(MalformedError):
        TokenVerifyingKey.from_jwk({**JWK, **change})


@pytest.mark.parametrize("missing", ["kty", "crv", "x", "y"])
def test_a_jwk_that_lacks_a_member_is_refused(missing):
    with pytest.raises(MalformedError):
        TokenVerifyingKey.from_jwk({name: value for name, value in JWK.items() if name != missing})


def test_a_key_of_another_curve_is_refused_by_the_class_itself():
    with pytest.raises(MalformedError):
        TokenVerifyingKey(ec.generate_private_key(ec.SECP384R1()).public_key())


def test_importing_it_needs_only_the_middlewares_dependency():
    slow = "cryptography.hazmat.primitives.serialization", "cryptography.hazmat.backends.openssl.backend"
    heavy = ("nacl", "bcrypt", "msgspec", "starlette", "apsw", "httpx", *slow)
    script = f"import sys, watchword.crypto.signing; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
