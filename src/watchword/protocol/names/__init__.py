"""Names: what an account may be called, and when two spellings mean one account.

Owns the parsing of user names, e-mail addresses and login identifiers. Invariants: equal case-folded NFC
gives equal keys; a key is its own key; names that look alike have equal skeletons.
"""

from watchword.protocol.names.display import parse_display_name
from watchword.protocol.names.email import Email, parse_email
from watchword.protocol.names.identifier import Identifier, parse_identifier
from watchword.protocol.names.reasons import InvalidNameError, NameReason
from watchword.protocol.names.reserved import RESERVED_NAMES
from watchword.protocol.names.skeleton import make_skeleton
from watchword.protocol.names.username import Username, canonical_key, parse_username

__all__ = [
    "RESERVED_NAMES",
    "Email",
    "Identifier",
    "InvalidNameError",
    "NameReason",
    "Username",
    "canonical_key",
    "make_skeleton",
    "parse_display_name",
    "parse_email",
    "parse_identifier",
    "parse_username",
]
