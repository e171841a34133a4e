import os
import stat
import threading
from collections.abc import MutableMapping
from functools import partial
from pathlib import Path

import pytest

from watchword.core.encoding import encode_b64u
from watchword.core.entropy import SystemEntropy
from watchword.crypto.keyring import RootKey
from watchword.errors import InvalidConfigError, UnavailableError
from watchword.server.keys.root_file import VARIABLE, RootKeys
from watchword.testing import SeededEntropy
from watchword.testing.counts import count


def _keys(directory: Path, environ: MutableMapping[str, str] | None = None, seed: str = "root") -> RootKeys:
    return RootKeys.find(directory / "root.key", {} if environ is None else environ, SeededEntropy(seed))


def _check(key: RootKey) -> bytes:
    return key.make_check(SeededEntropy("check"))


def test_the_first_start_makes_a_file_that_only_its_owner_reads(tmp_path):
    made = _keys(tmp_path).for_first_start()
    path = tmp_path / "root.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == encode_b64u(made.secret().reveal()) + "\n"
    assert [each.name for each in tmp_path.iterdir()] == ["root.key"]


def test_the_file_is_made_0600_under_any_umask(tmp_path):
    before = os.umask(0)
    try:
        _keys(tmp_path).for_first_start()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "root.key").stat().st_mode) == 0o600


def test_later_starts_read_what_the_first_made(tmp_path):
    made = _keys(tmp_path).for_first_start()
    assert _keys(tmp_path, seed="other").for_first_start().secret() == made.secret()
    assert _keys(tmp_path).choose(_check(made)).secret() == made.secret()


def test_fault_N6_the_environment_forgets_the_root_key(tmp_path):
    value = SeededEntropy(5).bytes(32)
    environ = {VARIABLE: value.hex(), "PATH": "/bin"}
    keys = _keys(tmp_path, environ)
    assert environ == {"PATH": "/bin"}
    assert keys.for_first_start().secret().reveal() == value
    assert list(tmp_path.iterdir()) == []


def test_fault_N6_the_real_environment_forgets_it_too(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, SeededEntropy(5).bytes(32).hex())
    _keys(tmp_path, os.environ)
    assert VARIABLE not in os.environ


@pytest.mark.parametrize("text", ["", "changeme", "00" * 32, "zz" * 32, "\udcff", "AAAA"])
def test_fault_N5_a_bad_root_key_in_the_environment_names_the_variable_and_not_the_value(tmp_path, text):
    environ = {VARIABLE: text}
    with pytest.raises(InvalidConfigError, match=VARIABLE) as caught:
        _keys(tmp_path, environ)
    assert environ == {}
    assert len(text) < 5 or text not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601, 0o666])
def test_fault_H16_fault_N5_a_root_key_file_that_others_may_use_is_refused_by_name(tmp_path, mode):
    made = _keys(tmp_path).for_first_start()
    path = tmp_path / "root.key"
    path.chmod(mode)
    for read in (_keys(tmp_path).for_first_start, partial(_keys(tmp_path).choose, _check(made))):
        with pytest.raises(InvalidConfigError) as caught:
            read()
        assert f"{path} has mode {mode:04o}" in caught.value.detail
        assert "chmod 600" in caught.value.detail
    path.chmod(0o600)
    assert _keys(tmp_path).choose(_check(made)).secret() == made.secret()


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 43, b"A" * 43, b"x" * 5000])
def test_fault_H16_a_file_that_holds_no_root_key_is_refused_by_name_and_kept(tmp_path, content):
    path = tmp_path / "root.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InvalidConfigError, match=r"root\.key: the root key"):
        _keys(tmp_path).for_first_start()
    assert path.read_bytes() == content


def test_fault_H16_a_directory_or_pipe_in_its_place_is_refused(tmp_path):
    path = tmp_path / "root.key"
    path.mkdir(mode=0o700)
    with pytest.raises(InvalidConfigError, match=r"root\.key"):
        _keys(tmp_path).for_first_start()
    path.rmdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(InvalidConfigError, match="not a regular file"):
        _keys(tmp_path).for_first_start()


def test_fault_M7_a_wrong_root_key_is_told_from_the_right_one(tmp_path):
    other = RootKey.generate(SeededEntropy(77))
    _keys(tmp_path).for_first_start()
    before = (tmp_path / "root.key").read_bytes()
    with pytest.raises(InvalidConfigError, match="this root key does not belong to this data"):
        _keys(tmp_path).choose(_check(other))
    assert (tmp_path / "root.key").read_bytes() == before


def test_a_missing_file_is_never_replaced_when_there_is_data(tmp_path):
    with pytest.raises(InvalidConfigError, match="is missing: put it back"):
        _keys(tmp_path).choose(_check(RootKey.generate(SeededEntropy(77))))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_said_and_shows_no_other_error(tmp_path):
    with pytest.raises(UnavailableError, match="cannot be written"):
        _keys(tmp_path / "nowhere").for_first_start()


def test_a_staged_key_that_the_data_does_not_know_changes_nothing(tmp_path):
    made = _keys(tmp_path).for_first_start()
    staged = _keys(tmp_path, seed="b").stage(_check(made))
    assert staged.secret() != made.secret()
    assert _keys(tmp_path).choose(_check(made)).secret() == made.secret()
    assert _keys(tmp_path, seed="c").stage(_check(made)).secret() == staged.secret()


def test_a_staged_key_that_the_data_knows_takes_the_place_of_the_old(tmp_path):
    made = _keys(tmp_path).for_first_start()
    staged = _keys(tmp_path, seed="b").stage(_check(made))
    assert _keys(tmp_path).choose(_check(staged)).secret() == staged.secret()
    assert [each.name for each in tmp_path.iterdir()] == ["root.key"]
    assert _keys(tmp_path).choose(_check(staged)).secret() == staged.secret()
    assert stat.S_IMODE((tmp_path / "root.key").stat().st_mode) == 0o600


def test_a_root_key_from_the_environment_is_not_rotated_here():
    keys = RootKeys.of(RootKey.generate(SeededEntropy(1)), SeededEntropy(2))
    with pytest.raises(InvalidConfigError, match="comes from WATCHWORD_ROOT_KEY"):
        keys.stage(b"")


def test_many_first_starts_at_once_agree_on_one_key(tmp_path):
    for round_ in range(count(5, 200)):
        directory = tmp_path / str(round_)
        directory.mkdir()
        found: list[bytes] = []
        barrier = threading.Barrier(4)

        def start(found=found, barrier=barrier, directory=directory):
            barrier.wait()
            keys = RootKeys.find(directory / "root.key", {}, SystemEntropy())
            found.append(keys.for_first_start().secret().reveal())

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert len(set(found)) == 1
        assert [each.name for each in directory.iterdir()] == ["root.key"]


def test_no_repr_shows_the_key(tmp_path):
    keys = _keys(tmp_path)
    text = (keys.for_first_start().secret()).reveal()
    assert encode_b64u(text) not in repr(keys)
    assert text.hex() not in repr(keys)
