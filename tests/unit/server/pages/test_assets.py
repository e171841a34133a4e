"""What the pages are made of, as it is served: named by content, kept for ever, compressed once."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator

import pytest
from tests.edges.harness import Answer, RunningServer, running_server
from tests.kits.pages import HTML, SIGNED_IN, TestPages

from watchword.server.pages.assets import STATIC, Assets

GZIP = ("Accept-Encoding", "gzip, deflate, br")


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets.load()


@pytest.fixture(scope="module")
def server(assets: Assets) -> Iterator[RunningServer]:
    with running_server(routes=assets.routes(), pages=TestPages()) as running:
        yield running


def names() -> list[str]:
    listed: dict[str, object] = json.loads((STATIC / "manifest.json").read_text())
    return sorted(listed)


def text_of(answer: Answer) -> bytes:
    packed = answer.headers.get("content-encoding") == "gzip"
    return gzip.decompress(answer.body) if packed else answer.body


def integrity_of(data: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


@pytest.mark.parametrize("name", names())
def test_each_file_is_what_its_integrity_says_both_ways(name, assets, server):
    for headers in ([], [GZIP]):
        answer = server.request("GET", assets.url(name), None, headers)
        assert answer.status == 200
        assert integrity_of(text_of(answer)) == assets.integrity(name)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "accept-encoding"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("login.js", "text/javascript; charset=utf-8"),
        ("site.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_each_file_has_its_type(name, media_type, assets, server):
    answer = server.request("GET", assets.url(name))
    assert answer.headers["content-type"] == media_type
    assert "content-encoding" not in answer.headers


def test_scripts_travel_compressed_to_whoever_takes_that(assets, server):
    plain = server.request("GET", assets.url("worker.js"))
    packed = server.request("GET", assets.url("worker.js"), None, [GZIP])
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 2
    again = server.request("GET", assets.url("worker.js"), None, [GZIP])
    assert again.body == packed.body


def test_the_worker_alone_may_compile(assets, server):
    for name in names():
        policy = server.request("GET", assets.url(name)).headers.get("content-security-policy", "")
        assert ("wasm-unsafe-eval" in policy) == (name == "worker.js")
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy


def test_head_says_what_get_would(assets, server):
    got = server.request("GET", assets.url("site.css"))
    head = server.request("HEAD", assets.url("site.css"))
    assert (head.status, head.body) == (200, b"")
    own = {"date", "x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in own} == {
        name: value for name, value in got.headers.items() if name not in own
    }


@pytest.mark.parametrize(
    "path",
    ["/assets/manifest.json", "/assets/login.js", "/assets/..", "/assets/%2e%2e%2fassets.py", "/assets/"],
)
def test_fault_N4_nothing_else_of_the_folder_is_served(path, server):
    assert server.request("GET", path).status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/assets/nope", "/assets/nope/nope", "/assets/", "/Assets/nope"])
def test_a_file_that_is_not_there_is_told_to_everybody_alike(method, path, server):
    bare = server.request(method, path)
    assert bare.status in {404, 405}
    for more in ([HTML], [HTML, SIGNED_IN]):
        answer = server.request(method, path, None, more)
        assert (answer.status, answer.headers["content-type"]) == (bare.status, "application/problem+json")


def test_the_icon_is_there_under_the_name_that_browsers_guess(server):
    answer = server.request("GET", "/favicon.ico")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert "immutable" not in answer.headers["cache-control"]


def test_what_was_not_built_has_no_address(assets):
    with pytest.raises(KeyError):
        assets.url("nothing.js")
