"""What `check-config` says of Redis: whether it answers, and never its password."""

import importlib.util
from pathlib import Path

import pytest

from watchword.cli.main import run
from watchword.errors import InvalidConfigError
from watchword.server.redis import open as redis_open

PASSWORD = "a-secret-that-nobody-prints"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHWORD_DATA", str(tmp_path / "data"))


def check(capsys, monkeypatch, url: str) -> tuple[int, str]:
    monkeypatch.setenv("WATCHWORD_REDIS", url)
    code = int(run(["check-config"]))
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def test_a_redis_that_answers_is_no_warning(redis_server, capsys, monkeypatch):
    code, shown = check(capsys, monkeypatch, redis_server.url)
    assert code == 0
    assert "redis" in shown
    assert "does not answer" not in shown


def test_a_redis_that_is_away_or_refuses_is_a_warning_without_its_password(redis_server, capsys, monkeypatch):
    redis_server.command("CONFIG", "SET", "requirepass", "another")
    refused = check(capsys, monkeypatch, f"unix://:{PASSWORD}@{redis_server.path}")
    redis_server.stop()
    away = check(capsys, monkeypatch, f"unix://:{PASSWORD}@{redis_server.path}")
    for code, shown in (refused, away):
        assert code == 0
        assert "does not answer now" in shown
        assert "each node counts limits for itself" in shown
        assert PASSWORD not in shown
    assert "(password)" in refused[1]
    monkeypatch.setenv("WATCHWORD_LIMITS_WITHOUT_REDIS", "refuse")
    assert "requests are refused" in check(capsys, monkeypatch, redis_server.url)[1]


def test_without_the_client_library_nothing_starts_and_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setattr(redis_open, "find_spec", lambda _name: None)
    code, shown = check(capsys, monkeypatch, "unix:///nowhere")
    assert code == 2
    assert "pip install “watchword[redis]”" in shown
    with pytest.raises(InvalidConfigError, match="watchword\\[redis\\]"):
        redis_open.check_package()
    assert importlib.util.find_spec("redis") is not None
