"""`verify_key_document`, step by step: each test breaks its step and no other."""

import base64
import dataclasses
import hashlib
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.clock import DAY, SECOND, Instant
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.core.secret import Secret
from watchword.crypto.authority import ROOT_LIFE, YEAR, Authority, Issued
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.signing import TokenSigningKey
from watchword.errors import MalformedError, NotTrustedError, SignatureError, TooLargeError, WatchwordError
from watchword.protocol.keydocument import (
    MAX_DOCUMENT_SIZE,
    KeyDocument,
    PublishedSealingKey,
    build_key_document,
    format_fingerprint,
    parse_fingerprint,
    read_unverified_root,
    root_fingerprint,
    verify_key_document,
)
from watchword.testing import SeededEntropy

NOW = Instant(1_800_000_000_000)
AUTHORITY = Authority.create(NOW, SeededEntropy(1))
STRANGER = Authority.create(NOW, SeededEntropy(2))
SIGNER = AUTHORITY.issue_document_signer(NOW)
AUTHORITY_KEY = cast("ec.EllipticCurvePrivateKey", load_der_private_key(AUTHORITY.root.key.reveal(), None))
PIN = root_fingerprint(AUTHORITY.root.certificate)
SIGNING = TokenSigningKey.generate()
DOCUMENT = KeyDocument(
    issuer="https://id.example.org",
    number=7,
    issued_at=NOW,
    expires_at=Instant(NOW + 30 * DAY),
    sealing=tuple(
        PublishedSealingKey(
            kid=f"s{place}",
            key=SealingPrivateKey.generate(suite, SeededEntropy(place)).public,
            is_current=place < 2,
        )
        for place, suite in enumerate([Suite.HYBRID, Suite.X25519, Suite.HYBRID])
    ),
    signing=(SIGNING.public,),
)


def _verify(text: str, *, pin: bytes = PIN, now: Instant = NOW, at_least: int = 7) -> KeyDocument:
    return verify_key_document(text, pin=pin, now=now, at_least=at_least)


def _build(
    document: KeyDocument = DOCUMENT,
    signer: Issued = SIGNER,
    root: x509.Certificate = AUTHORITY.root.certificate,
) -> str:
    return build_key_document(document, signer=signer, root=root)


def _parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = text.split(".")
    return decode_json(decode_b64u(header)), decode_json(decode_b64u(payload))


def _forge(
    header: dict[str, Any] | None = None,
    payload: dict[str, Any] | None = None,
    *,
    raw_payload: bytes | None = None,
    signer: Issued = SIGNER,
) -> str:
    """A document signed by the real signer whose header or payload is what the test wants."""
    good_header, good_payload = _parts(_build())
    first = encode_b64u(encode_json({**good_header, **(header or {})}))
    second = encode_b64u(raw_payload or encode_json({**good_payload, **(payload or {})}))
    return f"{first}.{second}.{encode_b64u(signer.sign(f'{first}.{second}'.encode()))}"


def test_a_document_says_what_was_built():
    found = _verify(_build())
    assert (found.issuer, found.number, found.issued_at, found.expires_at) == (
        DOCUMENT.issuer,
        7,
        NOW,
        DOCUMENT.expires_at,
    )
    assert found.sealing == DOCUMENT.sealing
    assert [key.to_jwk() for key in found.signing] == [SIGNING.public.to_jwk()]
    assert found.current_sealing(Suite.HYBRID) == DOCUMENT.sealing[0]
    assert found.current_sealing(Suite.X25519) == DOCUMENT.sealing[1]


def test_a_suite_without_a_current_key_is_none():
    found = _verify(_build(dataclasses.replace(DOCUMENT, sealing=DOCUMENT.sealing[2:])))
    assert found.current_sealing(Suite.HYBRID) is None


def test_step_1_a_document_over_the_size_is_too_large():
    with pytest.raises(TooLargeError):
        _verify(_build() + "A" * MAX_DOCUMENT_SIZE)
    with pytest.raises(TooLargeError):
        read_unverified_root("A" * (MAX_DOCUMENT_SIZE + 1))


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "es256"},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"kid": "x"},
        {"crit": ["exp"]},
        {"jku": "https://evil.example"},
        {"x5c": []},
        {"x5c": "AA=="},
        {"x5c": [1, 2]},
        {"x5c": ["AA==", "AA=="]},
    ],
)
def test_step_2_the_header_is_exactly_ours(change):
    with pytest.raises(MalformedError):
        _verify(_forge(change))


@pytest.mark.parametrize("length", [1, 3])
def test_step_2_the_chain_is_signer_and_root(length):
    chain = _parts(_build())[0]["x5c"]
    with pytest.raises(MalformedError):
        _verify(_forge({"x5c": (chain * 2)[:length]}))


def test_step_2_a_certificate_has_one_spelling():
    chain = _parts(_build())[0]["x5c"]
    for spoiled in (chain[0] + "\n", chain[0].replace("A", "-", 1), "=" + chain[0]):
        with pytest.raises(MalformedError):
            _verify(_forge({"x5c": [spoiled, chain[1]]}))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b", "a.b.c.d", "....", "e30.e30.", "{}.{}.{}", "é.é.é"])
def test_step_2_other_text_is_malformed(text):
    with pytest.raises(MalformedError):
        _verify(text)


def test_fault_E13_a_json_serialisation_is_malformed():
    header, payload, signature = _build().split(".")
    flat = {"payload": payload, "protected": header, "signature": signature}
    with pytest.raises(MalformedError):
        _verify(encode_json(flat).decode())


def test_step_3_another_root_is_not_trusted():
    foreign = _build(signer=STRANGER.issue_document_signer(NOW), root=STRANGER.root.certificate)
    with pytest.raises(NotTrustedError, match="authority that we know"):
        _verify(foreign)


def test_step_3_a_root_beyond_its_end_is_not_trusted():
    with pytest.raises(NotTrustedError, match="not valid now"):
        _verify(_build(), now=Instant(NOW + ROOT_LIFE + 2 * DAY))


def test_step_3_a_pinned_certificate_that_is_no_authority_is_not_trusted():
    leaf_pin = root_fingerprint(SIGNER.certificate)
    with pytest.raises(NotTrustedError):
        _verify(_build(root=SIGNER.certificate), pin=leaf_pin)


def test_step_4_a_signer_of_another_root_is_not_trusted():
    with pytest.raises(NotTrustedError, match="issued by"):
        _verify(_build(signer=STRANGER.issue_document_signer(NOW)))


def test_step_4_a_signer_under_the_intermediate_is_not_trusted():
    under = Authority(
        root=AUTHORITY.intermediate, intermediate=AUTHORITY.intermediate, entropy=SeededEntropy(3)
    )
    with pytest.raises(NotTrustedError, match="issued by"):
        _verify(_build(signer=under.issue_document_signer(NOW)))


def test_step_4_a_certificate_of_another_use_is_no_signer():
    direct = Authority(root=AUTHORITY.root, intermediate=AUTHORITY.root, entropy=SeededEntropy(3))
    server = direct.issue_server(["localhost"], NOW)
    with pytest.raises(NotTrustedError, match="other extensions"):
        _verify(_build(signer=server))


@pytest.mark.parametrize("issuer", [AUTHORITY.intermediate, AUTHORITY.root])
def test_step_4_an_authority_is_no_signer(issuer):
    with pytest.raises(NotTrustedError):
        _verify(_build(signer=issuer))


def _crafted(
    names: list[x509.GeneralName],
    *,
    ca: bool = False,
    signs: bool = True,
    period: tuple[int, int] = (NOW, NOW + DAY),
) -> Issued:
    """A certificate that the real root signed, with exactly the extensions of a document signer."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = AUTHORITY.root.certificate
    unused = "content_commitment key_encipherment data_encipherment key_agreement crl_sign encipher_only"
    usage = dict.fromkeys([*unused.split(), "decipher_only"], False)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=ca, path_length=None), True),
        (x509.KeyUsage(digital_signature=signs, key_cert_sign=ca, **usage), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(AUTHORITY_KEY.public_key()), False),
        (x509.SubjectAlternativeName(names), False),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "crafted")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(period[0] // 1000, UTC))
        .not_valid_after(datetime.fromtimestamp(period[1] // 1000, UTC))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(AUTHORITY_KEY, SHA256())
    return Issued(
        chain=(certificate,), key=Secret(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    )


DOCUMENT_NAME = x509.UniformResourceIdentifier("urn:watchword:key-document")


def test_step_4_what_the_crafted_ones_vary_is_accepted_unvaried():
    assert _verify(_build(signer=_crafted([DOCUMENT_NAME]))).number == 7


@pytest.mark.parametrize(
    "names",
    [
        [x509.UniformResourceIdentifier("urn:watchword:key-documents")],
        [x509.UniformResourceIdentifier("URN:watchword:key-document")],
        [x509.DNSName("urn:watchword:key-document")],
        [DOCUMENT_NAME, x509.DNSName("localhost")],
        [DOCUMENT_NAME, DOCUMENT_NAME],
    ],
)
def test_step_4_the_signers_name_is_exactly_ours(names):
    with pytest.raises(NotTrustedError, match="another use"):
        _verify(_build(signer=_crafted(names)))


@pytest.mark.parametrize(("ca", "signs"), [(True, True), (True, False), (False, False)])
def test_step_4_the_signer_is_a_leaf_that_may_sign(ca, signs):
    with pytest.raises(NotTrustedError, match="another kind"):
        _verify(_build(signer=_crafted([DOCUMENT_NAME], ca=ca, signs=signs)))


def test_step_3_the_root_has_a_time_of_its_own():
    late = Instant(NOW + ROOT_LIFE + 2 * DAY)
    signer = _crafted([DOCUMENT_NAME], period=(late - DAY, late + DAY))
    document = dataclasses.replace(DOCUMENT, issued_at=late, expires_at=Instant(late + DAY))
    with pytest.raises(NotTrustedError, match="not valid now"):
        _verify(_build(document, signer=signer), now=late)


def test_step_4_a_signer_is_believed_in_its_time_with_a_minute_of_skew():
    late = SIGNER.ends_at
    document = dataclasses.replace(DOCUMENT, expires_at=Instant(late + DAY))
    assert _verify(_build(document), now=Instant(late + 60 * SECOND - 1)).number == 7
    with pytest.raises(NotTrustedError, match="certificate is not valid now"):
        _verify(_build(document), now=Instant(late + 60 * SECOND))


def test_step_4_a_signer_before_its_start_is_not_trusted():
    later = AUTHORITY.issue_document_signer(Instant(NOW + YEAR))
    with pytest.raises(NotTrustedError, match="certificate is not valid now"):
        _verify(_build(signer=later))


def test_step_5_a_changed_payload_is_not_signed():
    header, _, signature = _build().split(".")
    other = encode_b64u(encode_json({**_parts(_build())[1], "number": 8}))
    with pytest.raises(SignatureError):
        _verify(f"{header}.{other}.{signature}")


def test_step_5_a_changed_header_is_not_signed():
    header, payload, signature = _build().split(".")
    members = decode_json(decode_b64u(header))
    reordered = encode_b64u(encode_json(dict(reversed(members.items()))))
    with pytest.raises(SignatureError):
        _verify(f"{reordered}.{payload}.{signature}")


@pytest.mark.parametrize(
    "signature", [b"", bytes(64), b"\xff" * 64, bytes(63), bytes(65), b"\x30\x06\x02\x01\x01\x02\x01\x01"]
)
def test_step_5_a_signature_of_another_form_is_refused(signature):
    signed = _build().rpartition(".")[0]
    with pytest.raises(SignatureError):
        _verify(f"{signed}.{encode_b64u(signature)}")


def test_step_5_the_signature_of_another_signer_is_refused():
    with pytest.raises(SignatureError):
        _verify(_forge(signer=AUTHORITY.issue_document_signer(NOW)))


JWK = SIGNING.public.to_jwk()
SEALING = {
    "kid": "s",
    "suite": "X25519",
    "public": encode_b64u(DOCUMENT.sealing[1].key.to_bytes()),
    "state": "current",
}


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"v": 2},
        {"v": True},
        {"iss": ""},
        {"iss": 5},
        {"iss": "a" * 256},
        {"number": 0},
        {"number": -1},
        {"number": "7"},
        {"number": True},
        {"number": 1 << 53},
        {"issued_at": None},
        {"expires_at": 0},
        {"min_version": None},
        {"sealing": []},
        {"sealing": [SEALING] * 2},
        {"sealing": {}},
        {"sealing": [1]},
        {"sealing": [{**SEALING, "kid": "../etc/passwd"}]},
        {"sealing": [{**SEALING, "kid": ""}]},
        {"sealing": [{**SEALING, "suite": "P-256"}]},
        {"sealing": [{**SEALING, "state": "gone"}]},
        {"sealing": [{**SEALING, "public": encode_b64u(bytes(32))}]},
        {"sealing": [{**SEALING, "public": 5}]},
        {"sealing": [{**SEALING, "seed": "AA"}]},
        {"sealing": [{**SEALING, "kid": f"s{place}"} for place in range(17)]},
        {"jwks": []},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [JWK], "more": 1}},
        {"jwks": {"keys": [JWK, JWK]}},
    ],
)
def test_step_6_the_payload_is_exactly_ours(change):
    with pytest.raises(MalformedError):
        _verify(_forge(payload=change))


def test_step_6_a_missing_member_is_refused():
    payload = _parts(_build())[1]
    for name in payload:
        without = encode_json({other: value for other, value in payload.items() if other != name})
        with pytest.raises(MalformedError):
            _verify(_forge(raw_payload=without))


@pytest.mark.parametrize(
    "jwk",
    [
        {**JWK, "d": "AA"},
        {**JWK, "k": "AA"},
        {**JWK, "p": "AA"},
        {"kty": "oct", "k": "AA"},
        {**JWK, "alg": "none"},
    ],
)
def test_fault_E32_a_private_or_symmetric_key_is_never_taken(jwk):
    with pytest.raises(MalformedError):
        _verify(_forge(payload={"jwks": {"keys": [jwk]}}))


def test_step_7_the_document_has_a_time_with_a_minute_of_skew():
    assert _verify(_build(), now=Instant(DOCUMENT.expires_at + 60 * SECOND - 1)).number == 7
    with pytest.raises(NotTrustedError, match="document is not valid now"):
        _verify(_build(), now=Instant(DOCUMENT.expires_at + 60 * SECOND))
    future = dataclasses.replace(DOCUMENT, issued_at=Instant(NOW + 60 * SECOND))
    assert _verify(_build(future)).number == 7
    with pytest.raises(NotTrustedError, match="document is not valid now"):
        _verify(_build(dataclasses.replace(DOCUMENT, issued_at=Instant(NOW + 61 * SECOND))))


def test_step_8_a_lower_number_than_the_last_seen_is_refused():
    assert _verify(_build(), at_least=0).number == 7
    with pytest.raises(NotTrustedError, match="older than one"):
        _verify(_build(), at_least=8)


def test_the_unverified_root_is_the_one_in_the_header():
    assert read_unverified_root(_build()) == AUTHORITY.root.certificate


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_give_one_of_our_errors(header, payload):
    text = f"{encode_b64u(header)}.{encode_b64u(payload)}.AAAA"
    with pytest.raises(MalformedError):
        _verify(text)


@given(st.data())
def test_a_changed_character_anywhere_is_never_accepted(data):
    text = TEXT
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("AZaz09-_.=+ "))
    if other != text[place]:
        with pytest.raises(WatchwordError):
            _verify(text[:place] + other + text[place + 1 :])


TEXT = _build()


def test_the_header_holds_the_chain_in_plain_base64():
    chain = _parts(TEXT)[0]["x5c"]
    expected = [SIGNER.certificate, AUTHORITY.root.certificate]
    assert [base64.b64decode(entry) for entry in chain] == [
        each.public_bytes(Encoding.DER) for each in expected
    ]


def test_the_fingerprint_is_of_the_public_key_and_survives_people():
    spki = AUTHORITY.root.certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    assert hashlib.sha256(spki).digest() == PIN
    text = format_fingerprint(PIN)
    assert text.startswith("SHA256:")
    assert [len(group) for group in text[7:].split("-")] == [4] * 13
    for spelling in (
        text,
        text.upper(),
        text[7:],
        text.replace("-", " "),
        f" {text}\n",
        PIN.hex(),
        PIN.hex(":").upper(),
    ):
        assert parse_fingerprint(spelling) == PIN


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_reads_back(value):
    assert parse_fingerprint(format_fingerprint(value)) == value


@given(st.text(max_size=80))
def test_other_text_is_no_fingerprint(text):
    try:
        assert len(parse_fingerprint(text)) == 32
    except MalformedError:
        return


def test_a_fingerprint_with_another_last_digit_is_refused():
    text = format_fingerprint(PIN)
    spoiled = [text[:-1] + digit for digit in "abcdefghijklmnopqrstuvwxyz234567" if digit != text[-1]]
    accepted = [each for each in spoiled if _parses(each)]
    assert len(accepted) == 1  # the last digit carries one bit
    assert all(parse_fingerprint(each) != PIN for each in accepted)


def _parses(text: str) -> bool:
    try:
        parse_fingerprint(text)
    except MalformedError:
        return False
    return True
