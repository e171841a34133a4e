"""The OpenAPI document: whole, valid, and what the server really serves."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31
from tools.reference.openapi import openapi_text, server_routes

from watchword.errors import ErrorCode
from watchword.server.http import Reply, Request, Route
from watchword.server.http.about import About, Answer
from watchword.server.http.openapi import errors_of, make_document
from watchword.server.http.problem import KINDS

COMMITTED = Path(__file__).parents[2] / "docs/reference/openapi.json"


@pytest.fixture(scope="module")
def routes():
    return server_routes()


@pytest.fixture(scope="module")
def document(routes):
    return make_document(routes, version="1")


class Body(msgspec.Struct, forbid_unknown_fields=True):
    text: str


async def handler(_request: Request) -> Reply:
    return Reply.empty()


ABOUT = About(operation="one", group="health", summary="One", answers=(Answer(text="Done.", status=204),))


def test_every_route_says_what_it_is(routes):
    for route in routes:
        assert route.about is not None, f"{route.method} {route.path} has no `about`"
        assert route.about.summary
        assert route.about.answers
        assert all(200 <= answer.status < 400 and answer.text for answer in route.about.answers)
    names = [route.about.operation for route in routes]
    assert len(set(names)) == len(names)


def test_every_route_and_method_is_in_the_document(routes, document):
    served = {(route.method, route.path) for route in routes}
    served |= {("HEAD", path) for method, path in served if method == "GET"}
    described = {
        (method.upper(), path)
        for path, place in document["paths"].items()
        for method in place
        if method != "parameters"
    }
    assert described == served


def test_the_committed_document_is_the_generated_one():
    assert COMMITTED.read_text() == openapi_text(), "the routes have changed: make reference"


def test_the_document_is_valid_by_the_meta_schema_of_openapi_3_1(document):
    validator = jsonschema_rs.Draft202012Validator(OPENAPI_31)
    assert [error.message for error in validator.iter_errors(document)] == []
    broken = json.loads(json.dumps(document))
    del broken["paths"]["/api/me"]["get"]["responses"]["200"]["description"]
    assert not validator.is_valid(broken)


def test_every_schema_is_one_and_every_reference_leads_somewhere(document):
    for name, schema in document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name
    for reference in find_references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found, reference


def find_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        for each in value.values():
            yield from find_references(each)
    elif isinstance(value, list):
        for each in value:
            yield from find_references(each)


def test_every_part_is_used(document):
    used = set(find_references(document))
    for kind in ("schemas", "headers"):
        assert {
            name for name in document["components"][kind] if f"#/components/{kind}/{name}" not in used
        } == set()
    unused = {
        name for name in document["components"]["responses"] if f"#/components/responses/{name}" not in used
    }
    assert unused <= {"404_not_found", "405_method_not_allowed"}  # those of what is not in the document


def test_every_code_that_comes_over_http_is_described(document):
    stated = {code for name in document["components"]["responses"] for code in ErrorCode if code in name}
    elsewhere = {ErrorCode.TIMEOUT}  # the connection says it without a code
    assert {code for code in ErrorCode if KINDS[code].status != 500} | {
        ErrorCode.INTERNAL
    } == stated | elsewhere


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, set()),
        ({"method": "POST"}, {ErrorCode.FORBIDDEN}),
        ({"method": "POST", "body": Body}, {ErrorCode.FORBIDDEN, ErrorCode.TOO_LARGE}),
        ({"auth": True}, {ErrorCode.UNAUTHENTICATED}),
        ({"costly": True}, {ErrorCode.OVERLOADED}),
        ({"about": dataclasses.replace(ABOUT, needs_storage=True)}, {ErrorCode.UNAVAILABLE}),
        (
            {
                "about": dataclasses.replace(
                    ABOUT, needs_storage=False, errors=frozenset({ErrorCode.CONFLICT})
                )
            },
            {ErrorCode.CONFLICT},
        ),
    ],
)
def test_what_the_edge_answers_follows_from_the_form_of_the_route(change, codes):
    plain = Route("GET", "/one", handler, about=dataclasses.replace(ABOUT, needs_storage=False))
    everywhere = {
        ErrorCode.MALFORMED,
        ErrorCode.UNSUPPORTED_MEDIA,
        ErrorCode.MISDIRECTED,
        ErrorCode.TOO_MANY,
        ErrorCode.INTERNAL,
    }
    assert errors_of(dataclasses.replace(plain, **change)) == everywhere | codes


def test_a_route_that_says_nothing_is_refused():
    with pytest.raises(ValueError, match="GET /one says nothing of itself"):
        make_document([Route("GET", "/one", handler)], version="1")


def test_a_parameter_that_nothing_explains_is_refused():
    with pytest.raises(ValueError, match="say what its parameters are"):
        make_document([Route("GET", "/one/{other}", handler, about=ABOUT)], version="1")


def test_two_structs_of_one_name_are_refused():
    other = msgspec.defstruct("Body", [("more", int)], forbid_unknown_fields=True)
    routes = [
        Route("POST", "/one", handler, body=Body, about=ABOUT),
        Route("POST", "/two", handler, body=other, about=ABOUT),
    ]
    with pytest.raises(ValueError, match="two structs are called Body"):
        make_document(routes, version="1")
