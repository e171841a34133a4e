"""What of the OpenAPI document is prose, and the schemas that no struct of ours describes."""

from typing import Any, Final

from watchword.errors import ErrorCode
from watchword.server.http.problem import INTERNAL_TITLE, KINDS

INFO: Final[dict[str, Any]] = {
    "title": "Watchword",
    "summary": "The HTTP API of a Watchword server.",
    "description": """\
HTTPS and HTTP/1.1. Bodies are `application/json` in UTF-8, at most 64 kB, at most 32 deep, with no member twice, none \
that is not known, and whole numbers only. Instants are milliseconds since 1970; byte strings are base64url without \
padding. A path has one spelling, and there are no redirects. A query string is refused.

A path that does not exist is answered with `404` (`not_found`), a method that a path does not have with `405` \
(`method_not_allowed`, with `Allow`). Under `/api/`, where a session is needed or nothing is, a caller without one \
gets `401` in place of both.

**Sealed** operations carry an envelope: HPKE ciphertext to the server's sealing key, which `GET \
/.well-known/watchword-keys` publishes. Whatever is wrong with an envelope or its contents is one answer, `403` with \
`refused`. `x-sealed` names the payload inside, and the answer inside the sealed answer. The form of both is normative \
in `docs/protocol/envelope.md`.
""",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
SERVERS: Final = [
    {"url": "https://localhost:8443", "description": "Where `watchword serve` listens by default."}
]
TAGS: Final = [
    {"name": "sign-in", "description": "Register, log in, enrol a device, set a new password. Sealed."},
    {"name": "sessions", "description": "Who calls, and where the account is signed in."},
    {"name": "tokens", "description": "Access tokens for apps."},
    {"name": "keys", "description": "What the server publishes of its keys, for everybody."},
    {"name": "health", "description": "For operators and their tools."},
]
SECURITY: Final = {
    "session": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a live session, whose audience is the server's own origin. "
        "Tokens for apps are refused here.",
    }
}
_REQUEST_ID: Final = {"type": "string", "pattern": "^req_[0-9a-hjkmnp-tv-z]{26}$"}
HEADERS: Final = {
    "x-request-id": {
        "description": "The request's id, which the server's log and audit trail know too.",
        "required": True,
        "schema": _REQUEST_ID,
    },
    "cache-control": {
        "description": "`no-store`, except for published keys.",
        "required": True,
        "schema": {"enum": ["no-store", "public, max-age=300"]},
    },
    "etag": {
        "description": "Names this text of the answer.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[^"]+"$'},
    },
    "www-authenticate": {
        "description": "The challenge (RFC 6750).",
        "required": True,
        "schema": {"const": 'Bearer realm="watchword"'},
    },
    "allow": {
        "description": "The methods of this path.",
        "required": True,
        "schema": {"type": "string"},
    },
    "retry-after": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
}
_CODES: Final = sorted(
    code.value for code, kind in KINDS.items() if kind.title != INTERNAL_TITLE or code is ErrorCode.INTERNAL
)
_JWK: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A public key on P-256 (RFC 7517), for ES256.",
    "properties": {
        "kty": {"const": "EC"},
        "crv": {"const": "P-256"},
        "alg": {"const": "ES256"},
        "use": {"const": "sig"},
        "kid": {"type": "string", "maxLength": 64},
        "x": {"type": "string", "minLength": 43, "maxLength": 43},
        "y": {"type": "string", "minLength": 43, "maxLength": 43},
    },
    "required": ["kty", "crv", "alg", "use", "kid", "x", "y"],
    "additionalProperties": False,
}
SCHEMAS: Final[dict[str, Any]] = {
    "Problem": {
        "title": "Problem",
        "type": "object",
        "description": "A problem document (RFC 9457). Codes are contract: they are added to, never renamed.",
        "properties": {
            "type": {"type": "string", "pattern": "^urn:watchword:problem:[a-z_]+$"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"enum": _CODES},
            "detail": {"type": "string", "description": "More, where more may be said."},
            "request_id": _REQUEST_ID,
        },
        "required": ["type", "title", "status", "code", "request_id"],
        "additionalProperties": False,
    },
    "Refusal": {
        "title": "Refusal",
        "type": "object",
        "description": "What was no request: refused by the connection, which ends. There is no code.",
        "properties": {
            "type": {"const": "about:blank"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "request_id": _REQUEST_ID,
        },
        "required": ["type", "title", "status", "request_id"],
        "additionalProperties": False,
    },
    "JWK": _JWK,
    "JWKSet": {
        "title": "JWKSet",
        "type": "object",
        "description": "The keys that verify access tokens (RFC 7517).",
        "properties": {
            "keys": {"type": "array", "items": {"$ref": "#/components/schemas/JWK"}, "minItems": 1}
        },
        "required": ["keys"],
        "additionalProperties": False,
    },
    "KeyDocument": {
        "title": "KeyDocument",
        "type": "string",
        "description": "A JWS in compact form (RFC 7515).",
        "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
    },
}
