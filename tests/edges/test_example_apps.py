"""Every example over HTTP, started by its one command, against a whole server: who is let in, and who is not."""

from pathlib import Path

import pytest
from tests.kits import toolchains
from tests.kits.examples import RunningExample, running_example

from watchword.testing.server import RunningServer

NAMES = ["go", "node"]


@pytest.mark.timeout(400)  # where Go builds its own library first
@pytest.mark.parametrize("name", NAMES)
def test_an_example_knows_its_caller_and_refuses_everybody_else(
    name: str, watchword_server: RunningServer, tmp_path: Path
) -> None:
    if name == "node":
        toolchains.node_packages()
    environ = toolchains.go_environment() if name == "go" else {}
    with running_example(name, watchword_server, tmp_path, environ) as example:
        a_caller_is_known_and_needs_the_level(example)
        everybody_else_is_refused(example)


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
        told = (answer.status_code, answer.headers.get("www-authenticate"))
        assert told == (401, f'{realm}, error="invalid_token"'), what
        assert "anna" not in answer.text
    assert example.get("/", example.token()).status_code == 200  # none of it did harm
    twice = [("Authorization", f"Bearer {example.token()}"), ("Authorization", "Bearer x")]
    assert example.http.get("/", headers=twice).status_code in {400, 401}  # WSGI hands over two as one
