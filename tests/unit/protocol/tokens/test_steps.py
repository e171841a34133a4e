"""One test for each step of docs/protocol/tokens.md that breaks this step alone, and the edges of the times."""

from pathlib import Path
from typing import Any

import pytest
from tests.kits.tokens import AUDIENCE, ISSUER, KEY, NOW, SECONDS, claims, header, payload, signed, token

from watchword.core.clock import Instant
from watchword.core.encoding import encode_b64u, encode_json
from watchword.core.ids import AccountId, DeviceId, SessionId
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import ErrorCode, UnauthenticatedError
from watchword.protocol.tokens import (
    MAX_LIFE_SECONDS,
    MAX_SKEW,
    MAX_TOKEN_SIZE,
    AccessClaims,
    Step,
    TokenError,
    UnverifiedToken,
    VerifiedClaims,
)
from watchword.testing import SeededEntropy


def verify(text: str, *, now: int = NOW, key: TokenVerifyingKey = KEY.public, **more: Any) -> VerifiedClaims:
    expected: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "now": Instant(now)} | more
    return UnverifiedToken.parse(text).verify(key, **expected)


def refused_at(step: Step, text: str, **more: Any) -> None:
    with pytest.raises(TokenError) as caught:
        verify(text, **more)
    assert caught.value.step is step, caught.value.step.name


def changed(**members: Any) -> str:
    return signed(body=payload() | members)


def without(name: str) -> str:
    return signed(body={member: value for member, value in payload().items() if member != name})


def test_a_good_token_gives_the_claims_that_were_issued():
    for issued in (claims(), claims(name="Ålice Ünal", email="a@b.example", scope=(), cnf={"jkt": "x" * 43})):
        verified = verify(token(cnf=issued.cnf, name=issued.name, email=issued.email, scope=issued.scope))
        for field in AccessClaims.__dataclass_fields__:
            assert getattr(verified, field) == getattr(issued, field), field


def test_the_header_is_exactly_the_profile():
    assert token().startswith(encode_b64u(encode_json(header())) + ".")


def test_an_unverified_token_has_a_key_id_and_no_claims():
    unverified = UnverifiedToken.parse(token())
    assert unverified.kid == KEY.kid
    assert not any(hasattr(unverified, name) for name in AccessClaims.__dataclass_fields__)
    assert not hasattr(unverified, "claims")


def test_step_1_size_is_at_most_8192_characters():
    fill = MAX_TOKEN_SIZE
    text = changed(filler="")
    while len(text) != MAX_TOKEN_SIZE:
        fill -= 1
        text = changed(filler="x" * fill)
    verify(text)
    refused_at(Step.SIZE, text + "A")
    refused_at(Step.SIZE, "A" * (1 << 20))


@pytest.mark.parametrize("change", ["", ".", "a.b", "{}.", ".{}", "{}.{}", "{}.a", "...", "a..b"])
def test_step_2_three_parts(change):
    refused_at(Step.PARTS, change.replace("{}", token()))


def test_step_3_base64url_has_one_spelling():
    head, body, signature = token().split(".")
    for part in range(3):
        for mark in ("=", "==", "+", "/", " ", "\n", "?", "\u00e9", "\u0410", "\ud800", "\0", "%41"):
            parts = [head, body, signature]
            parts[part] += mark
            refused_at(Step.BASE64URL, ".".join(parts))
    spare = signature[:-1] + chr(
        ord(signature[-1]) + 1
    )  # 64 bytes leave four spare bits in the last character
    refused_at(Step.BASE64URL, f"{head}.{body}.{spare}")


@pytest.mark.parametrize(
    "head",
    [
        b"", b"null", b"[]", b'"x"', b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"alg":"ES256","alg":"ES256"}', b'{"a":1.5}',
        b'{"a":NaN}', b'{"a":"\\ud800"}', b'{"a":' + b"[" * 100 + b"]" * 100 + b"}",
    ],
)  # fmt: skip
def test_step_4_the_header_is_one_strict_json_object(head):
    refused_at(Step.PARTS if head == b"" else Step.HEADER_JSON, signed(head))


@pytest.mark.parametrize(
    "extra", ["crit", "jwk", "jku", "x5u", "x5c", "x5t", "b64", "zip", "enc", "cty", "p2c", "ALG", "x"]
)
@pytest.mark.parametrize("value", [None, "", [], ["exp"], True, {}])
def test_step_5_no_other_header_member(extra, value):
    refused_at(Step.HEADER_MEMBERS, signed(header() | {extra: value}))


@pytest.mark.parametrize("missing", ["alg", "typ", "kid"])
def test_step_5_no_header_member_is_missing(missing):
    refused_at(
        Step.HEADER_MEMBERS, signed({name: value for name, value in header().items() if name != missing})
    )


@pytest.mark.parametrize(
    "alg",
    ["none", "", "es256", "ES256 ", "\u0395S256", "ES384", "HS256", "EdDSA", None, 1, ["ES256"], {}, True],
)
def test_step_6_the_algorithm_is_es256(alg):
    refused_at(Step.ALGORITHM, signed(header() | {"alg": alg}))


@pytest.mark.parametrize("typ", ["JWT", "AT+JWT", "application/at+jwt", "dpop+jwt", "", None, 1, ["at+jwt"]])
def test_step_7_the_type_is_at_jwt(typ):
    refused_at(Step.TYPE, signed(header() | {"typ": typ}))


@pytest.mark.parametrize(
    "kid", ["", "x" * 65, "../../dev/null", "a b", "a\n", "\0", "é", "a.b", "a:b", 1, None, ["a"], {}]
)
def test_step_8_the_key_id_has_a_fixed_alphabet(kid):
    refused_at(Step.KEY_ID, signed(header() | {"kid": kid}))


@pytest.mark.parametrize("size", [1, 63, 65, 70, 72, 128])
def test_step_9_the_signature_has_64_bytes(size):
    head, body, _ = token().split(".")
    refused_at(Step.SIGNATURE_FORM, f"{head}.{body}.{encode_b64u(b'x' * size)}")


def test_step_10_the_key_is_the_one_that_the_token_names():
    other = TokenVerifyingKey.from_jwk(KEY.public.to_jwk() | {"kid": "another"})
    refused_at(Step.KEY, token(), key=other)


def test_step_11_any_changed_byte_breaks_the_signature():
    good = token()
    head, body, signature = good.split(".")
    refused_at(Step.SIGNATURE, f"{head}.{encode_b64u(encode_json(payload() | {'level': 9}))}.{signature}")
    refused_at(Step.SIGNATURE, f"{head}.{body}.{encode_b64u(bytes(64))}")
    stranger = TokenSigningKey.generate()
    refused_at(Step.SIGNATURE, signed(header(KEY), key=stranger))


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b'"x"', b"{", b"\xff{}", b'{"sub":1,"sub":1}', b'{"exp":1e3}', b'{"a":1.0}']
)
def test_step_12_the_payload_is_one_strict_json_object(body):
    refused_at(Step.PAYLOAD_JSON, signed(body=body))


REQUIRED = [
    "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "device", "level", "scope", "auth_time", "amr",
    "preferred_username",
]  # fmt: skip


@pytest.mark.parametrize("claim", REQUIRED)
def test_step_13_each_required_claim_must_be_there_with_its_type(claim):
    refused_at(Step.CLAIMS, without(claim))
    wrongs: tuple[object, ...] = (None, True, {}, [], [1], -1, 1 << 62)
    for wrong in wrongs:
        refused_at(Step.CLAIMS, changed(**{claim: wrong}))
    refused_at(Step.CLAIMS, changed(**{claim: str(payload()[claim]) + "\0"}))


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("sub", "acc_"), ("sub", "ses_01mcc5rm00507zxhgqbqzdhpyz"), ("sub", "acc_8" + "0" * 25),
        ("sub", "acc_" + "0" * 27),
        ("sub", "acc_" + "0" * 25 + "u"), ("sub", "acc_" + "0" * 25 + "A"), ("sub", "acc_" + "0" * 26 + "\n"),
        ("sid", "acc_" + "0" * 26), ("device", "ses_" + "0" * 26), ("device", ""), ("jti", ""), ("jti", "x" * 65),
        ("jti", "a b"), ("level", 10), ("level", -1), ("level", "1"), ("scope", " a"), ("scope", "a "),
        ("scope", "a  b"),
        ("scope", 'a"'), ("scope", "a\\"), ("scope", "é"), ("scope", ["a"]), ("scope", "a" * 1001), ("amr", []),
        ("amr", "pwd"), ("amr", ["pwd"] * 9), ("amr", [""]), ("amr", ["PWD"]), ("preferred_username", ""),
        ("preferred_username", "a" * 321), ("preferred_username", "a\nb"), ("preferred_username", "a\x85b"),
        ("cnf", None), ("cnf", {}), ("cnf", "x"), ("cnf", []), ("cnf", {"jkt": 1}), ("cnf", {"jkt": None}),
        ("name", None), ("name", 1), ("name", ""), ("email", None), ("email", ["a@b"]), ("exp", 253402300800),
    ],
)  # fmt: skip
def test_step_13_forms_of_claims(claim, wrong):
    refused_at(Step.CLAIMS, changed(**{claim: wrong}))


def test_step_13_ids_are_read_as_the_server_reads_them():
    entropy = SeededEntropy("ids")
    for _ in range(50):
        now = Instant(int.from_bytes(entropy.bytes(6), "big"))
        ids = {
            "sub": AccountId.new(now, entropy),
            "sid": SessionId.new(now, entropy),
            "device": DeviceId.new(now, entropy),
        }
        verified = verify(changed(**{name: str(value) for name, value in ids.items()}))
        assert AccountId.parse(verified.sub) == ids["sub"]
        assert DeviceId.parse(verified.device) == ids["device"]


def test_step_13_members_that_we_do_not_know_are_left_out():
    assert verify(changed(roles=["admin"], x={"y": None})) == verify(token())


@pytest.mark.parametrize(
    "iss",
    [
        ISSUER + "/",
        ISSUER.upper(),
        "HTTPS://id.example",
        ISSUER + ":443",
        "https://id.example.",
        "id.example",
        "x",
    ],
)
def test_step_14_the_issuer_is_compared_exactly(iss):
    refused_at(Step.ISSUER, changed(iss=iss))


@pytest.mark.parametrize(
    "aud",
    [
        AUDIENCE + "/",
        "https://APP.example",
        AUDIENCE + ":443",
        AUDIENCE + ".evil.example",
        "https://app.exampl",
        "app",
        ISSUER,
    ],
)
def test_step_15_the_audience_is_compared_exactly(aud):
    refused_at(Step.AUDIENCE, changed(aud=aud))


def test_step_15_a_list_is_no_audience():
    for aud in ([], [AUDIENCE], [AUDIENCE, "https://other.example"], {"0": AUDIENCE}):
        refused_at(Step.CLAIMS, changed(aud=aud))


def test_step_16_a_life_is_above_zero_and_at_most_an_hour():
    verify(changed(exp=SECONDS + MAX_LIFE_SECONDS))
    refused_at(Step.LIFE, changed(exp=SECONDS + MAX_LIFE_SECONDS + 1))
    refused_at(Step.LIFE, changed(exp=SECONDS))
    refused_at(Step.LIFE, changed(exp=SECONDS, nbf=SECONDS - 1))
    refused_at(Step.LIFE, changed(exp=SECONDS - 1))
    refused_at(Step.LIFE, changed(nbf=SECONDS + 600))


def test_step_17_issued_at_may_be_ahead_by_the_skew():
    verify(token(), now=NOW - MAX_SKEW)
    refused_at(Step.ISSUED_AT, token(), now=NOW - MAX_SKEW - 1)


def test_step_18_not_before_may_be_ahead_by_the_skew():
    later = changed(nbf=SECONDS + 100)
    verify(later, now=NOW + 100_000 - MAX_SKEW)
    refused_at(Step.NOT_BEFORE, later, now=NOW + 100_000 - MAX_SKEW - 1)


def test_step_19_expiry_is_half_open_with_the_skew():
    ends = NOW + 600_000 + MAX_SKEW
    verify(token(), now=ends - 1)
    refused_at(Step.EXPIRY, token(), now=ends)
    verify(token(), now=NOW + 600_000 - 1, skew=0)
    refused_at(Step.EXPIRY, token(), now=NOW + 600_000, skew=0)


@pytest.mark.parametrize("skew", [-1, MAX_SKEW + 1, 1 << 40])
def test_nobody_may_ask_for_more_skew_than_a_minute(skew):
    with pytest.raises(ValueError, match="skew"):
        verify(token(), skew=skew)


def test_a_refusal_says_its_step_inside_and_one_thing_outside():
    for step in Step:
        error = TokenError(step)
        assert isinstance(error, UnauthenticatedError)
        assert (error.code, error.detail, error.reason) == (ErrorCode.UNAUTHENTICATED, "", step.name.lower())


def test_steps_are_numbered_without_gaps_and_documented():
    assert [int(step) for step in Step] == list(range(1, len(Step) + 1))
    text = (Path(__file__).parents[4] / "docs/protocol/tokens.md").read_text()
    for step in Step:
        assert f"| {int(step)} | `{step.name.lower()}` |" in text, step


def test_any_text_is_a_token_or_a_refusal():
    entropy = SeededEntropy("any text")
    good = token()
    for _ in range(400):
        place, byte = int.from_bytes(entropy.bytes(2), "big") % len(good), entropy.bytes(1)[0]
        text = good[:place] + chr(byte) + good[place + 1 :]
        try:
            assert verify(text) == verify(good)
        except TokenError:
            continue
        assert text == good
