"""Every example over HTTP, started by its one command, against a whole server: who is let in, and who is not."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kits import toolchains
from tests.kits.examples import ROOT, RUN, RunningExample, running_example

from watchword.testing.server import RunningServer

NAMES = ["asgi", "django", "fastapi", "flask", "go", "node", "wsgi"]

STOCK = {
    "go": ["token refused: of ", "token refused: expired"],
    "node": ['unexpected "aud" claim value', '"exp" claim timestamp check failed'],
}
"""Examples without code of ours, and what their logs say of a wrong audience and an old token, as in the guides."""


@pytest.mark.timeout(400)  # where Go builds its own library first
@pytest.mark.parametrize("name", NAMES)
def test_an_example_knows_its_caller_and_refuses_everybody_else(
    name: str, watchword_server: RunningServer, tmp_path: Path
) -> None:
    environ = toolchain(name)
    with running_example(name, watchword_server, tmp_path, environ) as example:
        example.fetch_keys()
        a_caller_is_known_and_needs_the_level(example)
        everybody_else_is_refused(example)
        if name in STOCK:  # ours say it at level INFO, which only a configured log shows
            assert all(words in example.log.read_text() for words in STOCK[name])


@pytest.mark.timeout(400)  # as above
@pytest.mark.parametrize("name", STOCK)
def test_without_the_keys_of_the_issuer_nobody_is_let_in(
    name: str, watchword_server: RunningServer, tmp_path: Path
) -> None:
    environ = toolchain(name)
    with socket.socket() as silent:  # bound, and listening to nobody
        silent.bind(("127.0.0.1", 0))
        environ |= {"WATCHWORD_ORIGIN": f"https://localhost:{silent.getsockname()[1]}"}
        with running_example(name, watchword_server, tmp_path, environ) as example:
            answer = example.get("/", example.token())
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert example.get("/").status_code == 401
            assert "the keys could not be fetched: " in example.log.read_text()


def toolchain(name: str) -> dict[str, str]:
    """The environment in which the example's language runs it. Skips the test where it cannot."""
    if name == "node":
        toolchains.node_packages()
    return toolchains.go_environment() if name == "go" else {}


def a_caller_is_known_and_needs_the_level(example: RunningExample) -> None:
    answer = example.get("/", example.token(level=1))
    assert (answer.status_code, answer.json()["hello"], answer.json()["level"]) == (200, "anna", 1)
    assert answer.json()["account"].startswith("acc_")
    low = example.get("/moderation", example.token(level=1))
    assert (low.status_code, low.json()["code"]) == (403, "forbidden")
    assert low.headers["www-authenticate"] == f'Bearer realm="{example.origin}", error="insufficient_scope"'
    assert example.get("/moderation", example.token(level=2)).json() == {"moderator": "anna"}


def everybody_else_is_refused(example: RunningExample) -> None:
    realm = f'Bearer realm="{example.origin}"'
    nobody = example.get("/")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, realm)
    assert nobody.headers["content-type"] == "application/problem+json"
    for path in ("/nowhere", "//health", "/health/", "/HEALTH", "/%68ealth/..", "/moderation?public"):
        assert example.get(path).status_code == 401, path
    for what, token in example.bad_tokens().items():
        answer = example.get("/", token)
        if what == "too long" and answer.status_code == 431:
            continue  # gunicorn takes no header of this length
        told = (answer.status_code, answer.headers.get("www-authenticate"))
        assert told == (401, f'{realm}, error="invalid_token"'), what
        assert "anna" not in answer.text
    assert example.get("/", example.token()).status_code == 200  # none of it did harm
    twice = [("Authorization", f"Bearer {example.token()}"), ("Authorization", "Bearer x")]
    assert example.http.get("/", headers=twice).status_code in {400, 401}  # WSGI hands over two as one


def test_an_example_says_what_is_wrong_with_its_settings(tmp_path: Path) -> None:
    environ = os.environ | {"WATCHWORD_CA": str(tmp_path / "absent.pem")}
    done = subprocess.run([RUN, "flask"], env=environ, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (2, "")
    assert "absent.pem cannot be read. Start the server with `make run`" in done.stderr
    done = subprocess.run([RUN, "nosuch"], env=environ, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(name in done.stderr for name in NAMES)


def test_an_app_does_not_start_with_a_root_that_cannot_be_read(tmp_path: Path) -> None:
    environ = os.environ | {
        "WATCHWORD_CA": str(tmp_path / "absent.pem"),
        "PYTHONPATH": str(ROOT / "examples/wsgi"),
    }
    done = subprocess.run(
        [sys.executable, "-c", "import app"], env=environ, capture_output=True, text=True, timeout=240
    )
    assert done.returncode != 0
    assert "absent.pem cannot be read" in done.stderr
