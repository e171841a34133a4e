"""Passwords: preparation, the rules for a new one, and the list of common ones."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.core.secret import Secret
from watchword.errors import DamagedError, ErrorCode, MalformedError
from watchword.protocol.common_passwords import MAGIC, CommonPasswords, common_passwords, prefix_of
from watchword.protocol.passwords import (
    SENTENCES,
    PasswordReason,
    PasswordRefusedError,
    WeakPasswordError,
    check_new,
    prepare,
)
from watchword.testing.counts import count

GOOD = "correct horse battery staple"


def check(text: str, *, second_factor: bool = False, **changes: str | None) -> Secret:
    context: dict[str, Any] = {
        "username": "alice.smith",
        "email": "asmith@example.org",
        "service": "Watchword",
    } | changes
    return check_new(text, **context, second_factor=second_factor)


def refusal(text: str, **changes: Any) -> PasswordReason:
    with pytest.raises(PasswordRefusedError) as caught:
        check(text, **changes)
    return caught.value.reason


def test_a_good_password_comes_back_prepared() -> None:
    assert check(GOOD) == Secret.from_text(GOOD)
    assert check("ünî\u3000cödé pässwört".replace("é", "e\u0301")) == prepare("ünî cödé pässwört")


def test_a_refusal_shows_nothing_of_the_password() -> None:
    planted = "planted-\tsecret-password"
    with pytest.raises(PasswordRefusedError) as caught:
        prepare(planted)
    assert (
        "planted"
        not in f"{caught.value!r}{caught.value.detail}{caught.value.__cause__}{caught.value.__context__}"
    )
    assert caught.value.__context__ is None


def test_a_refusal_is_malformed_and_every_reason_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(PasswordReason)
    with pytest.raises(MalformedError) as caught:
        check("short")
    assert caught.value.code is ErrorCode.MALFORMED
    assert "15" in caught.value.detail
    assert isinstance(caught.value, WeakPasswordError)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", PasswordReason.EMPTY),
        ("\ud800" * 15, PasswordReason.NOT_TEXT),
        ("tab\tin the middle", PasswordReason.CHARACTER),
        ("new line at the end\n", PasswordReason.CHARACTER),
        ("never assigned \u0378", PasswordReason.CHARACTER),
        ("x y" * 100, PasswordReason.TOO_LONG),
        ("x" * 1_000_000, PasswordReason.TOO_LONG),
        ("fourteen chars", PasswordReason.TOO_SHORT),
        ("zzzzzzzzzzzzzzzzzz", PasswordReason.REPEATED),
        ("xY9xY9xY9xY9xY9x", PasswordReason.REPEATED),
        ("Password12345678", PasswordReason.COMMON),
        ("sunshinesunshine", PasswordReason.COMMON),
        ("qwertyuiopasdfghjkl", PasswordReason.COMMON),
        ("1qaz2wsx3edc4rfv", PasswordReason.COMMON),
        ("123456789012345", PasswordReason.COMMON),
        ("AliceXSmith", PasswordReason.TOO_SHORT),
        ("Alice.Smith1990!", PasswordReason.LIKE_NAME),
        ("alice.smith alice.smith", PasswordReason.LIKE_NAME),
        ("asmith-asmith-2024", PasswordReason.LIKE_NAME),
        ("asmith@example.org", PasswordReason.LIKE_NAME),
        ("watchword alice.smith", PasswordReason.LIKE_NAME),
        ("Watchword2024!!!", PasswordReason.LIKE_SERVICE),
        ("!!WATCHWORD-WATCHWORD", PasswordReason.LIKE_SERVICE),
    ],
)
def test_a_refusal_says_why(text: str, reason: PasswordReason) -> None:
    assert refusal(text) is reason


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "passwordless since spring",
        "my alice.smith phrase holds",
        "abcdefghijkl abcdefghijkm",
        "    spaces around are kept    ",
        "東京は今日も雨が降っていますよね",
        "x7#Kq9!mZ2$vB4&x",
    ],
)
def test_nothing_is_refused_for_a_part_of_it(text: str) -> None:
    check(text)


def test_eight_are_enough_beside_a_second_factor() -> None:
    assert refusal("k7#Qx9m", second_factor=True) is PasswordReason.TOO_SHORT
    check("k7#Qx9mk", second_factor=True)
    assert refusal("k7#Qx9mk") is PasswordReason.TOO_SHORT
    assert refusal("baseball", second_factor=True) is PasswordReason.COMMON


def test_an_account_without_an_address_and_a_service_without_a_name_are_checked_too() -> None:
    assert refusal("bobbobbobbobbobb", username="bob", email=None, service="") is PasswordReason.REPEATED
    check(GOOD, username="bob", email=None, service="")


@settings(max_examples=count(200, 20_000), derandomize=True, deadline=None)
@given(st.text(max_size=40))
def test_preparation_is_idempotent_and_raises_nothing_else(text: str) -> None:
    try:
        prepared = prepare(text)
    except PasswordRefusedError:
        return
    assert prepare(prepared.reveal().decode()) == prepared


def test_the_list_is_found_whole_and_without_regard_to_ascii_case() -> None:
    listed = common_passwords()
    assert "PassWord12345678" in listed
    assert "Password12345678 " not in listed
    assert "paßword12345678" not in listed


def test_the_first_and_the_last_entry_are_found_and_their_neighbours_are_not() -> None:
    texts = sorted(("red", "green", "blue", "grey"), key=prefix_of)
    data = MAGIC + bytes((1, 5)) + (3).to_bytes(4, "big") + b"".join(prefix_of(text) for text in texts[:3])
    listed = CommonPasswords(data)
    assert len(listed) == 3
    assert [text in listed for text in texts] == [True, True, True, False]
    assert "red" not in CommonPasswords(MAGIC + bytes((1, 5, 0, 0, 0, 0)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        MAGIC + bytes((2, 5, 0, 0, 0, 0)),
        MAGIC + bytes((1, 4, 0, 0, 0, 0)),
        MAGIC + bytes((1, 5, 0, 0, 0, 1)),
    ],
)
def test_a_damaged_list_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedError):
        CommonPasswords(data)


def test_false_refusals_are_rarer_than_one_in_a_million() -> None:
    assert len(common_passwords()) / 2**40 < 1e-6
    hits = sum(f"never on a list {number}" in common_passwords() for number in range(count(2_000, 100_000)))
    assert hits == 0


def test_the_list_costs_little_memory() -> None:
    tracemalloc.start()
    common_passwords.__wrapped__()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 600_000
