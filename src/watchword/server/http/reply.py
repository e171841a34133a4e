"""What a handler answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import msgspec

from watchword.errors import WatchwordError
from watchword.server.http.page_headers import DOCUMENT_HEADERS, PAGE_HEADERS

JSON_TYPE: Final = "application/json"
_NO_HEADERS: Final[Mapping[str, str]] = {}
JSON_HEADERS: Final[Mapping[str, str]] = {"content-type": JSON_TYPE}
_SEE_OTHER: Final = 303


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Header names are lower case; they replace the edge's defaults of the same name.

    Its `repr` shows neither body nor headers: both may hold a session.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    error: WatchwordError | None = field(default=None, repr=False)
    """What this answer tells in words of its own: it counts, and is logged, as if it had been raised."""
    parting: bool = False
    """The connection ends with this answer."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a header that would split the answer."""
        if self.headers is not JSON_HEADERS and not all(map(_is_plain, self.headers.values())):
            raise ValueError("a header of the answer would split it")

    @classmethod
    def json(cls, value: Any, status: int = 200, *, headers: Mapping[str, str] = _NO_HEADERS) -> Self:
        """`value` (plain values or msgspec structs) as compact JSON."""
        return cls(
            status, msgspec.json.encode(value), {**JSON_HEADERS, **headers} if headers else JSON_HEADERS
        )

    @classmethod
    def html(cls, text: str, status: int = 200, *, headers: Mapping[str, str] = _NO_HEADERS) -> Self:
        """A page, with the headers of one."""
        return cls(status, text.encode(), {**PAGE_HEADERS, **headers})

    @classmethod
    def see_other(cls, location: str, *, headers: Mapping[str, str] = _NO_HEADERS) -> Self:
        """303 to a path of ours: what a page answers to a form, and to whoever has to be somewhere else first."""
        return cls(_SEE_OTHER, b"", {**DOCUMENT_HEADERS, "location": location, **headers})

    @classmethod
    def empty(cls, status: int = 204, *, headers: Mapping[str, str] = _NO_HEADERS) -> Self:
        """No body."""
        return cls(status, b"", headers)


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable()
