"""The checks that every request passes before a byte of its body is read. Each raises, or lets the request on."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from watchword.errors import ForbiddenError, MalformedError, TooLargeError, UnsupportedMediaError
from watchword.server.http.endpoint import Route
from watchword.server.http.headers import Headers
from watchword.server.http.hosts import HostPolicy

_MEDIA: Final = re.compile(rb'application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE)
_FORM: Final = re.compile(
    rb'application/x-www-form-urlencoded(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE
)
_MAX_QUERY_FIELDS: Final = 16
_MAX_USER_AGENT: Final = 200
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_NO_QUERY: Final[Mapping[str, str]] = {}


def check_origin(method: str, headers: Headers, hosts: HostPolicy) -> None:
    """Raise `ForbiddenError` for a request that changes something and that another site's page makes.

    The API reads no cookie, and forms of pages carry a token of their own; this stands before both.
    """
    if method in _SAFE_METHODS:
        return
    origin = headers.raw(b"origin")
    if origin is not None and not hosts.is_own_origin(origin):
        raise ForbiddenError("requests of other origins are not accepted")
    if headers.raw(b"sec-fetch-site") in {b"cross-site", b"same-site"}:
        raise ForbiddenError("requests of other origins are not accepted")


def check_content(route: Route, headers: Headers) -> None:
    """Raise unless the body that the headers announce is one that `route` reads, plain, and small enough."""
    length = headers.raw(b"content-length")
    has_body = length not in {None, b"0"} or headers.raw(b"transfer-encoding") is not None
    if headers.raw(b"content-encoding") is not None:
        raise UnsupportedMediaError("compressed bodies are not accepted")
    media = headers.raw(b"content-type")
    if route.body is not None:
        if media is None or not _MEDIA.fullmatch(media):
            raise UnsupportedMediaError("the body must be application/json")
    elif route.form is not None:
        if media is None or not _FORM.fullmatch(media):
            raise UnsupportedMediaError("the body must be application/x-www-form-urlencoded")
    elif has_body:
        raise MalformedError("no body is expected here")
    else:
        return
    if length is not None and int(length) > route.max_body:
        raise TooLargeError


def read_query(route: Route, query: bytes) -> Mapping[str, str]:
    """The parameters of the query string. Raises `MalformedError` unless `route` declares each, and it stands once.

    The error never repeats the query: people put passwords there.
    """
    if not query:
        return _NO_QUERY
    if route.page:
        return _known_query(route, query)
    if not route.query:
        raise MalformedError("no query string is accepted here")
    try:
        pairs = parse_qsl(
            query.decode("ascii"), True, True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError:
        raise MalformedError("the query string does not parse") from None
    found = dict(pairs)
    if (
        len(found) != len(pairs)
        or not found.keys() <= route.query
        or not all(map(str.isprintable, found.values()))
    ):
        raise MalformedError("the query string has a parameter that is not accepted here")
    return found


def _known_query(route: Route, query: bytes) -> Mapping[str, str]:
    """What a page declares, where it stands once; links to pages carry what others have added to them."""
    try:
        pairs = parse_qsl(query.decode("ascii"), True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return _NO_QUERY
    names = [name for name, _ in pairs]
    return {
        name: value
        for name, value in pairs
        if name in route.query and names.count(name) == 1 and value.isprintable()
    }


def printable_user_agent(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """At most 200 printable characters of the first one."""
    for name, value in headers:
        if name == b"user-agent":
            text = value[:_MAX_USER_AGENT].decode("latin-1")
            return text if text.isprintable() else "".join(filter(str.isprintable, text))
    return ""
