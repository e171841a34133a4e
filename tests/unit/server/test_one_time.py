"""Single-use secrets: one spelling, found by a selector, proven by a keyed hash."""

import pytest

from watchword.core.clock import Instant
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.errors import KeyUnknownError, MalformedError
from watchword.server.one_time import OneTimeSecret, OneTimeSecrets
from watchword.testing import FixedClock, SeededEntropy

NOW = FixedClock().now()


def make(versions: dict[int, Secret] | None = None, current: int = 1) -> OneTimeSecrets:
    keys = versions or {1: Secret(bytes(32))}

    def find(version: int) -> Secret:
        if version not in keys:
            raise KeyUnknownError
        return keys[version]

    return OneTimeSecrets(
        lambda: VersionedKey(version=current, key=keys[current]), find, SeededEntropy("once")
    )


def test_what_was_made_is_known_again_from_its_text() -> None:
    secrets = make()
    made, verifier = secrets.make("wtt", NOW)
    assert secrets.check(OneTimeSecret.parse(made.text(), prefix="wtt"), verifier)
    assert len(verifier) == 36
    assert made.secret.reveal() not in verifier


def test_every_changed_bit_is_refused() -> None:
    secrets = make()
    made, verifier = secrets.make("wtt", NOW)
    raw = decode_b64u(made.text()[4:])
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        other = OneTimeSecret.parse(f"wtt_{encode_b64u(bytes(changed))}", prefix="wtt")
        assert not secrets.check(other, verifier)


def test_a_secret_of_one_kind_is_none_of_another() -> None:
    secrets = make()
    made, verifier = secrets.make("wtt", NOW)
    with pytest.raises(MalformedError):
        OneTimeSecret.parse(made.text(), prefix="wiv")
    renamed = OneTimeSecret.parse("wiv" + made.text()[3:], prefix="wiv")
    assert not secrets.check(renamed, verifier)


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda one: one + "=",
        lambda one: one + "\n",
        lambda one: " " + one,
        lambda one: one[:-1],
        lambda one: one + "A",
        lambda _: "",
        lambda _: "wtt_",
        lambda one: one.replace("_", "-", 1),
    ],
)
def test_fault_B12_there_is_one_spelling(change: object) -> None:
    made, _ = make().make("wtt", NOW)
    assert callable(change)
    with pytest.raises(MalformedError):
        OneTimeSecret.parse(change(made.text()), prefix="wtt")


def test_a_verifier_is_good_under_the_key_that_made_it() -> None:
    keys = {1: Secret(b"1" * 32), 2: Secret(b"2" * 32)}
    made, verifier = make(keys, current=1).make("wtt", NOW)
    assert make(keys, current=2).check(made, verifier)
    assert not make({2: keys[2]}, current=2).check(made, verifier)
    assert not make({1: keys[2]}, current=1).check(made, verifier)


def test_the_decoy_matches_nothing_and_has_the_form_of_all() -> None:
    secrets = make()
    made, verifier = secrets.make("wtt", NOW)
    assert not secrets.check(made, secrets.decoy())
    assert len(secrets.decoy()) == len(verifier)


@pytest.mark.parametrize("verifier", [b"", b"\0", bytes(36), bytes(35), bytes(37), b"\xff" * 36])
def test_a_damaged_verifier_refuses(verifier: bytes) -> None:
    made, _ = make().make("wtt", NOW)
    assert not make().check(made, verifier)


def test_selectors_are_ordered_by_time() -> None:
    secrets = make()
    made = [secrets.make("wtt", Instant(NOW + number))[0].selector for number in range(50)]
    assert made == sorted(made)


def test_a_secret_does_not_show_in_its_repr() -> None:
    made, _ = make().make("wtt", NOW)
    assert encode_b64u(made.secret.reveal()) not in repr(made)
    assert made.secret.reveal().hex() not in repr(made)
