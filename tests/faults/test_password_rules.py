"""FAULTS B7, C1, C3, C4, C10 and C12, as far as they are about what a password is."""

import itertools
import unicodedata

import pytest
from tools import make_common_passwords

from watchword.core.secret import Secret
from watchword.protocol.passwords import (
    MAX_LENGTH,
    PasswordReason,
    PasswordRefusedError,
    WeakPasswordError,
    check_new,
    prepare,
)

VARIED = "kT7!vQ2#mX9$wZ4&"


def check(text: str, *, second_factor: bool = False) -> Secret:
    return check_new(
        text, username="alice", email="al@example.org", service="Watchword", second_factor=second_factor
    )


def refusal(text: str, *, second_factor: bool = False) -> PasswordReason:
    with pytest.raises(PasswordRefusedError) as caught:
        check(text, second_factor=second_factor)
    return caught.value.reason


def of_length(size: int) -> str:
    """A password of so many code points that is refused for nothing but its length."""
    return "".join(chr(0x4E00 + 37 * place) for place in range(size))


def test_fault_B7_spaces_of_every_kind_are_kept_in_their_places() -> None:
    assert prepare("  two  spaces  ").reveal() == b"  two  spaces  "
    assert prepare("\u00a0two\u3000\u1680spaces\u2003").reveal() == b" two  spaces "
    assert prepare("two spaces") != prepare("two  spaces")


def test_fault_C1_the_edges_of_the_length() -> None:
    assert refusal("") is PasswordReason.EMPTY
    for size in (7, 8, 14):
        assert refusal(of_length(size)) is PasswordReason.TOO_SHORT
    for size in (15, 64, 128, MAX_LENGTH):
        assert check(of_length(size)).reveal() == of_length(size).encode()
    assert refusal(of_length(MAX_LENGTH + 1)) is PasswordReason.TOO_LONG
    assert refusal(of_length(7), second_factor=True) is PasswordReason.TOO_SHORT
    for size in (8, 14, 15):
        check(of_length(size), second_factor=True)


def test_fault_C1_length_is_counted_in_code_points_after_composition() -> None:
    assert check(unicodedata.normalize("NFD", "é" + of_length(255))) == check("é" + of_length(255))
    assert refusal("e\u0301" * 7) is PasswordReason.TOO_SHORT
    check("".join(chr(0x1F600 + place) for place in range(15)))


def test_fault_C3_equal_texts_are_equal_and_differing_ones_differ() -> None:
    marks = "".join(chr(0x0300 + place % 0x40) for place in range(100))
    texts = (
        "péss wörd",
        "pess word",
        "pe\u0302ss word",
        "😀😁😂",
        "😀😁",
        f"a{marks}",
        f"a{marks[:-1]}",
        "a b",
        "a  b",
        " a b",
        "ab",
    )
    for text in texts:
        forms = {prepare(unicodedata.normalize(form, text)).reveal() for form in ("NFC", "NFD")}
        assert forms == {unicodedata.normalize("NFC", text).encode()}
    for one, other in itertools.combinations(texts, 2):
        assert prepare(one) != prepare(other)


def test_fault_C3_compatibility_forms_and_case_are_kept_apart() -> None:
    for one, other in (("ﬁsh", "fish"), ("ａbc", "abc"), ("Abc", "abc"), ("straße", "strasse"), ("x²", "x2")):
        assert prepare(one) != prepare(other)


def test_fault_C3_a_tab_is_refused_and_never_taken_for_a_space() -> None:
    assert refusal("a tab\tin the middle of it") is PasswordReason.CHARACTER


def long_common() -> list[str]:
    return [entry for entry in make_common_passwords.all_entries() if len(entry) >= 15]


def test_fault_C4_the_commonest_passwords_that_satisfy_the_length_are_refused() -> None:
    commonest = long_common()[:3000]
    assert len(commonest) == 3000
    for entry in commonest:
        for spelling in (entry, entry.capitalize(), entry.upper()):
            with pytest.raises(WeakPasswordError) as caught:
                check(spelling)
            assert caught.value.reason in {PasswordReason.COMMON, PasswordReason.REPEATED}
            assert caught.value.detail


def test_fault_C4_the_commonest_of_the_sources_are_refused_beside_a_second_factor() -> None:
    entries = [entry for entry in make_common_passwords.sources() if len(entry) >= 8]
    assert len(entries) > 10_000
    for entry in entries[:3000]:
        with pytest.raises(WeakPasswordError):
            check(entry, second_factor=True)


def test_fault_C4_the_service_and_the_user_are_refused() -> None:
    for text in (
        "alice1234567890",
        "ALICE-2024-2024",
        "alice alice alice",
        "al@example.org1",
        "123456789 Alice!",
    ):
        assert refusal(text) in {PasswordReason.LIKE_NAME, PasswordReason.REPEATED}
    assert refusal("watchword123456") in {PasswordReason.LIKE_SERVICE, PasswordReason.COMMON}
    assert refusal("aliceWATCHWORD7") is PasswordReason.LIKE_NAME


def test_fault_C4_a_phrase_is_not_refused_for_a_word_in_it() -> None:
    for text in (
        "correct horse battery staple",
        "password horse battery staple",
        "alice likes the watchword",
        "qwerty sheep 123456 moon",
    ):
        check(text)


def test_fault_C4_the_shipped_list_is_made_from_the_committed_sources() -> None:
    assert make_common_passwords.make() == make_common_passwords.TARGET.read_bytes()
    entries = make_common_passwords.all_entries()
    assert len(entries) > 10_000
    assert len(long_common()) >= 3_000


def test_fault_C10_passwords_that_share_72_bytes_are_different() -> None:
    shared = (VARIED * 5)[:72]
    assert prepare(shared + "a") != prepare(shared + "b")
    assert prepare(shared) != prepare(shared + "a")
    assert prepare(shared + "a").reveal()[:72] == prepare(shared + "b").reveal()[:72]


def test_fault_C12_no_password_ends_at_a_NUL() -> None:
    """RFC 8265 forbids control characters, so two of the three are none; the third is not what they would log in as."""
    for text in ("abc\0def", "abc\0xyz", "abc\0", "\0abc", "\0"):
        with pytest.raises(PasswordRefusedError) as caught:
            prepare(text)
        assert caught.value.reason is PasswordReason.CHARACTER
    assert prepare("abc").reveal() == b"abc"
