"""N4, N9 on a real server: what metrics show, to whom, and that callers cannot make them grow."""

import http.client
import itertools
import json
import random
import re
import socket
import ssl
import string
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_untyped_open
from prometheus_client.parser import text_string_to_metric_families as parse_untyped
from tests.edges.harness import Connection
from tests.kits.commands import Shell
from tests.kits.process import RunningServer

from watchword.testing.counts import count

ROOT = Path(__file__).parents[2]
NAMES = string.ascii_letters + string.digits + "-_.~%"
parse: Any = parse_untyped  # the library gives them no types
parse_open: Any = parse_untyped_open
PATHS = ("/{}", "/api/{}", "/api/sessions/good{}", "/health/live?{}=1")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "LOCK")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    place = tmp_path_factory.mktemp("metrics")
    with RunningServer.start(place / "data", settings={"metrics.listen": "127.0.0.1:0"}) as server:
        yield server


def get(server: RunningServer, path: str, accept: str = "") -> tuple[int, str, str]:
    """Status, text and type of an answer at the address for metrics."""
    ready = server.find_log("metrics.ready")
    assert ready is not None
    with closing(http.client.HTTPConnection(ready["address"], timeout=60)) as line:
        line.request("GET", path, headers={"accept": accept})
        answer = line.getresponse()
        return answer.status, answer.read().decode(), answer.headers["content-type"]


def metrics_of(server: RunningServer) -> str:
    return get(server, "/metrics")[1]


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every series with its value."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, frozenset(labels.items())]


def annoy(line: "Annoying", names: random.Random, method: str, path: str, host: str) -> None:
    """A request with a name of its own wherever a caller may put one."""
    name = "".join(names.choices(NAMES, k=names.randrange(1, 40)))
    head = (
        f"{method} {path.format(name)} HTTP/1.1\r\nHost: {host.format(name)}\r\n"
        f"User-Agent: {name}\r\nX-Request-Id: {name}\r\nAuthorization: Bearer {name}\r\n\r\n"
    )
    line.exchange(head.encode("latin-1"))


def test_fault_N9_no_name_path_method_or_host_adds_a_series(server: RunningServer) -> None:
    names = random.Random("N9")
    with closing(Annoying(server)) as line:
        ways = list(itertools.product(METHODS, PATHS, ("{}.example", f"localhost:{server.port}")))
        for way in ways:
            annoy(line, names, *way)
        before = samples(metrics_of(server))
        for _ in range(count(300, 10_000)):
            annoy(line, names, *names.choice(ways))
    after = samples(metrics_of(server))
    assert after.keys() == before.keys()
    requests = [series for series in after if series[0] == "watchword_http_requests_total"]
    assert sum(after[series] for series in requests) > sum(before[series] for series in requests)


def test_fault_N4_the_public_address_shows_no_metrics(server: RunningServer) -> None:
    with closing(Annoying(server)) as line:
        found = {}
        for path in ("/metrics", "/metrics/", "/api/metrics", "/nothing-here", "/api/nothing-here"):
            head = f"GET {path} HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n"
            status, body = line.exchange(head.encode())
            document = json.loads(body)
            del document["request_id"]
            found[path] = (status, document)
    assert found["/metrics"] == found["/metrics/"] == found["/nothing-here"]
    assert found["/api/metrics"] == found["/api/nothing-here"]
    assert found["/metrics"][0] == 404
    assert found["/api/metrics"][0] == 401


def test_req_M4_both_formats_hold_under_the_library_s_own_parsers(server: RunningServer) -> None:
    _, plain, plain_type = get(server, "/metrics")
    assert plain_type.startswith("text/plain; version=")
    assert len(list(parse(plain))) > 30
    _, text, kind = get(server, "/metrics", "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    families = {family.name: family for family in parse_open(text)}
    assert families["watchword_build"].samples[0].labels.keys() == {"version", "python"}
    assert all(family.documentation for family in families.values())
    for name, family in families.items():
        assert name.startswith(("watchword_", "process_"))
        assert family.unit in {"", "seconds", "bytes"}


def test_metrics_tell_of_logins_tokens_and_commits(server: RunningServer, tmp_path: Path) -> None:
    shell = Shell.at(server, tmp_path)
    assert shell.ask("register", "counted").code == 0
    before = metrics_of(server)
    assert shell.ask("login", "counted").code == 0
    assert shell.ask("login", "counted", password="entirely another one").code == 1
    assert shell.ask("token", "--for", "https://app.example").code == 0
    text = shell.run("metrics").out

    def more(name: str, **labels: str) -> float:
        known = samples(before).get((name, frozenset(labels.items())), 0.0)
        return value(text, name, **labels) - known

    assert more("watchword_logins_total", outcome="session", reason="") == 1
    assert value(text, "watchword_registrations_total", outcome="registered", reason="") >= 1
    assert value(text, "watchword_enrolments_total", outcome="enrolled", reason="") >= 1
    assert more("watchword_tokens_issued_total") == 1
    assert more("watchword_database_commit_duration_seconds_count") >= 2
    assert more("watchword_database_group_size_count") >= 2
    assert more("watchword_audit_head") >= 2
    assert value(text, "watchword_ready") == 1
    assert value(text, "watchword_audit_degraded") == 0
    assert value(text, "process_resident_memory_bytes") > 10_000_000
    assert value(text, "process_open_fds") > 5
    assert value(text, "watchword_key_age_seconds", use="signing") < 3600
    assert value(text, "watchword_costly_slots") == 64
    assert "counted" not in text
    assert "acc_" not in text


def test_what_alerts_and_documentation_name_is_there(server: RunningServer) -> None:
    text = metrics_of(server)
    for path in ("deploy/prometheus/watchword.rules.yml", "docs/howto/monitor.md"):
        named = set(re.findall(r"\bwatchword_[a-z_]+[a-z]\b", (ROOT / path).read_text()))
        assert len(named) >= 10
        families = {name.removesuffix("_bucket").removesuffix("_total") for name in named}
        assert {name for name in families if f"# HELP {name}" not in text} == set(), path


def test_the_metrics_address_serves_nothing_else(server: RunningServer) -> None:
    assert [get(server, path)[0] for path in ("/", "/health/ready", "/api/me", "/metrics/")] == [404] * 4
    ready = server.find_log("metrics.ready")
    assert ready is not None
    host, _, port = ready["address"].rpartition(":")
    for nonsense in (b"POST /metrics HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(nonsense)
            assert line.recv(100).startswith(b"HTTP/1.1 405 ")
    with socket.create_connection((host, int(port)), timeout=60) as line:
        line.sendall(b"GET /metrics HTTP/1.1\r\n" + b"x" * 20_000)
        assert line.recv(100) == b""
    assert metrics_of(server)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9464", 200),
        ("[::1]:9464", 200),
        ("192.0.2.7", 200),
        ("LocalHost:9464", 200),
        ("rebound.example:9464", 421),
        ("127.0.0.1.rebound.example", 421),
        ("localhost@rebound.example", 421),
        ("[localhost]", 421),
        ("", 421),
        ("127.0.0.1\r\nhost: rebound.example", 421),
        (None, 421),
    ],
)
def test_metrics_are_told_to_nobody_who_asks_by_a_name_of_its_own(
    server: RunningServer, host: str | None, status: int
) -> None:
    """A page that lets its own name point at this machine would read them otherwise."""
    ready = server.find_log("metrics.ready")
    assert ready is not None
    address, _, port = ready["address"].rpartition(":")
    with socket.create_connection((address, int(port)), timeout=60) as line:
        named = "" if host is None else f"Host: {host}\r\n"
        line.sendall(f"GET /metrics HTTP/1.1\r\n{named}\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 %d " % status)


def test_metrics_are_told_to_who_asks_by_a_name_of_the_server(tmp_path: Path) -> None:
    settings = {
        "metrics.listen": "127.0.0.1:0",
        "origin": "https://id.example.org",
        "hosts": "other.example.org:8443",
    }
    with RunningServer.start(tmp_path / "data", settings=settings) as server:
        ready = server.find_log("metrics.ready")
        assert ready is not None
        for name, status in (("id.example.org", 200), ("other.example.org", 200), ("example.org", 421)):
            with closing(http.client.HTTPConnection(ready["address"], timeout=60)) as line:
                line.request("GET", "/metrics", headers={"host": f"{name}:9464"})
                assert line.getresponse().status == status


def test_health_says_so_by_its_exit_code(server: RunningServer, tmp_path: Path) -> None:
    shell = Shell.at(server, tmp_path)
    well = shell.run("health")
    assert (well.code, well.out) == (0, "ready\n")
    assert shell.run("health", "--json").json == {"ready": True, "troubles": [], "notes": []}
    assert shell.run("health", "--data", str(tmp_path / "nothing")).code == 3
    assert shell.run("metrics", "--data", str(tmp_path / "nothing")).code == 3


class Annoying:
    """One TLS connection for raw heads, opened anew when the server parts."""

    def __init__(self, server: RunningServer) -> None:
        self._port = server.port
        self._tls = ssl.create_default_context(cadata=server.ca.read_text())
        self._line: Connection | None = None

    def exchange(self, head: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a request without a body."""
        for _ in range(3):
            line = self._line = self._line or Connection(self._port, self._tls)
            line.send(head)
            try:
                answer = line.read(head=head.startswith(b"HEAD "))
            except (ConnectionError, OSError):  # it was closed after the answer before
                self.close()
                continue
            if answer.headers.get("connection") == "close":
                self.close()
            return answer.status, answer.body
        raise AssertionError("no answer")

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
