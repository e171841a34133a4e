"""The example, started by its one command, against a key server with TLS, and asked by an HTTP client and by curl."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.kits.tokens import KEY, WELL_KNOWN, KeyServer, key_set, make_authority, token

from watchword.core.clock import SystemClock
from watchword.testing import components

ROOT = Path(__file__).parents[2]


class Example:
    """A running uvicorn with the example, and the key server that it trusts."""

    def __init__(self, server: KeyServer, origin: str) -> None:
        self.server = server
        self.origin = origin
        self.http = httpx.Client(base_url=origin, trust_env=False, timeout=10)

    def token(self, **changes: object) -> str:
        return token(SystemClock().now(), iss=self.server.origin, **({"aud": self.origin} | changes))  # type: ignore[arg-type]

    def get(self, path: str, text: str | None = None) -> httpx.Response:
        return self.http.get(path, headers={"Authorization": f"Bearer {text}"} if text is not None else {})


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    folder = tmp_path_factory.mktemp("example")
    root, certificate = make_authority(folder)
    # The application must know its own origin, so the port is chosen here; the socket is handed over by number.
    with (
        KeyServer(key_set(KEY), cert_file=certificate) as server,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        origin = f"http://localhost:{listener.getsockname()[1]}"
        environment = os.environ | {
            "WATCHWORD_ORIGIN": server.origin,
            "WATCHWORD_CA": str(root),
            "APP_ORIGIN": origin,
            "PYTHONPATH": str(ROOT / "src"),
        }
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "examples/fastapi"), "app:app"]
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--fd", str(listener.fileno())],
                env=environment,
                pass_fds=[listener.fileno()],
                stdout=output,
                stderr=output,
            )
        try:
            running = Example(server, origin)
            _wait(running, process, log)
            yield running
            running.http.close()
        finally:
            process.terminate()
            process.wait(10)
        assert "Traceback" not in log.read_text()
        assert not any(part in log.read_text() for part in running.token().split(".")[:1])


def _wait(running: Example, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            assert running.get("/health").json() == {"ok": True}
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.05)
        else:
            return


def test_a_caller_with_a_token_is_known(example):
    answer = example.get("/", example.token())
    assert answer.status_code == 200
    assert answer.json()["hello"] == "alice"
    assert answer.json()["level"] == 1


def test_everybody_else_is_denied_with_the_right_status_and_challenge(example):
    realm = f'Bearer realm="{example.origin}"'
    answer = example.get("/")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, realm)
    assert answer.headers["content-type"] == "application/problem+json"
    for bad in (
        "x",
        example.token(aud="https://other.example"),
        token(),
        example.token(cnf={"jkt": "A" * 43}),
    ):
        answer = example.get("/", bad)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (
            401,
            f'{realm}, error="invalid_token"',
        )
    answer = example.get("/moderation", example.token(level=1))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (
        403,
        f'{realm}, error="insufficient_scope"',
    )
    assert example.get("/moderation", example.token(level=2)).json() == {"moderator": "alice"}
    answer = example.http.get(
        "/", headers=[("Authorization", f"Bearer {example.token()}"), ("Authorization", "Bearer x")]
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path", ["/nowhere", "/docs", "/openapi.json", "//health", "/health/", "/%68ealth/..", "/HEALTH"]
)
def test_nothing_is_told_about_other_paths(example, path):
    assert example.get(path).status_code == 401


def test_the_keys_are_fetched_over_tls_once(example):
    for number in range(20):
        assert example.get("/", example.token(jti=f"t{number}")).status_code == 200
    assert example.server.requests == [WELL_KNOWN]


def test_curl_as_in_the_readme(example):
    command = [str(components.require("curl")), "--silent", "--noproxy", "*", "-w", " %{http_code}"]
    done = subprocess.run(
        [*command, example.origin + "/"], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.endswith(" 401")
    authorization = f"Authorization: Bearer {example.token()}"
    done = subprocess.run(
        [*command, "-H", authorization, example.origin + "/"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.endswith(" 200")
    assert '"hello":"alice"' in done.stdout


def test_the_app_is_refused_at_start_with_a_wrong_setting(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import asyncio, app; asyncio.run(app.app({'type': 'lifespan'}, None, None))"],
        env=os.environ
        | {
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'examples/fastapi'}",
            "WATCHWORD_CA": str(tmp_path / "absent.pem"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "absent.pem cannot be read" in done.stderr
