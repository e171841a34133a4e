"""E-mail addresses as a second name to log in with. Never proof of a mailbox.

Stricter than RFC 5321: no quoted local part, no comments, no address literals, no host without a dot, and of
the punctuation of `atext` only `_ - + ' & ~`: the rest means something to templates, shells or spreadsheets.
Letters of other scripts are accepted in the local part (RFC 6531), one script at a time, and in the domain
(IDNA 2008).
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import idna

from watchword.protocol.names.reasons import InvalidNameError, NameReason
from watchword.protocol.names.tables import is_single_script
from watchword.protocol.names.username import canonical_key, check_text, enforce_username, has_invisible

MAX_EMAIL_SIZE: Final = 254
"""Octets (RFC 5321, section 4.5.3.1.3, less the angle brackets)."""
MAX_LOCAL_SIZE: Final = 64
"""Octets (RFC 5321, section 4.5.3.1.1)."""
MAX_DOMAIN_SIZE: Final = 253
MAX_UNICODE_DOMAIN: Final = 64
"""Code points of a domain that is not ASCII."""

_ASCII_LOCAL: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_+'&~-]*(?:\.[a-zA-Z0-9_+'&~-]+)*\Z")
_LDH_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """An address that an account may have."""

    text: str
    """As it is stored and shown: the local part in NFC as typed, `@`, the domain in lower-case A-labels."""
    key: str
    """Two addresses with one key are the same address. The local part is folded too, as mail providers do."""


def parse_email(text: str) -> Email:
    """The address that `text` spells. Raises `InvalidNameError`."""
    local, at, domain = check_text(text).rpartition("@")
    if not at or not local or not domain or "@" in local:
        raise InvalidNameError(NameReason.EMAIL_FORM)
    _check_local(local)
    ascii_domain = _to_ascii(domain)
    found = Email(text=f"{local}@{ascii_domain}", key=f"{canonical_key(local)}@{ascii_domain}")
    if len(local.encode()) > MAX_LOCAL_SIZE or len(found.text.encode()) > MAX_EMAIL_SIZE:
        raise InvalidNameError(NameReason.TOO_LONG)
    return found


def _check_local(local: str) -> None:
    """The ASCII of it by the expression; the rest must be letters, digits and marks that PRECIS allows."""
    stand_in = "".join(character if character.isascii() else "x" for character in local)
    if not _ASCII_LOCAL.match(stand_in):
        raise InvalidNameError(NameReason.EMAIL_LOCAL)
    if local.isascii():
        return
    if unicodedata.normalize("NFKC", local) != local or unicodedata.category(local[0])[0] == "M":
        raise InvalidNameError(NameReason.EMAIL_LOCAL)
    if has_invisible(local) or enforce_username(local) is None or not is_single_script(local):
        raise InvalidNameError(NameReason.EMAIL_LOCAL)


def _to_ascii(domain: str) -> str:
    # Before anything is computed: IDNA takes milliseconds for what no registry would sell.
    if len(domain) > (MAX_DOMAIN_SIZE if domain.isascii() else MAX_UNICODE_DOMAIN):
        raise InvalidNameError(NameReason.EMAIL_DOMAIN)
    lower = unicodedata.normalize("NFC", domain.lower())
    labels = [_label_to_ascii(label) for label in lower.split(".")]
    joined = ".".join(labels)
    if len(labels) == 1 or labels[-1].isdigit() or len(joined) > MAX_DOMAIN_SIZE:
        raise InvalidNameError(NameReason.EMAIL_DOMAIN)
    return joined


def _label_to_ascii(label: str) -> str:
    """`idna` checks what is not plain: an A-label must be the one spelling of its U-label."""
    if not label.isascii() or label[2:4] == "--":
        try:
            return idna.alabel(label).decode("ascii")
        except UnicodeError:
            raise InvalidNameError(NameReason.EMAIL_DOMAIN) from None
    if not _LDH_LABEL.match(label):
        raise InvalidNameError(NameReason.EMAIL_DOMAIN)
    return label
