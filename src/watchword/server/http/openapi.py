"""The OpenAPI 3.1 document of the HTTP API, made from the routes that serve it.

It states every answer that a route can give: its own (`about.About`), and what the edge answers for it: the door, the
queue, the connection (`app`, `door`, `protocol`). It is a file for readers and their tools, and never served (N4).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from watchword.errors import ErrorCode
from watchword.protocol.envelope import NEEDS_SHORT_KEY
from watchword.server.http.about import About, Answer
from watchword.server.http.endpoint import Route
from watchword.server.http.openapi_parts import HEADERS, INFO, SCHEMAS, SECURITY, SERVERS, TAGS
from watchword.server.http.problem import KINDS, PROBLEM_TYPE
from watchword.server.http.reply import JSON_TYPE

VERSION: Final = "3.1.1"
_SCHEMA: Final = "#/components/schemas/"
_PARAMETERS: Final = {
    "session": "The id of a session, `ses_` and 26 digits, as `GET /api/sessions` lists it."
}
_NOT_MODIFIED: Final = 304
_FROM_EVERY_ROUTE: Final = frozenset(
    {
        ErrorCode.MALFORMED,
        ErrorCode.UNSUPPORTED_MEDIA,
        ErrorCode.MISDIRECTED,
        ErrorCode.TOO_MANY,
        ErrorCode.INTERNAL,
    }
)
_NOT_FOUND: Final = (404, frozenset({ErrorCode.NOT_FOUND}))
_NOT_ALLOWED: Final = (405, frozenset({ErrorCode.METHOD_NOT_ALLOWED}))
"""For paths and methods that are not in the document."""
_FROM_THE_CONNECTION: Final = {
    400: "the head of the request, or the framing of its body, does not parse.",
    408: "the head or the body took longer than 10 seconds.",
    414: "the target is longer than 2,048 bytes.",
    431: "the head is longer than 16,384 bytes, or has more than 100 headers.",
}
"""Refused before there is a request: these have no code, and the connection ends."""
_MEANINGS: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.INTERNAL: "a fault of the server's; its log has the request id",
    ErrorCode.MALFORMED: "the body, the query or a header does not parse, or has a member that is not known",
    ErrorCode.TOO_LARGE: "the body is too large",
    ErrorCode.UNSUPPORTED_MEDIA: "the body is not plain `application/json`, or is compressed",
    ErrorCode.METHOD_NOT_ALLOWED: "`Allow` lists the methods of this path",
    ErrorCode.MISDIRECTED: "`Host` names a host that is not served here",
    ErrorCode.NOT_FOUND: "nothing is here",
    ErrorCode.REFUSED: "a credential, a registration or an envelope is not good; never says which",
    ErrorCode.UNAUTHENTICATED: "there is no live session behind `Authorization`",
    ErrorCode.FORBIDDEN: "not allowed; or a page of another origin asks",
    ErrorCode.CONFLICT: "somebody else was first; read again, then decide",
    ErrorCode.BEGIN_AGAIN: "the short key is too old, or of another network or start; begin again, once",
    ErrorCode.KEY_UNKNOWN: "sealed to a key that is no longer in use; fetch the key document, seal again",
    ErrorCode.TOO_MANY: "this caller asks too often, or was turned away; come back after `Retry-After` seconds",
    ErrorCode.OVERLOADED: "too much work is waiting; try again after `Retry-After` seconds",
    ErrorCode.UNAVAILABLE: "disk or database do not answer; nothing was changed; try again after `Retry-After` seconds",
}


def make_document(routes: Iterable[Route], *, version: str) -> dict[str, Any]:
    """The document for these routes, pages left out. Raises `ValueError` for one that says nothing of itself."""
    routes = [route for route in routes if not route.page]
    shared = {}
    for status, codes in (_NOT_FOUND, _NOT_ALLOWED, *(each for route in routes for each in _errors(route))):
        shared[_name_of(status, codes)] = _error_answer(status, codes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        about = _about(route)
        place = paths.setdefault(route.path, _shared_parameters(route))
        place[route.method.lower()] = _operation(route, about)
        if route.method == "GET":
            place["head"] = _head(place["get"], shared)
    return {
        "openapi": VERSION,
        "info": {**INFO, "version": version},
        "servers": SERVERS,
        "tags": [tag for tag in TAGS if any(_about(route).group == tag["name"] for route in routes)],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "responses": dict(sorted(shared.items())),
            "headers": HEADERS,
            "securitySchemes": SECURITY,
        },
    }


def errors_of(route: Route) -> frozenset[ErrorCode]:
    """Every code that `route` can answer with: its own, and the edge's for a route of this form."""
    about = _about(route)
    found = set(_FROM_EVERY_ROUTE | about.errors)
    if route.body is not None:
        found.add(ErrorCode.TOO_LARGE)
    if route.changes_state:
        found.add(ErrorCode.FORBIDDEN)
    if route.auth:
        found.add(ErrorCode.UNAUTHENTICATED)
    if route.costly:
        found.add(ErrorCode.OVERLOADED)
    if about.needs_storage:
        found.add(ErrorCode.UNAVAILABLE)
    return frozenset(found)


def _about(route: Route) -> About:
    if route.about is None:
        raise ValueError(f"{route.method} {route.path} says nothing of itself: give it an `about`")
    return route.about


def _operation(route: Route, about: About) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": about.operation,
        "tags": [about.group],
        "summary": about.summary,
        **({"description": about.text} if about.text else {}),
        "security": [{"session": []}] if route.auth else [],
    }
    if any(answer.status == _NOT_MODIFIED for answer in about.answers):
        made["parameters"] = [
            {
                "name": "If-None-Match",
                "in": "header",
                "description": "An `ETag` of an earlier answer.",
                "schema": {"type": "string"},
            }
        ]
    if route.body is not None:
        made["requestBody"] = {
            "required": True,
            "description": f"At most {route.max_body:,} bytes.",
            "content": {JSON_TYPE: {"schema": _ref(route.body)}},
        }
    if about.sealed is not None:
        made["x-sealed"] = {
            "purpose": about.sealed.purpose.value,
            "shortKey": about.sealed.purpose in NEEDS_SHORT_KEY,
            "payload": _ref(about.sealed.payload),
            "answer": _ref(about.sealed.answer),
        }
    made["responses"] = _responses(route, about)
    return made


def _head(get: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """HEAD is answered wherever GET is: the same, without bodies."""
    answers = {}
    for status, answer in get["responses"].items():
        whole = shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        answers[status] = {"description": "As for `GET`, without a body.", "headers": whole["headers"]}
    name = get["operationId"]
    return {**get, "operationId": f"head{name[0].upper()}{name[1:]}", "responses": answers}


def _shared_parameters(route: Route) -> dict[str, Any]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    if not names:
        return {}
    if not set(names) <= _PARAMETERS.keys():
        raise ValueError(f"{route.path}: say what its parameters are, in the table of this module")
    return {
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": _PARAMETERS[name],
                "schema": {"type": "string"},
            }
            for name in names
        ]
    }


def _errors(route: Route) -> list[tuple[int, frozenset[ErrorCode]]]:
    """Each status of an error that `route` can answer with, and the codes that come with it."""
    by_status: dict[int, set[ErrorCode]] = {status: set() for status in _FROM_THE_CONNECTION}
    for code in errors_of(route):
        by_status.setdefault(KINDS[code].status, set()).add(code)
    return [(status, frozenset(codes)) for status, codes in sorted(by_status.items())]


def _name_of(status: int, codes: Iterable[ErrorCode]) -> str:
    return "_".join([str(status), *sorted(code.value for code in codes)])


def _responses(route: Route, about: About) -> dict[str, Any]:
    made = {answer.status: _good_answer(answer) for answer in about.answers}
    made |= {
        status: {"$ref": f"#/components/responses/{_name_of(status, codes)}"}
        for status, codes in _errors(route)
    }
    return {str(status): made[status] for status in sorted(made)}


def _good_answer(answer: Answer) -> dict[str, Any]:
    schema = (
        _ref(answer.body) if answer.body else {"$ref": _SCHEMA + answer.schema} if answer.schema else None
    )
    return {
        "description": answer.text,
        "headers": _headers("x-request-id", "cache-control", *answer.headers),
        **({"content": {answer.media_type: {"schema": schema}}} if schema else {}),
    }


def _error_answer(status: int, codes: frozenset[ErrorCode]) -> dict[str, Any]:
    names = sorted(code.value for code in codes)
    forms: list[dict[str, Any]] = []
    texts = [f"`{name}`: {_MEANINGS[ErrorCode(name)]}." for name in names]
    if codes:
        exactly = {"properties": {"status": {"const": status}, "code": {"enum": names}}}
        forms.append({"allOf": [{"$ref": f"{_SCHEMA}Problem"}, exactly]})
    if status in _FROM_THE_CONNECTION:
        forms.append(
            {"allOf": [{"$ref": f"{_SCHEMA}Refusal"}, {"properties": {"status": {"const": status}}}]}
        )
        texts.append(f"Without a `code`: {_FROM_THE_CONNECTION[status]} The connection ends.")
    extra = {401: ["www-authenticate"], 405: ["allow"], 503: ["retry-after"]}.get(status, [])
    return {
        "description": " ".join(texts),
        "headers": _headers("cache-control", "x-request-id", *extra),
        "content": {PROBLEM_TYPE: {"schema": forms[0] if len(forms) == 1 else {"anyOf": forms}}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)}


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _SCHEMA + kind.__name__}


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    """The structs that routes name, with all that they hold; and those written by hand."""
    kinds: dict[str, type[msgspec.Struct]] = {}
    for route in routes:
        about = _about(route)
        inside = (about.sealed.payload, about.sealed.answer) if about.sealed else ()
        for kind in (route.body, *(answer.body for answer in about.answers), *inside):
            if kind is not None and kinds.setdefault(kind.__name__, kind) is not kind:
                raise ValueError(f"two structs are called {kind.__name__}")
    _, found = msgspec.json.schema_components(kinds.values(), ref_template=_SCHEMA + "{name}")
    return dict(sorted({**SCHEMAS, **found}.items()))
