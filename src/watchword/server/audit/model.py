"""What an audit entry says. Tags are `subject:object:action`; values are never credentials or plaintext."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from watchword.core.clock import Instant


class AuditTag(enum.StrEnum):
    """The events there are. Values are kept for ever: add, never rename."""

    SERVER_STARTED = "server:process:start"
    SERVER_STOPPED = "server:process:stop"
    KEYS_ROTATED = "operator:keys:rotate"
    ACCOUNT_REGISTERED = "account:account:register"
    REGISTRATION_REFUSED = "account:account:register-refused"
    LOGIN_SUCCEEDED = "account:session:login"
    LOGIN_REFUSED = "account:session:login-refused"
    DEVICE_ENROLLED = "account:device:enrol"
    ENROLMENT_REFUSED = "account:device:enrol-refused"
    TOKEN_ISSUED = "account:token:issue"  # noqa: S105  # a tag
    SESSION_ENDED = "account:session:end"
    SESSIONS_ENDED = "account:session:end-all"
    PASSWORD_CHANGED = "account:password:change"  # noqa: S105  # a tag
    PASSWORD_CHANGE_REFUSED = "account:password:change-refused"  # noqa: S105  # a tag
    LANE_CLOSED = "account:lane:close"
    LANE_OPENED = "account:lane:open"
    DEVICE_ENDED = "account:device:end-by-guessing"
    REQUEST_REFUSED = "caller:request:refuse"
    LEVEL_SET = "operator:account:set-level"
    ACCOUNT_SUSPENDED = "operator:account:suspend"
    ACCOUNT_RESUMED = "operator:account:resume"
    ACCOUNT_DELETED = "operator:account:delete"
    INVITE_MADE = "operator:invite:make"
    BACKUP_BEGUN = "operator:data:backup"
    DATA_RESTORED = "operator:data:restore"
    CHAIN_ENDED_BY_RESTORE = "operator:audit:end-chain"
    AUDIT_ERASED = "operator:audit:erase"
    BAN_ADDED = "operator:ban:add"
    BAN_LIFTED = "operator:ban:lift"
    ADDRESS_BANNED = "door:address:ban"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that happened.

    `facts` are ids, codes and numbers that stay for ever. `personal` (address, username, device name, user agent)
    is stored beside salted commitments, so that it can be erased later and the chain still verifies.
    """

    tag: AuditTag
    at: Instant
    facts: Mapping[str, str | int] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)
