"""What an access token says, and the strict reading of it (docs/protocol/tokens.md, steps 12 and 13)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from watchword.core.encoding import decode_json
from watchword.errors import MalformedError, TooLargeError
from watchword.protocol.tokens.refusal import Step, TokenError

MAX_LIFE_SECONDS: Final = 3600
"""No token lives longer, whatever its issuer thinks; ours live 10 minutes."""
_MAX_SECONDS: Final = 253_402_300_799  # the last second of the year 9999
_MAX_LEVEL: Final = 9
_MAX_TEXT: Final = 320  # the longest e-mail address; names are shorter
_MAX_METHODS: Final = 8
_ID_DIGITS: Final = "[0-7][0-9a-hjkmnp-tv-z]{25}"  # exactly what `core.ids` writes; 130 bits hold 128
_METHOD: Final = re.compile(r"[a-z0-9_-]{1,32}\Z")  # RFC 8176
_SCOPE: Final = re.compile(r"(?:[!#-\[\]-~]+(?: [!#-\[\]-~]+)*)?\Z")  # RFC 6749, section 3.3; empty: no scope
_MAX_SCOPE: Final = 1000
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]+\Z")


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
    for claim, check in _REQUIRED:
        if claim not in members or not check(members[claim]):
            return False
    return all(claim not in members or check(members[claim]) for claim, check in _OPTIONAL)


def _is_seconds(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_SECONDS  # `type`, since a bool is an int to isinstance


def _is_level(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_LEVEL


def _is_text(value: object) -> bool:
    return type(value) is str and len(value) <= _MAX_TEXT and _TEXT.match(value) is not None


def _is_scope(value: object) -> bool:
    return type(value) is str and len(value) <= _MAX_SCOPE and _SCOPE.match(value) is not None


def _is_methods(value: object) -> bool:
    return (
        type(value) is list
        and 1 <= len(value) <= _MAX_METHODS
        and all(type(method) is str and _METHOD.match(method) for method in value)
    )


def _is_confirmation(value: object) -> bool:
    """An object of at least one member; which ones we understand is the presentation's question."""
    return type(value) is dict and len(value) > 0 and all(_is_text(member) for member in value.values())


def _matches(pattern: str) -> Callable[[object], bool]:
    match = re.compile(pattern + r"\Z").match
    return lambda value: type(value) is str and match(value) is not None


_REQUIRED: Final[tuple[tuple[str, Callable[[object], bool]], ...]] = (
    ("iss", _is_text),
    ("sub", _matches("acc_" + _ID_DIGITS)),
    ("aud", _is_text),  # one string: a list would make "is it for us?" a question with two readings
    ("exp", _is_seconds),
    ("iat", _is_seconds),
    ("nbf", _is_seconds),
    ("jti", _matches("[A-Za-z0-9_-]{1,64}")),
    ("sid", _matches("ses_" + _ID_DIGITS)),
    ("device", _matches("dev_" + _ID_DIGITS)),
    ("level", _is_level),
    ("scope", _is_scope),
    ("auth_time", _is_seconds),
    ("amr", _is_methods),
    ("preferred_username", _is_text),
)
_OPTIONAL: Final[tuple[tuple[str, Callable[[object], bool]], ...]] = (
    ("cnf", _is_confirmation),
    ("name", _is_text),
    ("email", _is_text),
)
