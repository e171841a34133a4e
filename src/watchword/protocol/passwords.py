r"""What a password is (OpaqueString, RFC 8265, section 4.2), and which ones are too easy to guess.

Our clients and pages enforce this, since the server never sees a password. A password is kept verbatim but
for two things: every kind of space becomes U+0020, and the text is put into NFC. Control characters, so NUL
and tab too, are refused as FreeformClass does (RFC 8265, section 4.3): `abc`, `abc\0def` and
`abc\0xyz` are never one password, since the latter two are none. What the Unicode version of this
interpreter does not know is refused as well, rather than normalised otherwise by a later one.
"""

import enum
import functools
import unicodedata
from typing import Final

from precis_i18n import get_profile
from precis_i18n.profile import Profile

from watchword.core.secret import Secret
from watchword.errors import MalformedError
from watchword.protocol.common_passwords import common_passwords

MIN_LENGTH: Final = 15
"""Code points, for a password that stands alone (NIST SP 800-63B-4, section 3.1.1.2)."""
MIN_LENGTH_WITH_SECOND_FACTOR: Final = 8
MAX_LENGTH: Final = 256
_MAX_INPUT_LENGTH: Final = 4 * MAX_LENGTH
"""Code points that are normalised at all; NFC makes text at most a few times shorter."""

_GAP: Final = "\0"
"""No letter, and in no password: what a removed name leaves, so that its two sides do not become a name."""


class PasswordReason(enum.StrEnum):
    """Stable: clients translate by it."""

    NOT_TEXT = "not_text"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    CHARACTER = "character"
    TOO_SHORT = "too_short"
    COMMON = "common"
    REPEATED = "repeated"
    LIKE_NAME = "like_name"
    LIKE_SERVICE = "like_service"


SENTENCES: Final = {
    PasswordReason.NOT_TEXT: "The password is not valid text.",
    PasswordReason.EMPTY: "The password is empty.",
    PasswordReason.TOO_LONG: f"The password has more than {MAX_LENGTH} characters.",
    PasswordReason.CHARACTER: "The password has a character that cannot be used, such as a tab.",
    PasswordReason.TOO_SHORT: "The password is too short. A few unrelated words make a good one.",
    PasswordReason.COMMON: "This password is on public lists. A few unrelated words make a good one.",
    PasswordReason.REPEATED: "The password repeats something short. A few unrelated words make a good one.",
    PasswordReason.LIKE_NAME: "The password is only your name. Choose something that others cannot know.",
    PasswordReason.LIKE_SERVICE: "The password is only the name of this service.",
}


class PasswordRefusedError(MalformedError):
    """A text that cannot be a password here. Carries the reason, never the text."""

    def __init__(self, reason: PasswordReason, detail: str = "") -> None:
        super().__init__(detail or SENTENCES[reason])
        self.reason = reason


class WeakPasswordError(PasswordRefusedError):
    """A password that could be used, but is too easy to guess to be set."""


def prepare(text: str) -> Secret:
    """The password as it is stretched: OpaqueString in UTF-8. Raises `PasswordRefusedError`."""
    return Secret.from_text(_prepare(text))


def check_new(
    text: str, *, username: str, email: str | None, service: str, second_factor: bool = False
) -> Secret:
    """`prepare`, for a password that is being set. Raises `PasswordRefusedError`, or `WeakPasswordError`.

    `service` is the name by which people know this place. There are no rules of composition: only length, the
    list of common passwords, and what anybody would try first for this account. All are matched whole.
    """
    prepared = _prepare(text)
    minimum = MIN_LENGTH_WITH_SECOND_FACTOR if second_factor else MIN_LENGTH
    if len(prepared) < minimum:
        raise WeakPasswordError(PasswordReason.TOO_SHORT, _too_short(minimum))
    _check_repetition(prepared.casefold())
    _check_common(prepared)
    _check_names(prepared.casefold(), username, email, service)
    return Secret.from_text(prepared)


def _too_short(minimum: int) -> str:
    return f"A password has at least {minimum} characters. A few unrelated words make a good one."


def _prepare(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise PasswordRefusedError(PasswordReason.NOT_TEXT)
    if not text:
        raise PasswordRefusedError(PasswordReason.EMPTY)
    if len(text) > _MAX_INPUT_LENGTH:
        raise PasswordRefusedError(PasswordReason.TOO_LONG)
    prepared = _enforce(text)
    if prepared is None:
        raise PasswordRefusedError(PasswordReason.CHARACTER)
    if len(prepared) > MAX_LENGTH:
        raise PasswordRefusedError(PasswordReason.TOO_LONG)
    return prepared


def _enforce(text: str) -> str | None:
    """None where the profile refuses. Its exception holds the password: it must be nobody's context."""
    try:
        return str(_profile().enforce(text))
    except UnicodeEncodeError:
        return None


@functools.cache
def _profile() -> Profile:
    return get_profile("OpaqueString")


def _check_repetition(folded: str) -> None:
    """A short text repeated is as easy to guess as the short text; a last repetition may be cut off."""
    longest = min(MIN_LENGTH_WITH_SECOND_FACTOR - 1, len(folded) // 2)
    if any(folded[period:] == folded[:-period] for period in range(1, longest + 1)):
        raise WeakPasswordError(PasswordReason.REPEATED)
    if _smallest_unit(folded) in common_passwords():
        raise WeakPasswordError(PasswordReason.COMMON)


def _smallest_unit(text: str) -> str:
    """The shortest text whose whole repetition is `text`; `text` itself if there is none shorter."""
    return text[: (text + text).find(text, 1)]


def _check_common(prepared: str) -> None:
    if prepared in common_passwords():
        raise WeakPasswordError(PasswordReason.COMMON)


def _check_names(folded: str, username: str, email: str | None, service: str) -> None:
    names = [username, *([email, email.partition("@")[0]] if email else [])]
    if _is_only([service], folded):
        raise WeakPasswordError(PasswordReason.LIKE_SERVICE)
    if _is_only([*names, service], folded):
        raise WeakPasswordError(PasswordReason.LIKE_NAME)


def _is_only(names: list[str], folded: str) -> bool:
    """Whether nothing but digits and punctuation is left without the names: `alice1990`, `Alice_Alice!`."""
    rest = folded
    for name in sorted(names, key=len, reverse=True):
        plain = unicodedata.normalize("NFC", name).casefold()
        rest = rest.replace(plain, _GAP) if plain else rest
    return rest != folded and not any(character.isalpha() for character in rest)
