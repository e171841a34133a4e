"""The pure parts of the edge: heads, chunks, paths, hosts, queries."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.errors import InvalidConfigError, MalformedError, MisdirectedError
from watchword.server.addresses import canonical_address
from watchword.server.http import Reply, Request, Route
from watchword.server.http.chunks import Chunks
from watchword.server.http.door import printable_user_agent, read_query
from watchword.server.http.head import Framing, check_head, split_target
from watchword.server.http.headers import Headers
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.routing import RouteTable

GOOD = b"POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_malformed(data: bytes):
    for head in (data, data + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"):
        try:
            framing = check_head(head)
        except MalformedError:
            continue
        assert isinstance(framing, Framing)
        assert b"\0" not in head
        assert head.endswith(b"\r\n\r\n")


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_changed_byte_never_makes_two_readings(position: int, byte: int):
    head = GOOD[:position] + bytes([byte]) + GOOD[position + 1 :]
    try:
        framing = check_head(head)
    except MalformedError:
        return
    assert head.count(b"\r\n") == 4
    assert head.count(b"\r") == head.count(b"\n") == 4
    assert not framing.chunked


@given(st.binary(max_size=60), st.integers(1, 7))
def test_chunks_end_at_the_same_byte_however_they_arrive(data: bytes, step: int):
    body = (
        b"".join(b"%X\r\n%b\r\n" % (len(data[i : i + 9]), data[i : i + 9]) for i in range(0, len(data), 9))
        + b"0\r\n\r\n"
    )
    stream, pending, taken, chunks = body + b"GET /", b"", 0, Chunks()
    for index in range(0, len(stream), step):
        pending += stream[index : index + step]
        size = chunks.take(pending)
        pending, taken = pending[size:], taken + size
    assert (chunks.done, taken) == (True, len(body))


@given(st.binary(max_size=40))
def test_any_bytes_are_chunks_or_malformed(data: bytes):
    chunks = Chunks()
    try:
        assert 0 <= chunks.take(data) <= len(data)
    except MalformedError:
        assert not chunks.done


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (b"/a?b=c?d", (b"/a", b"b=c?d")),
        (b"*", (b"*", b"")),
        (b"h:443", (b"", b"")),
        (b"https://h/a?b", (b"/a", b"b")),
        (b"https://h?b", (b"/", b"b")),
        (b"https://h", (b"/", b"")),
    ],
)
def test_targets_are_split(target: bytes, parts: tuple[bytes, bytes]):
    assert split_target(target) == parts


async def handler(_request: Request) -> Reply:
    return Reply.empty()


class Open(msgspec.Struct):
    a: int


def test_routes_that_contradict_themselves_are_refused():
    for arguments in [
        ("TRACE", "/"),
        ("GET", "/a/"),
        ("GET", "/a//b"),
        ("GET", "/%61"),
        ("GET", "a"),
        ("HEAD", "/a"),
    ]:
        with pytest.raises(ValueError, match="not a route"):
            Route(*arguments, handler)
    with pytest.raises(ValueError, match="unknown fields"):
        Route("POST", "/a", handler, body=Open)
    with pytest.raises(ValueError, match="twice"):
        RouteTable([Route("GET", "/a", handler), Route("GET", "/a", handler)])


def test_exact_paths_come_before_parameters():
    table = RouteTable([Route("GET", "/s/{id}", handler), Route("POST", "/s/all", handler)])
    place, parameters = table.find("/s/all")
    assert place is not None
    assert (place.template, place.allow, dict(parameters)) == ("/s/all", "POST", {})
    place, parameters = table.find("/s/x")
    assert place is not None
    assert (place.template, place.allow, dict(parameters)) == ("/s/{id}", "GET, HEAD", {"id": "x"})


@given(st.text(max_size=20))
def test_a_parameter_is_one_plain_segment(text: str):
    place, parameters = RouteTable([Route("GET", "/s/{id}", handler)]).find(f"/s/{text}")
    if place is not None:
        value = parameters["id"]
        assert value == text
        assert value.isascii()
        assert not set(value) & set("/%;\\ \n")
        assert not value.startswith(".")


QUERY = Route("GET", "/q", handler, query=frozenset({"page", "size"}))


def test_declared_parameters_are_read():
    assert read_query(QUERY, b"page=2&size=a%20b") == {"page": "2", "size": "a b"}
    assert read_query(QUERY, b"") == {}


@pytest.mark.parametrize(
    "query",
    [
        b"other=1",
        b"page=1&page=2",
        b"page",
        b"page=%ff",
        b"page=%00",
        b"page=%0a",
        b"=",
        b"page=1&",
        b"page=\xff",
        b"&".join([b"page=1"] * 20),
    ],
)
def test_fault_C22_other_queries_are_refused_and_not_repeated(query: bytes):
    with pytest.raises(MalformedError) as refused:
        read_query(QUERY, query)
    assert "=" not in refused.value.detail


def test_a_route_without_parameters_refuses_every_query():
    with pytest.raises(MalformedError):
        read_query(Route("GET", "/q", handler), b"password=hunter2")


def test_headers_that_may_stand_once_stand_once():
    assert Headers([(b"accept", b"a"), (b"accept", b"b")]).get("accept") == "a, b"
    with pytest.raises(MalformedError):
        Headers([(b"authorization", b"a"), (b"authorization", b"a")])
    assert "hunter2" not in repr(Headers([(b"authorization", b"hunter2")]))


@pytest.mark.parametrize(
    "origin",
    ["http://a", "https://A", "https://a/", "https://a@b", "https://", "a", "https://a:b", "https://a b"],
)
def test_an_origin_is_a_plain_https_origin(origin: str):
    with pytest.raises(InvalidConfigError):
        HostPolicy.of(origin, port=1)


def test_default_port_is_optional_and_others_are_not():
    policy = HostPolicy.of("https://a.example", port=8443, extra=["[2001:db8::1]:9"])
    assert policy.transport_security
    for host in (
        b"a.example",
        b"a.example:443",
        b"A.EXAMPLE",
        b"localhost:8443",
        b"[::1]:8443",
        b"[2001:db8::1]:9",
    ):
        policy.check(host)
    for host in (b"a.example:80", b"localhost", b"[2001:db8::1]"):
        with pytest.raises(MisdirectedError):
            policy.check(host)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("/run/x", ""),
    ],
)
def test_addresses_have_one_form(host: str, address: str):
    assert canonical_address(host) == address


@given(st.binary(max_size=300))
def test_user_agents_are_short_and_printable(value: bytes):
    agent = printable_user_agent([(b"user-agent", value)])
    assert len(agent) <= 200
    assert agent.isprintable()


@pytest.mark.parametrize("origin", ["https://localhost:8443", "https://127.0.0.1", "https://[::1]:8443"])
def test_on_loopback_no_browser_is_told_to_force_https_on_every_port(origin: str):
    assert not HostPolicy.of(origin, port=8443).transport_security
