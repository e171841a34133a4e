"""What an access token says, and the strict reading of it (docs/protocol/tokens.md, steps 12 and 13)."""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from watchword.core.encoding import decode_json
from watchword.errors import MalformedError, TooLargeError
from watchword.protocol.tokens.refusal import Step, TokenError
from watchword.protocol.tokens.scope import MAX_SCOPE_TEXT

MAX_LIFE_SECONDS: Final = 3600
"""No token lives longer, whatever its issuer thinks; ours live 10 minutes."""
_MAX_SECONDS: Final = 253_402_300_799  # the last second of the year 9999
_MAX_LEVEL: Final = 9
_MAX_METHODS: Final = 8
_METHOD: Final = re.compile(r"[a-z0-9_-]{1,32}\Z")  # RFC 8176
_TEXT: Final = r"[^\x00-\x1f\x7f-\x9f]{1,320}"  # the longest e-mail address has 320; names are shorter
_ID_DIGITS: Final = "[0-7][0-9a-hjkmnp-tv-z]{25}"  # exactly what `core.ids` writes: 130 bits hold 128
_SCOPE_TOKEN: Final = r"[!#-\[\]-~]+"  # noqa: S105  # RFC 6749, section 3.3
_TEXT_CLAIMS: Final = (
    ("iss", _TEXT),
    ("aud", _TEXT),  # one string: a list would make "is it for us?" a question with two readings
    ("sub", f"acc_{_ID_DIGITS}"),
    ("sid", f"ses_{_ID_DIGITS}"),
    ("device", f"dev_{_ID_DIGITS}"),
    ("jti", "[A-Za-z0-9_-]{1,64}"),
    ("preferred_username", _TEXT),
    ("scope", f"(?:{_SCOPE_TOKEN}(?: {_SCOPE_TOKEN})*)?"),  # empty: no scope
)
# All in one match, since this is on the path whose speed is promised. No claim can hold the line break between them.
_TEXT_FORMS: Final = re.compile("\n".join(form for _, form in _TEXT_CLAIMS) + r"\Z")
_texts: Final = operator.itemgetter(*(name for name, _ in _TEXT_CLAIMS))
_times: Final = operator.itemgetter("exp", "iat", "nbf", "auth_time")
_OPTIONAL_TEXT: Final = re.compile(_TEXT + r"\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """The claims of one access token. Times are whole seconds since 1970, as in the token."""

    iss: str
    sub: str
    """The account's id in text form."""
    aud: str
    """One origin, as `audience_of` writes it."""
    exp: int
    iat: int
    nbf: int
    jti: str
    sid: str
    """The session's id in text form."""
    device: str
    """The device's id in text form."""
    level: int
    """The account's security level, 0 to 9."""
    scope: tuple[str, ...]
    """Joined by single spaces in the token (RFC 8693, section 4.2)."""
    auth_time: int
    amr: tuple[str, ...]
    """How the person proved who they are (RFC 8176)."""
    preferred_username: str
    cnf: Mapping[str, str] | None = None
    """The key or certificate that the token is bound to (RFC 7800); None: whoever holds it may use it."""
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedClaims(AccessClaims):
    """Claims of a token whose signature, issuer, audience and times hold; made by `verify` alone."""


def parse_claims(payload: bytes) -> VerifiedClaims:
    """Steps 12 and 13. Raise `TokenError`; members that we do not know are left out, as RFC 7519 demands."""
    try:
        members = decode_json(payload)
    except (MalformedError, TooLargeError):
        raise TokenError(Step.PAYLOAD_JSON) from None
    if type(members) is not dict:
        raise TokenError(Step.PAYLOAD_JSON)
    if not _well_formed(members):
        raise TokenError(Step.CLAIMS)
    return _made(members)


def _made(members: dict[str, Any]) -> VerifiedClaims:
    return VerifiedClaims(
        iss=members["iss"],
        sub=members["sub"],
        aud=members["aud"],
        exp=members["exp"],
        iat=members["iat"],
        nbf=members["nbf"],
        jti=members["jti"],
        sid=members["sid"],
        device=members["device"],
        level=members["level"],
        scope=tuple(members["scope"].split()),
        auth_time=members["auth_time"],
        amr=tuple(members["amr"]),
        preferred_username=members["preferred_username"],
        cnf=members.get("cnf"),
        name=members.get("name"),
        email=members.get("email"),
    )


def _well_formed(members: dict[str, Any]) -> bool:
    try:
        texts, times = _texts(members), _times(members)
        level, methods = members["level"], members["amr"]
        joined = "\n".join(texts)
    except (KeyError, TypeError):  # one is missing, or is no text
        return False
    return (
        _TEXT_FORMS.match(joined) is not None
        and len(members["scope"]) <= MAX_SCOPE_TEXT
        and {*map(type, times), type(level)} == {int}  # `type`, since to isinstance a bool is an int
        and min(times) >= 0
        and max(times) <= _MAX_SECONDS
        and 0 <= level <= _MAX_LEVEL
        and _is_methods(methods)
        and ("cnf" not in members or _is_confirmation(members["cnf"]))
        and ("name" not in members or _is_text(members["name"]))
        and ("email" not in members or _is_text(members["email"]))
    )


def _is_text(value: object) -> bool:
    return type(value) is str and _OPTIONAL_TEXT.match(value) is not None


def _is_methods(value: object) -> bool:
    if type(value) is not list or not 1 <= len(value) <= _MAX_METHODS:
        return False
    return not any(type(method) is not str or _METHOD.match(method) is None for method in value)


def _is_confirmation(value: object) -> bool:
    """An object of at least one member; which ones we understand is the presentation's question."""
    return type(value) is dict and len(value) > 0 and all(_is_text(member) for member in value.values())
