"""A person's commands as scripts run them: the real program against the real server, exit codes and all."""

import json
import os
import re
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.kits.commands import PASSWORD, Finished, Shell
from tests.kits.process import PROGRAM, RunningServer, clean_environment

from watchword.core.clock import SystemClock
from watchword.core.encoding import decode_b64u, decode_json
from watchword.core.entropy import SystemEntropy
from watchword.crypto.authority import Authority
from watchword.crypto.certificates import encode_certificate_pem
from watchword.testing import components

OTHER = "seven purple lanterns at dusk"
RESIDENT = "residenta"
APP = "http://localhost:8000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer.start(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def shell(server: RunningServer, tmp_path: Path) -> Shell:
    return Shell.at(server, tmp_path / "home")


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A name that no other test of this server has."""
    return "p" + re.sub(r"[^a-z0-9]", "", f"{os.getpid()}{tmp_path.name}".lower())[-30:]


def good(done: Finished) -> Finished:
    assert (done.code, done.err) == (0, ""), done
    return done


def refused(done: Finished, code: str = "refused", *, says: str = "") -> None:
    assert (done.code, done.out, done.error["code"]) == (1, "", code), done
    assert says in done.error["detail"]


@pytest.fixture(scope="module")
def resident(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Somebody who is signed in, for tests that change nothing."""
    shell = Shell.at(server, tmp_path_factory.mktemp("resident") / "home")
    good(shell.ask("register", RESIDENT, "--email", f"{RESIDENT}@example.org", "--json"))
    return shell


@pytest.fixture
def anna(shell: Shell, name: str) -> Shell:
    """A shell in which somebody has registered."""
    good(shell.ask("register", name, "--json"))
    return shell


def test_register_enrols_this_device_and_signs_in(shell: Shell, name: str) -> None:
    made = good(
        shell.ask("register", name, "--email", f"{name}@example.org", "--name", "Anna", "--json")
    ).json
    assert made["account"]["username"] == name
    assert re.fullmatch(r"[A-Z0-9]{4}(-[A-Z0-9]{4})+", made["recovery_key"])
    me = good(shell.ask("whoami", "--json")).json
    assert me["account"] == made["account"]
    assert me["device"].startswith("dev_")
    assert me["session"].startswith("ses_")


def test_register_for_people_shows_the_recovery_key_once(shell: Shell, name: str) -> None:
    done = good(shell.ask("register", name))
    assert f"Welcome, {name}." in done.out
    assert len(re.findall(r"recovery key\s+\S+", done.out)) == 1


def test_the_vault_is_closed_to_others_and_tells_no_secret(resident: Shell) -> None:
    home = Path(resident.environ["WATCHWORD_HOME"])
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    text = b"".join(path.read_bytes() for path in files)
    assert PASSWORD.encode() not in text
    assert b"WATCHWORD_SIGNING_KEY" not in text
    assert b"wsi_" not in text
    assert b"dev_" not in text


@pytest.mark.parametrize("spelling", [str.upper, "{}@example.org".format])
def test_req_P2_login_takes_the_name_in_any_case_and_the_address(
    resident: Shell, spelling: Callable[[str], str], tmp_path: Path
) -> None:
    second = {"WATCHWORD_HOME": str(tmp_path / "second")}
    found = good(resident.ask("login", spelling(RESIDENT), "--json", **second)).json
    assert found["account"]["username"] == RESIDENT
    assert good(resident.ask("whoami", **second)).out.startswith(f"{RESIDENT}, level 0\n")


def test_a_second_home_is_a_second_device(anna: Shell, name: str, tmp_path: Path) -> None:
    second = {"WATCHWORD_HOME": str(tmp_path / "second")}
    good(anna.ask("login", name, **second))
    devices = {good(anna.ask("whoami", "--json", **more)).json["device"] for more in ({}, second)}
    assert len(devices) == 2
    listed = good(anna.ask("sessions", "--json")).json["sessions"]
    assert [one.get("current", False) for one in listed].count(True) == 1
    assert len(listed) == 2


def test_login_again_keeps_the_device(anna: Shell) -> None:
    before = good(anna.ask("whoami", "--json")).json
    good(anna.ask("login"))
    after = good(anna.ask("whoami", "--json")).json
    assert after["device"] == before["device"]
    assert after["session"] != before["session"]


def test_a_wrong_password_is_refused_and_changes_nothing(resident: Shell, tmp_path: Path) -> None:
    refused(resident.ask("whoami", "--json", password="not the password"), "wrong_password")
    elsewhere = {"WATCHWORD_HOME": str(tmp_path / "second")}
    refused(resident.ask("login", RESIDENT, "--json", password="not the password", **elsewhere))
    refused(resident.ask("login", "nobody-of-this-RESIDENT", "--json", **elsewhere))
    assert not (tmp_path / "second").exists()
    good(resident.ask("whoami"))


def test_an_unknown_name_and_a_wrong_password_read_the_same(resident: Shell, tmp_path: Path) -> None:
    elsewhere = {"WATCHWORD_HOME": str(tmp_path / "second")}
    wrong = resident.ask("login", RESIDENT, password="not the password", **elsewhere)
    unknown = resident.ask("login", f"{RESIDENT}x", password="not the password", **elsewhere)
    requests = [re.findall(r"request id (req_\w+)", answer.err) for answer in (wrong, unknown)]
    assert [len(found) for found in requests] == [1, 1]
    words = [re.sub(r"req_\w+", "req", answer.err) for answer in (wrong, unknown)]
    assert (words[0], wrong.out, wrong.code) == (words[1], unknown.out, unknown.code)


def test_a_name_that_is_taken_is_refused(resident: Shell, tmp_path: Path) -> None:
    other = {"WATCHWORD_HOME": str(tmp_path / "second")}
    refused(resident.ask("register", RESIDENT, "--json", **other))
    refused(resident.ask("register", RESIDENT.upper(), "--json", **other))


def test_a_vault_is_never_overwritten_by_a_registration(resident: Shell) -> None:
    done = resident.ask("register", f"{RESIDENT}2", "--json")
    refused(done)
    assert "already lives" in done.error["detail"]
    assert good(resident.ask("whoami")).out.startswith(RESIDENT)


def test_a_token_is_for_one_app_and_ends_in_ten_minutes(resident: Shell) -> None:
    whole = good(resident.ask("token", "--for", f"{APP}/some/path", "--json")).json
    assert whole["token_type"] == "Bearer"
    plain = good(resident.ask("token", "--for", APP)).out
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", plain)
    assert plain.strip() != whole["access_token"]


def test_a_token_carries_the_scopes_that_its_owner_chose(resident: Shell) -> None:
    chosen = ("--scope", "reports:read", "--scope", "reports:list", "--scope", "reports:read")
    plain = good(resident.ask("token", "--for", APP, *chosen)).out
    assert decode_json(decode_b64u(plain.split(".")[1]))["scope"] == "reports:list reports:read"
    wrong = resident.ask("token", "--for", APP, "--scope", "a b", "--json")
    assert (wrong.code, wrong.out, wrong.error["code"]) == (2, "", "malformed")


def test_passwd_ends_other_sessions_and_the_new_password_opens_everything(
    anna: Shell, name: str, tmp_path: Path
) -> None:
    second = {"WATCHWORD_HOME": str(tmp_path / "second")}
    good(anna.ask("login", name, **second))
    good(anna.ask("passwd", password=f"{PASSWORD}\n{OTHER}"))
    assert len(good(anna.ask("sessions", "--json", password=OTHER)).json["sessions"]) == 1
    refused(anna.ask("whoami", "--json"), "wrong_password")
    refused(anna.ask("whoami", "--json", **second), says="not signed in")
    mended = anna.ask("login", password=f"{OTHER}\n{PASSWORD}", **second)  # the vault still has the old one
    assert mended.code == 0, mended
    good(anna.ask("whoami", password=OTHER, **second))


def test_a_weak_new_password_is_refused_before_anything_is_sent(resident: Shell) -> None:
    for weak in ("short", "password123"):
        done = resident.ask("passwd", "--json", password=f"{PASSWORD}\n{weak}")
        assert done.code in {1, 2}, done
        assert done.out == ""
    good(resident.ask("whoami"))


def test_logout_ends_this_session_and_login_opens_another(anna: Shell) -> None:
    good(anna.ask("logout"))
    refused(anna.ask("whoami", "--json"), says="not signed in")
    good(anna.ask("login"))
    good(anna.ask("whoami"))


def test_logout_of_another_session_and_of_all(anna: Shell, name: str, tmp_path: Path) -> None:
    second = {"WATCHWORD_HOME": str(tmp_path / "second")}
    good(anna.ask("login", name, **second))
    other = good(anna.ask("whoami", "--json", **second)).json["session"]
    good(anna.ask("logout", "--session", other))
    refused(anna.ask("whoami", "--json", **second), says="not signed in")
    good(anna.ask("login", **second))
    assert good(anna.ask("logout", "--all", "--json")).json == {"ended": "all"}
    refused(anna.ask("whoami", "--json"), says="not signed in")
    refused(anna.ask("whoami", "--json", **second), says="not signed in")


def test_a_session_that_is_not_there_is_not_found(resident: Shell) -> None:
    refused(resident.ask("logout", "--session", "ses_" + "0" * 26, "--json"), says="no such session")


@pytest.mark.parametrize(
    "arguments",
    [
        ["whoami", "--nonsense"],
        ["token"],
        ["token", "--for", "not a url"],
        ["logout", "--all", "--session", "ses_x"],
        ["register", "a"],
        ["register", "anna", "--email", "no address"],
        ["nonsense"],
    ],
)
def test_usage_ends_with_two_and_prints_nothing_on_standard_output(
    resident: Shell, arguments: list[str]
) -> None:
    extra = {"WATCHWORD_HOME": resident.environ["WATCHWORD_HOME"] + "2"} if arguments[0] == "register" else {}
    done = resident.ask(*arguments, **extra)
    assert (done.code, done.out) == (2, ""), done
    assert done.err.startswith(("watchword: ", "Usage"))
    assert "Traceback" not in done.err


def test_a_password_that_nobody_can_be_asked_for_is_a_usage_error(resident: Shell) -> None:
    command = [str(PROGRAM), "whoami", "--json"]
    done = subprocess.run(
        command, env=clean_environment(resident.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        start_new_session=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--password-stdin" in json.loads(done.stderr)["error"]["detail"]


def test_before_any_login_there_is_nobody(shell: Shell) -> None:
    done = shell.ask("whoami", "--json")
    refused(done)
    assert "register" in done.error["detail"]


def test_no_server_ends_with_three(shell: Shell, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = shell.ask("register", name, "--json", WATCHWORD_SERVER=f"https://localhost:{port}")
    assert (done.code, done.out, done.error["code"]) == (3, "", "unreachable")


def test_a_server_under_another_root_is_not_trusted(
    shell: Shell, server: RunningServer, name: str, tmp_path: Path
) -> None:
    with RunningServer.start(tmp_path / "stranger") as stranger:
        done = shell.ask("register", name, "--json", WATCHWORD_SERVER=stranger.origin)
        refused(done, "not_trusted")
        assert not (tmp_path / "home").exists()
        assert stranger.find_log("server.ready") is not None
        assert server.ca.read_bytes() != stranger.ca.read_bytes()


def test_the_server_is_known_by_its_fingerprint_as_the_banner_shows_it(
    shell: Shell, server: RunningServer, name: str
) -> None:
    bare = {key: value for key, value in shell.environ.items() if key != "WATCHWORD_CA"}
    shown = re.search(r"SHA256:\S+", server.output())
    assert shown is not None
    person = Shell(environ=bare)
    good(person.ask("register", name, "--fingerprint", shown[0]))
    good(person.ask("whoami"))
    elsewhere = {"WATCHWORD_HOME": bare["WATCHWORD_HOME"] + "2"}
    wrong = shown[0][:-1] + ("a" if shown[0][-1] != "a" else "b")
    assert person.ask("login", name, "--fingerprint", wrong, "--json", **elsewhere).code in {1, 2}


def test_trust_on_first_use_is_told_and_then_kept(shell: Shell, name: str) -> None:
    person = Shell(environ={key: value for key, value in shell.environ.items() if key != "WATCHWORD_CA"})
    asked = person.ask("register", name, "--json")
    assert (asked.code, asked.error["code"]) == (2, "invalid_config")
    done = person.ask("register", name, "--trust-on-first-use")
    assert done.code == 0
    assert "SHA256:" in done.err
    assert good(person.ask("whoami")).out.startswith(name)


def test_a_token_of_a_suspended_account_is_refused(anna: Shell, name: str) -> None:
    good(anna.run("accounts", "suspend", name))
    assert anna.ask("whoami", "--json").code == 1
    refused(anna.ask("login", "--json"))
    good(anna.run("accounts", "resume", name))
    good(anna.ask("login"))


def test_fault_N6_no_secret_stands_in_a_process_list(anna: Shell) -> None:
    """Looks at /proc all the while that commands with secrets run."""
    components.require_path(Path("/proc/self/cmdline"))
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            for place in Path("/proc").glob("[0-9]*"):
                for part in ("cmdline", "environ"):
                    try:
                        seen.add((place / part).read_bytes())
                    except OSError:
                        continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        token = good(anna.ask("token", "--for", APP)).out.strip()
        good(anna.ask("passwd", password=f"{PASSWORD}\n{OTHER}"))
    finally:
        done.set()
        watcher.join()
    assert any(b"watchword" in entry and b"passwd" in entry for entry in seen), "the watcher saw the commands"
    for secret in (PASSWORD, OTHER, token):
        assert not any(secret.encode() in entry for entry in seen)


def test_no_password_option_takes_a_value(resident: Shell) -> None:
    for command in ("register", "login", "passwd", "logout"):
        text = good(resident.run(command, "--help")).out
        assert re.search(r"--password(?!-stdin)", text) is None
        assert "--json" in text


def test_output_on_a_full_disk_is_an_error_and_no_traceback(resident: Shell) -> None:
    full = components.require_path(Path("/dev/full"))
    with full.open("w") as out:
        done = subprocess.run(
            [str(PROGRAM), "token", "--for", APP, "--password-stdin"],
            env=clean_environment(resident.environ),
            input=f"{PASSWORD}\n",
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=240,
        )
    assert done.returncode not in {0, 1}
    assert "Traceback" not in done.stderr


def test_a_new_password_may_not_be_the_persons_own_address(server: RunningServer, tmp_path: Path) -> None:
    shell = Shell.at(server, tmp_path / "home")
    address = "gretel.with.long@example.org"
    assert shell.ask("register", "gretel", "--email", address, "--json").code == 0
    refused = shell.ask("passwd", password=f"{PASSWORD}\n{address}")
    assert refused.code == 2
    assert "only your name" in refused.err
    assert shell.ask("whoami").code == 0


def test_another_root_than_the_pinned_one_is_refused(server: RunningServer, tmp_path: Path) -> None:
    shell = Shell.at(server, tmp_path / "home")
    assert shell.ask("register", "pinned", "--json").code == 0
    other = Authority.create(SystemClock().now(), SystemEntropy())
    (tmp_path / "other.pem").write_bytes(encode_certificate_pem(other.root.certificate))
    refused = shell.ask("whoami", "--ca", str(tmp_path / "other.pem"))
    assert refused.code == 1
    assert "another root" in refused.err
    assert shell.ask("whoami", "--ca", str(server.ca)).code == 0
