"""What the edge refuses by itself, byte by byte: the same form as the document says, for whatever was asked."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from tests.kits.process import RunningServer

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs/reference/openapi.json").read_text())
LONG = b"x" * 20_000
BODY = b"content-type: application/json\r\ncontent-length: "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer.start(tmp_path_factory.mktemp("edge") / "data") as found:
        yield found


def ask(server: RunningServer, request: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the answer to these bytes."""
    context = ssl.create_default_context(cafile=str(server.ca))
    host = f"host: localhost:{server.port}\r\n".encode()
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(request.replace(b"HOST\r\n", host))
        answer = connection.makefile("rb")
        status = int(answer.readline().split()[1])
        lines = iter(answer.readline, b"\r\n")
        headers = dict(line.decode().rstrip("\r\n").lower().split(": ", 1) for line in lines)
        return status, headers, json.loads(answer.read(int(headers["content-length"])))


def described(method: str, path: str, status: int) -> dict[str, Any]:
    """What the document says of this answer; of what is not in it, what it says of all such."""
    place = DOCUMENT["paths"].get(path)
    shared: dict[str, Any] = DOCUMENT["components"]["responses"]
    if place is None:
        return dict(shared["404_not_found"])
    if method.lower() not in place:
        return dict(shared["405_method_not_allowed"])
    found = place[method.lower()]["responses"][str(status)]
    return dict(shared[found["$ref"].rpartition("/")[2]])


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHOST\r\nhost: b\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        (b"GET /health/live HTTP/7\r\nHOST\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\nhost: a\n\n", 400),
        (b"GET /health/live?a=b HTTP/1.1\r\nHOST\r\n\r\n", 400),
        (b"GET /health/live?" + LONG[:3000] + b" HTTP/1.1\r\nHOST\r\n\r\n", 414),
        (b"GET /health/live HTTP/1.1\r\nHOST\r\na: " + LONG + b"\r\n\r\n", 431),
        (b"GET /health/live HTTP/1.1\r\nhost: other.example\r\n\r\n", 421),
        (b"GET /nowhere HTTP/1.1\r\nHOST\r\n\r\n", 404),
        (b"TRACE /health/live HTTP/1.1\r\nHOST\r\n\r\n", 405),
        (b"POST /health/live HTTP/1.1\r\nHOST\r\ncontent-length: 0\r\n\r\n", 405),
        (b"GET /api/me HTTP/1.1\r\nHOST\r\n\r\n", 401),
        (b"POST /api/login HTTP/1.1\r\nHOST\r\n" + BODY + b"2\r\n\r\n{]", 400),
        (b"POST /api/login HTTP/1.1\r\nHOST\r\n" + BODY + b"70000\r\n\r\n", 413),
        (b"POST /api/login HTTP/1.1\r\nHOST\r\ncontent-length: 2\r\n\r\n{}", 415),
        (
            b"POST /api/login HTTP/1.1\r\nHOST\r\norigin: https://evil.example\r\n" + BODY + b"2\r\n\r\n{}",
            403,
        ),
    ],
)
def test_each_refusal_has_the_form_that_the_document_states(server, request_bytes, status):
    found, headers, body = ask(server, request_bytes)
    assert found == status
    method, path = request_bytes.decode().split(" ", 2)[:2]
    stated = described(method, path.partition("?")[0], status)
    content = stated["content"]["application/problem+json"]
    assert headers["content-type"] == "application/problem+json"
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    errors = jsonschema_rs.Draft202012Validator(schema).iter_errors(body)
    assert [error.message for error in errors] == []
    assert stated["headers"].keys() <= headers.keys()
