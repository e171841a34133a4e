"""Calling apps: a token for the app's origin, fetched when needed, and sent to that origin alone.

    no token --fetch--> kept until 30 s before its end --the app says invalid_token--> fetched anew, once --> its answer

A token that was fetched because an app refused the one before is not replaced again for some seconds: an app that
refuses everything costs the server one token, not one for each call.
"""

import json as jsonlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict
from urllib.parse import urljoin

import httpx

from watchword.client.answers import says_invalid_token
from watchword.client.flows import api
from watchword.client.line import USER_AGENT, answered
from watchword.client.session import Session
from watchword.client.steps import Send, SessionFlow, Whole
from watchword.core.clock import SECOND
from watchword.errors import MalformedError
from watchword.protocol.messages import TokenAnswer
from watchword.protocol.tokens import audience_of, scopes_of

KEEP_UNTIL: Final = 30 * SECOND
"""Before its end a token is no longer used: it may take a while on its way."""
SETTLE_S: Final = 5.0
"""Seconds for which a token that replaced a refused one is not replaced itself."""
MAX_REDIRECTS: Final = 5
_SAFE: Final = frozenset({"GET", "HEAD"})
_OURS: Final = frozenset({"authorization", "host", "content-length", "transfer-encoding"})


class RequestOptions(TypedDict, total=False):
    """Of a request to an app, beside method and URL."""

    scopes: Sequence[str]
    """What the token is to allow; the app's own words."""
    params: "QueryParams | None"
    """Take the place of the URL's own query."""
    headers: Mapping[str, str] | None
    content: bytes | None
    json: Any
    """A value that becomes the body, as JSON."""


QueryParams = Mapping[str, str | int | float | bool | Sequence[str] | None]
_Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    answer: TokenAnswer = field(repr=False)
    generation: int
    """Of the session that it is of."""
    settled_at: float = 0.0
    """Monotonic seconds up to which a refusal does not replace it."""


class Apps:
    """Tokens of one session by audience and scopes, and requests that carry them."""

    def __init__(self, session: Session, *, max_answer: int) -> None:
        self._session = session
        self._max_answer = max_answer
        self._kept: dict[_Key, _Kept] = {}

    def token(self, url: str, scopes: Sequence[str]) -> SessionFlow[TokenAnswer]:
        """A token for the app at `url`, kept or fetched; many may wait for one that is fetched."""
        key = (audience_of(url), scopes_of(scopes))
        found = self._usable(key)
        if found is None:
            found = yield from self._fetch(key, refused=None)
        return found.answer

    def request(
        self,
        method: str,
        url: str,
        *,
        scopes: Sequence[str] = (),
        params: QueryParams | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
    ) -> SessionFlow[httpx.Response]:
        """The app's answer, whatever its status. Raises `MalformedError` for what cannot be sent safely."""
        origin = audience_of(url)
        if origin == (yield from self._session.trusted()).server:
            raise MalformedError("that is the Watchword server itself: the client has methods for it")
        send = _request(
            method, _target(url, params, origin), headers, content, json, max_answer=self._max_answer
        )
        return (yield from self._follow(send, origin, (origin, scopes_of(scopes))))

    def _follow(self, send: Send, origin: str, key: _Key) -> SessionFlow[httpx.Response]:
        """Redirects of a GET or HEAD within the origin; any other redirect is the answer."""
        for _ in range(MAX_REDIRECTS):
            answer = yield from self._with_token(send, key)
            place = _redirect_within(origin, send, answer)
            if place is None:
                return answer
            send = Send(method=send.method, url=place, headers=send.headers, max_answer=send.max_answer)
        return answer

    def _with_token(self, send: Send, key: _Key) -> SessionFlow[httpx.Response]:
        kept = self._usable(key) or (yield from self._fetch(key, refused=None))
        answer = yield from self._send(send, kept)
        if not says_invalid_token(answer):
            return answer
        fresh = yield from self._fetch(key, refused=kept)
        if fresh is kept:
            return answer
        return (yield from self._send(send, fresh))

    def _send(self, send: Send, kept: _Kept) -> SessionFlow[httpx.Response]:
        ways = self._session.ways
        carrying = Send(
            method=send.method,
            url=send.url,
            headers={**send.headers, "Authorization": f"Bearer {kept.answer.access_token}"},
            content=send.content,
            max_answer=send.max_answer,
        )
        return (
            yield from answered(
                lambda: carrying, repeatable=send.method in _SAFE, retries=ways.retries, entropy=ways.entropy
            )
        )

    def _usable(self, key: _Key) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None or kept.generation != self._session.generation:
            return None
        return kept if self._session.ways.clock.now() + KEEP_UNTIL < kept.answer.expires_at else None

    def _fetch(self, key: _Key, *, refused: _Kept | None) -> SessionFlow[_Kept]:
        """A token that is not `refused`, unless that one was fresh; whoever comes second takes the first one's."""
        yield from self._session.opened()

        def fetching() -> SessionFlow[_Kept]:
            now, found = self._session.ways.clock.monotonic(), self._usable(key)
            if found is not None and (found is not refused or now < found.settled_at):
                return found
            audience, scopes = key
            answer = yield from self._session.call_alone(
                lambda token: api.bearer_token(token, audience, scopes)
            )
            kept = _Kept(
                answer=answer,
                generation=self._session.generation,
                settled_at=now + SETTLE_S if refused is not None else 0.0,
            )
            self._kept[key] = kept
            return kept

        kept: _Kept = yield Whole(flow=fetching)
        return kept


def _target(url: str, params: QueryParams | None, origin: str) -> str:
    """The URL that is sent: `audience_of` and the library that sends must name the same host."""
    try:
        target = httpx.URL(url, params=params) if params else httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise MalformedError("not a URL that can be sent") from error
    return _within(origin, target)


def _within(origin: str, target: httpx.URL) -> str:
    authority = target.raw_host.decode("ascii") + (f":{target.port}" if target.port is not None else "")
    if audience_of(f"{target.scheme}://{authority}") != origin or target.userinfo:
        raise MalformedError("not a URL that everybody reads alike")
    return str(target.copy_with(fragment=None))


def _redirect_within(origin: str, send: Send, answer: httpx.Response) -> str | None:
    if not answer.has_redirect_location or send.method not in _SAFE:
        return None
    try:
        return _within(origin, httpx.URL(urljoin(send.url, answer.headers["location"])))
    except (MalformedError, httpx.InvalidURL, ValueError):
        return None  # elsewhere: neither the token nor the caller goes there unasked


def _request(
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    content: bytes | None,
    json: Any,
    *,
    max_answer: int,
) -> Send:
    given = {"User-Agent": USER_AGENT, **(headers or {})}
    taken = sorted(name for name in given if name.lower() in _OURS)
    if taken:
        raise MalformedError(f"{', '.join(taken)}: a header that the client sets itself")
    if json is not None:
        if content is not None:
            raise MalformedError("either content or json")
        content = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        given.setdefault("Content-Type", "application/json")
    return Send(method=method.upper(), url=url, headers=given, content=content, max_answer=max_answer)
