"""What every command keeps to: exit codes, one clear line, JSON, help that teaches, a fast start."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from tests.kits.commands import Shell

from watchword import __version__
from watchword.cli.exit_codes import EXIT_CODES, SENTENCES, ExitCode
from watchword.cli.failures import fail, fail_internal
from watchword.cli.main import make_app, run
from watchword.cli.output import Table, print_json, safe, when
from watchword.core.clock import Instant
from watchword.errors import ErrorCode, InvalidConfigError, NotFoundError, RefusedError, TooManyError

HEAVY = {
    "apsw",
    "asyncio",
    "cryptography",
    "httpx",
    "msgspec",
    "nacl",
    "rich",
    "starlette",
    "uvicorn",
    "uvloop",
}


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path."""
    found = command or typer.main.get_command(make_app())
    inner = getattr(found, "commands", {})
    if not inner:
        yield path, found
    for name, child in inner.items():
        yield from commands(child, (*path, name))


ALL = dict(commands())
OPERATORS = {"serve", "check-config", "accounts", "invite", "invites", "keys", "audit", "health", "metrics"}


def test_every_error_code_has_an_exit_code_and_a_sentence():
    assert set(EXIT_CODES) == set(SENTENCES) == set(ErrorCode)
    assert set(EXIT_CODES.values()) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (91, "2 minutes"),
        (600, "10 minutes"),
        (601, "11 minutes"),
        (5401, "2 hours"),
        (86_400, "24 hours"),
    ],
)
def test_who_tried_too_often_is_told_when_to_come_back(
    seconds: int, said: str, capsys: pytest.CaptureFixture[str]
):
    error = TooManyError(seconds, reason="banned")
    assert fail(error, as_json=False) is ExitCode.REFUSED
    assert capsys.readouterr().err == f"watchword: too many attempts; try again in {said}\n"
    assert fail(error, as_json=True) is ExitCode.REFUSED
    shown = json.loads(capsys.readouterr().err)["error"]
    assert (shown["code"], shown["retry_after"]) == ("too_many", seconds)
    assert "banned" not in str(shown)


def test_the_exit_codes_are_those_of_the_contract():
    contract = {"DONE": 0, "REFUSED": 1, "USAGE": 2, "UNREACHABLE": 3, "INTERNAL": 4}
    assert {name: ExitCode[name].value for name in contract} == contract
    assert EXIT_CODES[ErrorCode.INVALID_CONFIG] == 2
    assert EXIT_CODES[ErrorCode.REFUSED] == EXIT_CODES[ErrorCode.NOT_FOUND] == 1
    assert EXIT_CODES[ErrorCode.UNREACHABLE] == 3
    assert EXIT_CODES[ErrorCode.INTERNAL] == 4


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_takes_json_and_has_help(path, capsys):
    names = {option for parameter in ALL[path].params for option in parameter.opts}
    assert "--json" in names
    assert run([*path, "--help"]) == 0
    assert f"Usage: watchword {' '.join(path)}" in capsys.readouterr().out


@pytest.mark.parametrize("path", [path for path in ALL if path[0] in OPERATORS], ids=" ".join)
def test_the_help_of_operators_teaches_by_example(path, capsys):
    run([*path, "--help"])
    described = capsys.readouterr().out.split("Options:")[0].partition("\n")[2]
    assert f"watchword {' '.join(path)}" in described


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_fault_N6_no_command_takes_a_secret_as_an_argument(path):
    for parameter in ALL[path].params:
        names = " ".join([parameter.name or "", *parameter.opts])
        taken = any(
            word in names for word in ("password", "secret", "root_key", "root-key", "recovery", "database")
        )
        names_a_file = parameter.type.name in {"path", "file"}
        assert not taken or parameter.is_flag or names_a_file, names


def test_the_version_is_the_distributions(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"watchword {__version__}\n"


def test_help_starts_without_anything_heavy():
    program = "import sys; from watchword.cli.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert HEAVY & set(done.stderr.split()) == set()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command"),
        (["accounts", "show"], "Missing argument"),
        (["serve", "--nonsense"], "No such option"),
        (["invite", "--level", "10"], "--level"),
        (["invite", "--level", "two"], "--level"),
        (["accounts", "set-level", "ada", "-1"], "-1"),
    ],
)
def test_arguments_that_are_not_understood_are_exit_code_2_and_one_line(arguments, said, capsys):
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert run([*arguments, "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["code"] == "malformed"
    assert said in error["detail"]


def test_no_arguments_give_the_help_and_exit_code_2(capsys):
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().err
    assert run(["accounts"]) == 2
    assert "set-level" in capsys.readouterr().err


def test_an_error_of_ours_is_one_line_or_one_json_object(capsys):
    assert fail(NotFoundError("there is no account “ada”"), as_json=False) == 1
    assert capsys.readouterr().err == "watchword: there is no account “ada”\n"
    assert fail(RefusedError("an inner reason"), as_json=False) == 1
    assert capsys.readouterr().err == "watchword: refused\n"
    assert fail(RefusedError("an inner reason"), as_json=True) == 1
    assert json.loads(capsys.readouterr().err) == {"error": {"code": "refused", "detail": "refused"}}
    assert fail(InvalidConfigError("one\ntwo"), as_json=True) == 2
    assert json.loads(capsys.readouterr().err)["error"]["problems"] == ["one", "two"]


def test_an_unexpected_error_shows_neither_text_nor_traceback_unless_asked(capsys, monkeypatch):
    error = ValueError("planted secret")
    monkeypatch.delenv("WATCHWORD_DEBUG", raising=False)
    assert fail_internal(error, as_json=False) == 4
    shown = capsys.readouterr().err
    assert shown.startswith("watchword: internal error (err_")
    assert "planted" not in shown
    assert fail_internal(error, as_json=True) == 4
    found = json.loads(capsys.readouterr().err)["error"]
    assert found["code"] == "internal"
    assert found["trace"] in found["detail"]
    monkeypatch.setenv("WATCHWORD_DEBUG", "1")
    fail_internal(error, as_json=False)
    assert "ValueError: planted secret" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "a\nb", "\r", "\x07", "\u202egnp", "\u200b", "\x9b31m", "\ud800", "\x7f"]
)
def test_nothing_that_a_terminal_obeys_is_printed(text, capsys):
    assert safe(text).isprintable()
    Table(columns=("name",), rows=[(text,)]).print()
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
    stream = io.StringIO()
    print_json({"name": text}, stream=stream)
    assert stream.getvalue().isascii()
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue()) == {"name": text}


def test_text_in_any_script_is_printed_as_it_is():
    assert safe("Grüße, 世界 👋") == "Grüße, 世界 👋"


def test_a_table_without_a_terminal_is_plain_and_aligned(capsys):
    Table(columns=("a", "long"), rows=[("xxxx", 1), (None, "")]).print()
    assert capsys.readouterr().out == "A     LONG\nxxxx  1\n\n"
    Table(columns=("a",), rows=[], empty="Nothing.").print()
    assert capsys.readouterr().out == "Nothing.\n"


def test_instants_are_shown_to_the_second_in_utc():
    assert when(Instant(1_700_000_000_999)) == "2023-11-14 22:13:20Z"
    assert when(None) == ""


def test_check_config_shows_what_is_in_force_with_its_source_and_no_secret(tmp_path):
    environ = {"WATCHWORD_DATABASE": "postgresql://u:hunter22@h/d", "WATCHWORD_LISTEN": "0.0.0.0:443"}
    shell = Shell(environ={**environ, "WATCHWORD_DATA": str(tmp_path)})
    done = shell.run("check-config", "--origin", "https://id.example.org")
    assert done.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    assert rows["listen"] == ["0.0.0.0:443", "WATCHWORD_LISTEN"]
    assert rows["origin"] == ["https://id.example.org", "--origin"]
    assert rows["database"][0] == "postgresql://u:…@h/d"
    assert "warning: registration is open to everybody" in done.err
    assert "hunter22" not in done.out + done.err
    found = shell.run("check-config", "--origin", "https://id.example.org", "--json").json
    assert found["settings"]["listen"] == {"value": "0.0.0.0:443", "from": "WATCHWORD_LISTEN"}
    assert any("open to everybody" in warning for warning in found["warnings"])


def test_check_config_names_every_problem_and_ends_with_2(tmp_path):
    file = tmp_path / "w.toml"
    file.write_text("listne = 1\n[log]\nlevel = 2\n")
    file.chmod(0o600)
    done = Shell(environ={}).run("check-config", "--config", str(file))
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"watchword: listne ({file}, line 1): there is no such setting; did you mean “listen”?",
        f"watchword: log.level ({file}, line 3): is a number; it must be text in quotes",
    ]
    assert len(Shell(environ={}).run("check-config", "--config", str(file), "--json").error["problems"]) == 2


def test_check_config_explains_every_setting():
    lines = Shell(environ={}).run("check-config", "--fields", "--json").out.splitlines()
    fields = {json.loads(line)["key"]: json.loads(line) for line in lines}
    assert fields["listen"]["variable"] == "WATCHWORD_LISTEN"
    assert all(field["effect"] and field["default"] for field in fields.values())
    shown = Shell(environ={}).run("check-config", "--fields").out
    assert all(f"{key} = " in shown for key in fields)


@pytest.mark.parametrize("columns", [20, 40, 56, 57, 58, 59, 60, 200])
def test_a_table_leaves_an_id_whole_on_any_terminal(columns, capsys, monkeypatch):
    identifier = "ses_01m7xm32srw40we1pp823b7rve"
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("watchword.cli.output._decorated", lambda: True)
    Table(columns=("session", "until"), rows=[(identifier, "2026-11-27 23:18 UTC")]).print()
    assert identifier in capsys.readouterr().out
