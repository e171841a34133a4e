"""`backup`, `restore`, `after-restore` and `migrate` as scripts and people type them."""

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from tests.kits.commands import Shell
from tests.kits.process import PROGRAM, RunningServer, clean_environment
from tests.kits.released import RELEASES, knowing, lay_out, next_migrations
from tests.kits.terminal import Terminal

from watchword.cli.main import run
from watchword.core.entropy import SystemEntropy
from watchword.crypto.certificates import format_fingerprint, root_fingerprint
from watchword.crypto.keyring import RootKey
from watchword.errors import InvalidConfigError
from watchword.server.backup.keys import PRIVATE_PREFIX, make_key_file
from watchword.server.config.model import DATABASE_FILE
from watchword.server.db.migrate import list_migrations
from watchword.server.db.transfer import open_snapshot
from watchword.server.keys.root_file import encode_root_key
from watchword.testing import components
from watchword.testing.databases import opened


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a running server."""
    place = tmp_path_factory.mktemp("server") / "data"
    with RunningServer.start(place):
        yield place


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path) -> Path:
    """Commands run in this process find the server; where new files may be made."""
    monkeypatch.setenv("WATCHWORD_DATA", str(data))
    return tmp_path


def test_a_backup_says_what_it_holds_and_is_never_written_over(typed, capsys):
    assert run(["backup", str(typed / "b")]) == 0
    shown = capsys.readouterr()
    assert "0 accounts" in shown.out
    assert "in the clear" in shown.err
    assert "the root key is not in it" in shown.err
    before = (typed / "b").read_bytes()
    assert run(["backup", str(typed / "b")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (typed / "b").read_bytes() == before
    assert run(["audit", "tail", "-n", "50"]) == 0
    *_, noted = [line for line in capsys.readouterr().out.splitlines() if "operator:data:backup" in line]
    assert "root_key=0  sealed=0" in noted


def test_the_root_key_is_not_put_into_a_backup_in_the_clear(typed, capsys):
    assert run(["backup", str(typed / "b"), "--with-root-key"]) == 2
    assert "sealed backup only" in capsys.readouterr().err
    assert list(typed.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(typed, capsys):
    assert run(["backup", str(typed / "nowhere" / "b")]) == 3
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_the_recipient_of_the_settings_is_the_default(typed, monkeypatch, capsys):
    make_key_file(typed / "k", SystemEntropy())
    assert run(["backup-key", "new", str(typed / "other"), "--json"]) == 0
    monkeypatch.setenv("WATCHWORD_BACKUP_RECIPIENT", str(typed / "other.pub"))
    capsys.readouterr()
    assert run(["backup", str(typed / "b"), "--json"]) == 0
    assert '"sealed":true' in capsys.readouterr().out
    assert run(["restore", str(typed / "b"), "--check", "--key", str(typed / "k")]) == 2
    assert "another key" in capsys.readouterr().err
    assert run(["restore", str(typed / "b"), "--check", "--key", str(typed / "other")]) == 0


def test_every_step_shows_the_fingerprint_that_the_server_shows_and_restore_demands_it(
    typed, data, capsys, tmp_path
):
    certificate = x509.load_pem_x509_certificate((data / "ca.pem").read_bytes())
    shown = format_fingerprint(root_fingerprint(certificate))
    line, backup, new = f"certificate authority: {shown}\n", str(typed / "b"), ["--data", str(typed / "new")]
    root_key = ["--root-key", str(data / "root.key")]
    assert run(["backup", backup]) == 0
    assert line in capsys.readouterr().out
    other = format_fingerprint(bytes(32))
    for step in (["--check"], [*root_key, *new]):
        assert run(["restore", backup, *step, "--fingerprint", other]) == 1
        refused = capsys.readouterr()
        assert refused.out == ""
        assert refused.err.endswith("is not the one of --fingerprint: nothing was restored\n")
        assert run(["restore", backup, *step, "--fingerprint", "SHA256:abc"]) == 2
        assert "not a fingerprint" in capsys.readouterr().err
        assert not (typed / "new").exists()
    typed_by_people = shown.lower().replace("-", " ")
    assert run(["restore", backup, "--check", "--fingerprint", typed_by_people]) == 0
    assert line in capsys.readouterr().out
    assert run(["restore", backup, "--check", "--json"]) == 0
    assert f'"fingerprint":"{shown}"' in capsys.readouterr().out
    assert run(["restore", backup, *root_key, *new, "--fingerprint", shown]) == 0
    assert line in capsys.readouterr().out
    after = Shell(environ={"WATCHWORD_DATA": str(typed / "new")}).run("after-restore", "--json")
    assert after.json["fingerprint"] == shown


def test_req_N6_a_key_given_in_place_of_its_file_is_not_repeated(typed, capsys):
    make_key_file(typed / "k", SystemEntropy())
    private = (typed / "k").read_text().splitlines()[-1]
    root = encode_root_key(RootKey.generate(SystemEntropy())).decode().strip()
    assert run(["backup", str(typed / "b")]) == 0
    new = ["--data", str(typed / "new")]
    for secret, command in (
        (private, ["restore", str(typed / "b"), "--check", "--key", private]),
        (private, ["restore", str(typed / "b"), *new, "--key", private.removeprefix(PRIVATE_PREFIX)]),
        (private, ["backup", str(typed / "c"), "--to", private]),
        (root, ["restore", str(typed / "b"), *new, "--root-key", root]),
        (root, ["restore", str(typed / "b"), *new, "--root-key", root * 9]),
    ):
        capsys.readouterr()
        assert run(command) == 2
        shown = capsys.readouterr()
        assert secret.removeprefix(PRIVATE_PREFIX) not in shown.out + shown.err
        assert run([*command, "--json"]) == 2
        shown = capsys.readouterr()
        assert secret.removeprefix(PRIVATE_PREFIX) not in shown.out + shown.err


def test_a_file_that_is_no_backup_is_exit_code_2_and_a_damaged_one_1(typed, capsys):
    (typed / "letter").write_text("Dear Ada")
    assert run(["restore", str(typed / "letter"), "--check"]) == 2
    assert "not a backup" in capsys.readouterr().err
    assert run(["restore", str(typed / "missing"), "--check"]) == 2
    assert run(["backup", str(typed / "b")]) == 0
    whole = (typed / "b").read_bytes()
    (typed / "b").write_bytes(whole[:-1])
    capsys.readouterr()
    assert run(["restore", str(typed / "b"), "--check"]) == 1
    assert "cut off" in capsys.readouterr().err


def test_a_restore_into_the_running_servers_directory_is_refused(typed, data, capsys):
    assert run(["backup", str(typed / "b")]) == 0
    assert run(["restore", str(typed / "b")]) == 1
    assert "holds data already" in capsys.readouterr().err
    assert run(["after-restore"]) == 2
    assert "in use by process" in capsys.readouterr().err
    assert (data / DATABASE_FILE).exists()


def test_migrate_has_nothing_to_do_beside_a_running_server_of_this_version(typed, capsys):
    assert run(["migrate", "--json"]) == 0
    newest = list_migrations()[-1].number
    shown = capsys.readouterr().out
    assert f'"current":{newest},"target":{newest}' in shown
    assert '"pending":[]' in shown


def test_migrate_shows_asks_and_applies(tmp_path, monkeypatch, capsys):
    released = asyncio.run(lay_out(RELEASES[-1], tmp_path / "data"))
    monkeypatch.setenv("WATCHWORD_DATA", str(released.data))
    with knowing(next_migrations()):
        assert run(["migrate", "--dry-run"]) == 0
        shown = capsys.readouterr()
        assert "9003_rebuild.sql" in shown.out
        assert "For tests of upgrades" in shown.out
        assert "DATA/watchword.db-before-" in shown.err
        assert run(["migrate"]) == 2
        assert "say --yes" in capsys.readouterr().err
        assert not list(released.data.glob("*-before-*"))
        assert run(["migrate", "--yes"]) == 0
        assert "the schema has number 9003 now" in capsys.readouterr().out
        assert run(["migrate", "--yes"]) == 0
        assert "Nothing is to be done" in capsys.readouterr().out
    assert run(["migrate"]) == 2
    assert "newer Watchword" in capsys.readouterr().err


class Person(io.StringIO):
    """Somebody who types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_migrate_offers_a_backup_first_and_changes_nothing_when_that_fails(tmp_path, monkeypatch, capsys):
    released = asyncio.run(lay_out(RELEASES[-1], tmp_path / "data"))
    monkeypatch.setenv("WATCHWORD_DATA", str(released.data))
    file = tmp_path / "before.wwb"
    with knowing(next_migrations()):
        for answers, code in ((f"{file}\nn\n", 1), (f"{file}\ny\n", 1), ("\n\n", 1), ("", 1)):
            monkeypatch.setattr(sys, "stdin", Person(answers))
            assert run(["migrate"]) == code
            assert not list(released.data.glob("*-before-*"))
        shown = capsys.readouterr()
        assert f"{file}: " in shown.out
        assert "before.wwb is there already" in shown.err
        monkeypatch.setattr(sys, "stdin", Person("\ny\n"))
        assert run(["migrate"]) == 0
        assert "the schema has number 9003 now" in capsys.readouterr().out
        assert run(["restore", str(file), "--check"]) == 0


def test_migrate_without_data_is_exit_code_3(tmp_path, capsys):
    assert run(["migrate", "--data", str(tmp_path / "none")]) == 3
    assert "holds no data yet" in capsys.readouterr().err
    assert run(["backup", str(tmp_path / "b"), "--data", str(tmp_path / "none")]) == 3


def test_progress_is_shown_on_a_terminal(typed, data):
    command = [str(PROGRAM), "backup", str(typed / "b")]
    with Terminal(command, clean_environment({"WATCHWORD_DATA": str(data)})) as terminal:
        assert terminal.finish() == 0
        assert "100 %" in terminal.shown


def test_root_looks_at_another_users_database_only_while_a_server_has_it_open(tmp_path):
    components.require_root("only root may look at another user's files")
    path = tmp_path / "data" / "watchword.db"
    path.parent.mkdir(mode=0o700)

    async def look() -> None:
        async with opened(path):
            for file in (path.parent, *path.parent.iterdir()):
                os.chown(file, 65534, 65534)
            async with open_snapshot(path, alone=False) as snapshot:
                assert await snapshot.applied()
            with pytest.raises(InvalidConfigError, match="belongs to another user"):
                async with open_snapshot(path, alone=True):
                    pass

    asyncio.run(look())


def test_a_backup_of_a_stopped_server_takes_its_lock(tmp_path):
    data, shell = tmp_path / "data", Shell(environ={"WATCHWORD_DATA": str(tmp_path / "data")})
    with RunningServer.start(data) as server:
        server.kill()
    done = shell.run("backup", str(tmp_path / "b"), "--json")
    assert done.code == 0, done
    assert not done.json["sealed"]


def test_the_root_key_may_come_from_the_environment_and_is_then_written_nowhere(
    typed, data, monkeypatch, capsys
):
    assert run(["backup", str(typed / "b")]) == 0
    monkeypatch.setenv("WATCHWORD_ROOT_KEY", (data / "root.key").read_text().strip())
    assert run(["restore", str(typed / "b"), "--data", str(typed / "new")]) == 0
    assert "WATCHWORD_ROOT_KEY" not in os.environ
    assert not (typed / "new" / "root.key").exists()
    capsys.readouterr()
    assert run(["after-restore", "--data", str(typed / "new")]) == 2
    assert "root.key is missing" in capsys.readouterr().err
    monkeypatch.setenv("WATCHWORD_ROOT_KEY", "00" * 32)
    assert run(["restore", str(typed / "b"), "--data", str(typed / "other")]) == 2
    assert not (typed / "other").exists()
