"""E-mail addresses, and the one key that every spelling of a login identifier has."""

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.protocol.names import InvalidNameError, NameReason, parse_email, parse_identifier
from watchword.testing.counts import count


@pytest.mark.parametrize(
    ("typed", "text", "key"),
    [
        ("Bob@Example.ORG", "Bob@example.org", "bob@example.org"),
        ("o'brien+news@mail.example.org", "o'brien+news@mail.example.org", "o'brien+news@mail.example.org"),
        ("jose\u0301@bücher.example", "josé@xn--bcher-kva.example", "josé@xn--bcher-kva.example"),
        ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("x" * 64 + "@example.org", "x" * 64 + "@example.org", "x" * 64 + "@example.org"),
    ],
)
def test_an_address_has_one_domain_spelling_and_a_folded_key(typed: str, text: str, key: str) -> None:
    email = parse_email(typed)
    assert (email.text, email.key) == (text, key)
    assert parse_email(email.text) == email
    assert parse_email(email.key).key == email.key
    assert parse_identifier(typed).key == parse_identifier(email.text).key == f"e:{email.key}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bob", NameReason.EMAIL_FORM),
        ("@example.org", NameReason.EMAIL_FORM),
        ("bob@", NameReason.EMAIL_FORM),
        ("a@b@example.org", NameReason.EMAIL_FORM),
        (".a@example.org", NameReason.EMAIL_LOCAL),
        ("a..b@example.org", NameReason.EMAIL_LOCAL),
        ("a.@example.org", NameReason.EMAIL_LOCAL),
        ('"a b"@example.org', NameReason.EMAIL_LOCAL),
        ("a b@example.org", NameReason.EMAIL_LOCAL),
        ("=cmd@example.org", NameReason.EMAIL_LOCAL),
        ("{{7*7}}@example.org", NameReason.EMAIL_LOCAL),
        ("$x@example.org", NameReason.EMAIL_LOCAL),
        ("a%b@example.org", NameReason.EMAIL_LOCAL),
        ("аdmin@example.org", NameReason.EMAIL_LOCAL),
        ("ａ@example.org", NameReason.EMAIL_LOCAL),
        ("क्\u200dष@example.org", NameReason.EMAIL_LOCAL),
        ("a\n@example.org", NameReason.EMAIL_LOCAL),
        ("a@example.org\n", NameReason.EMAIL_DOMAIN),
        ("a@example", NameReason.EMAIL_DOMAIN),
        ("a@127.0.0.1", NameReason.EMAIL_DOMAIN),
        ("a@[127.0.0.1]", NameReason.EMAIL_DOMAIN),
        ("a@[IPv6:::1]", NameReason.EMAIL_DOMAIN),
        ("a@example.org.", NameReason.EMAIL_DOMAIN),
        ("a@.example.org", NameReason.EMAIL_DOMAIN),
        ("a@-x.org", NameReason.EMAIL_DOMAIN),
        ("a@x_y.org", NameReason.EMAIL_DOMAIN),
        ("a@ab--cd.org", NameReason.EMAIL_DOMAIN),
        ("a@xn--a.org", NameReason.EMAIL_DOMAIN),
        ("a@ｅxample.org", NameReason.EMAIL_DOMAIN),
        ("a@" + "x" * 64 + ".org", NameReason.EMAIL_DOMAIN),
        ("a@" + "ü" * 64 + ".org", NameReason.EMAIL_DOMAIN),
        ("x" * 65 + "@example.org", NameReason.TOO_LONG),
        ("é" * 33 + "@example.org", NameReason.TOO_LONG),
        ("x" * 64 + "@" + "y." * 93 + "orgs", NameReason.TOO_LONG),
        ("x" * 300, NameReason.TOO_LONG),
        ("\ud800@example.org", NameReason.NOT_TEXT),
    ],
)
def test_an_address_of_another_form_is_refused(text: str, reason: NameReason) -> None:
    with pytest.raises(InvalidNameError) as caught:
        parse_email(text)
    assert caught.value.reason is reason


def test_an_address_of_254_octets_is_the_longest() -> None:
    longest = "x" * 64 + "@" + "y." * 93 + "org"
    assert len(longest) == 254
    assert parse_email(longest).text == longest
    with pytest.raises(InvalidNameError):
        parse_email(longest + "x")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Straße", "u:strasse"),
        ("STRASSE", "u:strasse"),
        ("admin", "u:admin"),
        ("Bob@Example.ORG ", "e:bob@example.org"),
        ("bob＠example.org", "e:bob@example.org"),
    ],
)
def test_an_identifier_has_the_key_of_the_account_that_it_means(text: str, key: str) -> None:
    assert parse_identifier(text).key == key


def test_an_identifier_that_no_account_can_have_has_a_key_without_its_text() -> None:
    keys = [parse_identifier(text).key for text in ("two words", "", "a@b", "nul\0", "♚", "hunter2 hunter2")]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert re.fullmatch("x:[0-9a-f]{64}", key)
    assert parse_identifier("   ").key == parse_identifier("").key


@pytest.mark.parametrize("thing", ["x" * 257, "\ud800", b"bob", None])
def test_an_identifier_that_is_no_text_or_far_too_long_is_malformed(thing: Any) -> None:
    with pytest.raises(InvalidNameError):
        parse_identifier(thing)


@settings(max_examples=count(300, 50_000), derandomize=True, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=256))
def test_any_text_of_256_code_points_has_a_key(text: str) -> None:
    key = parse_identifier(text).key
    assert key[:2] in {"u:", "e:", "x:"}
    assert not any(unicodedata.category(character) == "Cc" for character in key)
    assert parse_identifier(text).key == key
