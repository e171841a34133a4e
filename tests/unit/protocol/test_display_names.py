"""Names to show: kind to what people type, and nothing that a terminal or a page would obey."""

import sys
import unicodedata

import pytest
from tests.kits.rules_in_browser import NOT_SHOWN, SHOWN

from watchword.protocol.names import InvalidNameError, NameReason, parse_display_name


@pytest.mark.parametrize(("typed", "kept"), SHOWN.items())
def test_names_that_people_type_are_kept_with_plain_spaces(typed: str, kept: str) -> None:
    assert parse_display_name(typed) == kept
    assert parse_display_name(kept) == kept


@pytest.mark.parametrize("text", NOT_SHOWN)
def test_fault_A15_what_would_be_obeyed_or_not_seen_is_no_name(text: str) -> None:
    with pytest.raises(InvalidNameError) as refused:
        parse_display_name(text)
    long = len(text) > 100
    assert refused.value.reason is (NameReason.DISPLAY_LONG if long else NameReason.DISPLAY_CHARACTER)


def test_whatever_can_be_printed_may_stand_in_a_name() -> None:
    for point in range(sys.maxunicode + 1):
        sign = chr(point)
        if sign.isprintable():
            assert parse_display_name(f"a{sign}b") == f"a{sign}b"
        elif unicodedata.category(sign) in {"Cc", "Cf", "Zl", "Zp"} and sign not in "\u200c\u200d":
            with pytest.raises(InvalidNameError):
                parse_display_name(f"a{sign}b")
