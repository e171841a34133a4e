"""What the control socket shows: accounts, invitations, bans, keys, the audit trail; no verifier, no key, no seed."""

import json
from typing import Any

from watchword.server.accounts.model import Account, Invite
from watchword.server.audit.entry import AuditEntry
from watchword.server.audit.lines import as_json_line
from watchword.server.audit.service import AuditReport
from watchword.server.audit.verify import Problem
from watchword.server.bans.model import Ban
from watchword.server.keys.model import KeyStatus
from watchword.server.operator.model import AccountDetails
from watchword.server.sessions.model import Session


def account(found: Account) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "username": found.username,
        "display_name": found.display_name,
        "email": found.email,
        "level": found.level,
        "state": found.state.value,
        "password_version": found.password_version,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def details(found: AccountDetails) -> dict[str, Any]:
    return {
        **account(found.account),
        "devices": found.devices,
        "sessions": [_session(each) for each in found.sessions],
    }


def _session(found: Session) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "device": str(found.device_id),
        "device_name": found.device_name,
        "address": found.address,
        "user_agent": found.user_agent,
        "created_at": found.created_at,
        "expires_at": found.expires_at,
    }


def invite(found: Invite) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "level": found.level,
        "note": found.note,
        "created_at": found.created_at,
        "expires_at": found.expires_at,
    }


def ban(found: Ban) -> dict[str, Any]:
    """`ends_at` is null for a ban for ever."""
    return {
        **lifted(found),
        "made_at": found.made_at,
        "ends_at": None if found.is_for_ever else found.ends_at,
        "doublings": found.doublings,
    }


def lifted(found: Ban) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "network": found.network,
        "reason": found.reason.value,
        "note": found.note,
    }


def key(found: KeyStatus) -> dict[str, Any]:
    return {
        "use": found.use,
        "key": found.key,
        "state": found.state,
        "created_at": found.created_at,
        "changes_at": found.changes_at,
    }


def entry(found: AuditEntry) -> dict[str, Any]:
    """As in an exported line."""
    shown: dict[str, Any] = json.loads(as_json_line(found))
    return shown


def report(found: AuditReport) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "entries": found.entries,
        "erased": found.erased,
        "checkpoints": found.checkpoints,
        "heads": {node: {"seq": head.seq, "mac": head.mac.hex()} for node, head in found.heads.items()},
        "problems": [_problem(each) for each in found.problems],
        "more_problems": found.more_problems,
        "notes": found.notes,
    }


def _problem(found: Problem) -> dict[str, Any]:
    return {
        "kind": found.kind.value,
        "node": found.node,
        "seq": found.seq,
        "line": found.line,
        "detail": found.detail,
        "text": str(found),
    }
