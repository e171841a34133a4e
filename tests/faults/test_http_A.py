"""FAULTS A: bad input on the HTTP edge, over TLS, against a running server."""

import gzip
import threading
import time
from collections.abc import Iterator

import pytest
from tests.edges.harness import GOOD_TOKEN, ORIGIN, Answer, RunningServer, running_server

from watchword.testing.counts import count

JSON_PATHS = ("/api/login", "/api/note", "/api/fixed")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.mark.parametrize("path", JSON_PATHS)
@pytest.mark.parametrize("opener", [b"[", b'{"more":'])
def test_fault_A1_deep_nesting_is_refused_at_once(server: RunningServer, path: str, opener: bytes):
    for depth, status in [(60_000 // len(opener), 400), (100_000, 413)]:
        data = server.encode("POST", path, b'{"text":"x","more":' + opener * depth)
        assert b"ecursion" not in refused_at_once(server, data, status).body
    server.is_well()


def refused_at_once(server: RunningServer, data: bytes, status: int) -> Answer:
    """The answer, which came in a tenth of a second, once in three times or, on a busy machine, in thirty."""
    times: list[float] = []
    while len(times) < 3 or (min(times) >= 0.1 and len(times) < 30):
        answer, taken = timed(server, data)
        assert answer.status == status
        times.append(taken)
    assert min(times) < 0.1
    return answer


def timed(server: RunningServer, data: bytes) -> tuple[Answer, float]:
    """The answer to `data`, and the seconds it took on a connection that was open already."""
    connection = server.connect()
    began = time.perf_counter()
    connection.send(data)
    answer = connection.read()
    taken = time.perf_counter() - began
    connection.close()
    return answer, taken


def test_fault_A1_depth_is_bounded_where_the_size_is_not(server: RunningServer):
    data = server.encode("POST", "/api/big", b'{"text":"x","more":' + b"[" * 100_000)
    refused_at_once(server, data, 400)


@pytest.mark.parametrize("path", JSON_PATHS)
def test_fault_A2_a_million_keys_are_refused_by_size(server: RunningServer, path: str):
    body = b"{" + b",".join(b'"k%d":1' % number for number in range(count(100_000, 1_000_000))) + b"}"
    answer = server.request("POST", path, body)
    assert (answer.status, answer.closed) == (413, True)
    server.is_well()


def test_fault_A2_a_string_of_64_megabytes_is_refused_before_it_is_read(server: RunningServer):
    size = count(8, 64) << 20
    connection = server.connect()
    connection.send(
        server.encode("POST", "/api/login", b"")[:-4].replace(
            b"Content-Length: 0", b"Content-Length: %d" % size
        )
        + b"\r\n\r\n"
    )
    answer = connection.read()  # of its body nothing has been sent
    assert answer.status == 413
    connection.send(b"x" * size)
    assert connection.is_closed()
    connection.close()
    server.is_well()


def test_fault_A2_chunks_are_counted_as_they_come(server: RunningServer):
    head = server.encode(
        "POST", "/api/login", None, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]
    )
    answer = server.raw(head + b"".join(b"1000\r\n" + b"x" * 4096 + b"\r\n" for _ in range(64)))
    assert (answer.status, answer.closed) == (413, True)


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":"a","text":"b"}',
        b'{"text":"a","te\\u0078t":"b"}',
        b'{"text":"a","more":{"x":1,"x":2}}',
        b'{"text":"a","number":1,"number":1}',
    ],
)
@pytest.mark.parametrize("path", JSON_PATHS)
def test_fault_A3_duplicate_members_are_refused(server: RunningServer, path: str, body: bytes):
    assert server.request("POST", path, body).status == 400


@pytest.mark.parametrize(
    "value",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e400",
        b"-0",
        b"1.0",
        b"1" * 10_000,
        b'"\\ud800"',
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b"tru",
        b"",
        b"1,",
        b'"a\nb"',
        b"'a'",
        b"/**/1",
    ],
)
def test_fault_A4_what_is_no_plain_json_is_refused(server: RunningServer, value: bytes):
    assert server.request("POST", "/api/login", b'{"text":"a","more":' + value + b"}").status == 400
    server.is_well()


@pytest.mark.parametrize(
    "body",
    [
        '{"text":"a"}'.encode("utf-16"),
        '{"text":"a"}'.encode("utf-32"),
        '\ufeff{"text":"a"}'.encode(),
        b"",
        b'{"text":"a"} x',
        b'{"text":"a"}{"text":"a"}',
        b"[]",
        b"null",
        b'{"text":1}',
        b'{"text":null}',
        b"{}",
        b'{"text":"a","other":1}',
        b'{"text":"a","number":"1"}',
    ],
)
def test_fault_A4_other_encodings_types_and_unknown_fields_are_refused(server: RunningServer, body: bytes):
    answer = server.request("POST", "/api/fixed", body)
    assert (answer.status, answer.json()["code"]) == (400, "malformed")


FORM = [("Content-Type", "application/x-www-form-urlencoded")]


def test_fault_A5_forms_are_refused_unread(server: RunningServer):
    many = b"&".join(b"f%d=1" % number for number in range(count(100_000, 1_000_000)))
    assert server.request("POST", "/api/login", many, FORM).status == 415
    assert server.request("POST", "/api/login", b"f=" + b"x" * (count(10, 100) << 20), FORM).status == 415
    server.is_well()


@pytest.mark.parametrize("ending", [b"", b"\r\n\r\nx\r\n--b--\r\n"])
def test_fault_A6_multipart_is_refused_unread(server: RunningServer, ending: bytes):
    body = b"--b\r\n" + b"A: b\r\n" * 100_000 + ending
    answer = server.request("POST", "/api/login", body, [("Content-Type", "multipart/form-data; boundary=b")])
    assert answer.status == 415
    server.is_well()


def post(server: RunningServer, *lines: bytes, body: bytes = b'{"text":"good"}') -> bytes:
    host = b"Host: localhost:%d" % server.port
    return b"\r\n".join(
        [b"POST /api/note HTTP/1.1", host, b"Content-Type: application/json", *lines, b"", body]
    )


A7_LENGTHS = [
    b"-15",
    b"+15",
    b"0x0f",
    b" 15",
    b"\t15",
    b"15 ",
    b"15,15",
    b"15;q=1",
    b"",
    b"1_5",
    b"\xb9\xb5",
    b"1e1",
    b"99999999999999999999",
]


@pytest.mark.parametrize("length", A7_LENGTHS)
def test_fault_A7_lengths_have_one_spelling(server: RunningServer, length: bytes):
    answer = server.raw(post(server, b"Content-Length: " + length))
    assert (answer.status, answer.closed) == (400, True)


A7_HEADS = {
    "two lengths": [b"Content-Length: 15", b"Content-Length: 16"],
    "the same length twice": [b"Content-Length: 15", b"Content-Length: 15"],
    "length and chunks": [b"Content-Length: 15", b"Transfer-Encoding: chunked"],
    "chunks and length": [b"Transfer-Encoding: chunked", b"Content-Length: 15"],
    "xchunked": [b"Transfer-Encoding: xchunked"],
    "identity": [b"Transfer-Encoding: identity"],
    "gzip, chunked": [b"Transfer-Encoding: gzip, chunked"],
    "chunked twice": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
    "chunked, chunked": [b"Transfer-Encoding: chunked, chunked"],
    "chunked after a tab": [b"Transfer-Encoding:\tchunked"],
    "chunked after VT": [b"Transfer-Encoding: \x0bchunked"],
    "space before the colon": [b"Content-Length : 15"],
    "obs-fold": [b"X-A: b", b" c", b"Content-Length: 15"],
    "obs-fold with a tab": [b"X-A: b", b"\tc", b"Content-Length: 15"],
    "folded first header": [b" X-A: b", b"Content-Length: 15"],
    "NUL in a value": [b"X-A: b\0c", b"Content-Length: 15"],
    "NUL in a name": [b"X\0A: b", b"Content-Length: 15"],
    "CR in a value": [b"X-A: b\rc", b"Content-Length: 15"],
    "bare LF in a value": [b"X-A: b\nContent-Length: 15"],
    "DEL in a value": [b"X-A: b\x7fc", b"Content-Length: 15"],
    "no colon": [b"X-A", b"Content-Length: 15"],
    "no name": [b": b", b"Content-Length: 15"],
    "odd name": [b"X(A): b", b"Content-Length: 15"],
}


@pytest.mark.parametrize("lines", A7_HEADS.values(), ids=A7_HEADS.keys())
def test_fault_A7_ambiguous_heads_are_refused_and_the_connection_closed(
    server: RunningServer, lines: list[bytes]
):
    smuggled = b"GET /api/me HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = server.raw(post(server, *lines, body=b'{"text":"good"}' + smuggled))
    assert (answer.status, answer.closed) == (400, True)
    assert answer.headers["content-type"] == "application/problem+json"
    server.is_well()


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health/live HTTP/1.1\nHost: x\n\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\n\r\n",
        b"GET /health/live HTTP/1.1\rHost: x\r\r",
        b"GET  /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health/live\tHTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health/live  HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health/live\r\n\r\n",
        b"GET /health/live HTTP/0.9\r\n\r\n",
        b"GET /health/live HTTP/2.0\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        b"get /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health/live\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health/l\xc3\xa4ve HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        b"NONSENSE /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\0\r\n\r\n",
        b"\0\r\n\r\n",
    ],
)
def test_fault_A7_bad_request_lines_are_refused(server: RunningServer, data: bytes):
    answer = server.raw(data)
    assert (answer.status, answer.closed) == (400, True)


@pytest.mark.parametrize(
    "chunks",
    [
        b"0000000000000000000f\r\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b"fffffffffffffffffffff\r\nx\r\n0\r\n\r\n",
        b"10000000000000000000f\r\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b"0xf\r\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b"+f\r\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b"-f\r\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b" f\r\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b"f\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b"f\r\n" + b'{"text":"good"}0\r\n\r\n',
        b"f\r\n" + b'{"text":"good"}\n0\r\n\r\n',
        b"f;x=\0\r\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b"\r\n" + b'{"text":"good"}\r\n0\r\n\r\n',
        b"f\r\n" + b'{"text":"good"}\r\n0\r\nX: a\n\n\r\n',
    ],
)
def test_fault_A7_bad_chunks_are_refused(server: RunningServer, chunks: bytes):
    answer = server.raw(post(server, b"Transfer-Encoding: chunked", body=chunks))
    assert (answer.status, answer.closed) == (400, True)
    server.is_well()


def test_fault_A7_good_chunks_are_read_to_where_they_end(server: RunningServer):
    connection = server.connect()
    good = post(server, b"Transfer-Encoding: chunked", body=b'5\r\n{"tex\r\nA\r\nt":"good"}\r\n0\r\n\r\n')
    connection.send(good + server.encode("GET", "/health/live"))
    assert connection.read().body == b'{"text":"good"}'
    assert connection.read().body == b'{"status":"live"}'
    for position in range(len(good)):
        connection.send(good[position : position + 1])
    assert connection.read().body == b'{"text":"good"}'
    connection.close()


@pytest.mark.parametrize(
    "line",
    [
        b"X-Big: " + b"a" * 100_000,
        b"\r\n".join(b"X-%d: a" % n for n in range(120)),
        b"X: " + b"\r\nX: ".join([b"a" * 1000] * 20),
    ],
)
def test_fault_A7_large_heads_are_refused(server: RunningServer, line: bytes):
    answer = server.raw(post(server, line, b"Content-Length: 15"))
    assert (answer.status, answer.closed) == (431, True)
    server.is_well()


def test_fault_A7_long_targets_are_refused(server: RunningServer):
    assert server.request("GET", "/" + "a" * 3000).status == 414


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate", "br", "identity", ""])
def test_fault_A8_compressed_bodies_are_refused_unread(server: RunningServer, encoding: str):
    bomb = gzip.compress(gzip.compress(b'{"text":"' + b"a" * (1 << 20)))
    assert server.request("POST", "/api/note", bomb, [("Content-Encoding", encoding)]).status == 415


A9_SPELLINGS = [
    "//api/me",
    "/api//me",
    "/api/me/",
    "/./api/me",
    "/api/./me",
    "/api/x/../me",
    "/../api/me",
    "/%2e%2e/api/me",
    "/api/%6de",
    "/%61pi/me",
    "/api%2fme",
    "/api/%252e%252e/me",
    "/api/me;x=y",
    "/api;/me",
    "/api\\me",
    "/api/me%00",
    "/api/me%20",
    "/api/%c0%ae%c0%ae/me",
    "/API/ME",
    "/Api/me",
    "/api/me#x",
    "/api/me%23",
    "/api/me.json",
    "/api/me.",
    "/api/sessions/a%2fb",
    "/api/sessions/..",
    "/api/sessions/.",
    "/api/sessions/a;b",
    "/api/sessions/a/b",
    "/api/sessions/",
]


@pytest.mark.parametrize("token", [None, GOOD_TOKEN])
@pytest.mark.parametrize("path", A9_SPELLINGS)
def test_fault_A9_other_spellings_of_a_path_lead_nowhere(server: RunningServer, path: str, token: str | None):
    headers = [("Authorization", token)] if token else []
    answer = server.request("GET", path, None, headers)
    under_api = path.lower().startswith("/api/") and token is None
    assert answer.status in ({400, 401} if under_api else {400, 404})
    assert "location" not in answer.headers


def test_fault_A9_the_one_spelling_works(server: RunningServer):
    answer = server.request("GET", "/api/me", None, [("Authorization", GOOD_TOKEN)])
    assert answer.json() == {"identity": "somebody"}
    answer = server.request("GET", "/api/sessions/ses_01", None, [("Authorization", GOOD_TOKEN)])
    assert answer.json() == {"identity": "somebody", "session": "ses_01"}


def test_without_identity_existing_and_unknown_api_paths_answer_the_same(server: RunningServer):
    def outside(path: str, method: str = "GET", body: bytes | None = None) -> tuple[object, ...]:
        answer = server.request(method, path, body)
        document = {**answer.json(), "request_id": ""}
        headers = {
            name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}
        }
        return answer.status, document, headers

    assert outside("/api/me")[0] == 401
    assert (
        outside("/api/me")
        == outside("/api/unknown")
        == outside("/api/sessions/x")
        == outside("/api/me", "PUT")
    )
    assert outside("/api/me?x=1") == outside("/api/unknown?x=1")
    assert outside("/api/sessions/x", "DELETE", b"text") == outside("/api/unknown", "DELETE", b"text")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost",
        "id.example.org.evil.example",
        "id.example.org:8443",
        "127.0.0.1",
        "[::2]:1",
    ],
)
def test_fault_A10_other_hosts_are_not_served(server: RunningServer, host: str):
    answer = server.request("GET", "/health/live", None, [("Host", host)])
    assert answer.status == 421
    assert b"evil" not in answer.body


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a@id.example.org",
        "id.example.org/",
        "id.example.org:x",
        "id.example.org, id.example.org",
        "id.example.org#",
        "id.example.org\\",
        "[::1",
    ],
)
def test_fault_A10_malformed_hosts_are_refused(server: RunningServer, host: str):
    assert server.request("GET", "/health/live", None, [("Host", host)]).status == 400


@pytest.mark.parametrize(
    "host", ["id.example.org", "ID.example.org", "id.example.org:443", "other.example.org"]
)
def test_fault_A10_our_own_names_are_served(server: RunningServer, host: str):
    assert server.request("GET", "/health/live", None, [("Host", host)]).status == 200
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert server.request("GET", "/health/live", None, [("Host", f"{name}:{server.port}")]).status == 200


def test_fault_A10_two_hosts_or_none_are_refused(server: RunningServer):
    own = f"localhost:{server.port}"
    assert server.request("GET", "/health/live", None, [("Host", own), ("host", own)]).status == 400
    assert server.raw(b"GET /health/live HTTP/1.1\r\n\r\n").status == 400
    assert server.raw(b"GET /health/live HTTP/1.0\r\n\r\n").status == 400


def test_fault_A10_absolute_targets_must_agree_with_the_host(server: RunningServer):
    own = f"localhost:{server.port}"
    for target in (
        "https://evil.example/health/live",
        f"https://a@{own}/health/live",
        "ftp://x/",
        "https:///health/live",
    ):
        answer = server.request("GET", target)
        assert (answer.status, answer.closed) == (400, True)
    assert server.request("GET", f"https://{own}/health/live").status == 200
    assert server.request("GET", f"https://{own}").status == 404
    assert server.request("GET", "https://evil.example/x", None, [("Host", "evil.example")]).status == 421


def test_fault_A10_forwarded_headers_change_nothing(server: RunningServer):
    lies = [
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
    ]
    answer = server.request("GET", "/api/told", None, [(name, "6.6.6.6") for name in lies])
    found = answer.json()
    assert (found["address"], found["agent"], found["origin"]) == ("127.0.0.1", "", ORIGIN)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "GET", "HEAD", "OPTIONS"])
def test_fault_A11_other_methods_on_login_are_not_allowed(server: RunningServer, method: str):
    answer = server.request(method, "/api/login")
    assert answer.status == 405
    if method != "CONNECT":
        assert answer.headers["allow"] == "POST"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_fault_A11_connect_and_trace_lead_nowhere(server: RunningServer):
    for data in (b"CONNECT localhost:22 HTTP/1.1", b"TRACE / HTTP/1.1", b"TRACE /nowhere HTTP/1.1"):
        answer = server.raw(data + b"\r\nHost: localhost:%d\r\nCookie: secret\r\n\r\n" % server.port)
        assert answer.status == 405
        assert b"secret" not in answer.body


def test_fault_A11_a_method_is_not_overridden(server: RunningServer):
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert server.request("GET", "/api/login", None, [(name, "POST")]).status == 405


def test_fault_A11_head_is_get_without_the_body(server: RunningServer):
    connection = server.connect()
    connection.send(server.encode("HEAD", "/health/live"))
    answer = connection.read(head=True)
    connection.send(server.encode("GET", "/health/live"))
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(connection.read().body)))
    connection.close()


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/jsonp",
        "text/json",
        "",
        "application/json, text/plain",
        "application/json;charset=utf-8;x=y",
    ],
)
@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_fault_A13_only_json_of_our_own_origin_is_read(server: RunningServer, media: str, origin: str | None):
    headers = [("Content-Type", media), ("Cookie", "session=x"), *([("Origin", origin)] if origin else [])]
    answer = server.request("POST", "/api/note", b'{"text":"a"}', headers)
    assert answer.status == (403 if origin else 415)


def test_fault_A13_a_body_without_a_type_is_not_read(server: RunningServer):
    head = b"POST /api/note HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 12\r\n\r\n" % server.port
    assert server.raw(head + b'{"text":"a"}').status == 415


def test_fault_A13_json_in_utf8_is_read(server: RunningServer):
    for media in ("application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'):
        assert server.request("POST", "/api/note", b'{"text":"a"}', [("Content-Type", media)]).status == 200


FOREIGN = [
    "null",
    "https://good.example.evil.test",
    "https://id.example.org.evil.test",
    "http://id.example.org",
    "https://id.example.org:444",
    "*",
    "",
    "https://id.example.org/",
    "https://ID.example.org",
    "https://localhost",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_fault_A14_foreign_origins_change_nothing(server: RunningServer, origin: str):
    answers = [
        server.request("POST", "/api/note", b'{"text":"a"}', [("Origin", origin)]),
        server.request("GET", "/health/live", None, [("Origin", origin)]),
        server.request(
            "OPTIONS",
            "/api/note",
            None,
            [
                ("Origin", origin),
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "authorization"),
            ],
        ),
    ]
    assert [answer.status for answer in answers] == [403, 200, 405]
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]


def test_fault_A14_our_own_origin_is_served(server: RunningServer):
    for origin in (ORIGIN, f"https://localhost:{server.port}"):
        assert server.request("POST", "/api/note", b'{"text":"a"}', [("Origin", origin)]).status == 200


def test_fault_A14_a_browser_that_says_cross_site_is_believed(server: RunningServer):
    assert (
        server.request("POST", "/api/note", b'{"text":"a"}', [("Sec-Fetch-Site", "cross-site")]).status == 403
    )


def test_fault_A15_nothing_of_a_request_splits_an_answer(server: RunningServer):
    answer = server.request(
        "GET", "/api/told", None, [("User-Agent", "a\x85b\xa0c" * 100), ("X-Request-Id", "mine")]
    )
    assert answer.status == 200
    agent = answer.json()["agent"]
    assert len(agent) <= 200
    assert agent.isprintable()
    assert answer.headers["x-request-id"].startswith("req_")
    answer = server.request("POST", "/api/note", b'{"text":"a\\r\\nSet-Cookie: x=1\\u0000"}')
    assert (answer.status, "set-cookie" in answer.headers) == (200, False)
    answer = server.request("GET", "/api/split")
    assert (answer.status, "set-cookie" in answer.headers) == (500, False)


@pytest.mark.parametrize("name", [b"User-Agent", b"X-Request-Id", b"Cookie", b"Authorization"])
@pytest.mark.parametrize("value", [b"a\rb", b"a\nb", b"a\0b"])
def test_fault_A15_control_characters_in_headers_are_refused(
    server: RunningServer, name: bytes, value: bytes
):
    answer = server.raw(
        b"GET /health/live HTTP/1.1\r\nHost: localhost:%d\r\n%b: %b\r\n\r\n" % (server.port, name, value)
    )
    assert (answer.status, answer.closed) == (400, True)


def test_fault_A16_pipelined_requests_are_answered_in_order(server: RunningServer):
    connection = server.connect()
    total = count(500, 10_000)
    sender = threading.Thread(
        target=connection.send,
        args=(
            b"".join(
                server.encode("POST", "/api/login", b'{"text":"%d"}' % number) for number in range(total)
            ),
        ),
    )
    sender.start()
    answers = [connection.read().json()["text"] for _ in range(total)]
    sender.join()
    assert answers == [str(number) for number in range(total)]
    connection.close()
    server.is_well()
