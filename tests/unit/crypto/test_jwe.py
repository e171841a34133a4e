"""The one form of JWE that we write and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe as joserfc_jwe
from joserfc.jwk import OctKey

from watchword.core.encoding import encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.jwe import decode_jwe, encode_jwe, encode_jwe_with_nonce, read_jwe_kid
from watchword.errors import MalformedError, UnsealError
from watchword.testing import SeededEntropy

KEY = Secret(bytes(range(32)))
KID, TYP = "reply:a-1", "watchword-login+jwe"
JOSERFC_KEY = OctKey.import_key(KEY.reveal())
ALGORITHMS = ["dir", "A256GCM"]


def encode(plaintext: bytes = b"hello", *, kid: str = KID, typ: str = TYP) -> str:
    return encode_jwe(plaintext, KEY, kid=kid, typ=typ, entropy=SeededEntropy("jwe"))


def decode(text: str, *, key: Secret = KEY, kid: str = KID, typ: str = TYP, max_size: int = 4096) -> bytes:
    return decode_jwe(text, key, kid=kid, typ=typ, max_size=max_size)


def refused(text: str) -> None:
    """Assert that it does not open, and that the error says nothing."""
    with pytest.raises(UnsealError) as caught:
        decode(text)
    assert caught.value.args == ()
    assert caught.value.__cause__ is None


@given(plaintext=st.binary(max_size=300))
def test_what_is_sealed_opens(plaintext):
    assert decode(encode(plaintext)) == plaintext


def test_the_header_is_exactly_as_documented():
    expected = b'{"alg":"dir","enc":"A256GCM","kid":"reply:a-1","typ":"watchword-login+jwe"}'
    parts = encode().split(".")
    assert parts[0] == encode_b64u(expected)
    assert parts[1] == ""
    assert [len(part) for part in parts[2:]] == [16, 7, 22]


def test_joserfc_opens_ours():
    found = joserfc_jwe.decrypt_compact(encode(), JOSERFC_KEY, algorithms=ALGORITHMS)
    assert found.plaintext == b"hello"
    assert found.protected == {"alg": "dir", "enc": "A256GCM", "kid": KID, "typ": TYP}


def test_we_open_joserfcs_with_our_header():
    header = {"alg": "dir", "enc": "A256GCM", "kid": KID, "typ": TYP}
    text = joserfc_jwe.encrypt_compact(header, b"hello", JOSERFC_KEY, algorithms=ALGORITHMS)
    assert decode(text) == b"hello"
    assert read_jwe_kid(text, typ=TYP) == KID


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "dir", "enc": "A256GCM", "typ": TYP, "kid": KID},
        {"alg": "dir", "enc": "A256GCM", "kid": KID},
        {"alg": "dir", "enc": "A256GCM", "kid": KID, "typ": TYP, "cty": "JWT"},
        {"alg": "dir", "enc": "A256GCM", "kid": KID, "typ": TYP, "zip": "DEF"},
        {"alg": "dir", "enc": "A256GCM", "kid": "other", "typ": TYP},
        {"alg": "dir", "enc": "A256GCM", "kid": KID, "typ": "other"},
        {"alg": "A256GCMKW", "enc": "A256GCM", "kid": KID, "typ": TYP},
    ],
    ids=["order", "no typ", "cty", "zip", "kid", "typ", "alg"],
)
def test_a_good_jwe_with_any_other_header_is_refused(header):
    names = ["dir", "A256GCM", "A256GCMKW", "DEF"]
    text = joserfc_jwe.encrypt_compact(header, b"hello", JOSERFC_KEY, algorithms=names)
    refused(text)


def test_every_single_bit_flip_and_every_truncation_is_refused_fault_C16():
    text = encode(b"ab")
    for position in range(len(text)):
        for bit in range(8):
            flipped = chr(ord(text[position]) ^ 1 << bit)
            refused(text[:position] + flipped + text[position + 1 :])
        refused(text[:position])
        refused(text[position + 1 :])
    assert decode(text) == b"ab"


def test_other_spellings_of_the_same_parts_are_refused_fault_C16():
    header, _, nonce, ciphertext, tag = encode(b"ab").split(".")
    for text in (
        f"{header}..{nonce}.{ciphertext}.{tag}=",
        f"{header}..{nonce}.{ciphertext}=.{tag}",
        f" {header}..{nonce}.{ciphertext}.{tag}",
        f"{header}..{nonce}.{ciphertext}.{tag}\n",
        f"{header}.{nonce}.{nonce}.{ciphertext}.{tag}",
        f"{header}..{nonce}.{ciphertext}.{tag}.",
        f"{header}..{nonce}.{ciphertext}",
        f"{header}..{nonce}AA.{ciphertext}.{tag}",
        f"{header}..{nonce[:-2]}.{ciphertext}.{tag}",
        f"{header}..{nonce}.{ciphertext}.{tag[:-6]}",
        f"{header}...{ciphertext}.{tag}",
        f"{header}..{nonce}.{ciphertext}.",
        "....",
        "",
        "é" * 100,
    ):
        refused(text)


def test_moving_the_boundary_between_ciphertext_and_tag_is_refused_fault_C16():
    header, _, nonce, ciphertext, tag = encode(b"abc").split(".")
    refused(f"{header}..{nonce}.{ciphertext + tag[:4]}.{tag[4:]}")
    refused(f"{header}..{nonce}..{ciphertext + tag}")


def test_another_key_does_not_open():
    with pytest.raises(UnsealError):
        decode(encode(), key=Secret(bytes(32)))


def test_the_size_bound_counts_the_whole_text_fault_C2():
    text = encode(bytes(100))
    assert decode(text, max_size=len(text)) == bytes(100)
    with pytest.raises(UnsealError):
        decode(text, max_size=len(text) - 1)


@pytest.mark.parametrize("kid", ["", "a" * 65, "a b", 'a"', "a/b", "../x", "a\n", "é", "a\0"])
def test_a_kid_outside_the_alphabet_is_refused(kid):
    with pytest.raises(MalformedError):
        encode(kid=kid)
    header = encode_b64u(f'{{"alg":"dir","enc":"A256GCM","kid":"{kid}","typ":"{TYP}"}}'.encode())
    with pytest.raises(MalformedError):
        read_jwe_kid(header + "....", typ=TYP)


@pytest.mark.parametrize("typ", ["", "a" * 65, 'a"', "a\\", "a\n"])
def test_a_typ_outside_the_alphabet_is_refused(typ):
    with pytest.raises(MalformedError):
        encode(typ=typ)


@pytest.mark.parametrize("size", [0, 16, 24, 31, 33])
def test_only_keys_of_32_bytes_are_taken(size):
    key = Secret(bytes(size))
    with pytest.raises(MalformedError):
        encode_jwe(b"", key, kid=KID, typ=TYP, entropy=SeededEntropy())
    with pytest.raises(UnsealError):
        decode(encode(), key=key)


def test_the_kid_is_read_back_at_every_length():
    for kid in ("a", "a" * 64, "A-Z_0.9:x"):
        assert read_jwe_kid(encode(kid=kid, typ="t" * 64), typ="t" * 64) == kid


@pytest.mark.parametrize("text", ["", "....", "e30....", "bnVsbA....", "W10....", "a" * 100_000, "é"])
def test_reading_the_kid_of_junk_is_malformed(text):
    with pytest.raises(MalformedError):
        read_jwe_kid(text, typ=TYP)


def test_the_kid_of_another_type_is_not_read():
    with pytest.raises(MalformedError):
        read_jwe_kid(encode(), typ="other")


@given(junk=st.text(max_size=200))
def test_junk_raises_the_documented_errors_only(junk):
    with pytest.raises(UnsealError):
        decode(junk)
    with pytest.raises(MalformedError):
        read_jwe_kid(junk, typ=TYP)


def test_a_given_nonce_gives_the_same_text():
    one, other = (encode_jwe_with_nonce(b"x", KEY, kid=KID, typ=TYP, nonce=bytes(12)) for _ in range(2))
    assert one == other
    assert decode(one) == b"x"


def test_two_calls_use_two_nonces():
    entropy = SeededEntropy()
    texts = {encode_jwe(b"x", KEY, kid=KID, typ=TYP, entropy=entropy) for _ in range(50)}
    assert len({text.split(".")[2] for text in texts}) == 50
