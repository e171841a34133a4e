"""What is worth a second thought, and stops no start."""

import hashlib
import ssl
from pathlib import Path

import pytest

from watchword.core.clock import SystemClock
from watchword.server.config import find_warnings, load_config
from watchword.server.config.warnings import tls_is_hybrid


def warnings(tmp_path: Path, **variables: str) -> str:
    environ = {f"WATCHWORD_{name}": value for name, value in variables.items()}
    config = load_config(environ=dict(environ), flags={"data": str(tmp_path)})
    return "\n".join(find_warnings(config, environ, now=SystemClock().now()))


def test_open_registration_beyond_loopback_is_warned_of(tmp_path):
    beyond = {"LISTEN": "0.0.0.0:443", "ORIGIN": "https://id.example.org"}
    assert "open to everybody" in warnings(tmp_path, **beyond)
    assert "open to everybody" not in warnings(tmp_path)
    assert "open to everybody" not in warnings(tmp_path, **beyond, REGISTRATION="invite")


def test_open_registration_is_said_to_tell_which_names_are_taken(tmp_path):
    assert "which names are taken" in warnings(tmp_path)
    assert "which names are taken" not in warnings(tmp_path, REGISTRATION="closed")


def test_a_slow_hash_is_said_to_cost_logins(tmp_path):
    assert "server_hash" in warnings(tmp_path, PASSWORDS_SERVER_HASH="argon2id")
    assert "server_hash" not in warnings(tmp_path)


def test_a_form_that_posts_passwords_is_warned_of(tmp_path):
    assert "this server sees it" in warnings(tmp_path, PAGES_PASSWORD_FORM="true")
    assert "pages." not in warnings(tmp_path, PAGES_PASSWORD_FORM="false", PAGES_STYLEGUIDE="false")


def test_the_styleguide_is_said_to_be_for_development(tmp_path):
    assert "/styleguide to everybody" in warnings(tmp_path, PAGES_STYLEGUIDE="true")


def test_the_tls_library_is_asked_for_the_hybrid_group(tmp_path):
    assert tls_is_hybrid() is (ssl.OPENSSL_VERSION_INFO >= (3, 5))
    assert ("X25519MLKEM768" in warnings(tmp_path)) is not tls_is_hybrid()


def test_guessing_without_bounds_beyond_loopback_is_warned_of(tmp_path):
    beyond = {"LISTEN": "0.0.0.0:443", "ORIGIN": "https://id.example.org"}
    assert "limits.guessing is off" in warnings(tmp_path, **beyond, LIMITS_GUESSING="false")
    assert "limits.guessing" not in warnings(tmp_path, **beyond)
    assert "limits.guessing" not in warnings(tmp_path, LIMITS_GUESSING="false")


def test_limits_and_bans_that_are_off_beyond_loopback_are_warned_of(tmp_path):
    beyond = {"LISTEN": "0.0.0.0:443", "ORIGIN": "https://id.example.org"}
    for variable, said in (
        ({"BANS_POLICY": "off"}, "may go on for ever"),
        ({"LIMITS_ENABLED": "false"}, "limits.enabled is off"),
    ):
        assert said in warnings(tmp_path, **beyond, **variable)
        assert said not in warnings(tmp_path, **beyond)
        assert said not in warnings(tmp_path, **variable)


@pytest.mark.parametrize(
    ("allow", "said"),
    [
        ("0.0.0.0/1, 128.0.0.0/1", "as many IPv4 addresses as a /0"),
        ("11.0.0.0/9, 11.128.0.0/9", "as many IPv4 addresses as a /8"),
        ("10.0.0.0/9, 10.0.0.0/10, 10.0.0.1", ""),
        ("2000::/3", "as many IPv6 addresses as a /3"),
        ("2001:db8::/33, 192.0.2.0/24", ""),
        ("", ""),
    ],
)
def test_exceptions_from_bans_that_cover_very_much_together_are_warned_of(tmp_path, allow, said):
    shown = warnings(tmp_path, BANS_ALLOW=allow)
    assert said in shown
    assert ("bans.allow" in shown) is bool(said)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"POLICY": "strict", "FAILURES": "9"}, "bans.failures is only for requests over a limit"),
        ({"POLICY": "strict", "NAMES": "9"}, "nothing comes of bans.names"),
        ({"POLICY": "off", "NAMES": "9", "FIRST_S": "60"}, "nothing comes of bans.names, bans.first_s"),
        ({"FIRST_S": "7200", "LONGEST_S": "3600"}, "bans.first_s (7200) is cut to bans.longest_s (3600)"),
        ({"LONGEST_S": "700"}, "bans.forged_s (900) is cut to bans.longest_s (700)"),
        ({"FAILURES": "9", "NAMES": "9", "FIRST_S": "60", "FORGED_S": "60", "LONGEST_S": "60"}, ""),
        ({"POLICY": "strict", "FIRST_S": "60"}, ""),
        ({"POLICY": "off"}, ""),
    ],
)
def test_settings_of_bans_that_nothing_comes_of_are_warned_of(tmp_path, variables, said):
    shown = warnings(tmp_path, **{f"BANS_{name}": value for name, value in variables.items()})
    assert said in shown
    assert ("bans." in shown) is bool(said)


def test_metrics_beyond_loopback_are_warned_of(tmp_path):
    assert "metrics.listen" in warnings(tmp_path, METRICS_LISTEN="0.0.0.0:9464")
    for quiet in ({}, {"METRICS_LISTEN": "127.0.0.1:9464"}, {"METRICS_LISTEN": "[::1]:9464"}):
        assert "metrics.listen" not in warnings(tmp_path, **quiet)


def test_a_redis_that_others_can_reach_in_between_is_warned_of(tmp_path):
    shown = warnings(tmp_path, REDIS="redis://:hunter22@redis.example.org/0")
    assert "redis is reached over the network without TLS" in shown
    assert "hunter22" not in shown
    for quiet in ("redis://localhost", "rediss://redis.example.org", "unix:///run/redis.sock"):
        assert "redis" not in warnings(tmp_path, REDIS=quiet)


def test_a_variable_that_means_nothing_is_pointed_at(tmp_path):
    assert "did you mean WATCHWORD_LISTEN?" in warnings(tmp_path, LISTE="127.0.0.1:1")
    assert "means nothing" not in warnings(tmp_path, HOME="x", CA="y", SERVER="z", DEBUG="1")


def test_a_root_key_in_the_environment_is_said_to_stay(tmp_path):
    key = hashlib.sha256(b"a root key").hexdigest()
    text = warnings(tmp_path, ROOT_KEY=key)
    assert "WATCHWORD_ROOT_KEY" in text
    assert key not in text


def test_a_far_database_without_checked_tls_is_warned_of(tmp_path):
    def said(query: str, host: str = "db.example.org") -> str:
        return warnings(tmp_path, DATABASE=f"postgresql://user:sesame-7@{host}/watchword{query}")

    assert "does not start without sslmode=verify-full" in said("")
    assert "stands between" in said("?sslmode=require")
    assert "stands between" in said("?sslmode=disable")
    assert "of that CA is believed" in said("?sslmode=verify-ca")
    assert "sesame-7" not in said("?sslmode=require")
    for quiet in (said("?sslmode=verify-full"), said("", "localhost"), warnings(tmp_path)):
        assert "sslmode" not in quiet


def test_a_socket_whose_peers_nobody_names_is_warned_of(tmp_path):
    socket = {"LISTEN": f"unix:{tmp_path}/http.sock", "ORIGIN": "https://id.example.org", "TLS_MODE": "off"}
    assert "all callers count as one" in warnings(tmp_path, **socket)
    assert "count as one" not in warnings(tmp_path, **socket, PROXIES="unix")
    behind = {"LISTEN": "127.0.0.1:8443", "ORIGIN": "https://id.example.org", "TLS_MODE": "off"}
    assert "every caller has the proxy's address" in warnings(tmp_path, **behind)
