"""What is worth a second thought, and stops no start."""

import hashlib
import ssl
from pathlib import Path

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
