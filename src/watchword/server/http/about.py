"""What a route says of itself, beside its code: the OpenAPI document and the reference are made of nothing else.

A route states what it answers and how it fails by itself; what the edge answers for every route (`app`, `door`, the
connection) `openapi` knows.
"""

from dataclasses import dataclass

import msgspec

from watchword.errors import ErrorCode
from watchword.protocol.envelope import Purpose
from watchword.server.http.reply import JSON_TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer that is no error. `body` is its struct where it is JSON; `headers` are further ones it always has."""

    status: int = 200
    text: str
    body: type[msgspec.Struct] | None = None
    media_type: str = JSON_TYPE
    """Means nothing where there is neither a `body` nor a `schema`."""
    schema: str = ""
    """The name of a hand-written schema, for a body that no struct of ours describes."""
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What is inside the envelope, and inside the sealed answer."""

    purpose: Purpose
    payload: type[msgspec.Struct]
    answer: type[msgspec.Struct]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """`operation` is the route's name for programs; names are added to, never changed."""

    operation: str
    group: str
    summary: str
    text: str = ""
    answers: tuple[Answer, ...]
    errors: frozenset[ErrorCode] = frozenset()
    """What the handler raises, beyond what the edge raises for any route of this form."""
    sealed: Sealed | None = None
    needs_storage: bool = True
    """Whether it asks the database, and so may be unavailable."""
