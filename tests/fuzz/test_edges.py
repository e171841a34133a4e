"""Any bytes at the edges: request bodies, paths and headers at the real application, and files on disk."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kits.fuzzing import ANY_TEXT, bytes_for, fuzzed
from tests.kits.world import World, open_world

from watchword.client.vault import Owner, VaultFile
from watchword.core.secret import Secret
from watchword.errors import DamagedError, ErrorCode, MalformedError, WrongPasswordError
from watchword.server.audit.checkpoint_file import CheckpointFile
from watchword.testing import SeededEntropy

BODIES = [
    ("POST", "/api/login/begin"),
    ("POST", "/api/login"),
    ("POST", "/api/register"),
    ("POST", "/api/devices"),
    ("POST", "/api/tokens"),
    ("POST", "/api/password"),
]
GOOD = json.dumps({"envelope": "e30.AAAA"}).encode()
STRETCHED = Secret(bytes(32))


class Node:
    """A node on a loop of its own, for tests that hypothesis calls again and again."""

    def __init__(self, runner: asyncio.Runner, world: World) -> None:
        self._runner = runner
        self._world = world

    def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Status and problem document of the answer."""
        answer = self._runner.run(self._world.call(method, path, **more))
        self._world.seen.clear()
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with asyncio.Runner() as runner:
        world = open_world(tmp_path_factory.mktemp("node") / "data")
        yield Node(runner, runner.run(world.__aenter__()))
        runner.run(world.__aexit__(None, None, None))


def refused_in_words(status: int, problem: Any) -> bool:
    """A 4xx with a problem document of a known code; the server is never at fault for what it was sent."""
    return 400 <= status < 500 and ErrorCode(problem["code"]) is not ErrorCode.INTERNAL


@pytest.mark.parametrize(("method", "path"), BODIES)
@fuzzed(quick=40)
@given(body=bytes_for(GOOD))
def test_any_body_is_refused_in_words(node: Node, method: str, path: str, body: bytes) -> None:
    assert refused_in_words(*node.call(method, path, content=body))


@fuzzed(quick=40)
@given(name=st.sampled_from(["authorization", "cookie", "accept", "content-type", "x-request-id", "dpop"]),
       value=st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=120))  # fmt: skip
def test_any_header_is_taken_or_refused_in_words(node: Node, name: str, value: str) -> None:
    status, problem = node.call("GET", "/api/me", headers={name: value})
    assert status == 401
    assert problem["code"] == "unauthenticated"


@fuzzed(quick=40)
@given(path=ANY_TEXT)
def test_any_path_is_refused_in_words(node: Node, path: str) -> None:
    try:
        answer = node.call("GET", "/api/" + path.replace("?", "").replace("#", ""))
    except (UnicodeError, ValueError):  # the HTTP client does not send it
        return
    except Exception as error:
        if type(error).__name__ == "InvalidURL":
            return
        raise
    assert refused_in_words(*answer)


@fuzzed(quick=60)
@given(draw=st.data())
def test_any_vault_file_is_a_vault_damaged_or_of_another_password(tmp_path: Path, draw: Any) -> None:
    file = VaultFile(tmp_path, SeededEntropy("vault"))
    owner = Owner(
        server="https://a", issuer="https://a", username="anna", account="acc_x", root="x", password_version=1
    )
    file.create(owner, {"WATCHWORD_DEVICE": "dev_x"}, Secret(b"password"), lambda *_: STRETCHED)
    place = next(path for path in tmp_path.iterdir() if path.is_file() and path.stat().st_size > 100)
    written = place.read_bytes()
    changed = draw.draw(bytes_for(written))
    place.write_bytes(changed)
    try:
        opened = file.open(Secret(b"password"), lambda *_: STRETCHED)
    except (DamagedError, MalformedError, WrongPasswordError):
        assert changed != written
    else:
        assert opened.owner == owner
        assert opened.entries == {"WATCHWORD_DEVICE": "dev_x"}


@fuzzed(quick=60)
@given(content=bytes_for(b'{"node":"x"}\n{"node":"y"}\n'))
def test_any_checkpoint_file_is_opened_and_mended(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoints.jsonl"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
    CheckpointFile(path).open()
    kept = path.read_bytes()
    assert kept == b"" or kept.endswith(b"\n")
    assert content.startswith(kept.removesuffix(b"\n"))
