"""What is published, and how caches may keep it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from watchword.core.clock import DAY, SystemClock
from watchword.core.encoding import decode_json
from watchword.core.entropy import SystemEntropy
from watchword.crypto.keyring import DataKeyPurpose, DataKeys
from watchword.protocol.keydocument import verify_key_document
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.entry import ChainHead
from watchword.server.http import Request
from watchword.server.http.admission import Admission
from watchword.server.http.app import build_app
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.wire import ASGIApp
from watchword.server.keys import KeyService, RootKeys
from watchword.server.keys.http import DOCUMENT_PATH, JWKS_PATH, document_reply, jwks_reply, routes
from watchword.server.logs import get_log
from watchword.testing import FixedClock
from watchword.testing.databases import opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def keys(tmp_path: Path, clock: FixedClock) -> AsyncIterator[KeyService]:
    tmp_path.chmod(0o700)
    async with opened(tmp_path / "watchword.db") as database:

        async def ready(data: DataKeys) -> None:
            key = data.current(DataKeyPurpose.AUDIT)
            head = ChainHead(seq=0, mac=bytes(32))
            if len(attached) == 0:
                attached.append(AuditChain(node="a", key=key, head=head, entropy=SystemEntropy()))
                database.use_audit(attached[0])

        attached: list[AuditChain] = []
        roots = RootKeys.find(tmp_path / "root.key", {}, SystemEntropy())
        yield await KeyService.open(database, roots, clock, SystemEntropy(), "https://localhost", ready=ready)


async def test_the_jwk_set_has_its_type_a_strong_tag_and_five_minutes(keys):
    reply = jwks_reply(keys, None)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/jwk-set+json"
    assert reply.headers["cache-control"] == "public, max-age=300"
    assert reply.headers["etag"].startswith('"')
    assert [member["kid"] for member in decode_json(reply.body)["keys"]] == [keys.signing_key.kid]


async def test_the_document_verifies_from_the_pin_alone(keys, clock):
    reply = document_reply(keys, None)
    assert reply.headers["content-type"] == "application/jose"
    found = verify_key_document(reply.body.decode(), pin=keys.root_fingerprint(), now=clock.now(), at_least=1)
    assert reply.headers["etag"] == f'"{found.number}"'


@pytest.mark.parametrize("make", ["{}", "W/{}", '"x", {}', '"x",W/{} , "y"', "*"])
@pytest.mark.parametrize("answer", [jwks_reply, document_reply])
async def test_who_has_it_gets_304_without_a_body(keys, make, answer):
    tag = answer(keys, None).headers["etag"]
    reply = answer(keys, make.replace("{}", tag))
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["etag"] == tag
    assert reply.headers["cache-control"] == "public, max-age=300"


@pytest.mark.parametrize("condition", ["", '"x"', "x", '"', '"*"', "*, *", ",", "\0", '"a"' * 1000])
@pytest.mark.parametrize("answer", [jwks_reply, document_reply])
async def test_another_condition_gets_the_whole(keys, condition, answer):
    assert answer(keys, condition).status == 200


async def test_the_tag_changes_with_the_keys_and_with_nothing_else(keys, clock):
    tag = jwks_reply(keys, None).headers["etag"]
    await keys.rotate("sealing")
    assert jwks_reply(keys, None).headers["etag"] == tag
    assert jwks_reply(keys, tag).status == 304
    await keys.rotate("signing")
    assert jwks_reply(keys, tag).status == 200
    clock.advance(DAY)
    await keys.tick()
    assert jwks_reply(keys, None).headers["etag"] != tag


async def test_an_unchecked_cache_never_holds_a_set_without_the_signing_key(keys, clock):
    """A set fetched just before a rotation and kept for its whole life still comes before the new key signs."""
    await keys.rotate("signing")
    kids = {member["kid"] for member in decode_json(jwks_reply(keys, None).body)["keys"]}
    clock.advance(10 * 60 * 1000)
    await keys.tick()
    assert keys.signing_key.kid in kids


async def test_both_paths_are_public_gets(keys):
    declared = {route.path: route for route in routes(keys)}
    assert set(declared) == {JWKS_PATH, DOCUMENT_PATH}
    assert all(route.method == "GET" and not route.auth for route in declared.values())


async def _call(
    app: ASGIApp, method: str, path: str, condition: str | None = None
) -> tuple[int, dict[bytes, bytes], bytes]:
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"host", b"id.example.org")]
    headers += [(b"if-none-match", condition.encode())] if condition else []
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "client": None,
        "headers": headers,
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], dict(messages[0]["headers"]), body


@pytest.fixture
def app(keys: KeyService) -> ASGIApp:
    async def identify(_request: Request) -> str:
        return "somebody"

    async def ready() -> bool:
        return True

    return build_app(
        routes(keys),
        hosts=HostPolicy.of("https://id.example.org", port=1, extra=[]),
        identify=identify,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        admission=Admission(),
        log=get_log("http"),
        ready=ready,
    )


@pytest.mark.parametrize("path", [JWKS_PATH, DOCUMENT_PATH])
async def test_the_edge_serves_get_head_and_304_and_keeps_the_caching_headers(app, keys, path):
    status, headers, body = await _call(app, "GET", path)
    assert status == 200
    assert body == (keys.jwks() if path == JWKS_PATH else keys.key_document().encode())
    assert headers[b"cache-control"] == b"public, max-age=300"
    head_status, head_headers, _ = await _call(app, "HEAD", path)  # the connection leaves its body out
    assert head_status == 200
    assert head_headers[b"etag"] == headers[b"etag"]
    assert head_headers[b"content-length"] == str(len(body)).encode()
    status, cached, body = await _call(app, "GET", path, headers[b"etag"].decode())
    assert (status, body) == (304, b"")
    assert cached[b"etag"] == headers[b"etag"]
    assert cached[b"cache-control"] == b"public, max-age=300"
    status, _, _ = await _call(app, "POST", path)
    assert status == 405


async def test_fault_E32_what_the_edge_serves_has_public_members_only(app):
    _, _, body = await _call(app, "GET", JWKS_PATH)
    public = {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert all(set(member) == public for member in decode_json(body)["keys"])
