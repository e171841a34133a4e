"""Weighted lists, as `Accept`, `Accept-Encoding` and `Accept-Language` are (RFC 9110, 12.4.2 and 12.5).

    list    = [ element ] *( "," [ element ] )          spaces and tabs may stand around each element
    element = token [ "/" token ] *( ";" [ token "=" ( token / quoted ) ] )

A list that is not of this form, or larger than what browsers send, says nothing: half of it is never believed.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

_MAX_LENGTH: Final = 1000
"""Characters. Browsers send less than two hundred."""
_MAX_ELEMENTS: Final = 32
_NOTHING: Final[Mapping[str, float]] = {}
# Possessive throughout: no text has two readings, and a hostile one cannot make the matcher look for them.
_SPACE: Final = r"[ \t]*+"
_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED: Final = r'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
_NAMED: Final = rf"(?:({_NAME})=({_NAME}|{_QUOTED}))?+"
_PARAMETER: Final = re.compile(f"{_SPACE};{_SPACE}{_NAMED}")
_ELEMENT: Final = re.compile(
    rf"{_SPACE}(?:(?P<name>{_NAME}(?:/{_NAME})?+)(?P<rest>(?:{_PARAMETER.pattern})*+){_SPACE})?+(?P<end>,|\Z)"
)
_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def read_weights(header: str | None, *, parameters: bool = False) -> Mapping[str, float]:
    """What is named, in lower case and in its order, and how much it is wanted: from 0, not at all, to 1.

    Of a name that stands twice the greater weight counts. `parameters` says that others than the weight may stand
    there, as in `Accept` alone. Never raises; what does not parse is empty.
    """
    text = header or ""
    if len(text) > _MAX_LENGTH:
        return _NOTHING
    weights: dict[str, float] = {}
    try:
        for name, weight in _elements(text, parameters=parameters):
            weights[name] = max(weight, weights.get(name, 0.0))
    except _UnreadableError:
        return _NOTHING
    return weights


def accepts_html(accept: str | None) -> bool:
    """Whether `Accept` names `text/html`, as every browser's does for a page, and no tool's by itself."""
    return read_weights(accept, parameters=True).get("text/html", 0) > 0


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether `Accept-Encoding` takes gzip by either name (RFC 9110, 8.4.1.3), or anything. A name says more."""
    weights = read_weights(accept_encoding)
    named = [weights[name] for name in ("gzip", "x-gzip") if name in weights]
    return max(named, default=weights.get("*", 0)) > 0


class _UnreadableError(Exception):
    """No list of the form above."""


def _elements(text: str, *, parameters: bool) -> Iterator[tuple[str, float]]:
    """Names and weights, one by one. Raises `_UnreadableError` where the list stops being one."""
    position = 0
    for _ in range(_MAX_ELEMENTS):
        found = _ELEMENT.match(text, position)
        if found is None:
            raise _UnreadableError
        if found["name"] is not None:  # recipients ignore empty elements: RFC 9110, 5.6.1.2
            yield found["name"].lower(), _weight(found["rest"], parameters=parameters)
        if not found["end"]:
            return
        position = found.end()
    raise _UnreadableError


def _weight(rest: str, *, parameters: bool) -> float:
    """That of an element, wherever it stands among its parameters (RFC 9110, 12.5.1); 1 where none does."""
    named = [found.groups() for found in _PARAMETER.finditer(rest) if found[1] is not None]
    weights = [value for name, value in named if name in {"q", "Q"}]
    if len(weights) > 1 or (len(weights) < len(named) and not parameters):
        raise _UnreadableError
    if not weights:
        return 1.0
    if not _WEIGHT.fullmatch(weights[0]):
        raise _UnreadableError
    return float(weights[0])
