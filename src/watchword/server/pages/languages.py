"""Which language a reader wants (RFC 9110, section 12.5.4; RFC 4647, section 3.4)."""

import re
from typing import Final

from watchword.server.http.accept import read_weights
from watchword.server.pages.catalogue import DEFAULT_LANGUAGE, LANGUAGES

_RANGE: Final = re.compile(r"\*|[a-z]{1,8}(?:-[a-z0-9]{1,8}){0,7}")


def choose_language(accept_language: str | None) -> str:
    """One of `LANGUAGES`: the one wanted most, in the order given among equals.

    A header that is too long or does not parse says nothing at all: then it is English.
    """
    wanted = _primary_languages(accept_language)
    named = [(weight, language) for language, weight in wanted if language in LANGUAGES]
    best = max((weight for weight, _ in named), default=0.0)
    anything = dict(wanted).get("*", 0.0)
    if best > 0 and best >= anything:
        return next(language for weight, language in named if weight == best)
    refused = {language for weight, language in named if weight == 0}
    left = [language for language in (DEFAULT_LANGUAGE, *LANGUAGES) if language not in refused]
    return left[0] if anything and left else DEFAULT_LANGUAGE


def _primary_languages(header: str | None) -> list[tuple[str, float]]:
    """With their weights; a more special range of the same language counts for it."""
    weights = read_weights(header)
    if not all(map(_RANGE.fullmatch, weights)):
        return []
    return [(name.partition("-")[0], weight) for name, weight in weights.items()]
