"""`watchword bans` as operators and scripts use it, with a server and without."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.kits.commands import Finished
from tests.kits.process import PROGRAM, RunningServer, clean_environment

from watchword.cli.failures import fail
from watchword.cli.main import run
from watchword.server.control.errors import remote_error

Desk = Callable[..., Finished]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer.start(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: RunningServer) -> Desk:
    """The commands, run in this process."""
    monkeypatch.setenv("WATCHWORD_DATA", str(server.data))
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.5 50000 203.0.113.1 22")

    def type_in(*arguments: str, code: int = 0) -> Finished:
        capsys.readouterr()
        ended = int(run(["bans", *arguments]))
        shown = capsys.readouterr()
        assert ended == code, shown
        return Finished(code=ended, out=shown.out, err=shown.err)

    return type_in


def test_a_ban_is_added_listed_and_lifted(desk: Desk) -> None:
    said = desk("add", "192.0.2.7", "--for", "10m", "--reason", "guesses names").out
    assert said.startswith("192.0.2.7 is banned until 20")
    assert "watchword bans lift 192.0.2.7" in said
    listed = desk("list").out
    assert "NETWORK" in listed
    assert "guesses names" in listed
    (found,) = (each for each in desk("list", "--json").json if each["network"] == "192.0.2.7")
    assert found["reason"] == "operator"
    assert found["ends_at"] - found["made_at"] == 600_000
    assert desk("lift", found["id"]).out == "192.0.2.7 is let in again.\n"
    assert desk("lift", "192.0.2.7", code=1).err == "watchword: nobody at “192.0.2.7” is banned\n"
    assert desk("lift", "ban_zzz", code=2).err.count("\n") == 1, (
        "who asks is the operator: no id to ask him by"
    )
    assert desk("lift", "192.0.2.7", "--json", code=1).error["request_id"].startswith("req_")


def test_a_fault_of_the_server_is_named_to_the_operator_by_its_id(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for code, told in (("internal", True), ("not_found", False)):
        error = remote_error(code, "")
        error.request_id = "req_1"
        fail(error, as_json=False)
        assert ("req_1" in capsys.readouterr().err) is told


def test_a_ban_for_ever_and_one_of_a_network_of_ipv6(desk: Desk) -> None:
    assert "is banned for ever" in desk("add", "198.51.100.9", "--for", "ever").out
    made = desk("add", "2001:db8:5:6::7", "--json").json
    assert made["network"] == "2001:db8:5:6::/64"
    assert made["ends_at"] - made["made_at"] == 3_600_000
    shown = {each["network"]: each["ends_at"] for each in desk("list", "--json").json}
    assert shown["198.51.100.9"] is None
    assert [each["network"] for each in desk("lift", "2001:db8::/32", "--json").json] == [made["network"]]
    desk("lift", "198.51.100.9")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "192.0.2.300"), "is no address or network"),
        (("add", "192.0.2.7/24"), "bits set behind its prefix"),
        (("add", "192.0.2.7", "--for", "tomorrow"), "say 90s, 10m, 1h, 7d or ever"),
        (("add", "192.0.2.7", "--for", "9000d"), "ten years at most"),
        (("add", "192.0.2.7", "--reason", "x" * 201), "at most 200 characters"),
        (("lift", "ada"), "is no address or network"),
        (("lift", "ban_1"), "not an id"),
    ],
)
def test_what_is_not_understood_is_said(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    assert words in desk(*arguments, code=2).err


@pytest.mark.parametrize(
    ("network", "danger"),
    [
        ("0.0.0.0/0", "everybody"),
        ("8.0.0.0/7", "a good part of the internet"),
        ("127.0.0.0/8", "this machine itself"),
        ("203.0.113.0/24", "your own address 203.0.113.5"),
    ],
)
def test_fault_D20_a_script_must_say_yes_to_what_may_be_a_mistake(
    desk: Desk, network: str, danger: str
) -> None:
    refused = desk("add", network, code=2).err
    assert danger in refused
    assert "--yes" in refused
    assert network not in desk("list").out
    desk("add", network, "--yes", "--for", "1m")
    assert network in desk("list").out
    desk("lift", network, "--yes")
    assert network not in desk("list").out


def test_fault_D20_lifting_everything_needs_a_yes(desk: Desk) -> None:
    desk("add", "192.0.2.11")
    desk("add", "192.0.2.12")
    assert "lifts every ban" in desk("lift", "0.0.0.0/0", code=2).err
    desk("lift", "0.0.0.0/0", "--yes")
    assert desk("list").out == "Nobody is banned.\n"


def test_who_is_exempt_is_refused_by_name(desk: Desk) -> None:
    assert "bans.allow" in desk("add", "127.0.0.1", "--yes", code=1).err


def test_a_watcher_sees_what_others_do(desk: Desk, server: RunningServer, tmp_path: Path) -> None:
    environ = clean_environment({"WATCHWORD_DATA": str(server.data)})
    command = [str(PROGRAM), "bans", "watch", "--json"]
    shown = tmp_path / "shown"
    with shown.open("wb") as file, subprocess.Popen(command, env=environ, stdout=file) as watcher:
        while '"lifted"' not in shown.read_text():  # nobody says from when on it watches
            assert watcher.poll() is None
            desk("add", "192.0.2.21")
            desk("lift", "192.0.2.21")
        watcher.terminate()
    lines = [json.loads(line) for line in shown.read_text().splitlines(keepends=True) if line.endswith("\n")]
    assert {line["ban"]["network"] for line in lines} == {"192.0.2.21"}
    assert {line["change"] for line in lines} <= {"banned", "lifted"}


def test_without_a_server_the_data_itself_is_worked_on(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    with RunningServer.start(data) as running:
        assert running.stop() == 0
    monkeypatch.setenv("WATCHWORD_DATA", str(data))
    assert "worked on the data itself" in desk("add", "192.0.2.31").err
    assert "192.0.2.31" in desk("list").out
    assert "no server" in desk("watch", code=3).err
