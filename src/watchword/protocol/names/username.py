"""User names: UsernameCaseMapped (RFC 8265, section 3.3) narrowed to what can be shown and compared safely.

The order of the steps decides which reason is given when there are several; see `parse_username`.
"""

import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from precis_i18n import get_profile
from precis_i18n.profile import Profile

from watchword.protocol.names.reasons import InvalidNameError, NameReason
from watchword.protocol.names.reserved import is_reserved
from watchword.protocol.names.skeleton import make_skeleton
from watchword.protocol.names.tables import is_single_script

MIN_NAME_LENGTH: Final = 2
MAX_NAME_LENGTH: Final = 64
"""Code points."""
MAX_INPUT_LENGTH: Final = 256
"""Code points of input that is looked at, at all: a name of 64, each letter with three marks apart."""
MAX_MARKS: Final = 4
"""Non-spacing marks in a row (UTS 39, section 5.4)."""

_JOINERS: Final = frozenset("-._")
_LETTER: Final = ("Ll", "Lu", "Lt", "Lo", "Lm")
_ID_SHAPED: Final = re.compile(
    r"(?:acc|dev|ses|req|inv)_.*|[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.DOTALL
)
_MAX_FOLDS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Username:
    """A name that an account may have."""

    text: str
    """As it is stored and shown: the enforced form, in lower case."""
    key: str
    """Two names with one key are the same name."""
    skeleton: str
    """Two names with one skeleton look alike: unique among accounts."""
    typed_skeleton: str
    """What it looked like as it was typed: `paypaI` is stored as `paypai` and passes for `paypal`."""

    @property
    def lookalikes(self) -> frozenset[str]:
        """Skeletons that no other account may have when this name is registered."""
        return frozenset((self.skeleton, self.typed_skeleton))


def parse_username(text: str) -> Username:
    """The name that `text` spells. Raises `InvalidNameError`."""
    composed = check_text(text)
    if not MIN_NAME_LENGTH <= len(composed) <= MAX_NAME_LENGTH:
        raise InvalidNameError(_length_reason(composed))
    _check_characters(composed)
    enforced = enforce_username(composed)
    if enforced is None:
        raise InvalidNameError(_profile_reason(composed))
    if len(enforced) > MAX_NAME_LENGTH:
        raise InvalidNameError(NameReason.TOO_LONG)
    _check_shape(enforced)
    key = canonical_key(enforced)
    name = Username(
        text=enforced,
        key=key,
        skeleton=make_skeleton(key),
        # All capitals mislead nobody once they are stored small: `ALI` is not `all`.
        typed_skeleton=make_skeleton(key if composed.isupper() else composed),
    )
    if is_reserved(key=key, skeletons=(name.skeleton, name.typed_skeleton)):
        raise InvalidNameError(NameReason.RESERVED)
    return name


def canonical_key(text: str) -> str:
    """NFC of the full case folding, repeated until it is stable, so that a key is its own key.

    So `Straße` and `STRASSE` have one key, as have `Σ`, `σ` and `ς`, the Kelvin sign and `k`, the Ångström
    sign and `å`. The Turkish letters stay apart: `İ` is `i` with a dot above, `ı` is itself; that they look
    alike is the skeleton's business.
    """
    current = text
    for _ in range(_MAX_FOLDS):
        following = unicodedata.normalize("NFC", current.casefold())
        if following == current:
            break
        current = following
    return current


def check_text(text: object) -> str:
    """`text` in NFC. Raises `InvalidNameError` for what is not a string of Unicode, or beyond any length."""
    if not isinstance(text, str) or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidNameError(NameReason.NOT_TEXT)
    if len(text) > MAX_INPUT_LENGTH:
        raise InvalidNameError(NameReason.TOO_LONG)
    return unicodedata.normalize("NFC", text)


def enforce_username(text: str) -> str | None:
    """RFC 8265, section 3.3.3, width mapping included; None where the profile refuses."""
    try:
        return str(_profile().enforce(text))
    except UnicodeEncodeError:
        return None


@functools.cache
def _profile() -> Profile:
    return get_profile("UsernameCaseMapped")


def _length_reason(text: str) -> NameReason:
    return NameReason.TOO_SHORT if len(text) < MIN_NAME_LENGTH else NameReason.TOO_LONG


def _check_characters(text: str) -> None:
    """Before the profile, so that the reason is the one that helps."""
    if "@" in text:
        raise InvalidNameError(NameReason.EMAIL_SHAPED)
    if any(character.isspace() for character in text):
        raise InvalidNameError(NameReason.SPACE)
    if any(character.isascii() and not _is_plain(character) for character in text):
        raise InvalidNameError(NameReason.CHARACTER)
    if unicodedata.normalize("NFKC", text) != text:
        raise InvalidNameError(NameReason.COMPATIBILITY)
    if has_invisible(text):
        raise InvalidNameError(NameReason.CHARACTER)


def has_invisible(text: str) -> bool:
    """Joiners, which PRECIS allows in some contexts: two names must not differ by what nobody sees."""
    return any(unicodedata.category(character) == "Cf" for character in text)


def _is_plain(character: str) -> bool:
    return character.isalnum() or character in _JOINERS


def _profile_reason(text: str) -> NameReason:
    """The profile refuses for a character or for its direction; nothing else is left."""
    try:
        _profile().base.enforce(text)
    except UnicodeEncodeError:
        return NameReason.CHARACTER
    return NameReason.DIRECTION


def _check_shape(text: str) -> None:
    categories = [unicodedata.category(character) for character in text]
    if not _stands_on_its_own(categories[0]) or not (
        _stands_on_its_own(categories[-1]) or categories[-1][0] == "M"
    ):
        raise InvalidNameError(NameReason.MARKS if categories[0][0] == "M" else NameReason.EDGE)
    if ".." in text:
        raise InvalidNameError(NameReason.DOTS)
    if not any(category in _LETTER for category in categories):
        raise InvalidNameError(NameReason.NO_LETTER)
    if _ID_SHAPED.fullmatch(text):
        raise InvalidNameError(NameReason.ID_SHAPED)
    _check_marks(text)
    _check_scripts(text)


def _stands_on_its_own(category: str) -> bool:
    return category in _LETTER or category == "Nd"


def _check_marks(text: str) -> None:
    run = 0
    for character in unicodedata.normalize("NFD", text):
        run = run + 1 if unicodedata.category(character) == "Mn" else 0
        if run > MAX_MARKS:
            raise InvalidNameError(NameReason.MARKS)


def _check_scripts(text: str) -> None:
    if not is_single_script(text):
        raise InvalidNameError(NameReason.MIXED_SCRIPTS)
    zeros = {ord(character) - unicodedata.decimal(character) for character in text if character.isdecimal()}
    if len(zeros) > 1:
        raise InvalidNameError(NameReason.MIXED_DIGITS)
