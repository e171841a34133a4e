"""The page of the HTTP API, from the OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tools.reference.markdown import code, page, table
from tools.reference.openapi import openapi_text

Document = Mapping[str, Any]

_INTRODUCTION = """\
This page and the [OpenAPI 3.1 document](openapi.json) are made from the server's own routes, and tests hold every \
answer against them. The server does not serve the document. [HTTP API](../api.md) is the short form.
"""
_ENVELOPE = "[its protocol](../protocol/envelope.md)"
_COMMON = ("400", "408", "413", "414", "415", "421", "431", "500")
"""Statuses that mean the same whatever was asked for."""


def http_page() -> str:
    document: Document = json.loads(openapi_text())
    lines = [
        document["info"]["description"].replace("`docs/protocol/envelope.md`", _ENVELOPE),
        _INTRODUCTION,
        "## Every operation",
        "",
        "Any of them may be answered so; these are left out below.",
        "",
        *table(("status", "body", "when"), _common(document)),
    ]
    for tag in document["tags"]:
        lines += [f"## {tag['name'].capitalize()}", "", tag["description"], ""]
        for path, place in document["paths"].items():
            for method, operation in place.items():
                if method not in {"parameters", "head"} and operation["tags"] == [tag["name"]]:
                    lines += _operation(document, f"{method.upper()} {path}", operation, place)
    lines += ["## Bodies", ""]
    for name, schema in document["components"]["schemas"].items():
        lines += _schema(name, schema)
    return page("HTTP API, in full", lines)


def _operation(document: Document, name: str, operation: Document, place: Document) -> Iterator[str]:
    yield from (f"### `{name}`", "", f"{operation['summary']}.", "")
    if "description" in operation:
        yield from (operation["description"], "")
    facts = [("operation id", code(operation["operationId"]))]
    facts.append(("caller", "a live session" if operation["security"] else "anybody"))
    if "requestBody" in operation:
        body = operation["requestBody"]
        facts.append(("body", f"{_link(_only_schema(body))}. {body['description']}"))
    if "x-sealed" in operation:
        sealed = operation["x-sealed"]
        key = ", with a short key" if sealed["shortKey"] else ""
        facts.append(("sealed inside", f"{_link(sealed['payload'])}, purpose `{sealed['purpose']}`{key}"))
        facts.append(("sealed in the answer", _link(sealed["answer"])))
    facts += [
        (code(each["name"]), f"In the {each['in']}. {each['description']}")
        for each in (*place.get("parameters", ()), *operation.get("parameters", ()))
    ]
    yield from table(("", ""), facts)
    own = {status: each for status, each in operation["responses"].items() if status not in _COMMON}
    yield from table(("status", "body", "when"), [_answer(document, *each) for each in own.items()])


def _common(document: Document) -> list[tuple[str, str, str]]:
    """The answers with these statuses, each in the one form that it has."""
    found = sorted(name for name in document["components"]["responses"] if name.partition("_")[0] in _COMMON)
    return [
        _answer(document, name.partition("_")[0], {"$ref": f"#/components/responses/{name}"})
        for name in found
    ]


def _answer(document: Document, status: str, answer: Document) -> tuple[str, str, str]:
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    schema = _only_schema(answer) if "content" in answer else {}
    return status, " or ".join(map(_link, _referred(schema))), answer["description"]


def _referred(schema: Document) -> Iterator[Document]:
    """The named schemas that a body may be of."""
    if "$ref" in schema:
        yield schema
    for part in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _referred(part)


def _only_schema(holder: Document) -> Document:
    (content,) = holder["content"].values()
    schema: Document = content["schema"]
    return schema


def _link(schema: Document) -> str:
    name = schema["$ref"].rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _schema(name: str, schema: Document) -> Iterator[str]:
    yield from (f"### {name}", "")
    if "description" in schema:
        yield from (schema["description"], "")
    required = set(schema.get("required", ()))
    rows = [
        (code(member), _form(each), "yes" if member in required else "")
        for member, each in schema.get("properties", {}).items()
    ]
    if rows:
        yield from table(("member", "form", "required"), rows)


def _form(schema: Document) -> str:
    """What a value looks like, in words."""
    if "$ref" in schema:
        return _link(schema)
    if "anyOf" in schema:
        return " or ".join(_form(each) for each in schema["anyOf"])
    if "const" in schema:
        return f"always {code(json.dumps(schema['const']))}"
    if "enum" in schema:
        return ", ".join(code(json.dumps(value)) for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_form(schema['items'])}{_bounds(schema, 'Items', '')}"
    return f"{schema['type']}{_bounds(schema, 'Length', ' characters')}{_range(schema)}"


def _bounds(schema: Document, what: str, unit: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is None and most is None:
        return ""
    if least == most:
        return f", {most}{unit}"
    return f", {least or 0} to {most}{unit}" if most is not None else f", at least {least}{unit}"


def _range(schema: Document) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    return f", {least} to {most}" if most is not None else ""
