"""gRPC over loopback: what the matrix of faces does not see of its calls."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from tests.kits.faces import KINDS, ask_grpc, echo, echo_async, grpc_aio_server, grpc_server
from tests.kits.tokens import KEY, KeyServer, key_set, make_authority, settings, token

from watchword.core.encoding import decode_json
from watchword.errors import ForbiddenError
from watchword.middleware import Identity, NoIdentityError, current_identity, require
from watchword.middleware.grpc import WatchwordInterceptor, call_credentials
from watchword.testing.counts import count

SERVERS = {"blocking": grpc_server, "aio": grpc_aio_server}


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(key_set(KEY)) as running:
        yield running


def good(server: KeyServer, **changes: Any) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token(iss=server.origin, **changes)}")]


def servicer_of(*, unary: Any, stream: Any) -> Any:
    handlers = {
        "one": grpc.unary_unary_rpc_method_handler(unary),
        "many": grpc.unary_stream_rpc_method_handler(stream),
    }
    return grpc.method_handlers_generic_handler("notes.Notes", handlers)


def refusal(port: int, path: str, metadata: list[tuple[str, str]]) -> Any:
    plain: Any = grpc.insecure_channel(f"127.0.0.1:{port}")
    with plain as channel:
        with pytest.raises(grpc.RpcError) as caught:
            list(channel.unary_stream(path)(b"x", metadata=metadata, timeout=60))
        return caught.value


@pytest.mark.parametrize("way", SERVERS)
def test_a_refusal_has_a_status_and_codes_and_no_text_of_an_error(way, server):
    with SERVERS[way](echo(require(level=2)), settings(server)) as port:
        for metadata, status, code in (
            ([], grpc.StatusCode.UNAUTHENTICATED, "unauthenticated"),
            (good(server), grpc.StatusCode.PERMISSION_DENIED, "forbidden"),
            (good(server) * 2, grpc.StatusCode.INVALID_ARGUMENT, "malformed"),
        ):
            error = refusal(port, "/notes.Notes/unary_stream", metadata)
            trailing = dict(error.trailing_metadata())
            problem = decode_json(trailing["watchword-problem-bin"])
            assert (error.code(), trailing["watchword-code"]) == (status, code)
            assert trailing["watchword-request-id"] == problem["request_id"]
            assert error.details() == problem["title"]
        server.status = 500
    with KeyServer(key_set(KEY)) as silent:
        silent.status = 500
        with SERVERS[way](echo(require()), settings(silent)) as port:
            error = refusal(port, "/notes.Notes/unary_stream", good(silent))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert dict(error.trailing_metadata())["retry-after"] == "1"


@pytest.mark.parametrize("way", SERVERS)
def test_which_methods_exist_is_told_to_callers_alone(way, server):
    with SERVERS[way](echo(require()), settings(server)) as port:
        for _ in range(2):  # before the keys are there, and after
            assert refusal(port, "/notes.Notes/none", []).code() is grpc.StatusCode.UNAUTHENTICATED
            assert refusal(port, "/notes.Notes/none", good(server)).code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("way", SERVERS)
def test_a_public_service_needs_nobody(way, server):
    def one(_request: Any, _context: Any) -> bytes:
        try:
            return current_identity().username.encode()
        except NoIdentityError:
            return b"nobody"

    def many(_request: Any, _context: Any) -> Iterator[bytes]:
        yield one(None, None)
        yield current_identity().username.encode()

    public = ["/notes.Notes/"]
    with SERVERS[way](servicer_of(unary=one, stream=many), settings(server, public=public)) as port:
        assert ask_grpc(port, "unary_unary", [], "/notes.Notes/one").body == b"nobody"
        assert refusal(port, "/notes.Notes/many", []).code() is grpc.StatusCode.UNAUTHENTICATED
        assert refusal(port, "/other.Notes/one", []).code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("servicer", [echo, echo_async])
def test_an_event_loop_serves_blocking_methods_and_coroutines_of_all_kinds(servicer, server):
    with grpc_aio_server(servicer(require(level=1)), settings(server)) as port:
        for kind in KINDS:
            assert ask_grpc(port, kind, good(server)).body == b"alice"
            assert ask_grpc(port, kind, good(server, level=0)).status == 403


def test_a_coroutine_may_write_its_answers_itself(server):
    async def many(_request: Any, context: Any) -> None:
        await context.write(current_identity().username.encode())
        require(level=9)(current_identity)()

    with grpc_aio_server(servicer_of(unary=many, stream=many), settings(server)) as port:
        error = refusal(port, "/notes.Notes/many", good(server))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED


def test_the_applications_own_abort_and_metadata_pass(server):
    def one(_request: Any, context: Any) -> bytes:
        context.set_trailing_metadata((("note", "mine"),))
        context.abort(grpc.StatusCode.NOT_FOUND, "no such note")
        return b""

    with grpc_server(servicer_of(unary=one, stream=one), settings(server)) as port:
        error = refusal(port, "/notes.Notes/one", good(server))
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no such note")
        assert dict(error.trailing_metadata()) == {"note": "mine"}


def test_a_stream_whose_client_has_gone_is_closed(server):
    closed: list[str] = []
    over = threading.Event()

    def many(_request: Any, _context: Any) -> Iterator[bytes]:
        try:
            while True:
                yield current_identity().username.encode()
        finally:
            closed.append(current_identity().username)
            over.set()

    with grpc_server(servicer_of(unary=many, stream=many), settings(server)) as port:
        channel: Any = grpc.insecure_channel(f"127.0.0.1:{port}")
        answers = channel.unary_stream("/notes.Notes/many")(b"x", metadata=good(server), timeout=60)
        assert next(answers) == b"alice"
        answers.cancel()
        channel.close()
        assert over.wait(60)
    assert closed == ["alice"]


def test_many_first_calls_fetch_the_keys_once_and_the_serving_thread_goes_on(server):
    server.gate.clear()
    with grpc_server(echo(require()), settings(server)) as port, ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask_grpc, port, kind, good(server, jti=kind)) for kind in KINDS[:3]]
        assert ask_grpc(port, "unary_unary", []).status == 401  # answered while the others wait
        assert not any(one.done() for one in waiting)
        server.gate.set()
        assert [one.result().body for one in waiting] == [b"alice"] * 3
    assert len(server.requests) == 1


def test_a_check_of_the_application_that_takes_its_time_holds_up_no_other_call(server):
    go_on = threading.Event()

    def slow(caller: Identity) -> None:
        if caller.level == 1 and not go_on.wait(60):
            raise ForbiddenError

    with grpc_server(echo(require()), settings(server, checks=[slow])) as port, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask_grpc, port, "unary_unary", good(server))
        assert ask_grpc(port, "unary_unary", good(server, level=2)).body == b"alice"
        assert ask_grpc(port, "unary_unary", []).status == 401
        assert refusal(port, "/notes.Notes/none", []).code() is grpc.StatusCode.UNAUTHENTICATED
        assert not waiting.done()
        go_on.set()
        assert waiting.result().body == b"alice"


def test_credentials_of_a_call_ask_for_a_token_each_time_and_fail_with_it(server, tmp_path):
    root, chain = make_authority(tmp_path)
    pem = chain.read_bytes()
    key = pem[pem.index(b"-----BEGIN PRIVATE") :] if b"-----BEGIN PRIVATE" in pem else pem
    running = grpc.server(ThreadPoolExecutor(2), interceptors=[WatchwordInterceptor(**settings(server))])
    running.add_generic_rpc_handlers((echo(require()),))
    port = running.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, pem)]))
    running.start()
    tokens = iter([token(iss=server.origin, preferred_username=name) for name in ("anna", "berta")])
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(root.read_bytes()), call_credentials(lambda: next(tokens))
    )
    secure: Any = grpc.secure_channel(f"localhost:{port}", credentials)
    with secure as channel:
        method = channel.unary_unary("/notes.Notes/unary_unary")
        assert [method(b"x", timeout=60) for _ in range(2)] == [b"anna", b"berta"]
        with pytest.raises(grpc.RpcError) as caught:
            method(b"x", timeout=60)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    running.stop(None).wait(60)


def test_a_caller_is_not_left_behind_in_a_thread_or_a_task(server):
    with grpc_server(echo(require()), settings(server)) as port:
        assert ask_grpc(port, "unary_unary", good(server)).status == 200
    with pytest.raises(NoIdentityError):
        current_identity()

    async def here() -> None:
        current_identity()

    with pytest.raises(NoIdentityError):
        asyncio.run(here())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_programs_start_while_grpc_works_in_the_process_that_starts_them(server):
    """The handlers of gRPC for forks, which the suite turns off, end one in twenty of them by a signal."""
    over = threading.Event()

    def call(port: int) -> None:
        while not over.is_set():
            ask_grpc(port, "unary_unary", [])

    with grpc_server(echo(require()), settings(server)) as port, ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(call, port) for _ in range(2)]
        codes = {subprocess.run(["true"], preexec_fn=os.getpid).returncode for _ in range(count(100, 2000))}
        over.set()
        assert [each.result() for each in calls] == [None, None]
    assert codes == {0}
