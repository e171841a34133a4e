"""The operator's commands as a script runs them, against a real server and without one."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.kits.commands import PASSWORD, Finished, Shell
from tests.kits.process import PROGRAM, RunningServer, clean_environment

from watchword.cli.main import run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer.start(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The operator's commands run in this process, which saves half a second each; a person's in their own."""

    shell: Shell
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> Finished:
        self.capsys.readouterr()
        code = int(run(arguments))
        shown = self.capsys.readouterr()
        return Finished(code=code, out=shown.out, err=shown.err)

    def ask(self, *arguments: str) -> Finished:
        return self.shell.ask(*arguments)


@pytest.fixture
def desk(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    monkeypatch.setenv("WATCHWORD_DATA", str(server.data))
    return Desk(shell=Shell.at(server, tmp_path / "home"), capsys=capsys)


@pytest.fixture
def shell(server: RunningServer, tmp_path: Path) -> Shell:
    return Shell.at(server, tmp_path / "home")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data that a server has made, and on which none runs any more."""
    data = tmp_path_factory.mktemp("stopped") / "data"
    with RunningServer.start(data) as running:
        assert running.stop() == 0
    return data


@pytest.fixture
def offline(stopped: Path, tmp_path: Path) -> Shell:
    """For the operator of a copy of that."""
    shutil.copytree(stopped, tmp_path / "data")
    return Shell(environ={"WATCHWORD_DATA": str(tmp_path / "data")})


def good(done: Finished) -> Finished:
    assert (done.code, done.err) == (0, ""), done
    return done


def facts(desk: Desk) -> dict[str, object]:
    """Of the newest audit entry."""
    found: dict[str, object] = good(desk.run("audit", "tail", "-n", "1", "--json")).json["facts"]
    return found


def test_accounts_are_listed_and_shown_in_both_forms(desk):
    good(desk.ask("register", "lovelace", "--email", "lovelace@example.org", "--json"))
    listed = good(desk.run("accounts", "list", "--json")).json
    mine = next(each for each in listed if each["username"] == "lovelace")
    assert (mine["level"], mine["state"], mine["email"]) == (0, "active", "lovelace@example.org")
    lines = good(desk.run("accounts", "list")).out.splitlines()
    assert lines[0].split() == ["USERNAME", "LEVEL", "STATE", "E-MAIL", "SINCE", "ID"]
    assert any(line.startswith("lovelace") and line.endswith(mine["id"]) for line in lines[1:])
    shown = good(desk.run("accounts", "show", "LOVELACE@example.org", "--json")).json
    assert (shown["id"], shown["devices"], len(shown["sessions"])) == (mine["id"], 1, 1)
    assert "username: lovelace" in good(desk.run("accounts", "show", mine["id"])).out


def test_a_level_that_was_set_stands_in_the_next_token_and_in_the_audit(desk):
    good(desk.ask("register", "hopper", "--json"))
    assert good(desk.run("accounts", "set-level", "hopper", "3", "--json")).json["level"] == 3
    assert facts(desk)["uid"] == os.geteuid()
    assert good(desk.ask("whoami", "--json")).json["account"]["level"] == 3


def test_a_suspended_account_is_signed_out_until_it_is_resumed_and_logs_in(desk):
    good(desk.ask("register", "turing", "--json"))
    assert "signed out everywhere" in good(desk.run("accounts", "suspend", "turing")).out
    assert desk.ask("whoami").code == 1
    assert desk.ask("login").code == 1
    assert "may log in again" in good(desk.run("accounts", "resume", "turing")).out
    assert desk.ask("whoami").code == 1
    good(desk.ask("login"))


def test_deleting_needs_yes_in_a_script_and_is_for_ever(desk):
    good(desk.ask("register", "mallory", "--json"))
    unsure = desk.run("accounts", "delete", "mallory")
    assert (unsure.code, unsure.out) == (2, "")
    assert "--yes" in unsure.err
    assert good(desk.run("accounts", "delete", "mallory", "--yes", "--json")).json == {"deleted": "mallory"}
    assert desk.run("accounts", "show", "mallory").code == 1
    assert desk.ask("whoami").code == 1
    again = desk.run("accounts", "delete", "mallory", "--yes", "--json")
    assert (again.code, again.error["code"]) == (1, "not_found")


@pytest.mark.parametrize(("typed", "code"), [("eve", 0), ("evil", 1), ("", 1)])
def test_deleting_asks_at_a_terminal_for_the_name(desk, typed, code):
    good(desk.ask("register", "eve", "--json"))
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [str(PROGRAM), "accounts", "delete", "eve"],
        env=clean_environment(desk.shell.environ),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        os.write(ours, f"{typed}\n".encode())
        out, errors = process.communicate(timeout=240)
    os.close(ours)
    assert process.returncode == code
    assert "username: eve" in out
    assert "cannot be undone" in errors
    assert desk.run("accounts", "delete", "eve", "--yes").code == 1 - code


def test_an_invitation_is_all_that_standard_output_holds_and_it_works_once(desk):
    made = desk.run("invite", "--level", "2", "--note", "for Grace")
    assert made.code == 0
    code = made.out.strip()
    assert code.startswith("wiv_")
    assert "level 2" in made.err
    open_ones = good(desk.run("invites", "--json")).json
    assert [each["level"] for each in open_ones if each["note"] == "for Grace"] == [2]
    assert code not in good(desk.run("audit", "tail", "--json")).out
    lines = f"{code}\n{PASSWORD}"
    registered = good(desk.shell.ask("register", "grace", "--invited", "--json", password=lines)).json
    assert registered["account"]["level"] == 2
    assert not any(each["note"] == "for Grace" for each in good(desk.run("invites", "--json")).json)


def test_keys_are_shown_without_themselves_and_rotated_with_overlap(desk):
    def signing() -> list[str]:
        keys = good(desk.run("keys", "status", "--json")).json
        return [each["state"] for each in keys if each["use"] == "signing"]

    before = len(signing())
    good(desk.run("keys", "rotate", "signing"))
    assert len(signing()) == before + 1
    assert facts(desk)["uid"] == os.geteuid()
    refused = desk.run("keys", "rotate", "data:pepper", "--json")
    assert (refused.code, refused.error["code"]) == (1, "conflict")
    assert desk.run("keys", "rotate", "nonsense").code == 1


def test_the_trail_of_a_running_server_verifies(desk):
    report = good(desk.run("audit", "verify", "--json")).json
    assert report["ok"] is True
    assert report["entries"] > 0
    assert "the trail is whole" in good(desk.run("audit", "verify")).out


def test_following_prints_what_comes_and_ends_with_ctrl_c(shell):
    command = [str(PROGRAM), "audit", "tail", "-n", "1", "--follow", "--json"]
    with subprocess.Popen(
        command,
        env=clean_environment(shell.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        good(shell.run("invite", "--json"))
        assert json.loads(process.stdout.readline())["seq"] == first["seq"] + 1
        process.send_signal(signal.SIGINT)
        _rest, errors = process.communicate(timeout=240)
        assert process.returncode == 130
        assert "Traceback" not in errors


def test_a_reader_that_goes_away_ends_the_command_quietly(shell):
    script = f"{PROGRAM} audit tail -n 1000; echo $? >&2"
    with subprocess.Popen(
        ["sh", "-c", f"({script}) | true"],
        env=clean_environment(shell.environ),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        _out, errors = process.communicate(timeout=240)
    assert errors.split() in (["141"], ["0"])  # 0: all was written before the reader went


def test_without_a_server_the_data_is_opened_and_said_so(offline):
    made = offline.run("invite", "--json")
    assert made.code == 0
    assert "no server runs" in made.err
    assert offline.run("invites", "--json").json[0]["id"] == made.json["id"]
    assert offline.run("audit", "tail", "-n", "1", "--json").json["facts"]["uid"] == os.geteuid()
    assert offline.run("audit", "verify", "--json").json["ok"] is True


def test_a_damaged_trail_is_exit_code_1(offline):
    path = Path(offline.environ["WATCHWORD_DATA"], "audit", "checkpoints.jsonl")
    header, payload, signature = path.read_text().splitlines()[0].split(".")
    path.write_text(
        f"{header}.{payload}.{signature[::-1]}\n" + "".join(path.read_text().splitlines(True)[1:])
    )
    damaged = offline.run("audit", "verify")
    assert not any(line.startswith("{") for line in damaged.err.splitlines())
    assert damaged.code == 1
    assert "THE TRAIL IS DAMAGED" in damaged.out
    assert "checkpoint-damaged" in damaged.out
    assert offline.run("audit", "verify", "--json").json["ok"] is False


def test_there_is_nothing_to_follow_without_a_server(offline):
    done = offline.run("audit", "tail", "--follow", "--json")
    assert (done.code, done.error["code"]) == (3, "unreachable")


def test_a_place_without_data_is_unreachable_and_stays_untouched(tmp_path):
    done = Shell(environ={}).run("accounts", "list", "--data", str(tmp_path / "none"))
    assert done.code == 3
    assert "no data directory" in done.err
    assert not (tmp_path / "none").exists()
    (tmp_path / "empty").mkdir(mode=0o700)
    assert Shell(environ={}).run("accounts", "list", "--data", str(tmp_path / "empty")).code == 3
    assert list((tmp_path / "empty").iterdir()) == []


def test_two_never_work_on_the_same_data(tmp_path):
    with RunningServer.start(tmp_path / "data") as running:
        (running.data / "control.sock").unlink()
        done = Shell(environ={}).run("accounts", "list", "--data", str(running.data), "--json")
        assert (done.code, done.error["code"]) == (2, "invalid_config")
        assert f"in use by process {running.pid}" in done.error["detail"]


def test_a_second_server_on_the_same_data_is_refused_by_name(server):
    done = Shell(environ={}).run("serve", "--data", str(server.data), "--listen", "127.0.0.1:0")
    assert done.code == 2
    assert f"in use by process {server.pid}" in done.err
    assert Shell(environ={}).run("invites", "--data", str(server.data)).code == 0


def test_fault_N6_no_secret_of_a_server_is_in_its_process_list_environment_or_log(tmp_path):
    key = os.urandom(32).hex()
    with RunningServer.start(tmp_path / "data", environ={"WATCHWORD_ROOT_KEY": key}) as running:
        process = Path("/proc", str(running.pid))
        for name in ("cmdline", "environ"):
            assert key.encode() not in process.joinpath(name).read_bytes()
        assert b"WATCHWORD_LISTEN" in process.joinpath("environ").read_bytes()
        assert not (running.data / "root.key").exists()
        assert key not in running.log_text() + running.output()
