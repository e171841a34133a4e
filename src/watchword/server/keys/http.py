"""What the server publishes about its keys: public, cacheable, the same for everybody."""

from typing import Final

from watchword.server.http import Reply, Request, Route
from watchword.server.http.about import About, Answer
from watchword.server.keys.service import KeyService

JWKS_PATH: Final = "/.well-known/jwks.json"
DOCUMENT_PATH: Final = "/.well-known/watchword-keys"
_CACHED: Final = "public, max-age=300"
"""Half the time for which a signing key is published before it signs."""
_JWKS_TYPE: Final = "application/jwk-set+json"
_DOCUMENT_TYPE: Final = "application/jose"
_MAX_CONDITION: Final = 1024

_CACHE_HEADERS: Final = ("etag",)
_UNCHANGED: Final = Answer(
    status=304, text="What `If-None-Match` names is still current.", headers=_CACHE_HEADERS
)
_JWKS: Final = About(
    operation="getTokenKeys",
    group="keys",
    summary="The public keys that verify access tokens",
    text="A JWK Set. May be kept for five minutes; a new key is published ten minutes before it signs.",
    answers=(
        Answer(text="The keys.", media_type=_JWKS_TYPE, schema="JWKSet", headers=_CACHE_HEADERS),
        _UNCHANGED,
    ),
    needs_storage=False,
)
_DOCUMENT: Final = About(
    operation="getKeyDocument",
    group="keys",
    summary="The signed key document",
    text="A JWS in compact form: sealing keys, certificates and policy, signed under the server's root.",
    answers=(
        Answer(text="The document.", media_type=_DOCUMENT_TYPE, schema="KeyDocument", headers=_CACHE_HEADERS),
        _UNCHANGED,
    ),
    needs_storage=False,
)


def routes(keys: KeyService) -> list[Route]:
    """HEAD is answered by the edge from the same handlers."""

    async def jwks(request: Request) -> Reply:
        return jwks_reply(keys, request.headers.get("if-none-match"))

    async def document(request: Request) -> Reply:
        return document_reply(keys, request.headers.get("if-none-match"))

    return [
        Route("GET", JWKS_PATH, jwks, about=_JWKS),
        Route("GET", DOCUMENT_PATH, document, about=_DOCUMENT, for_devices=True),  # a login begins with it
    ]


def jwks_reply(keys: KeyService, if_none_match: str | None) -> Reply:
    """The JWK set (RFC 7517), or 304 for who has it."""
    return _reply(keys.jwks(), keys.jwks_tag, _JWKS_TYPE, if_none_match)


def document_reply(keys: KeyService, if_none_match: str | None) -> Reply:
    """The signed key document. Its number is its tag: one number, one text."""
    tag = f'"{keys.document_number}"'
    return _reply(keys.key_document().encode(), tag, _DOCUMENT_TYPE, if_none_match)


def _reply(body: bytes, tag: str, media_type: str, if_none_match: str | None) -> Reply:
    headers = {"etag": tag, "cache-control": _CACHED}
    if if_none_match is not None and _names(if_none_match, tag):
        return Reply.empty(304, headers=headers)
    return Reply(200, body, {"content-type": media_type, **headers})


def _names(condition: str, tag: str) -> bool:
    """Whether `If-None-Match` names `tag`, by weak comparison (RFC 9110, 13.1.2)."""
    if len(condition) > _MAX_CONDITION:
        return False
    named = [entry.strip() for entry in condition.split(",")]
    return named == ["*"] or tag in {entry.removeprefix("W/") for entry in named}
