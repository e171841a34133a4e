"""The gRPC example, started by its one command, and called by its own client with tokens of a whole server."""

import subprocess
from pathlib import Path

import grpc
from tests.kits.examples import RUN, RunningExample, example_environment, running_example

from watchword.testing.server import RunningServer

SERVICE = "/notes.v1.Notes/"


def called(example: RunningExample, method: str, token: str | None = None) -> tuple[str, bytes]:
    """The status, and the code in the trailing metadata or else the reply's bytes. Every request here is empty."""
    metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
    with grpc.insecure_channel(example.origin.removeprefix("http://")) as channel:
        call = channel.unary_unary(SERVICE + method, lambda _: b"", lambda reply: reply)
        try:
            return "OK", call(None, metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            told = {each.key: each.value for each in error.trailing_metadata() or ()}
            return error.code().name, str(told.get("watchword-code", "")).encode()


def ready(example: RunningExample) -> bool:
    return called(example, "Health") == ("OK", b"\x08\x01")


def takes(example: RunningExample, token: str) -> bool:
    return called(example, "Hello", token)[0] == "OK"


def test_the_grpc_example_knows_its_caller_and_refuses_everybody_else(
    watchword_server: RunningServer, tmp_path: Path
) -> None:
    with running_example("grpc", watchword_server, tmp_path, ready=ready, takes=takes) as example:
        example.fetch_keys()
        status, reply = called(example, "Hello", example.token(level=1))
        assert status == "OK"
        assert reply.startswith(b"\x0a\x04anna\x12\x1eacc_")
        assert called(example, "Hello") == ("UNAUTHENTICATED", b"unauthenticated")
        assert called(example, "Nowhere") == ("UNAUTHENTICATED", b"unauthenticated")
        assert called(example, "Moderation", example.token(level=1)) == ("PERMISSION_DENIED", b"forbidden")
        assert called(example, "Moderation", example.token(level=2)) == ("OK", b"\x0a\x04anna")
        for what, token in example.bad_tokens().items():
            told = called(example, "Hello", token)
            if what == "too long" and told == ("RESOURCE_EXHAUSTED", b""):
                continue  # from 8 KiB on, gRPC refuses metadata at random, more of them the longer they are
            assert told == ("UNAUTHENTICATED", b"unauthenticated"), what
        environ = example_environment(watchword_server, example.origin) | {"TOKEN": example.token(level=1)}
        done = subprocess.run(
            [RUN, "grpc", "client.py", "Hello"], env=environ, capture_output=True, text=True, timeout=240
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert 'hello: "anna"' in done.stdout
