"""FAULTS B1 to B9 and D4: names that were made to be taken for others."""

import csv
import io
import itertools
import json
import sqlite3
import unicodedata

import pytest

from watchword.core.ids import AccountId
from watchword.errors import MalformedError
from watchword.protocol.names import (
    InvalidNameError,
    NameReason,
    canonical_key,
    parse_email,
    parse_identifier,
    parse_username,
)
from watchword.testing import FixedClock, SeededEntropy
from watchword.testing.counts import count


def refusal(text: str) -> NameReason:
    with pytest.raises(InvalidNameError) as caught:
        parse_username(text)
    return caught.value.reason


@pytest.mark.parametrize("letter", ["x", "é", "東", "\U00020000"])
def test_fault_B1_length_is_counted_in_code_points(letter: str) -> None:
    assert refusal("") is NameReason.TOO_SHORT
    assert refusal(letter) is NameReason.TOO_SHORT
    for size in (2, 64):
        assert parse_username(letter * size).text == letter * size
    assert refusal(letter * 65) is NameReason.TOO_LONG


def test_fault_B1_a_name_is_stored_exactly_and_its_decomposed_form_counts_the_same() -> None:
    decomposed = unicodedata.normalize("NFD", "é" * 64)
    assert len(decomposed) == 128
    assert parse_username(decomposed).text == "é" * 64
    assert refusal(unicodedata.normalize("NFD", "é" * 65)) is NameReason.TOO_LONG


INVISIBLE = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *map(chr, range(0x200B, 0x2010)),
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2060, 0x2070)),
    *map(chr, range(0xFE00, 0xFE10)),
    *map(chr, range(0xFFF9, 0x10000)),
    *map(chr, range(0xE0000, 0xE0080)),
    *map(chr, range(0xE0100, 0xE01F0)),
    *"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\ufeff\uffa0",
    *"\ue000\uf8ff\U000f0000\U0010fffd\ufdd0\U0010ffff\u0378\u0530\ud800\udfff",
]


@pytest.mark.parametrize("template", ["a{}b", "{}ab", "ab{}"])
def test_fault_B2_what_cannot_be_seen_is_refused_at_every_place(template: str) -> None:
    for character in INVISIBLE:
        with pytest.raises(MalformedError):
            parse_username(template.format(character))


def test_fault_B2_joiners_are_refused_where_PRECIS_allows_them() -> None:
    for text in ("क्\u200dष", "क्\u200cष", "بي\u200cبي"):
        assert refusal(text) is NameReason.CHARACTER


def test_fault_B3_both_spellings_of_e_acute_are_one_name() -> None:
    composed, decomposed = parse_username("Jos\u00e9"), parse_username("Jose\u0301")
    assert composed.key == decomposed.key
    assert composed.text == decomposed.text
    assert parse_identifier("JOSE\u0301").key == parse_identifier("jos\u00e9").key == f"u:{composed.key}"


@pytest.mark.parametrize(
    ("spellings", "key"),
    [
        (("Straße", "STRASSE", "strasse", "STRAẞE"), "strasse"),
        (("ΣΊΣΥΦΟΣ", "σίσυφος", "σίσυφοσ"), "σίσυφοσ"),
        (("\u212aelvin", "Kelvin", "kelvin"), "kelvin"),
        (("\u212bngström", "Ångström", "a\u030angström"), "ångström"),
        (("İzmir", "i\u0307zmir"), "i\u0307zmir"),
        (("ızmir",), "ızmir"),
        (("Izmir", "IZMIR", "izmir"), "izmir"),
        (("\u1fb3ᾳ", "αιαι", "ΑΙΑΙ"), "αιαι"),
    ],
)
def test_fault_B4_each_of_these_has_the_documented_key(spellings: tuple[str, ...], key: str) -> None:
    assert {parse_username(spelling).key for spelling in spellings} == {key}
    assert {parse_identifier(spelling).key for spelling in spellings} == {f"u:{key}"}
    assert canonical_key(key) == key


def test_fault_B4_no_letter_has_two_keys() -> None:
    """Over every code point: case, normal form and a second pass never change the key of an accepted name."""
    for point in range(0, 0x110000, count(31, 1)):
        text = f"{chr(point)}q{chr(point)}"
        try:
            name = parse_username(text)
        except InvalidNameError:
            continue
        assert canonical_key(name.key) == name.key
        assert name.key == parse_username(name.text).key
        assert name.key == canonical_key(unicodedata.normalize("NFC", name.text.casefold()))
        assert parse_identifier(unicodedata.normalize("NFD", text)).key == f"u:{name.key}"


def test_fault_B5_forms_of_letters_are_refused_and_not_folded() -> None:
    forms = "ａｄｍｉｎ ｂｏｂ bｏb ⅳan ﬁnn 𝐛𝐨𝐛 𝒷ob bo² ᵃbc ｶﾅ ℌans ①ab ǆab ſam"
    for text in forms.split():
        assert refusal(text) is NameReason.COMPATIBILITY


def test_fault_B6_a_mixture_of_scripts_is_refused() -> None:
    for text in ("аdmin", "раураl", "bоb", "ivаn", "αbc", "bob東京", "ваsia", "кириллицаz"):
        assert refusal(text) is NameReason.MIXED_SCRIPTS


def test_fault_B6_a_look_alike_of_a_reserved_name_is_refused() -> None:
    for text in ("adm1n", "r00t", "rооt", "0perator", "nu1l", "aIl", "systern", "adrnin"):
        assert refusal(text) in {NameReason.RESERVED, NameReason.MIXED_SCRIPTS}


def test_fault_B6_a_look_alike_of_an_account_has_its_skeleton() -> None:
    taken = parse_username("paypal").skeleton
    for text in ("paypaI", "paypa1", "PAYPAl", "раураІ"):
        assert taken in parse_username(text).lookalikes
    assert taken not in parse_username("paypai").lookalikes


def test_fault_B7_spaces_are_refused() -> None:
    spaces = [chr(p) for p in range(0x3001) if chr(p).isspace()]
    assert {"\u00a0", "\u3000", "\t", " "} < set(spaces)
    for space, template in itertools.product(spaces, ("{}bob", "bob{}", "bo{}b", "bo{0}{0}b")):
        assert refusal(template.format(space)) is NameReason.SPACE


def test_fault_B8_names_with_a_meaning_are_refused() -> None:
    for text in ("admin", "Admin", "root", "system", "null", "undefined", "watchword", "everyone", "me"):
        assert refusal(text) is NameReason.RESERVED
    for text in ("..", "-", ".", "--", "___", "-a", "a-"):
        assert refusal(text) in {NameReason.EDGE, NameReason.TOO_SHORT}
    assert refusal("bob@example.org") is NameReason.EMAIL_SHAPED


def test_fault_B8_nothing_that_reads_as_an_id_is_a_name() -> None:
    account = str(AccountId.new(FixedClock().now(), SeededEntropy(8)))
    for text in (account, account.upper(), "dev_1", "SES_x", "req_a.b", "inv_zz"):
        assert refusal(text) is NameReason.ID_SHAPED
    for text in ("550e8400-e29b-41d4-a716-446655440000", "550E8400E29B41D4A716446655440000"):
        assert refusal(text) is NameReason.ID_SHAPED
    for text in ("12345", "0", "1e5".replace("e", "."), "١٢٣", "12-34"):
        assert refusal(text) in {NameReason.NO_LETTER, NameReason.TOO_SHORT, NameReason.DIRECTION}


HOSTILE = [
    "%",
    "_",
    "*",
    "/",
    ",",
    "+",
    "'",
    '"',
    "<",
    "{{7*7}}",
    "$(id)",
    "=cmd",
    "\\",
    ":",
    ";",
    "&",
    "#",
    "?",
    "`",
]


def test_fault_B9_what_means_something_to_other_programs_is_refused() -> None:
    for text in HOSTILE:
        for spelling in (text, f"bob{text}", f"{text}bob"):
            with pytest.raises(InvalidNameError):
                parse_username(spelling)
        if text != "_":
            with pytest.raises(InvalidNameError):
                parse_username(f"bo{text}b")


def test_fault_B9_the_underscore_is_the_only_one_left_and_it_is_inert() -> None:
    name = parse_username("a_b").text
    connection = sqlite3.connect(":memory:")
    matches = connection.execute("select 'axb' like ? escape '\\'", (name.replace("_", "\\_"),)).fetchone()
    connection.close()
    assert matches == (0,)
    written = io.StringIO()
    csv.writer(written).writerow([name, json.dumps(name)])
    assert written.getvalue() == 'a_b,"""a_b"""\r\n'


def test_fault_B9_an_address_cannot_begin_a_formula_or_hold_a_template() -> None:
    for text in (
        "=cmd@x.org",
        "+1@x.org",
        "-1@x.org",
        "{{7*7}}@x.org",
        "$(id)@x.org",
        "a<b>@x.org",
        '"a"@x.org',
    ):
        with pytest.raises(InvalidNameError):
            parse_email(text)


def test_fault_D4_every_spelling_counts_in_one_place() -> None:
    for spellings in (
        ("Bob", "bob", "BOB", "BOB ", " bob", "bob\n", "ｂｏｂ", "ＢＯＢ\u3000"),
        ("José", "jose\u0301", "JOSÉ", "JOSE\u0301 "),
        ("Bob@Example.org", "bob@EXAMPLE.ORG", " bob＠example.org", "ｂｏｂ@example.org"),
        ("a@bücher.example", "A@BÜCHER.example", "a@xn--bcher-kva.example", "a@bu\u0308cher.example"),
    ):
        assert len({parse_identifier(spelling).key for spelling in spellings}) == 1
