"""What somebody types to log in, as one key for lookup and for counting failures.

Lenient where registration is strict: spaces around it and full-width letters are forgiven, and a name that no
account can have gets a key too, so that the caller does the same work for it as for an unknown one. That key is a
hash: the text may hold a NUL, which PostgreSQL refuses, or a password that was typed in the wrong field.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from precis_i18n import get_profile

from watchword.protocol.names.email import parse_email
from watchword.protocol.names.reasons import InvalidNameError
from watchword.protocol.names.username import canonical_key, check_text, enforce_username

_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,256}\Z")
"""What the rules below only turn to lower case; nearly all names there are, at a tenth of the cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """`u:` and the key of a user name, `e:` and that of an address, or `x:` and a hash; no control characters."""

    key: str


def parse_identifier(text: str) -> Identifier:
    """Never refuses a text for what it says.

    Raises `InvalidNameError` (a `MalformedError`) for what is not a string, has lone surrogates, or more than
    256 code points.
    """
    if type(text) is str and _PLAIN.match(text):
        return Identifier(key=f"u:{text.lower()}")
    typed = _map_width(check_text(text).strip())
    if "@" in typed:
        return Identifier(key=_email_key(typed))
    enforced = enforce_username(typed)
    return Identifier(key=_no_key(typed) if enforced is None else f"u:{canonical_key(enforced)}")


def _email_key(typed: str) -> str:
    try:
        return f"e:{parse_email(typed).key}"
    except InvalidNameError:
        return _no_key(typed)


def _no_key(typed: str) -> str:
    """SHA-256 in hexadecimal: as good as the text for counting failures."""
    return f"x:{hashlib.sha256(typed.encode()).hexdigest()}"


def _map_width(text: str) -> str:
    """RFC 8265, section 3.3.1, step 1, before the question whether there is an `@`."""
    return unicodedata.normalize("NFC", str(get_profile("UsernameCaseMapped").width_mapping_rule(text)))
