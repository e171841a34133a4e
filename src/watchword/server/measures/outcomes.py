"""What happened, as the audit trail tells it: by tag, by outcome, and by the reason that callers are not told.

Reasons are our own words, but some are put together (`name_` and why, `guard_` and which), and a new one may be
forgotten here. So only listed ones become a label; a test holds the list against the code.
"""

from collections.abc import Mapping
from typing import Final

REASONS: Final = frozenset(
    {
        "account_inactive",
        "changed_meanwhile",
        "chest_version",
        "credential_expired",
        "credential_form",
        "credential_unknown",
        "credential_used",
        "credential_used_long_ago",
        "device_ended",
        "device_gone",
        "device_header_ended",
        "device_header_forged",
        "device_header_form",
        "device_header_many",
        "device_header_time",
        "device_header_unknown",
        "device_header_used",
        "device_keys",
        "device_keys_equal",
        "device_not_signed",
        "device_signature",
        "envelope_contents",
        "envelope_form",
        "envelope_suite",
        "form",
        "guard",
        "invitation_bad",
        "invitation_missing",
        "invite",
        "login_secret_form",
        "name",
        "registration_closed",
        "short_key_forged",
        "short_key_identifier",
        "short_key_malformed",
        "short_key_missing",
        "short_key_purpose",
        "short_key_used",
        "suspended",
        "unexpected_device",
        "unexpected_signature",
        "unknown_device",
        "unknown_name",
        "wrong_secret",
    }
)
OTHER: Final = "other"
_FAMILIES: Final = ("name", "guard", "changed_meanwhile")
"""Reasons that go on with a word of their own."""
_OUTCOMES: Final = frozenset({"session", "temporary_token"})


class Outcomes:
    """Counts by (tag, outcome, reason); "" where the event has none."""

    def __init__(self) -> None:
        self.counts: Final[dict[tuple[str, str, str], int]] = {}

    def note(self, tag: str, facts: Mapping[str, str | int]) -> None:
        """Count an audit event. `tag` is an `AuditTag`."""
        key = (tag, _outcome(facts), bounded_reason(facts.get("reason", "")))
        self.counts[key] = self.counts.get(key, 0) + 1


def bounded_reason(reason: str | int) -> str:
    """`reason` if it is listed, its family if that is, else `OTHER`; "" stays."""
    if reason in REASONS or reason == "":
        return str(reason)
    for family in _FAMILIES:
        if str(reason).startswith(f"{family}_"):
            return family
    return OTHER


def _outcome(facts: Mapping[str, str | int]) -> str:
    if facts.get("repeated") == 1:
        return "repeated"
    outcome = facts.get("outcome", "")
    return str(outcome) if outcome in _OUTCOMES else ""
