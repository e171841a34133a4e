"""User names: what is accepted, in which form, and why the rest is not."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.errors import ErrorCode, MalformedError
from watchword.protocol.names import (
    RESERVED_NAMES,
    InvalidNameError,
    NameReason,
    canonical_key,
    make_skeleton,
    parse_identifier,
    parse_username,
)
from watchword.protocol.names.reasons import SENTENCES
from watchword.testing.counts import count

ALPHABETS = (
    "abIiLlmrn1oO0ßẞİıſKkÅåéÉ._-\u0301\u0307\u0308",
    "ΣσςΑαΊίᾳΐ\u0308\u0301\u0345._-",
    "аеоАІіЗв3._-",
    "東日本カナかーㄅ",
    "한국ㄱ漢",
    "سلام١٢",
    "שלום-12",
)
NAMES = st.sampled_from(ALPHABETS).flatmap(
    lambda alphabet: st.text(st.sampled_from(alphabet), min_size=2, max_size=9)
)


def pairs(alphabet: str) -> st.SearchStrategy[tuple[str, str]]:
    """A text, and the same in another case and normal form or another short text of the same letters."""
    short = st.text(st.sampled_from(alphabet), min_size=2, max_size=3)
    changes = st.sampled_from((str.upper, str.lower, str.casefold, str.title, str.swapcase))
    return short.flatmap(
        lambda text: st.tuples(st.just(text), short | changes.map(lambda change: change(text)))
    )


def reason_of(text: str) -> NameReason:
    with pytest.raises(InvalidNameError) as caught:
        parse_username(text)
    return caught.value.reason


@pytest.mark.parametrize(
    ("typed", "text", "key"),
    [
        ("Bob", "bob", "bob"),
        ("Jose\u0301", "josé", "josé"),
        ("Müller-Lüdenscheidt", "müller-lüdenscheidt", "müller-lüdenscheidt"),
        ("a.b_c-d", "a.b_c-d", "a.b_c-d"),
        ("r2d2", "r2d2", "r2d2"),
        ("東京たろう", "東京たろう", "東京たろう"),
        ("한국漢字", "한국漢字", "한국漢字"),
        ("ㄅ漢字", "ㄅ漢字", "ㄅ漢字"),
        ("ДМИТРИЙ", "дмитрий", "дмитрий"),
        ("שלום", "שלום", "שלום"),
        ("سلام١٢", "سلام١٢", "سلام١٢"),
        ("हिन्दी", "हिन्दी", "हिन्दी"),
        ("Nguyễn", "nguyễn", "nguyễn"),
    ],
)
def test_a_name_is_kept_in_its_enforced_form(typed: str, text: str, key: str) -> None:
    name = parse_username(typed)
    assert (name.text, name.key) == (text, key)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x", NameReason.TOO_SHORT),
        ("", NameReason.TOO_SHORT),
        ("x" * 65, NameReason.TOO_LONG),
        ("x" * 100_000, NameReason.TOO_LONG),
        ("a b", NameReason.SPACE),
        ("bob\n", NameReason.SPACE),
        ("a\u00a0b", NameReason.SPACE),
        ("ab\0", NameReason.CHARACTER),
        ("♚♚", NameReason.CHARACTER),
        ("b😀b", NameReason.CHARACTER),
        ("ⅳa", NameReason.COMPATIBILITY),
        ("مرحباx", NameReason.DIRECTION),
        ("bob東京", NameReason.MIXED_SCRIPTS),
        ("ب1٢", NameReason.DIRECTION),
        ("क१2", NameReason.MIXED_DIGITS),
        ("a\u0301\u0302\u0303\u0304\u0305b", NameReason.MARKS),
        ("\u0301ab", NameReason.MARKS),
        ("_bob", NameReason.EDGE),
        ("bob.", NameReason.EDGE),
        ("a..b", NameReason.DOTS),
        ("12-34", NameReason.NO_LETTER),
        ("bob@example.org", NameReason.EMAIL_SHAPED),
        ("acc_0123", NameReason.ID_SHAPED),
        ("ADMIN", NameReason.RESERVED),
        ("\ud800ab", NameReason.NOT_TEXT),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, reason: NameReason) -> None:
    assert reason_of(text) is reason


def test_a_refusal_is_malformed_and_has_a_sentence_without_the_name() -> None:
    with pytest.raises(MalformedError) as caught:
        parse_username("sensitive name")
    assert caught.value.code is ErrorCode.MALFORMED
    assert caught.value.detail == SENTENCES[NameReason.SPACE]
    assert SENTENCES.keys() == set(NameReason)


def test_what_is_not_a_string_is_refused() -> None:
    things: tuple[Any, ...] = (b"bob", 7, None)
    for thing in things:
        with pytest.raises(InvalidNameError):
            parse_username(thing)


def test_an_unknown_script_is_refused_even_where_the_interpreter_knows_the_letter() -> None:
    """U+1E5D0 (Ol Onal) came with Unicode 16, after our tables."""
    assert reason_of("\U0001e5d0\U0001e5d1") in {NameReason.CHARACTER, NameReason.MIXED_SCRIPTS}


def test_every_reserved_name_and_its_look_alikes_are_refused() -> None:
    for name in RESERVED_NAMES:
        assert reason_of(name) in {NameReason.RESERVED, NameReason.TOO_SHORT}
    for spelling in ("adm1n", "Admin", "r00t", "аdmіn", "nu11", "admın"):
        with pytest.raises(InvalidNameError):
            parse_username(spelling)


def test_all_capitals_do_not_count_as_a_look_alike_of_small_letters() -> None:
    assert parse_username("ALI").text == "ali"
    assert reason_of("aIl") is NameReason.RESERVED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("google", "g00gle"),
        ("paypal", "paypa1"),
        ("сосо", "coco"),
        ("mary", "rnary"),
        ("ivan", "i\u0307van"),
        ("ismail", "ısmail"),
        ("jürgen", "ju\u0308rgen"),
        ("ραρα", "papa"),
    ],
)
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert parse_username(one).skeleton == parse_username(other).skeleton


def test_names_that_do_not_look_alike_keep_their_skeletons_apart() -> None:
    names = ("alice", "bob", "carol", "a.b", "a-b", "a_b", "ab", "josé", "jose", "東京", "京東")
    assert len({parse_username(name).skeleton for name in names}) == len(names)


@settings(max_examples=count(300, 20_000), derandomize=True, deadline=None)
@given(NAMES | st.text(min_size=2, max_size=20))
def test_an_accepted_name_parses_to_itself(text: str) -> None:
    try:
        name = parse_username(text)
    except InvalidNameError:
        return
    again = parse_username(name.text)
    assert (again.text, again.key, again.skeleton) == (name.text, name.key, name.skeleton)
    assert canonical_key(name.key) == name.key
    assert make_skeleton(name.skeleton) == name.skeleton
    assert parse_identifier(text).key == parse_identifier(name.text).key == f"u:{name.key}"
    assert parse_identifier(unicodedata.normalize("NFD", text)).key == f"u:{name.key}"


@settings(max_examples=count(300, 20_000), derandomize=True, deadline=None)
@given(st.sampled_from(ALPHABETS).flatmap(pairs))
def test_equal_folded_text_is_an_equal_key_and_an_equal_key_is_an_equal_skeleton(
    pair: tuple[str, str],
) -> None:
    try:
        one, other = map(parse_username, pair)
    except InvalidNameError:
        return
    folded = [unicodedata.normalize("NFC", name.text.casefold()) for name in (one, other)]
    if folded[0] == folded[1]:
        assert one.key == other.key
    if one.key == other.key:
        assert one.skeleton == other.skeleton
