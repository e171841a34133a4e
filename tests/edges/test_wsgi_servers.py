"""The middleware under real WSGI servers: wsgiref with its validator, gunicorn that forks, threads, plain forks."""

import http.client
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator

import pytest
from tests.kits.tokens import AUDIENCE, KEY, KeyServer, key_set, token

from watchword.core.clock import SystemClock
from watchword.core.encoding import decode_json
from watchword.middleware import NoIdentityError, current_identity, require
from watchword.middleware.wsgi import WatchwordMiddleware

FORKED = """
import os, sys, threading, time
from watchword.errors import UnavailableError
from watchword.middleware import Guard
guard = Guard(issuer=sys.argv[1], audience=sys.argv[2], bearer_ok=True)
values = ["Bearer " + sys.argv[3]]
keys = guard._verifier._keys
def name_of_caller():
    for _ in range(10):
        try:
            return guard.admit_blocking("/", values).identity.username
        except UnavailableError:  # a slow machine: nothing came in two seconds
            time.sleep(0.1)
threading.Thread(target=guard.admit_blocking, args=("/", values), daemon=True).start()
while keys._flight is None:
    time.sleep(0.001)
keys._lock.acquire()  # as a thread would hold it that is not there after the fork
pids = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if name_of_caller() == "alice" else 3)
    pids.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
print(codes)
"""
SLOWLY_LOADED = """
import importlib.abc, sys, time
class Slowly(importlib.abc.MetaPathFinder):
    begun = False
    def find_spec(self, name, path, target=None):
        if name == "email.message":  # in the middle of http.client
            Slowly.begun = True
            time.sleep(0.3)
sys.meta_path.insert(0, Slowly())
class Flying:
    @property
    def _flight(self):
        return Slowly.begun or None
"""
GUNICORN_APP = """
import os, threading, time
from watchword.middleware import current_identity, require
from watchword.middleware.wsgi import WatchwordMiddleware

@require(level=1)
def notes(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"{{os.getpid()}} {{current_identity().username}}".encode()

app = WatchwordMiddleware(notes, issuer={issuer!r}, audience={audience!r}, bearer_ok=True)
busy = {busy!r}

def hammer():
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        app.guard.admit_blocking("/", ["Bearer " + busy])

if busy:  # keys are fetched, and the cache is in use, at the moment of the fork
    app.guard.admit_blocking("/", ["Bearer " + busy])
    threading.Thread(target=hammer, daemon=True).start()
"""


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(key_set(KEY)) as running:
        yield running


def now_token(server: KeyServer, **changes: Any) -> str:
    return token(SystemClock().now(), iss=server.origin, **changes)


def get(
    port: int, path: str = "/", authorization: str | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(
        method, path, headers={} if authorization is None else {"Authorization": authorization}
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        return None


@contextmanager
def served(app: Any) -> Iterator[int]:
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield running.server_port
        finally:
            running.shutdown()
            thread.join()


def by_pieces(environ: Any, start_response: Any) -> Iterator[bytes]:
    """Runs as its pieces are asked for, all of it."""
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/started":
        require(level=2)(current_identity)()
    yield current_identity().username.encode()
    if path == "/late":
        raise NoIdentityError


def test_the_rules_of_wsgi_are_kept_and_what_is_made_late_knows_its_caller(server):
    guarded = WatchwordMiddleware(
        validator(by_pieces), issuer=server.origin, audience=AUDIENCE, bearer_ok=True, public=["/open"]
    )
    good = f"Bearer {now_token(server)}"
    with served(validator(guarded)) as port:
        assert get(port, authorization=good)[::2] == (200, b"alice")
        status, headers, body = get(port)
        assert (status, headers["content-type"]) == (401, "application/problem+json")
        assert headers["www-authenticate"] == f'Bearer realm="{AUDIENCE}"'
        assert decode_json(body)["request_id"].startswith("req_")
        assert get(port, "/started", good)[0] == 403  # started, but nothing was sent
        assert get(port, method="HEAD")[::2] == (401, b"")
        assert get(port, "/open", good)[0] == 401
        assert get(port, authorization=good)[::2] == (200, b"alice")
    with pytest.raises(NoIdentityError):
        current_identity()


def test_a_file_is_handed_to_the_server_as_it_is_and_a_late_refusal_is_the_applications_own(server, tmp_path):
    class Wrapper:
        def __init__(self, file: Any) -> None:
            self.file = file

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return (
            environ["wsgi.file_wrapper"](tmp_path)
            if environ["PATH_INFO"] == "/file"
            else by_pieces(environ, start_response)
        )

    guarded: Any = WatchwordMiddleware(app, issuer=server.origin, audience=AUDIENCE, bearer_ok=True)
    environ = {"HTTP_AUTHORIZATION": f"Bearer {now_token(server)}", "wsgi.file_wrapper": Wrapper}
    ignore = lambda *_: None  # noqa: E731  # a start_response that nobody looks at
    assert guarded(environ | {"PATH_INFO": "/file"}, ignore).file is tmp_path
    pieces = guarded(environ | {"PATH_INFO": "/late"}, ignore)
    assert next(pieces) == b"alice"
    with pytest.raises(NoIdentityError):
        next(pieces)
    pieces.close()


def test_nobody_is_known_on_a_public_path_whatever_stood_in_the_environment(server):
    seen: list[dict[str, Any]] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        start_response("200 OK", [])
        return []

    guarded: Any = WatchwordMiddleware(app, issuer=server.origin, audience=AUDIENCE, public=["/open"])
    guarded({"PATH_INFO": "/open", "watchword.identity": "planted"}, lambda *_: None)
    assert "watchword.identity" not in seen[0]


def test_a_fork_during_a_fetch_leaves_each_child_able_to_verify_fault_M17(server):
    server.delay = 0.5
    done = subprocess.run(
        [sys.executable, "-c", FORKED, server.origin, AUDIENCE, now_token(server)],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("[0, 0, 0]", "")
    assert len(server.requests) > 1  # the parent's, and children's own


def test_a_fork_while_modules_are_loaded_leaves_none_half_loaded_fault_M17(server):
    """The fetch of the parent has begun to load what it needs; the children could never load it again."""
    program = SLOWLY_LOADED + FORKED.replace("while keys._flight is None", "while Flying()._flight is None")
    done = subprocess.run(
        [sys.executable, "-c", program, server.origin, AUDIENCE, now_token(server)],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("[0, 0, 0]", "")


@contextmanager
def gunicorn(folder: Path, kind: str, **filled: str) -> Iterator[int]:
    (folder / "notes.py").write_text(GUNICORN_APP.format(**filled))
    command = [
        sys.executable, "-m", "gunicorn", "--preload", "--workers", "3", "--worker-class", kind, "--threads", "2",
        "--bind", "127.0.0.1:0", "--no-control-socket", "notes:app",
    ]  # fmt: skip
    environ = {**os.environ, "HOME": str(folder)}
    running = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, env=environ)
    try:
        assert running.stderr is not None
        port = next(
            int(found[1]) for line in running.stderr if (found := re.search(r"http://127.0.0.1:(\d+)", line))
        )
        yield port
    finally:
        running.terminate()
        running.communicate(timeout=60)


@pytest.mark.parametrize(("kind", "warm"), [("sync", True), ("gthread", True), ("gthread", False)])
def test_every_worker_of_a_preloaded_gunicorn_verifies_fault_M17(tmp_path, server, kind, warm):
    busy = now_token(server, jti="busy") if warm else ""
    with gunicorn(tmp_path, kind, issuer=server.origin, audience=AUDIENCE, busy=busy) as port:

        def ask(number: int) -> bytes:
            asked = f"Bearer {now_token(server, jti=f't{number}')}"
            status, _, body = get(port, authorization=asked)
            while status == 503 and not warm:  # a slow machine: no keys came in two seconds
                status, _, body = get(port, authorization=asked)
            assert status == 200
            return body

        answers: list[bytes] = []
        while (
            len({answer.split()[0] for answer in answers}) < 3 and len(answers) < 2000
        ):  # they start one by one
            with ThreadPoolExecutor(8) as pool:
                answers += pool.map(ask, range(len(answers), len(answers) + 24))
        refused = get(port, authorization=f"Bearer {now_token(server, level=0)}")[0], get(port)[0]
    assert {answer.split()[1] for answer in answers} == {b"alice"}
    assert len({answer.split()[0] for answer in answers}) == 3
    assert refused == (403, 401)
    assert len(server.requests) == 1 if warm else 1 <= len(server.requests) <= 3
