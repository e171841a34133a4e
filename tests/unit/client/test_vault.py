"""The vault: what a wrong password, a damaged file and a failing disk do to it."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from watchword.client.vault import FILE_NAME, OpenVault, Owner, VaultFile
from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive
from watchword.crypto.passwords import StretchParams
from watchword.errors import (
    ConflictError,
    DamagedError,
    MalformedError,
    UnavailableError,
    WrongPasswordError,
)
from watchword.testing import SeededEntropy

OWNER = Owner(
    server="https://localhost:8443",
    issuer="https://id.example",
    username="anna",
    account="acc_00000000000000000000000000",
    root="-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n",
    password_version=1,
)
PASSWORD = Secret(b"violet kangaroo plays chess")
NEW_PASSWORD = Secret(b"seven purple lanterns at dusk")
ENTRIES = {"WATCHWORD_SIGNING_KEY": "A" * 43, "WATCHWORD_DEVICE": "dev_1", "EMPTY": ""}


def quick(password: Secret, salt: bytes, params: StretchParams) -> Secret:
    """In place of Argon2id, which is tested elsewhere: these tests are about the file."""
    assert params == StretchParams()
    return derive(password, Label.VAULT_KEY, salt=salt)


def make(home: Path) -> tuple[VaultFile, OpenVault]:
    file = VaultFile(home, SeededEntropy("vault"))
    return file, file.create(OWNER, ENTRIES, PASSWORD, quick)


def change(path: Path, **members: Any) -> None:
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, **members}))


def test_what_was_saved_opens_again(tmp_path: Path) -> None:
    file, _ = make(tmp_path)
    again = VaultFile(tmp_path, SeededEntropy("other")).open(PASSWORD, quick)
    assert again.owner == OWNER == file.owner()
    assert again.entries == ENTRIES


def test_the_real_stretch_opens_it_too(tmp_path: Path) -> None:
    file = VaultFile(tmp_path, SeededEntropy("vault"))
    file.create(OWNER, ENTRIES, PASSWORD)
    assert file.open(PASSWORD).entries == ENTRIES
    with pytest.raises(WrongPasswordError):
        file.open(Secret(b"another"))


def test_a_wrong_password_is_told_from_damage(tmp_path: Path) -> None:
    file, _ = make(tmp_path)
    with pytest.raises(WrongPasswordError):
        file.open(Secret(b"another"), quick)
    document = json.loads(file.path.read_text())
    sealed = document["sealed"]
    change(file.path, sealed=sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB"))
    with pytest.raises(DamagedError):
        file.open(PASSWORD, quick)
    with pytest.raises(WrongPasswordError):
        file.open(Secret(b"another"), quick)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("server", "https://evil.example"),
        ("issuer", "https://evil.example"),
        ("username", "bert"),
        ("account", "acc_00000000000000000000000001"),
        ("root", "another root"),
        ("password_version", 2),
        ("stretch", {"alg": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 1, "more": 1}),
        ("stretch", {"alg": "argon2id", "memory_kib": 8, "passes": 1, "lanes": 1}),
        ("stretch", {"alg": "pbkdf2", "memory_kib": 65536, "passes": 3, "lanes": 1}),
        ("v", 2),
        ("v", None),
        ("salt", "AAAA"),
        ("check", "AAAA"),
        ("is_admin", True),
        ("sealed", ""),
    ],
)
def test_a_changed_member_does_not_open(tmp_path: Path, member: str, value: object) -> None:
    file, _ = make(tmp_path)
    change(file.path, **{member: value})
    with pytest.raises(DamagedError):
        file.open(PASSWORD, quick)


@pytest.mark.parametrize("member", ["salt", "check"])
def test_a_changed_check_looks_like_a_wrong_password(tmp_path: Path, member: str) -> None:
    file, _ = make(tmp_path)
    change(file.path, **{member: "A" * 22})
    with pytest.raises(WrongPasswordError):
        file.open(PASSWORD, quick)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"{}" * 10, b" " * (1 << 19)])
def test_what_is_no_vault_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(DamagedError):
        VaultFile(tmp_path, SeededEntropy("vault")).owner()


def test_every_cut_of_the_file_is_damage(tmp_path: Path) -> None:
    file, _ = make(tmp_path)
    whole = file.path.read_bytes()
    for size in range(0, len(whole) - 1, 7):
        file.path.write_bytes(whole[:size])
        with pytest.raises(DamagedError):
            file.open(PASSWORD, quick)


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        file, _ = make(tmp_path / "home")
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_no_secret_stands_in_it_in_clear(tmp_path: Path) -> None:
    file, _ = make(tmp_path)
    content = file.path.read_bytes()
    assert b"A" * 43 not in content
    assert b"WATCHWORD_SIGNING_KEY" not in content
    assert PASSWORD.reveal() not in content


def test_each_seal_has_a_fresh_nonce_and_each_creation_a_fresh_salt(tmp_path: Path) -> None:
    file, vault = make(tmp_path)
    first = json.loads(file.path.read_text())
    file.save(vault)
    second = json.loads(file.path.read_text())
    assert first["sealed"].split(".")[2] != second["sealed"].split(".")[2]
    file.create(OWNER, ENTRIES, PASSWORD, quick)
    assert json.loads(file.path.read_text())["salt"] != first["salt"]


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open"])
def test_a_disk_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    file, vault = make(tmp_path)
    before = file.path.read_bytes()

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    vault.put({"NEW": "1"})
    with monkeypatch.context() as patch:
        if call == "replace":
            patch.setattr(Path, "replace", full)
        elif call == "write":
            patch.setattr("watchword.client.vault.os.fdopen", full)
        else:
            patch.setattr(f"watchword.client.vault.os.{call}", full)
        with pytest.raises(UnavailableError, match="No space left"):
            file.save(vault)
    assert file.path.read_bytes() == before
    assert file.open(PASSWORD, quick).entries == ENTRIES
    file.save(vault)
    assert file.open(PASSWORD, quick).entries == {**ENTRIES, "NEW": "1"}
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]


def test_a_left_over_temporary_file_or_link_is_not_written_through(tmp_path: Path) -> None:
    file, vault = make(tmp_path / "home")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "home" / ".vault.new").symlink_to(victim)
    file.save(vault)
    assert victim.read_text() == "mine"
    assert file.open(PASSWORD, quick).entries == ENTRIES


def test_what_another_process_wrote_is_not_overwritten(tmp_path: Path) -> None:
    file, mine = make(tmp_path)
    theirs = file.open(PASSWORD, quick)
    theirs.put({"NEW": "1"})
    file.save(theirs)
    before = file.path.read_bytes()
    with pytest.raises(ConflictError, match="another process"):
        file.save(mine)
    assert file.path.read_bytes() == before
    file.save(theirs)
    file.remove()
    with pytest.raises(ConflictError):
        file.save(theirs)
    assert not file.exists()


def test_a_new_password_in_the_file_is_not_undone(tmp_path: Path) -> None:
    file, mine = make(tmp_path)
    theirs = file.open(PASSWORD, quick)
    file.create(OWNER, theirs.entries, NEW_PASSWORD, quick, replaces=theirs)
    for late in (mine, theirs):
        with pytest.raises(ConflictError):
            file.save(late)
        with pytest.raises(ConflictError):
            file.create(OWNER, late.entries, Secret(b"a third one"), quick, replaces=late)
    assert file.open(NEW_PASSWORD, quick).entries == ENTRIES


def test_a_new_password_takes_the_place_of_what_was_saved_under_the_old_one(tmp_path: Path) -> None:
    file, mine = make(tmp_path)
    theirs = file.open(PASSWORD, quick)
    file.save(theirs)
    file.create(OWNER, mine.entries, NEW_PASSWORD, quick, replaces=mine)
    assert file.open(NEW_PASSWORD, quick).entries == ENTRIES
    with pytest.raises(ConflictError):
        file.save(theirs)


def test_what_is_newer_is_opened_with_the_key_at_hand_or_else_with_the_password(tmp_path: Path) -> None:
    file, mine = make(tmp_path)
    assert file.newer_than(mine, PASSWORD, quick) is None
    theirs = file.open(PASSWORD, quick)
    theirs.put({"NEW": "1"})
    file.save(theirs)
    newer = file.newer_than(mine, Secret(b"not needed: it is sealed as before"), quick)
    assert newer is not None
    assert newer.entries == {**ENTRIES, "NEW": "1"}
    file.save(newer)
    file.create(OWNER, ENTRIES, NEW_PASSWORD, quick)
    with pytest.raises(WrongPasswordError):
        file.newer_than(mine, PASSWORD, quick)
    resealed = file.newer_than(mine, NEW_PASSWORD, quick)
    assert resealed is not None
    assert resealed.entries == ENTRIES


@pytest.mark.parametrize("name", ["lower", "1A", "", "A B", "A=B", "Ä"])
def test_an_entry_has_a_plain_name(tmp_path: Path, name: str) -> None:
    _, vault = make(tmp_path)
    with pytest.raises(MalformedError):
        vault.put({name: "x"})


@pytest.mark.parametrize("value", ["a\nB=c", "a\rb", "a\0b"])
def test_an_entry_is_one_line(tmp_path: Path, value: str) -> None:
    _, vault = make(tmp_path)
    with pytest.raises(MalformedError):
        vault.put({"NAME": value})
    assert vault.entries == ENTRIES


@pytest.mark.parametrize(
    "value", ["", "=", " x ", "#x", "'", '"', "a\u2028b", "a\x0bb", "a\x85b", "a\x1cb", "ü"]
)
def test_what_can_be_put_can_be_read_again(tmp_path: Path, value: str) -> None:
    file, vault = make(tmp_path)
    vault.put({"NAME": value})
    file.save(vault)
    assert file.open(PASSWORD, quick).entries == {**ENTRIES, "NAME": value}


def test_a_missing_entry_is_damage_and_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    file, vault = make(tmp_path)
    with pytest.raises(DamagedError, match="NOTHING"):
        vault.get("NOTHING")
    file.remove()
    file.remove()
    assert not file.exists()
    with pytest.raises(DamagedError, match="register or log in"):
        file.open(PASSWORD, quick)


def test_an_open_vault_shows_no_secret(tmp_path: Path) -> None:
    _, vault = make(tmp_path)
    assert "violet" not in repr(vault)
    assert "<Secret 32 bytes>" in repr(vault)
