"""Weighted lists of RFC 9110, 12.4.2: what parses says exactly that, and what does not says nothing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.server.http.accept import accepts_gzip, accepts_html, read_weights

TOKENS = st.text(alphabet="!#$%&'*+.^_`|~09azAZ-", min_size=1, max_size=8)
WEIGHTS = st.one_of(
    st.integers(0, 999).map(lambda number: f"0.{number:03}"),
    st.sampled_from(["0", "0.", "0.5", "1", "1.000"]),
)
SPACES = st.text(alphabet=" \t", max_size=3)


@pytest.mark.parametrize(
    ("header", "weights"),
    [
        (None, {}),
        ("", {}),
        (" \t", {}),
        (",, ,", {}),
        ("gzip", {"gzip": 1}),
        ("GZip;Q=0.5", {"gzip": 0.5}),
        ("a , b\t;\tq=0.25 ,,c;q=0", {"a": 1, "b": 0.25, "c": 0}),
        ("a;", {"a": 1}),
        ("a; ;q=0.1;", {"a": 0.1}),
        ("a;q=1.", {"a": 1}),
        ("a;q=0.", {"a": 0}),
        ("a;q=0.999", {"a": 0.999}),
        ("a;q=0.2, a, a;q=0.4", {"a": 1}),
        ("a;q=0, a;q=0.001", {"a": 0.001}),
        ("*, */*", {"*": 1, "*/*": 1}),
    ],
)
def test_a_list_says_what_is_wanted_how_much(header: str | None, weights: dict[str, float]) -> None:
    found = read_weights(header)
    assert (found, list(found)) == (weights, list(weights))


@pytest.mark.parametrize(
    "element",
    [
        "a b",
        "a/",
        "/a",
        "a/b/c",
        "(a)",
        "\xe9",
        "a\x00",
        "a\n",
        "\xa0a",
        "=1",
        ";q=1",
        "a q=1",
        "a;q",
        "a;q=",
        "a;=1",
        "a;q =1",
        "a;q= 1",
        "a;q=2",
        "a;q=1.001",
        "a;q=1.0000",
        "a;q=0.1234",
        "a;q=00",
        "a;q=.5",
        "a;q=-0",
        "a;q=+1",
        "a;q=1e0",
        "a;q=nan",
        "a;q=inf",
        "a;q=1_0",
        "a;q=\u0661",
        'a;q="1"',
        'a;x="',
        'a;x="\\"',
        'a;x="y"z',
        "a;q=1;q=1",
        "a;q=1;Q=0",
    ],
)
@pytest.mark.parametrize("around", ["{}", "b, {}", "{}, b"])
def test_a_list_with_a_part_that_does_not_parse_says_nothing(element: str, around: str) -> None:
    assert read_weights(around.format(element), parameters=True) == {}


@pytest.mark.parametrize("header", ["a;level=1", "a;level=1;q=0.5", 'a;q=0.5;level="1"', "b, a;q=1;x=y"])
def test_parameters_stand_only_where_the_field_has_them(header: str) -> None:
    assert read_weights(header) == {}
    assert "a" in read_weights(header, parameters=True)


def test_a_weight_counts_wherever_it_stands_and_what_is_quoted_is_no_list() -> None:
    found = read_weights(r'a;q=0.5;x=y, b;x=y;q=0.25, c;x=", d;q=0, \" ";q=0.125', parameters=True)
    assert found == {"a": 0.5, "b": 0.25, "c": 0.125}


def test_what_is_larger_than_any_browser_sends_says_nothing() -> None:
    assert read_weights("a" * 1000) == {"a" * 1000: 1}
    assert read_weights("a" * 1001) == {}
    assert read_weights("a" + " " * 1000) == {}
    assert len(read_weights(",".join(f"a{number}" for number in range(32)))) == 32
    assert read_weights("," * 31) == {}
    assert read_weights(",".join(f"a{number}" for number in range(33))) == {}
    assert read_weights("a," + "," * 31) == {}


@pytest.mark.parametrize(
    "part", [";", "; ", " ; ", ";a=b", "; a=b ", ';a="\\"', " ", "\t;", "a/", ";q=1", ',"']
)
def test_fault_A5_no_text_makes_reading_slow(part: str) -> None:
    """At the largest size; a matcher that tries every split of the spaces would not come back."""
    text = ("a" + part * 1000)[:999] + "\x00"
    began = time.process_time()
    for _ in range(10):
        assert read_weights(text, parameters=True) == {}
    assert time.process_time() - began < 1


@given(
    elements=st.dictionaries(TOKENS.map(str.lower), WEIGHTS, max_size=12),
    spaces=st.lists(SPACES, min_size=4, max_size=4),
    upper=st.booleans(),
)
def test_every_list_is_read_as_it_was_written(
    elements: dict[str, str], spaces: list[str], upper: bool
) -> None:
    one, two, three, four = spaces
    text = ",".join(f"{one}{name}{two};{three}q={weight}{four}" for name, weight in elements.items())
    found = read_weights(text.upper() if upper else text)
    if len(text) <= 1000:
        assert list(found.items()) == [(name, float(weight)) for name, weight in elements.items()]


@given(text=st.one_of(st.text(max_size=60), st.text(alphabet=' \t,;=/"\\q01.*a', max_size=40)))
def test_any_text_is_weights_from_0_to_1(text: str) -> None:
    for parameters in (False, True):
        found = read_weights(text, parameters=parameters)
        assert all(0 <= weight <= 1 for weight in found.values())
        assert all(name and name in text.lower() for name in found)


@pytest.mark.parametrize(
    "header",
    [
        "text/html",
        "TEXT/HTML;q=0.1",
        "application/json, text/html",
        "text/html ; level=1",
        "text/html;level=1;q=0, text/html",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    ],
)
def test_html_is_wanted_by_whoever_names_it(header: str) -> None:
    assert accepts_html(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "*/*",
        "text/*",
        "application/json",
        "text/html;q=0",
        "text/html; q=0.000",
        "text/htmlx",
        'application/json;x=", text/html"',
        "text/html, (",
        "text/html;q=high",
    ],
)
def test_html_is_not_wanted_by_whoever_does_not(header: str | None) -> None:
    assert not accepts_html(header)


@pytest.mark.parametrize(
    "header",
    [
        "gzip",
        "GZIP",
        "x-gzip",
        "*",
        "br, gzip;q=0.5",
        "gzip ; q=1",
        "*;q=0, gzip",
        "gzip;q=0.001",
        "gzip;q=0, x-gzip",
        "gzip, deflate, br, zstd",
    ],
)
def test_gzip_is_taken_by_whoever_says_so(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "br",
        "identity",
        "gzip;q=0",
        "gzip;q=0.000",
        "*;q=0",
        "*, gzip;q=0",
        "*, x-gzip;q=0",
        "gzipped",
        "gzip;level=9",
        "gzip, (",
    ],
)
def test_gzip_is_not_taken_by_whoever_does_not(header: str | None) -> None:
    assert not accepts_gzip(header)
