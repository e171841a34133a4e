"""One thing that an account's owner is told."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from watchword.core.clock import Instant
from watchword.core.ids import DeviceId, SessionId


class ActivityKind(enum.StrEnum):
    """What happened. Texts are found by these values."""

    REGISTERED = "registered"
    SIGNED_IN = "signed_in"
    PASSWORD_ACCEPTED = "password_accepted"  # noqa: S105  # the right password, and no device was enrolled with it
    SIGN_IN_REFUSED = "sign_in_refused"
    DEVICE_ENROLLED = "device_enrolled"
    SESSION_ENDED = "session_ended"
    OTHER_SESSIONS_ENDED = "other_sessions_ended"
    ALL_SESSIONS_ENDED = "all_sessions_ended"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # no password
    PASSWORD_CHANGE_REFUSED = "password_change_refused"  # noqa: S105  # no password
    TOKEN_ISSUED = "token_issued"  # noqa: S105  # no token
    STRANGERS_SHUT_OUT = "strangers_shut_out"
    STRANGERS_LET_IN = "strangers_let_in"
    DEVICE_ENDED = "device_ended"
    LEVEL_SET = "level_set"
    SUSPENDED = "suspended"
    RESUMED = "resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is read of an audit entry. `personal` holds what has not been erased."""

    at: Instant
    seq: int
    tag: str
    facts: Mapping[str, object]
    personal: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One event, or `count` of them from `since` to `at`. Texts are "" where they are not known, or were erased.

    Texts come from callers: escape them.
    """

    kind: ActivityKind
    at: Instant
    """Of a group, the newest."""
    since: Instant
    """Of a group, the oldest; else `at`."""
    count: int = 1
    more: bool = False
    """There may be more of this group, before `since`."""
    address: str = ""
    """Of a group, the newest."""
    addresses: int = 1
    """How many different ones are in a group, of those that are known."""
    user_agent: str = ""
    device: DeviceId | None = None
    device_name: str = ""
    session: SessionId | None = None
    audience: str = ""
    """The app that a token is for."""
    level: int | None = None
    """The new level."""
