"""Why a name or an e-mail address is refused, in words that help the person who typed it."""

import enum
from typing import Final

from watchword.errors import MalformedError


class NameReason(enum.StrEnum):
    """Stable: clients translate by it, and the audit record keeps it."""

    NOT_TEXT = "not_text"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    SPACE = "space"
    CHARACTER = "character"
    COMPATIBILITY = "compatibility"
    DIRECTION = "direction"
    MIXED_SCRIPTS = "mixed_scripts"
    MIXED_DIGITS = "mixed_digits"
    MARKS = "marks"
    EDGE = "edge"
    DOTS = "dots"
    NO_LETTER = "no_letter"
    EMAIL_SHAPED = "email_shaped"
    ID_SHAPED = "id_shaped"
    RESERVED = "reserved"
    EMAIL_FORM = "email_form"
    EMAIL_LOCAL = "email_local"
    EMAIL_DOMAIN = "email_domain"
    DISPLAY_LONG = "display_too_long"
    DISPLAY_CHARACTER = "display_character"


SENTENCES: Final = {
    NameReason.NOT_TEXT: "This is not valid text.",
    NameReason.TOO_SHORT: "A name has at least 2 characters.",
    NameReason.TOO_LONG: "This is too long: a name has at most 64 characters, an e-mail address 254 bytes.",
    NameReason.SPACE: "A name has no spaces. Try a dot, a hyphen or an underscore.",
    NameReason.CHARACTER: "This character is not allowed. Use letters and digits, with . - _ between them.",
    NameReason.COMPATIBILITY: "A letter has a typographic form (full-width, ligature). Use the plain one.",
    NameReason.DIRECTION: "This mixes left-to-right and right-to-left writing, which cannot be shown safely.",
    NameReason.MIXED_SCRIPTS: "The letters come from more than one script. Use one for the whole name.",
    NameReason.MIXED_DIGITS: "The digits come from more than one set of digits. Use one.",
    NameReason.MARKS: "There are too many combining marks, or one has no letter to stand on.",
    NameReason.EDGE: "A name begins and ends with a letter or a digit.",
    NameReason.DOTS: "Two dots may not follow each other.",
    NameReason.NO_LETTER: "A name has at least one letter.",
    NameReason.EMAIL_SHAPED: "A user name is not an e-mail address. Leave out the @.",
    NameReason.ID_SHAPED: "This looks like an internal id. Choose another name.",
    NameReason.RESERVED: "This name is reserved, or looks like a reserved one. Choose another name.",
    NameReason.EMAIL_FORM: "An e-mail address has the form name@example.org.",
    NameReason.EMAIL_LOCAL: "The part before the @ is not of a form that is accepted here.",
    NameReason.EMAIL_DOMAIN: "The part after the @ is not a valid domain name.",
    NameReason.DISPLAY_LONG: "This is too long: a name to show has at most 100 characters.",
    NameReason.DISPLAY_CHARACTER: "A character in it is invisible or cannot be shown. Type the name anew.",
}


class InvalidNameError(MalformedError):
    """A name or address that no account may have. For our own clients; the server answers uniformly."""

    def __init__(self, reason: NameReason) -> None:
        super().__init__(SENTENCES[reason])
        self.reason = reason
