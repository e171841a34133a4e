"""The box for what lies in the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.secret import Secret
from watchword.crypto.aead import OVERHEAD, VersionedKey, key_version_of, open_at_rest, seal_at_rest
from watchword.errors import DamagedError
from watchword.testing import SeededEntropy

KEYS = {version: Secret(bytes((version,)) * 32) for version in (0, 1, 7)}
NEWEST = VersionedKey(version=7, key=KEYS[7])
PLACE = {"table": "devices", "row": "dev_1", "purpose": "client-key"}


def keys(version: int) -> Secret:
    return KEYS[version]


def seal(plaintext: bytes = b"ab") -> bytes:
    return seal_at_rest(plaintext, NEWEST, **PLACE, entropy=SeededEntropy("rest"))


def damaged(record: bytes, **place: str) -> None:
    with pytest.raises(DamagedError) as caught:
        open_at_rest(record, keys, **{**PLACE, **place})
    assert caught.value.args == ()
    assert caught.value.__cause__ is None


@given(plaintext=st.binary(max_size=300))
def test_what_is_sealed_opens_in_its_place(plaintext):
    record = seal(plaintext)
    assert len(record) == len(plaintext) + OVERHEAD
    assert open_at_rest(record, keys, **PLACE) == plaintext


def test_the_record_begins_with_format_and_key_version():
    assert seal()[:5] == bytes((1, 0, 0, 0, 7))
    assert key_version_of(seal()) == 7


def test_every_single_bit_flip_and_every_truncation_is_damage():
    record = seal()
    for position in range(len(record) * 8):
        flipped = bytearray(record)
        flipped[position // 8] ^= 1 << (position % 8)
        damaged(bytes(flipped))
    for size in range(len(record)):
        damaged(record[:size])
    damaged(record + b"\0")


@pytest.mark.parametrize("part", list(PLACE))
def test_a_record_moved_to_another_place_does_not_open(part):
    damaged(seal(), **{part: PLACE[part] + "x"})


def test_places_do_not_run_into_each_other():
    record = seal_at_rest(b"x", NEWEST, table="a", row='b","table":"c', purpose="p", entropy=SeededEntropy())
    for table, row in (("c", "b"), ('a","row":"b', "c"), ("a", "b")):
        damaged(record, table=table, row=row, purpose="p")


def test_older_keys_open_and_unknown_ones_are_damage():
    old = VersionedKey(version=1, key=KEYS[1])
    record = seal_at_rest(b"x", old, **PLACE, entropy=SeededEntropy())
    assert open_at_rest(record, keys, **PLACE) == b"x"
    gone = VersionedKey(version=2, key=KEYS[1])
    damaged(seal_at_rest(b"x", gone, **PLACE, entropy=SeededEntropy()))


@given(junk=st.binary(max_size=100))
def test_junk_is_damage_and_nothing_else(junk):
    damaged(junk)


@pytest.mark.parametrize("junk", [b"", b"\x01", bytes(40), b"\x02" + bytes(40)])
def test_the_key_version_of_junk_is_damage(junk):
    with pytest.raises(DamagedError):
        key_version_of(junk)


@pytest.mark.parametrize(("version", "size"), [(-1, 32), (1 << 32, 32), (1, 31), (1, 0)])
def test_a_versioned_key_has_32_bytes_and_32_bits_of_version(version, size):
    with pytest.raises(ValueError, match="32 bytes"):
        VersionedKey(version=version, key=Secret(bytes(size)))


def test_a_versioned_key_does_not_show_itself():
    assert KEYS[7].reveal().hex() not in repr(NEWEST)
    assert "<Secret 32 bytes>" in repr(NEWEST)


def test_two_records_use_two_nonces():
    entropy = SeededEntropy()
    records = {seal_at_rest(b"x", NEWEST, **PLACE, entropy=entropy)[5:17] for _ in range(50)}
    assert len(records) == 50
