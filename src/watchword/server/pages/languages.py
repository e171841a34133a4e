"""Which language a reader wants (RFC 9110, section 12.5.4; RFC 4647, section 3.4)."""

import re
from typing import Final

from watchword.server.pages.catalogue import DEFAULT_LANGUAGE, LANGUAGES

_MAX_HEADER: Final = 500
"""Characters. Browsers send fewer than a hundred."""
_MAX_RANGES: Final = 20
_RANGE: Final = re.compile(
    r"[ \t]*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,7})"
    r"(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*"
)


def choose_language(accept_language: str | None) -> str:
    """One of `LANGUAGES`: the one wanted most, in the order given among equals.

    A header that is too long or does not parse says nothing at all: then it is English.
    """
    wanted = _parse(accept_language or "")
    named = [(weight, language) for language, weight in wanted if language in LANGUAGES]
    best = max((weight for weight, _ in named), default=0.0)
    anything = dict(wanted).get("*", 0.0)
    if best > 0 and best >= anything:
        return next(language for weight, language in named if weight == best)
    refused = {language for weight, language in named if weight == 0}
    left = [language for language in (DEFAULT_LANGUAGE, *LANGUAGES) if language not in refused]
    return left[0] if anything and left else DEFAULT_LANGUAGE


def _parse(text: str) -> list[tuple[str, float]]:
    """Primary languages and their weights; a more special range of the same language counts for it."""
    parts = text.split(",")
    if len(text) > _MAX_HEADER or len(parts) > _MAX_RANGES:
        return []
    found: list[tuple[str, float]] = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None:
            return []
        found.append((match[1].partition("-")[0].lower(), float(match[2] or 1)))
    return found
