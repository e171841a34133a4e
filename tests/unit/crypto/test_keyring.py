import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.encoding import encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.aead import open_at_rest, seal_at_rest
from watchword.crypto.keyring import DataKeyPurpose, DataKeys, RootKey
from watchword.errors import DamagedError, InvalidConfigError, KeyUnknownError
from watchword.testing import SeededEntropy

AT_REST = DataKeyPurpose.AT_REST


def _root(seed: int = 1) -> RootKey:
    return RootKey.generate(SeededEntropy(seed))


def test_a_wrapped_data_key_opens_again_for_its_purpose_and_version():
    key = Secret(SeededEntropy(2).bytes(32))
    wrapped = _root().wrap(key, purpose=AT_REST, version=3, entropy=SeededEntropy(3))
    assert len(wrapped) == 61
    assert _root().unwrap(wrapped, purpose=AT_REST, version=3) == key


@pytest.mark.parametrize(("purpose", "version"), [(DataKeyPurpose.PEPPER, 3), (AT_REST, 4)])
def test_a_wrapped_data_key_opens_in_no_other_place(purpose, version):
    wrapped = _root().wrap(Secret(b"k" * 32), purpose=AT_REST, version=3, entropy=SeededEntropy(3))
    with pytest.raises(DamagedError):
        _root().unwrap(wrapped, purpose=purpose, version=version)


def test_another_root_key_opens_nothing():
    wrapped = _root().wrap(Secret(b"k" * 32), purpose=AT_REST, version=1, entropy=SeededEntropy(3))
    with pytest.raises(DamagedError):
        _root(9).unwrap(wrapped, purpose=AT_REST, version=1)


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_changed_bit_anywhere_is_damage(position, change):
    wrapped = bytearray(_root().wrap(Secret(b"k" * 32), purpose=AT_REST, version=1, entropy=SeededEntropy(3)))
    wrapped[position] ^= change
    with pytest.raises(DamagedError):
        _root().unwrap(bytes(wrapped), purpose=AT_REST, version=1)


@given(st.binary(max_size=80))
def test_any_bytes_are_damage_and_nothing_else(data):
    with pytest.raises(DamagedError):
        _root().unwrap(data, purpose=AT_REST, version=1)


def test_the_check_value_knows_its_root_key_and_no_other():
    check = _root().make_check(SeededEntropy(4))
    assert _root().matches(check)
    assert not _root(2).matches(check)
    assert not _root().matches(check[:-1])
    assert not _root().matches(b"")
    assert _root().secret().reveal() not in check


@pytest.mark.parametrize(
    "value",
    [
        bytes(32),
        b"\xff" * 32,
        b"\x01\x02" * 16,
        bytes(range(32)),
        bytes(range(64, 0, -2)),
        b"changemechangemechangemechangeme",
        b"this is my very secret root key!",
        b"0123456789abcdef" * 2,
        bytes.fromhex("deadbeef") * 8,
    ],
)
def test_fault_N5_a_default_root_key_is_refused(value):
    with pytest.raises(InvalidConfigError, match="default or a pattern") as caught:
        RootKey(Secret(value))
    assert value.hex() not in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 16, 31, 33, 64])
def test_fault_N5_a_root_key_of_another_size_is_refused(size):
    with pytest.raises(InvalidConfigError, match=f"has {size} bytes"):
        RootKey(Secret(SeededEntropy(1).bytes(size)))


def test_the_root_key_reads_hexadecimal_and_base64url():
    value = SeededEntropy(1).bytes(32)
    for text in (value.hex(), value.hex().upper(), encode_b64u(value), f"  {encode_b64u(value)}\n"):
        assert RootKey.parse(Secret.from_text(text)).secret() == Secret(value)


@given(st.text(max_size=70))
def test_any_other_text_is_refused_without_showing_it(text):
    with pytest.raises(InvalidConfigError) as caught:
        RootKey.parse(Secret.from_text(text.encode("utf-8", "replace").decode()))
    assert len(text) < 8 or text not in str(caught.value)


def test_nothing_shows_the_root_key():
    root = _root()
    shown = f"{root!r} {root} {root.secret()!r}"
    assert root.secret().reveal().hex() not in shown
    assert shown == "<RootKey> <RootKey> <Secret 32 bytes>"


def test_data_keys_start_with_one_distinct_version_of_each_purpose():
    keys = DataKeys.generate(SeededEntropy(1))
    assert all(keys.versions(purpose) == (1,) for purpose in DataKeyPurpose)
    assert len({keys.current(purpose).key.reveal() for purpose in DataKeyPurpose}) == len(DataKeyPurpose)


def test_the_newest_version_is_current_and_the_old_ones_still_read():
    keys = DataKeys.generate(SeededEntropy(1))
    first = keys.current(AT_REST)
    record = seal_at_rest(b"x", first, table="t", row="r", purpose="p", entropy=SeededEntropy(2))
    read = keys.reader(AT_REST)
    keys.install(AT_REST, 2, Secret(SeededEntropy(3).bytes(32)))
    assert keys.current(AT_REST).version == 2
    assert keys.get(AT_REST, 1) == first.key
    assert open_at_rest(record, read, table="t", row="r", purpose="p") == b"x"
    newer = seal_at_rest(
        b"y", keys.current(AT_REST), table="t", row="r", purpose="p", entropy=SeededEntropy(4)
    )
    assert open_at_rest(newer, read, table="t", row="r", purpose="p") == b"y"


def test_an_unknown_version_is_unknown_and_a_record_under_it_is_damaged():
    keys = DataKeys.generate(SeededEntropy(1))
    with pytest.raises(KeyUnknownError):
        keys.get(AT_REST, 2)
    with pytest.raises(LookupError):
        keys.reader(AT_REST)(2)


def test_a_version_never_changes_its_key():
    keys = DataKeys.generate(SeededEntropy(1))
    keys.install(AT_REST, 1, keys.get(AT_REST, 1))
    with pytest.raises(DamagedError):
        keys.install(AT_REST, 1, Secret(b"other" * 6 + b"xx"))


def test_a_purpose_without_keys_is_damage():
    with pytest.raises(DamagedError):
        DataKeys({}).current(AT_REST)


def test_data_keys_show_their_versions_only():
    keys = DataKeys.generate(SeededEntropy(1))
    assert "at_rest: [1]" in repr(keys)
    assert keys.current(AT_REST).key.reveal().hex() not in repr(keys)
