"""Access tokens against our own vectors, the RFCs, Wycheproof and two other implementations."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet
from tests.kits.tokens import (
    AUDIENCE,
    ISSUER,
    KEY,
    NOW,
    SECONDS,
    claims,
    header,
    key_set,
    payload,
    signed,
    token,
)

from watchword.core.clock import Clock, Instant
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import MalformedError, UnavailableError, UnreachableError
from watchword.middleware import Presentation, Proof, Verifier
from watchword.middleware.fetch import Fetched
from watchword.middleware.keys import KeyCache, parse_keys
from watchword.protocol.tokens import Step, TokenError, UnverifiedToken, VerifiedClaims
from watchword.testing import FixedClock, components
from watchword.testing.published import published

HERE = Path(__file__).parent
OURS = json.loads((HERE / "watchword/tokens.json").read_text(encoding="utf-8"))
# An issuer is an https origin, so the key of the vectors is put where a fetch would have put it.
pytestmark = pytest.mark.anyio


class _Given:
    """A key set without a server."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def fetch(self, etag: str | None = None) -> Fetched:
        if etag is not None:
            raise UnreachableError
        return Fetched(body=self.body, etag=None, max_age=None)


def verifier_of(jwks: Any, *, issuer: str, audience: str, bearer_ok: bool, clock: Clock) -> Verifier:
    verifier = Verifier(issuer=issuer, audience=audience, bearer_ok=bearer_ok, clock=clock)
    verifier._keys = KeyCache(_Given(encode_json(jwks)), clock=clock, on_failure=lambda _reason: None)
    return verifier


def verify(text: str, key: TokenVerifyingKey = KEY.public) -> VerifiedClaims:
    return UnverifiedToken.parse(text).verify(key, issuer=ISSUER, audience=AUDIENCE, now=NOW)


# Our own.


@pytest.mark.parametrize("case", OURS["good"], ids=lambda case: case["what"])
def test_our_good_vectors_verify(case):
    key = parse_keys(encode_json(OURS["jwks"]), {})[UnverifiedToken.parse(case["token"]).kid]
    found = UnverifiedToken.parse(case["token"]).verify(
        key, issuer=OURS["issuer"], audience=OURS["audience"], now=Instant(case["now"])
    )
    assert found.preferred_username == "alice"


@pytest.mark.parametrize("case", OURS["bad"], ids=lambda case: f"{case['step']}-{case['why']}")
async def test_our_bad_vectors_fail_at_their_step(case):
    bearer_ok = case["step"] != Step.UNBOUND
    verifier = verifier_of(
        OURS["jwks"],
        issuer=OURS["issuer"],
        audience=OURS["audience"],
        bearer_ok=bearer_ok,
        clock=FixedClock(),
    )
    with pytest.raises(TokenError) as caught:
        await verifier.verify(case["token"], Presentation(now=Instant(case["now"]), proof=Proof.BEARER))
    assert (int(caught.value.step), caught.value.reason) == (case["step"], case["name"])


def test_every_step_has_a_bad_vector():
    assert {case["step"] for case in OURS["bad"]} == {int(step) for step in Step}


# RFC 7515, appendix A; RFC 7519, sections 3.1 and 6.1; RFC 7517, appendix A.

PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
RFC7515_A1 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
RFC7515_A2 = (
    f"eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1"
    "dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzD"
    "wusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77R"
    "w"
)
RFC7515_A3 = (
    f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
RFC7519_6_1 = f"eyJhbGciOiJub25lIn0.{PAYLOAD}."
RFC7517_A1_EC = {
    "kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "use": "enc", "kid": "1",
}  # fmt: skip
RFC7515_A3_KEY = {
    "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "kid": "a3",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (RFC7515_A1, Step.HEADER_MEMBERS), (RFC7515_A2, Step.HEADER_MEMBERS), (RFC7515_A3, Step.HEADER_MEMBERS),
        (RFC7519_6_1, Step.PARTS), (RFC7519_6_1 + "AAAA", Step.HEADER_MEMBERS),
    ],
)  # fmt: skip
def test_the_examples_of_rfc7515_and_rfc7519_are_outside_of_our_profile(text, step):
    with pytest.raises(TokenError) as caught:
        UnverifiedToken.parse(text)
    assert caught.value.step is step


def test_the_signature_of_rfc7515_a3_verifies_with_the_key_that_we_parse():
    key = parse_keys(encode_json({"keys": [RFC7515_A3_KEY]}), {})["a3"]
    message, _, signature = RFC7515_A3.rpartition(".")
    key.verify(decode_b64u(signature), message.encode())
    # and the header profile, not the signature, is what refuses it
    unverified = UnverifiedToken(
        kid="a3", message=message.encode(), payload=decode_b64u(PAYLOAD), signature=decode_b64u(signature)
    )
    with pytest.raises(TokenError) as caught:
        unverified.verify(key, issuer="joe", audience=AUDIENCE, now=NOW)
    assert caught.value.step is Step.CLAIMS


def test_the_encryption_key_of_rfc7517_a1_verifies_nothing():
    with pytest.raises(MalformedError):
        parse_keys(encode_json({"keys": [RFC7517_A1_EC]}), {})
    assert list(parse_keys(encode_json({"keys": [RFC7517_A1_EC, KEY.public.to_jwk()]}), {})) == [KEY.kid]


# RFC 8725: one test for each rule of section 3.


def refused(text: str) -> Step:
    with pytest.raises(TokenError) as caught:
        verify(text)
    return caught.value.step


def test_rfc8725_3_1_the_algorithm_is_the_callers_choice():
    for alg in ("none", "HS256", "RS256", "ES384", "EdDSA"):
        assert refused(signed(header() | {"alg": alg})) is Step.ALGORITHM


def test_rfc8725_3_2_no_unsigned_token():
    assert refused(token().rpartition(".")[0] + ".") is Step.PARTS


def test_rfc8725_3_3_every_operation_is_validated():
    first, second, third = token().split(".")
    for place in range(0, 86, 5):
        changed = third[:place] + ("B" if third[place] != "B" else "C") + third[place + 1 :]
        assert refused(f"{first}.{second}.{changed}") in (Step.SIGNATURE, Step.BASE64URL)


def test_rfc8725_3_4_points_not_on_the_curve_are_no_keys():
    good = KEY.public.to_jwk()
    for name in ("x", "y"):
        for value in (
            "A" * 43,
            encode_b64u(bytes(31) + b"\1"),
            encode_b64u(b"\xff" * 32),
            good[name][:-2],
            good[name] + "AA",
        ):
            with pytest.raises(MalformedError):
                TokenVerifyingKey.from_jwk(good | {name: value})


def test_rfc8725_3_5_keys_have_their_full_entropy():
    for curve in ("P-384", "secp256k1", "P-192", None):
        with pytest.raises(MalformedError):
            TokenVerifyingKey.from_jwk(KEY.public.to_jwk() | {"crv": curve})


def test_rfc8725_3_6_nothing_is_inflated():
    assert refused(signed(header() | {"zip": "DEF"})) is Step.HEADER_MEMBERS


def test_rfc8725_3_7_text_is_utf8_alone():
    text = encode_json(payload()).decode()
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        assert refused(signed(body=text.encode(encoding))) is Step.PAYLOAD_JSON
        assert refused(signed(encode_json(header()).decode().encode(encoding))) is Step.HEADER_JSON
    assert refused(signed(body=text.replace("alice", "\u00e9").encode("latin-1"))) is Step.PAYLOAD_JSON


def test_rfc8725_3_8_issuer_and_subject_are_validated():
    assert refused(signed(body=payload() | {"iss": "https://evil.example"})) is Step.ISSUER
    assert refused(signed(body=payload() | {"sub": "alice"})) is Step.CLAIMS


def test_rfc8725_3_9_the_audience_is_validated():
    assert refused(signed(body=payload() | {"aud": "https://other.example"})) is Step.AUDIENCE


def test_rfc8725_3_10_received_claims_are_not_trusted():
    assert refused(signed(header() | {"kid": "' OR 1=1--"})) is Step.KEY_ID
    for name in ("jku", "x5u"):
        assert refused(signed(header() | {name: "https://evil.example/"})) is Step.HEADER_MEMBERS


def test_rfc8725_3_11_the_type_is_explicit():
    for typ in ("JWT", "at+JWT", "application/at+jwt", None):
        assert refused(signed(header() | {"typ": typ})) is Step.TYPE


def test_rfc8725_3_12_rules_for_other_kinds_exclude_this_kind():
    other = {name: value for name, value in payload().items() if name not in ("device", "sid", "level")}
    assert refused(signed(body=other)) is Step.CLAIMS


# Wycheproof.


def _wycheproof() -> Any:
    return json.loads(published("wycheproof/json_web_signature_test.json").read_text())


def test_wycheproof_accepts_no_invalid_and_no_foreign_signature_fault_E16():
    seen = 0
    for group in _wycheproof()["testGroups"]:
        keys = [group[name] for name in ("public", "private") if isinstance(group.get(name), dict)]
        for case in group["tests"]:
            seen += 1
            text = case["jws"] if isinstance(case["jws"], str) else json.dumps(case["jws"])
            with pytest.raises(TokenError):  # even the valid ones are outside of our profile: another header
                _verify_with_each(text, keys)
    assert seen == _wycheproof()["numberOfTests"]


def _verify_with_each(text: str, jwks: list[Any]) -> None:
    unverified = UnverifiedToken.parse(text)
    for jwk in jwks:
        unverified.verify(TokenVerifyingKey.from_jwk(jwk), issuer=ISSUER, audience=AUDIENCE, now=NOW)


def test_wycheproof_es256_signatures_are_judged_as_stated_once_the_header_is_ours():
    """The verifier behind the header profile: message and signature of each case that has three base64url parts."""
    judged = {"valid": 0, "invalid": 0}
    for group in _wycheproof()["testGroups"]:
        jwk = group.get("public")
        if not isinstance(jwk, dict) or jwk.get("crv") != "P-256":
            continue
        for case in group["tests"]:
            judged[case["result"]] += 1
            assert _accepts(jwk, case["jws"]) == (case["result"] == "valid"), (case["tcId"], case["comment"])
    assert judged["valid"] >= 2, judged
    assert judged["invalid"] >= 30


def _accepts(jwk: dict[str, Any], text: Any) -> bool:
    """Our steps, with a header that only lacks `typ` and a `kid` of its own counted as ours."""
    try:
        key = TokenVerifyingKey.from_jwk(jwk)
        first, second, third = text.split(".")
        head = decode_json(decode_b64u(first))
        if head.get("alg") != "ES256" or not head.keys() <= {"alg", "typ", "kid"}:
            return False
        unverified = UnverifiedToken(
            kid=key.kid,
            message=f"{first}.{second}".encode(),
            payload=decode_b64u(second),
            signature=decode_b64u(third),
        )
        unverified._check_signature(key)
    except (MalformedError, TokenError, ValueError, AttributeError):
        return False
    return True


# Two other implementations.


def _joserfc_set() -> KeySet:
    return KeySet.import_key_set(json.loads(key_set(KEY)))


def test_joserfc_verifies_our_token_against_our_key_set():
    registry = jws.JWSRegistry(algorithms=["ES256"])
    found = jwt.decode(token(), _joserfc_set(), algorithms=["ES256"], registry=registry)
    assert found.header == header()
    assert found.claims == payload()
    required: dict[str, Any] = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
    }
    jwt.JWTClaimsRegistry(now=SECONDS, leeway=60, **required).validate(found.claims)


def test_a_token_that_joserfc_makes_in_our_profile_verifies_here():
    other = ECKey.generate_key("P-256", private=True)
    public = other.as_dict(private=False)
    key = TokenVerifyingKey.from_jwk({name: public[name] for name in ("kty", "crv", "x", "y")})
    assert key.kid == other.thumbprint()
    made = jwt.encode(
        {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}, payload(), other, algorithms=["ES256"]
    )
    found = verify(made, key)
    assert found.sub == claims().sub
    assert found.scope == claims().scope


_NODE_SCRIPT = """
const crypto = require('node:crypto');
const { token, jwk } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const [header, payload, signature] = token.split('.');
const key = crypto.createPublicKey({ key: jwk, format: 'jwk' });
const ok = crypto.verify('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' },
  Buffer.from(signature, 'base64url'));
const parse = (part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
console.log(JSON.stringify({ ok, header: parse(header), payload: parse(payload) }));
"""


def test_node_verifies_our_token_with_nothing_but_its_own_crypto():
    node = components.require("node")
    for text, good in (
        (token(name="Ålice"), True),
        (signed(header(KEY), key=TokenSigningKey.generate()), False),
    ):
        given = json.dumps({"token": text, "jwk": KEY.public.to_jwk()})
        done = subprocess.run(
            [node, "-e", _NODE_SCRIPT], input=given, capture_output=True, text=True, check=True, timeout=240
        )
        answer = json.loads(done.stdout)
        assert (answer["ok"], answer["header"]) == (good, header())
    assert answer["payload"] == payload()


async def test_keys_that_cannot_be_had_are_no_refusal_of_the_token():
    clock = FixedClock()
    verifier = verifier_of({}, issuer=ISSUER, audience=AUDIENCE, bearer_ok=True, clock=clock)
    with pytest.raises(UnavailableError):
        await verifier.verify(token(), Presentation(now=clock.now(), proof=Proof.BEARER))
