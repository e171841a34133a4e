"""Any text into the token codecs gives a value or the named refusal, and no value that was not signed."""

import json
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kits.tokens import AUDIENCE, ISSUER, KEY, NOW, header, payload, signed, token

from watchword.core.clock import Instant
from watchword.errors import MalformedError, TooLargeError
from watchword.middleware.keys import parse_keys
from watchword.protocol.tokens import Step, TokenError, UnverifiedToken, VerifiedClaims, audience_of
from watchword.testing.counts import count

GOOD = token()
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_SUFFIX = st.sampled_from(["", ":443", ":0", "/", "?", "#", "@x"])
_KEYS = st.lists(_JSON, max_size=3) | _JSON
_fuzzed = settings(
    max_examples=count(60, 3000),
    deadline=None,
    derandomize="WATCHWORD_FUZZ_SECONDS" not in os.environ,  # the same examples each time, unless fuzzing
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)


def verify(text: str) -> VerifiedClaims:
    return UnverifiedToken.parse(text).verify(KEY.public, issuer=ISSUER, audience=AUDIENCE, now=Instant(NOW))


def outcome(text: str) -> VerifiedClaims | Step:
    try:
        return verify(text)
    except TokenError as error:
        return error.step


@_fuzzed
@given(st.text() | st.from_regex(r"\A[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){0,4}\Z"))
def test_any_text_is_refused(text):
    assert isinstance(outcome(text), Step)


@_fuzzed
@given(st.integers(0, len(GOOD) - 1), st.characters(), st.sampled_from(["replace", "insert", "delete"]))
def test_one_changed_character_is_refused(place, sign, how):
    rest = GOOD[place + 1 :] if how != "insert" else GOOD[place:]
    text = GOOD[:place] + ("" if how == "delete" else sign) + rest
    assert text == GOOD or isinstance(outcome(text), Step)


@_fuzzed
@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "jku", "b64", "x"]), _JSON))
def test_any_signed_header_but_ours_is_refused(changes):
    head = {name: _plain(value) for name, value in (header() | changes).items()}
    found = outcome(signed(head))
    assert isinstance(found, VerifiedClaims) == (
        head == header() and all(type(v) is str for v in head.values())
    )


@_fuzzed
@given(st.dictionaries(st.sampled_from([*payload(), "cnf", "name", "email", "x"]), _JSON, min_size=1))
def test_any_signed_claims_give_claims_of_the_right_types_or_a_refusal(changes):
    found = outcome(signed(body=payload() | {name: _plain(value) for name, value in changes.items()}))
    if isinstance(found, VerifiedClaims):
        assert (type(found.exp), type(found.level), type(found.sub)) == (int, int, str)
        assert found.aud == AUDIENCE
        assert found.cnf is None or (isinstance(found.cnf, dict) and found.cnf)
    else:
        assert found >= Step.SIZE


@_fuzzed
@given(st.binary())
def test_any_signed_bytes_are_no_payload(body):
    assert outcome(signed(body=body)) in (Step.PARTS, Step.PAYLOAD_JSON, Step.CLAIMS)


@_fuzzed
@given(
    st.text()
    | st.builds("https://{}{}".format, st.text(), st.sampled_from(["", ":443", ":0", "/", "?", "#", "@x"]))
)
def test_any_text_has_one_origin_or_none(url):
    try:
        origin = audience_of(url)
    except MalformedError:
        return
    assert audience_of(origin) == origin
    assert origin.isascii()
    assert origin == origin.lower()
    assert not set("@/?#\\ ") & set(origin.partition("://")[2])


@_fuzzed
@given(
    st.binary()
    | _JSON.map(lambda value: _encoded({"keys": value}))
    | st.lists(_JSON).map(lambda v: _encoded({"keys": v}))
)
def test_any_bytes_are_a_key_set_or_malformed(body):
    try:
        keys = parse_keys(body, {})
    except (MalformedError, TooLargeError):
        return
    assert keys


def _plain(value: Any) -> Any:
    """Without what our own encoder refuses: not-a-number, and lone surrogates."""
    return json.loads(
        json.dumps(value).replace("NaN", "1.5").replace("-Infinity", "-1").replace("Infinity", "1")
    )


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()
