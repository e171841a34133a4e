"""base64url has one spelling for each value: decoding is the exact inverse of encoding, and total."""

import itertools

import pytest

from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.errors import MalformedError
from watchword.testing import SeededEntropy

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_every_length_round_trips():
    entropy = SeededEntropy("base64url")
    for size in range(100):
        data = entropy.bytes(size)
        assert decode_b64u(encode_b64u(data)) == data


@pytest.mark.parametrize("length", [1, 2, 3])
def test_exactly_one_text_decodes_to_each_value_fault_E15(length):
    accepted: dict[bytes, str] = {}
    for signs in itertools.product(_ALPHABET, repeat=length):
        text = "".join(signs)
        try:
            data = decode_b64u(text)
        except MalformedError:
            continue
        assert data not in accepted
        accepted[data] = text
    assert len(accepted) == {1: 0, 2: 1 << 8, 3: 1 << 16}[length]


@pytest.mark.parametrize("place", range(5))
def test_no_other_character_stands_anywhere_fault_E15(place):
    others = [chr(code) for code in range(256) if chr(code) not in _ALPHABET] + [
        "\u0410",
        "\uff21",
        "\ud800",
        "\U0001f600",
    ]
    for text in ("QUJD", "QUJDRA", "QUJDREU"):
        for other in others:
            with pytest.raises(MalformedError):
                decode_b64u(text[:place] + other + text[place:])
            with pytest.raises(MalformedError):
                decode_b64u(text[:place] + other + text[place + 1 :])
