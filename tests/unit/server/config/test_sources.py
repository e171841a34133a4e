"""Where settings come from, and which source wins."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from watchword.crypto.passwords import ServerHash
from watchword.errors import InvalidConfigError
from watchword.server.accounts.model import RegistrationMode
from watchword.server.config import (
    FIELDS,
    Config,
    InvalidSettingsError,
    Listen,
    LogFormat,
    ProxiesConfig,
    SocketConfig,
    UnixListen,
    find_data_directory,
    load,
    load_config,
)
from watchword.server.config.model import ProxyProtocol
from watchword.server.limits.model import Rate
from watchword.testing import components


def write(path: Path, text: str, *, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def settings(config: Config) -> dict[str, str]:
    return {"listen": str(config.listen), "registration": config.registration.value}


def test_without_anything_given_the_defaults_are_the_safe_choice_on_loopback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(environ={})
    assert config.data == tmp_path / "watchword-data"
    assert config.listen == Listen("127.0.0.1", 8443)
    assert config.listen.is_loopback
    assert config.resolve_origin(8443) == "https://localhost:8443"
    assert config.database_location == config.data / "watchword.db"
    assert config.root_key_file == config.data / "root.key"
    assert config.registration is RegistrationMode.OPEN
    assert config.passwords.server_hash is ServerHash.HMAC
    assert config.log.format is LogFormat.AUTO


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(tmp_path):
    file = write(tmp_path / "w.toml", 'listen = "127.0.0.1:1"\nregistration = "closed"\n')
    environ = {"WATCHWORD_LISTEN": "127.0.0.1:2", "WATCHWORD_DATA": str(tmp_path)}
    flags = {"listen": "127.0.0.1:3"}
    assert load_config(environ={}, file=file).listen == Listen("127.0.0.1", 1)
    assert load_config(environ=environ, file=file).listen == Listen("127.0.0.1", 2)
    assert load_config(environ=environ, file=file, flags=flags).listen == Listen("127.0.0.1", 3)
    assert load_config(environ=environ, file=file, flags=flags).registration is RegistrationMode.CLOSED
    assert load_config(environ=environ, flags=flags).registration is RegistrationMode.OPEN


def test_the_file_in_the_data_directory_is_read_unless_another_is_named(tmp_path):
    write(tmp_path / "watchword.toml", 'registration = "invite"\n')
    other = write(tmp_path / "other.toml", 'registration = "closed"\n')
    flags = {"data": str(tmp_path)}
    assert load_config(environ={}, flags=flags).registration is RegistrationMode.INVITE
    environ = {"WATCHWORD_CONFIG": str(other)}
    assert load_config(environ=environ, flags=flags).registration is RegistrationMode.CLOSED
    assert load(environ={}, flags=flags).file == tmp_path / "watchword.toml"


def test_the_file_in_the_data_directory_cannot_move_the_data(tmp_path):
    write(tmp_path / "watchword.toml", 'data = "elsewhere"\n')
    with pytest.raises(InvalidConfigError, match=r"data .*line 1.*remove the key"):
        load_config(environ={}, flags={"data": str(tmp_path)})


def test_a_relative_path_in_a_file_starts_at_the_file(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "etc" / "w.toml", 'data = "state"\nroot_key_file = "keys/root"\n')
    config = load_config(environ={}, file=file)
    assert config.data == tmp_path / "etc" / "state"
    assert config.root_key_file == tmp_path / "etc" / "keys" / "root"
    assert load_config(environ={}, flags={"data": "state"}).data == tmp_path / "state"


OF_A_PROXY = {"socket.mode", "socket.group", "proxies", "proxy_header", "proxy_protocol"}


def test_every_setting_of_a_proxy_can_be_given_in_the_file_and_by_its_variable(tmp_path):
    texts = {
        "listen": "unix:/run/watchword/http.sock",
        "origin": "https://id.example.org",
        "tls.mode": "off",
        "socket.mode": "600",
        "socket.group": "www-data",
        "proxies": "unix",
        "proxy_header": "X-Real-IP",
        "proxy_protocol": "headers",
    }
    assert set(texts) > OF_A_PROXY
    environ = {field.variable: texts[field.key] for field in FIELDS if field.key in texts}
    lines = [f'listen = "{texts["listen"]}"', 'origin = "https://id.example.org"', 'proxies = ["unix"]']
    lines += [
        'proxy_header = "X-Real-IP"',
        'proxy_protocol = "headers"',
        "[tls]",
        'mode = "off"',
        "[socket]",
        'mode = "600"',
    ]
    lines += ['group = "www-data"']
    by_file = load_config(environ={}, file=write(tmp_path / "w.toml", "\n".join(lines)))
    by_variable = load_config(environ=environ)
    for name in ("listen", "origin", "socket", "proxies", "tls"):
        assert getattr(by_variable, name) == getattr(by_file, name)
    assert by_file.socket == SocketConfig(mode=0o600, group="www-data")
    assert by_file.proxies == ProxiesConfig(
        places=("unix",), header="X-Real-IP", protocol=ProxyProtocol.HEADERS
    )
    assert by_file.listen == UnixListen(Path("/run/watchword/http.sock"))


def test_every_setting_can_be_given_in_the_file_and_by_its_variable(tmp_path):
    texts = {
        "data": str(tmp_path),
        "listen": "[::1]:1",
        "origin": "https://id.example.org",
        "hosts": "a.example,b.example:8443",
        "database": "postgresql://u@h/d",
        "root_key_file": str(tmp_path / "k"),
        "registration": "closed",
        "passwords.server_hash": "bcrypt",
        "pages.password_form": "true",
        "pages.styleguide": "true",
        "log.level": "debug",
        "log.format": "json",
        "log.requests": "failed",
        "limits.costly_at_once": "3",
        "limits.costly_waiting": "4",
        "limits.enabled": "false",
        "limits.read": "10/1s",
        "limits.sign_in": "20/2m",
        "limits.register": "30/3h",
        "limits.account": "40/4s",
        "limits.other": "50/5s",
        "limits.concurrent": "6",
        "limits.guessing": "false",
        "limits.without_redis": "refuse",
        "bans.policy": "strict",
        "bans.failures": "1",
        "bans.names": "2",
        "bans.window_s": "3",
        "bans.first_s": "4",
        "bans.longest_s": "5",
        "bans.forged_s": "6",
        "bans.allow": "192.0.2.1,2001:db8::/32",
        "privacy.addresses": "keyed",
        "privacy.addresses_days": "30",
        "redis": "redis://u@h:1/2",
        "backup.recipient": str(tmp_path / "b"),
        "metrics.listen": "127.0.0.1:9464",
        "traces.endpoint": "http://127.0.0.1:4318/v1/traces",
        "traces.ratio": "0.25",
        "processes": "3",
        "shutdown_grace_s": "5",
        "tls.mode": "files",
        "tls.certificate": str(tmp_path / "chain.pem"),
        "tls.key": str(tmp_path / "key.pem"),
        "tls.key_password_file": str(tmp_path / "password"),
    }
    assert set(texts) == {field.key for field in FIELDS if field.key not in OF_A_PROXY}
    environ = {field.variable: texts[field.key] for field in FIELDS if field.key in texts}
    by_variable = load_config(environ=environ)
    lines = ["data = " + repr(texts["data"])]
    lines += ['listen = "[::1]:1"', 'origin = "https://id.example.org"', 'database = "postgresql://u@h/d"']
    lines += [
        'redis = "redis://u@h:1/2"',
        'hosts = ["a.example", "b.example:8443"]',
        f'root_key_file = "{texts["root_key_file"]}"',
    ]
    lines += ['registration = "closed"', "processes = 3", "shutdown_grace_s = 5"]
    lines += ["[pages]", "password_form = true", "styleguide = true"]
    lines += ["[passwords]", 'server_hash = "bcrypt"']
    lines += ["[log]", 'level = "debug"', 'format = "json"', 'requests = "failed"']
    lines += ["[limits]", "costly_at_once = 3"]
    lines += ["enabled = false", "guessing = false", "concurrent = 6", 'without_redis = "refuse"']
    lines += [
        'read = "10/1s"',
        'sign_in = "20/2m"',
        'register = "30/3h"',
        'account = "40/4s"',
        'other = "50/5s"',
    ]
    lines += ["costly_waiting = 4", "[backup]", f'recipient = "{texts["backup.recipient"]}"']
    lines += ["[tls]", 'mode = "files"', 'certificate = "chain.pem"', 'key = "key.pem"']
    lines += ['key_password_file = "password"']
    lines += ["[bans]", 'policy = "strict"', "failures = 1", "names = 2", "window_s = 3", "first_s = 4"]
    lines += ["longest_s = 5", "forged_s = 6", 'allow = ["192.0.2.1", "2001:db8::/32"]']
    lines += ["[privacy]", 'addresses = "keyed"', "addresses_days = 30"]
    lines += ["[metrics]", 'listen = "127.0.0.1:9464"']
    lines += ["[traces]", 'endpoint = "http://127.0.0.1:4318/v1/traces"', "ratio = 0.25"]
    by_file = load_config(environ={}, file=write(tmp_path / "w.toml", "\n".join(lines)))
    for name in (
        "data",
        "listen",
        "origin",
        "hosts",
        "root_key_file",
        "registration",
        "passwords",
        "pages",
        "log",
        "limits",
        "bans",
        "privacy",
        "backup",
        "tls",
    ):
        assert getattr(by_variable, name) == getattr(by_file, name)
    assert by_variable.database is not None
    assert by_variable.database_location == by_file.database_location == "postgresql://u@h/d"
    assert by_variable.redis is not None
    assert by_file.redis is not None
    assert by_variable.redis.reveal() == by_file.redis.reveal() == "redis://u@h:1/2"
    assert by_variable.limits.rates["sign_in"] == Rate(20, 120_000)
    assert by_variable.processes == by_file.processes == 3
    assert by_variable.shutdown_grace_s == 5


def test_each_setting_says_its_unit_default_and_effect():
    for field in FIELDS:
        assert field.unit
        assert field.default_text
        assert field.effect.endswith(".")
        assert field.variable.startswith("WATCHWORD_")
    assert len({field.variable for field in FIELDS}) == len(FIELDS)


def test_the_default_origin_follows_the_port_that_was_chosen(tmp_path):
    config = load_config(environ={}, flags={"listen": "127.0.0.1:0", "data": str(tmp_path)})
    assert config.origin is None
    assert config.resolve_origin(41234) == "https://localhost:41234"
    assert config.resolve_origin(443) == "https://localhost"
    given = load_config(environ={}, flags={"origin": "https://id.example.org", "data": str(tmp_path)})
    assert given.resolve_origin(41234) == "https://id.example.org"


def test_the_data_directory_is_found_even_where_the_rest_is_wrong(tmp_path):
    file = write(tmp_path / "w.toml", 'data = "state"\nlisten = 17\nnonsense = true\n')
    assert find_data_directory(environ={}, file=file) == tmp_path / "state"
    assert find_data_directory(environ={"WATCHWORD_DATA": "/srv/w"}, file=file) == Path("/srv/w")
    assert find_data_directory(environ={"WATCHWORD_DATA": "/srv/w"}, flags={"data": "/srv/f"}) == Path(
        "/srv/f"
    )


def test_the_place_of_every_value_is_known(tmp_path):
    file = write(tmp_path / "w.toml", '\n[log]\n# a remark\nlevel = "debug"\n')
    loaded = load(environ={"WATCHWORD_LISTEN": "127.0.0.1:9"}, flags={"data": str(tmp_path)}, file=file)
    places = {each.field.key: each.place for each in loaded.settings}
    assert places["log.level"] == f"{file}, line 4"
    assert places["listen"] == "WATCHWORD_LISTEN"
    assert places["data"] == "--data"
    assert places["origin"] == "default"


PROGRAM = """
import hashlib, os, pathlib, sys
from watchword.server.config import load_config
from watchword.server.config.environment import take
found = load_config(flags={"data": sys.argv[1]})
assert found.database_location == "postgresql://u:planted-password@h/d", "the value was read"
root_key = hashlib.sha256(b"a root key").hexdigest()
assert take(os.environ, "WATCHWORD_ROOT_KEY") == root_key
print("database" if "WATCHWORD_DATABASE" in os.environ else "-")
shown = pathlib.Path("/proc/self/environ").read_text()
print(shown.count("planted") + shown.count(root_key))
print(repr(found).count("planted"))
"""


def test_fault_N6_secrets_leave_the_environment_of_the_process(tmp_path):
    components.require_path(Path("/proc/self/environ"))
    secrets = {
        "WATCHWORD_DATABASE": "postgresql://u:planted-password@h/d",
        "WATCHWORD_ROOT_KEY": hashlib.sha256(b"a root key").hexdigest(),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, **secrets},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["-", "0", "0"]


def _secret_file(tmp_path: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path = tmp_path / "url"
    path.write_text(text)
    path.chmod(mode)
    return {"WATCHWORD_DATABASE_FILE": str(path), "WATCHWORD_DATA": str(tmp_path / "data")}


def test_a_secret_may_stand_in_a_file_that_a_variable_names(tmp_path):
    environ = _secret_file(tmp_path, "postgresql://u:planted-word@127.0.0.1/d\n")
    loaded = load(environ=environ)
    assert loaded.config.database_location == "postgresql://u:planted-word@127.0.0.1/d"
    (setting,) = [each for each in loaded.settings if each.field.key == "database"]
    assert setting.place == "WATCHWORD_DATABASE_FILE"
    assert "planted" not in setting.shown


def test_the_variable_itself_goes_before_the_file_that_another_names(tmp_path):
    environ = _secret_file(tmp_path, "postgresql://u@127.0.0.1/file")
    environ["WATCHWORD_DATABASE"] = "postgresql://u@127.0.0.1/own"
    assert str(load(environ=environ).config.database_location).endswith("/own")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620])
def test_fault_N5_a_secret_file_that_others_can_use_is_refused_and_the_secret_not_told(tmp_path, mode):
    with pytest.raises(InvalidSettingsError, match="chmod 600") as refused:
        load(environ=_secret_file(tmp_path, "postgresql://u:planted-word@127.0.0.1/d", mode))
    assert "WATCHWORD_DATABASE_FILE" in refused.value.detail
    assert "planted" not in refused.value.detail


def test_a_secret_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(InvalidSettingsError, match=r"WATCHWORD_DATABASE_FILE.*cannot be read"):
        load(
            environ={"WATCHWORD_DATABASE_FILE": str(tmp_path / "none"), "WATCHWORD_DATA": str(tmp_path / "d")}
        )


def test_other_settings_have_no_such_variable(tmp_path):
    found = load(environ={"WATCHWORD_LISTEN_FILE": "x", "WATCHWORD_DATA": str(tmp_path / "data")})
    assert str(found.config.listen) == "127.0.0.1:8443"
