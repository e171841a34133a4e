"""What permits no start (FAULTS N5): each refusal names the key and the place, and all come together."""

import os
import sys
from pathlib import Path

import pytest

from watchword.errors import InvalidConfigError
from watchword.server.config import InvalidSettingsError, load, load_config
from watchword.testing import components


def write(path: Path, text: str, *, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def refusal(tmp_path: Path, text: str, *, mode: int = 0o600, environ: dict[str, str] | None = None) -> str:
    file = write(tmp_path / "w.toml", text, mode=mode)
    with pytest.raises(InvalidConfigError) as refused:
        load_config(environ=environ or {}, file=file, flags={"data": str(tmp_path)})
    return refused.value.detail


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("listne = 1", "listne", "did you mean “listen”?"),
        ("[log]\nlevle = 1", "log.levle", "did you mean “log.level”?"),
        ('level = "info"', "level", "did you mean “log.level”?"),
        ('server_hash = "hmac"', "server_hash", "did you mean “passwords.server_hash”?"),
        ("[pages]\nstyleguide = 1", "pages.styleguide", "neither true nor false"),
        ('[pages]\nstyleguide = "True"', "pages.styleguide", "neither true nor false"),
        ("zzzzzz = 1", "zzzzzz", "there is no such setting"),
        ("[trusted_proxies]\nlist = []", "trusted_proxies", "there is no such table"),
        ("[passwords]\nmemory_kib = 8", "passwords.memory_kib", "no such setting"),
        ('log = "info"', "log", "is a table: write [log]"),
    ],
)
def test_fault_N5_an_unknown_key_is_refused_by_name_with_what_was_meant(tmp_path, text, key, hint):
    detail = refusal(tmp_path, text)
    assert detail.startswith(f"{key} ({tmp_path}/w.toml, line ")
    assert hint in detail


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("listen = 8443", "listen"),
        ("registration = true", "registration"),
        ('registration = "Open"', "registration"),
        ("origin = []", "origin"),
        ('hosts = "a.example."', "hosts"),
        ('shutdown_grace_s = "soon"', "shutdown_grace_s"),
        ("shutdown_grace_s = 5.0", "shutdown_grace_s"),
        ("shutdown_grace_s = true", "shutdown_grace_s"),
        ("shutdown_grace_s = -1", "shutdown_grace_s"),
        ("processes = 0", "processes"),
        ('processes = "many"', "processes"),
        ("database = 5", "database"),
        ('passwords.server_hash = "md5"', "passwords.server_hash"),
        ('origin = "http://id.example.org"', "origin"),
        ("[limits]\ncostly_at_once = 0", "limits.costly_at_once"),
    ],
)  # fmt: skip
def test_fault_N5_a_wrong_type_or_value_is_refused_by_name_and_line(tmp_path, text, key):
    line = text.count("\n") + 1
    assert refusal(tmp_path, text).startswith(f"{key} ({tmp_path}/w.toml, line {line}): ")


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    file = write(tmp_path / "w.toml", 'listne = 1\norigin = "http://x"\n[log]\nlevel = 3\n')
    with pytest.raises(InvalidSettingsError) as refused:
        load_config(environ={"WATCHWORD_LISTEN": "nowhere"}, file=file, flags={"data": str(tmp_path)})
    found = {problem.key: problem.place for problem in refused.value.problems}
    assert found == {
        "listne": f"{file}, line 1",
        "origin": f"{file}, line 2",
        "log.level": f"{file}, line 4",
        "listen": "WATCHWORD_LISTEN",
    }
    assert len(refused.value.detail.splitlines()) == 4


def test_an_origin_must_be_given_beyond_loopback(tmp_path):
    assert refusal(tmp_path, 'listen = "0.0.0.0:443"').startswith("origin: must be given")
    good = write(tmp_path / "w.toml", 'listen = "0.0.0.0:443"\norigin = "https://id.example.org"')
    assert load_config(environ={}, file=good).origin == "https://id.example.org"


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604])
def test_fault_N5_a_readable_file_with_a_secret_is_refused_and_the_secret_not_told(tmp_path, mode):
    detail = refusal(tmp_path, 'database = "postgresql://u:hunter22@h/d"', mode=mode)
    assert detail.startswith(f"database ({tmp_path}/w.toml, line 1): ")
    assert "chmod 600" in detail
    assert "hunter22" not in detail
    open_one = write(tmp_path / "w.toml", 'database = "postgresql://u@h/d"', mode=mode)
    assert load_config(environ={}, file=open_one, flags={"data": str(tmp_path)}).database is not None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_fault_N5_a_file_that_others_can_change_is_refused(tmp_path, mode):
    assert "others can change this file" in refusal(tmp_path, "", mode=mode)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_fault_N5_a_readable_root_key_is_refused(tmp_path, mode):
    write(tmp_path / "root.key", "x", mode=mode)
    assert refusal(tmp_path, "").startswith("root_key_file (default): others can use")
    write(tmp_path / "other.key", "x", mode=mode)
    detail = refusal(tmp_path, 'root_key_file = "other.key"')
    assert detail.startswith(f"root_key_file ({tmp_path}/w.toml, line 1): ")


@pytest.mark.parametrize(
    "name", ["WATCHWORD_ORIGIN", "WATCHWORD_DATABASE", "WATCHWORD_ROOT_KEY", "WATCHWORD_LISTEN"]
)
def test_fault_N5_a_variable_that_is_set_to_nothing_is_refused(tmp_path, name):
    assert name in refusal(tmp_path, "", environ={name: ""})
    assert name in refusal(tmp_path, "", environ={name: " "})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'database = "postgresql://u:hunter22@h/d', "see "),
        (b'database = "hunter22"\ndatabase = "hunter22"', "is not TOML"),
        (b"\xff\xfe", "UTF-8"),
        (b"x = " + b"[" * 30_000, "is not TOML"),
        (b"#" * 70_000, "longer than"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_without_repeating_it(tmp_path, content, said):
    file = tmp_path / "w.toml"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(InvalidConfigError) as refused:
        load_config(environ={}, file=file)
    assert said in refused.value.detail
    assert str(file) in refused.value.detail
    assert "hunter22" not in refused.value.detail


def test_a_file_that_is_named_must_be_there(tmp_path):
    with pytest.raises(InvalidConfigError, match="No such file"):
        load_config(environ={"WATCHWORD_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(InvalidConfigError, match="WATCHWORD_CONFIG is empty"):
        load_config(environ={"WATCHWORD_CONFIG": ""})
    with pytest.raises(InvalidConfigError):
        load_config(environ={}, file=tmp_path)


def test_fault_N5_a_file_of_another_user_is_refused(tmp_path):
    components.require_root("only root can give a file away")
    file = write(tmp_path / "w.toml", "")
    os.chown(file, 65534, 65534)
    with pytest.raises(InvalidConfigError, match="others can change"):
        load_config(environ={}, file=file)


@pytest.mark.parametrize("key", ["00" * 32, "nonsense", "61" * 31, "\udcff"])
def test_fault_N5_a_root_key_that_is_none_or_a_default_is_refused_without_repeating_it(tmp_path, key):
    detail = refusal(tmp_path, "", environ={"WATCHWORD_ROOT_KEY": key})
    assert detail.startswith("WATCHWORD_ROOT_KEY: ")
    assert key not in detail


def test_fault_N5_a_data_directory_that_others_may_enter_is_refused_before_anything_starts(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    with pytest.raises(InvalidConfigError, match=r"data \(--data\): .*chmod 700"):
        load_config(environ={}, flags={"data": str(data)})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('log.level = "info"\nlog.level = "debug"\n', "a setting is given twice (see line 2"),
        ("[log]\n[log]\n", "a table is given twice"),
        ('origin = "https://id.example\n', "a text has no closing quote"),
        ("shutdown_grace_s =\n", "a value is missing"),
        ("origin https\n", "“=” is missing"),
    ],
)
def test_what_is_no_TOML_is_told_with_its_cause(tmp_path, text, said):
    file = tmp_path / "watchword.toml"
    file.write_text(text)
    with pytest.raises(InvalidConfigError) as refused:
        load(file=file, environ={})
    assert said in refused.value.detail


def test_a_group_that_this_machine_does_not_have_is_refused_before_a_start(tmp_path):
    environ = {
        "WATCHWORD_DATA": str(tmp_path / "data"),
        "WATCHWORD_LISTEN": f"unix:{tmp_path}/http.sock",
        "WATCHWORD_TLS_MODE": "off",
        "WATCHWORD_ORIGIN": "https://id.example.org",
        "WATCHWORD_SOCKET_GROUP": "nobody-has-this-group",
    }
    with pytest.raises(InvalidSettingsError, match="there is no group") as refused:
        load(environ=environ)
    assert "socket.group" in refused.value.detail


def test_metrics_cannot_be_where_callers_are(tmp_path):
    environ = {
        "WATCHWORD_DATA": str(tmp_path / "data"),
        "WATCHWORD_LISTEN": "127.0.0.1:8443",
        "WATCHWORD_METRICS_LISTEN": "127.0.0.1:8443",
    }
    with pytest.raises(InvalidSettingsError, match="taken by listen"):
        load(environ=environ)


def test_a_driver_that_is_not_installed_is_asked_for(tmp_path, monkeypatch):
    for absent in ("asyncpg", "redis"):
        monkeypatch.setitem(sys.modules, absent, None)
    text = 'database = "postgresql://u@h/d"\nredis = "redis://localhost"'
    detail = refusal(tmp_path, text)
    assert "watchword[postgres]" in detail
    assert "watchword[redis]" in detail
