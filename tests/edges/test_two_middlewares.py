"""Several middlewares in one process, many threads, many tokens: nobody is taken for somebody else."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.kits.tokens import AUDIENCE, KEY, KeyServer, bearer, call, http_scope, key_set, settings, token

from watchword.core.encoding import encode_json
from watchword.core.ids import AccountId
from watchword.crypto.signing import TokenSigningKey
from watchword.middleware import Guard, NoIdentityError, WatchwordMiddleware, current_identity, require
from watchword.middleware.seen import SeenTokens
from watchword.middleware.wsgi import WatchwordMiddleware as WsgiMiddleware
from watchword.protocol.tokens import TokenError
from watchword.testing import FixedClock
from watchword.testing.counts import count

OTHER_KEY = TokenSigningKey.generate()
OTHER_APP = "https://other.example"


@pytest.fixture
def servers() -> Iterator[tuple[KeyServer, KeyServer]]:
    """Two issuers, of which the second publishes its key under the id of the first one's key, too."""
    same_id = encode_json({"keys": [OTHER_KEY.public.to_jwk() | {"kid": KEY.kid}]})
    with KeyServer(key_set(KEY)) as one, KeyServer(same_id) as other:
        yield one, other


def test_keys_of_one_issuer_verify_nothing_for_another(servers):
    one, other = servers
    first, second = Guard(**settings(one)), Guard(**settings(other))
    good = f"Bearer {token(iss=one.origin)}"
    assert first.admit_blocking("/", [good]).caller().issuer == one.origin
    forged = (
        f"Bearer {token(iss=other.origin)}"  # signed by the first issuer's key, whose id the second has too
    )
    for guard, text in ((second, good), (second, forged), (first, forged)):
        with pytest.raises(TokenError):
            guard.admit_blocking("/", [text])
    assert first.admit_blocking("/", [good]).caller().issuer == one.origin


def test_a_token_for_one_application_is_refused_by_the_other_in_the_same_process(servers):
    one, _ = servers
    here, there = Guard(**settings(one)), Guard(**settings(one, audience=OTHER_APP))
    for guard, audience in ((here, AUDIENCE), (there, OTHER_APP)):
        for asked in (AUDIENCE, OTHER_APP):
            text = f"Bearer {token(iss=one.origin, aud=asked)}"
            if asked == audience:
                assert guard.admit_blocking("/", [text]).caller().claims.aud == audience
                continue
            with pytest.raises(TokenError):
                guard.admit_blocking("/", [text])


def test_a_middleware_within_another_has_its_own_caller_and_gives_back_the_outer_one(servers):
    one, _ = servers
    seen: list[str | None] = []

    def who() -> str | None:
        try:
            return current_identity().username
        except NoIdentityError:
            return None

    async def inner(_scope: Any, _receive: Any, send: Any) -> None:
        seen.append(who())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    public = WatchwordMiddleware(inner, **settings(one, audience=OTHER_APP), public=["/"])

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        seen.append(who())
        await public(scope, receive, send)
        seen.append(who())

    guarded = WatchwordMiddleware(outer, **settings(one))
    asyncio.run(call(guarded, http_scope(headers=bearer(token(iss=one.origin)))))
    assert seen == ["alice", None, "alice"]
    assert who() is None


def test_concurrent_requests_on_one_event_loop_each_have_their_own_caller(servers):
    one, _ = servers

    @require(level=1)
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        before = current_identity().username
        await asyncio.sleep(0)
        assert current_identity().username == before
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": before.encode()})

    guarded = WatchwordMiddleware(app, **settings(one))
    names = [f"name-{number}" for number in range(50)]

    async def everybody() -> list[bytes]:
        scopes = [
            http_scope(headers=bearer(token(iss=one.origin, preferred_username=name))) for name in names
        ]
        return [answer.body for answer in await asyncio.gather(*(call(guarded, scope) for scope in scopes))]

    assert asyncio.run(everybody()) == [name.encode() for name in names]


def test_threads_that_share_a_middleware_each_have_their_own_caller(servers):
    one, _ = servers
    clock = FixedClock()

    @require(level=1)
    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield current_identity().account.encode()
        yield current_identity().username.encode()

    guarded: Any = WsgiMiddleware(app, **(settings(one) | {"clock": clock}))
    guarded.guard._verifier._seen = SeenTokens(8)  # far too few, so that they push each other out
    accounts = [str(AccountId(number.to_bytes(16))) for number in range(24)]
    tokens = [token(iss=one.origin, sub=sub, preferred_username=sub[-4:]) for sub in accounts]
    failures: list[object] = []

    def hammer(start: int) -> None:
        for turn in range(count(150, 5000)):
            number = (start + turn * 7) % len(tokens)
            environ = {"PATH_INFO": "/", "HTTP_AUTHORIZATION": f"Bearer {tokens[number]}"}
            pieces = list(guarded(environ, lambda *_: None))
            if pieces != [accounts[number].encode(), accounts[number][-4:].encode()]:
                failures.append(pieces)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(hammer, start) for start in range(8)]:
            done.result()
    assert failures == []
    assert len(guarded.guard._verifier._seen) <= 8
    assert len(one.requests) == 1
    assert threading.active_count() < 50
