"""What a token may be used for: scopes that its owner chose (RFC 6749, section 3.3).

A scope narrows: whoever asks for a token names what it may be used for, and may name anything. What a person may do
is for the level, and for the application's own rules, to say.
"""

import re
from collections.abc import Iterable
from typing import Final

from watchword.errors import MalformedError

MAX_SCOPES: Final = 32
MAX_SCOPE_SIZE: Final = 100
"""Characters of one; of all, with the spaces between them, there are MAX_SCOPE_TEXT at most."""
MAX_SCOPE_TEXT: Final = 1000
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+\Z")


def is_scope(text: str) -> bool:
    """Whether it is one scope: printable ASCII without space, quote and backslash."""
    return _SCOPE.match(text) is not None


def scopes_of(wanted: Iterable[str]) -> tuple[str, ...]:
    """The scopes of a token, each once, in the order of their characters.

    Raises:
        MalformedError: not scopes, or too many, or too long.
    """
    chosen = tuple(sorted(set(wanted)))
    if len(chosen) > MAX_SCOPES or len(" ".join(chosen)) > MAX_SCOPE_TEXT:
        raise MalformedError(
            f"a token has at most {MAX_SCOPES} scopes, of {MAX_SCOPE_TEXT} characters together"
        )
    if any(len(one) > MAX_SCOPE_SIZE or not is_scope(one) for one in chosen):
        raise MalformedError(
            f"a scope is 1 to {MAX_SCOPE_SIZE} printable ASCII characters, no space, quote or backslash"
        )
    return chosen
