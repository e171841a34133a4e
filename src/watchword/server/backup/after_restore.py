"""After a restore: whatever was proven, handed out or used up behind the backup's back ends here.

The data is as it was when the backup was taken. What was revoked since is good again, what was used up since can be
used again, and what was issued since still verifies: `PROOFS` says of every table what that means. Each step may be
repeated; the mark that keeps the server from starting goes last.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchword.crypto.certificates import format_fingerprint
from watchword.errors import ConflictError, DamagedError
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.core import Core
from watchword.server.db.restored import FIND_MARK, RESTORED, RestoredMark
from watchword.server.db.unit import GuardError, Unit
from watchword.server.operator.model import LocalOperator

_STEP: Final = 5000
"""Rows in one unit."""


class Ends(enum.Enum):
    """What happens to the rows of a table."""

    NO = enum.auto()
    """They prove nothing by themselves."""
    KEYS = enum.auto()
    """By rotation of the keys."""
    SESSIONS = enum.auto()
    """All of them, unless the operator keeps them."""
    ALWAYS = enum.auto()


PROOFS: Final[Mapping[str, Ends]] = {
    "accounts": Ends.NO,
    "audit_entries": Ends.NO,
    "bans": Ends.NO,
    "changes": Ends.NO,
    "chest_keys": Ends.NO,
    "chests": Ends.NO,
    "data_keys": Ends.NO,
    "devices": Ends.NO,  # a device alone signs nobody in: it needs a session, and that the password
    "enrolment_credentials": Ends.ALWAYS,
    "guessing_lanes": Ends.NO,
    "invites": Ends.ALWAYS,
    "key_state": Ends.KEYS,
    "logins": Ends.NO,
    "meta": Ends.NO,
    "offences": Ends.NO,
    "retired_seeds": Ends.NO,
    "server_certificates": Ends.NO,
    "server_keys": Ends.KEYS,
    "sessions": Ends.SESSIONS,
}
"""Every table there is: a test holds this against the schema, so that a new one is thought of."""

_DROP_MARK: Final = "delete from meta where name = :name and value = :value"
_LIVE_SESSIONS: Final = "select count(*) from sessions where ended_at is null"
_END_SESSIONS: Final = (
    "update sessions set ended_at = :now "
    "where id in (select id from sessions where ended_at is null order by id limit :step)"
)
_CREDENTIALS: Final = "select count(*) from enrolment_credentials"
_DROP_CREDENTIALS: Final = (
    "delete from enrolment_credentials "
    "where selector in (select selector from enrolment_credentials order by selector limit :step)"
)
_OPEN_INVITES: Final = "select count(*) from invites where used_at is null and expires_at > :now"
_END_INVITES: Final = "update invites set expires_at = :now where used_at is null and expires_at > :now"
_CHAINS: Final = "select node, max(seq) from audit_entries group by node order by node"
_MAC: Final = "select mac from audit_entries where node = :node and seq = :seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the step did."""

    mark: RestoredMark
    fingerprint: str
    """Of the root that clients must trust from now on."""
    sessions: int
    credentials: int
    invites: int
    signing_key: str
    document_number: int


async def end_proofs(core: Core, by: LocalOperator, *, keep_sessions: bool) -> Ended:
    """End every proof that may be newer than the backup, and let the server start.

    Raises:
        ConflictError: this data was not restored, or the step was done.
    """
    found = await _find_mark(core)
    if found is None:
        raise ConflictError("nothing is to be done: this data was not restored, or after-restore was run")
    raw, mark = found
    chains = await _chains(core, but=core.audit_node)
    await _new_signing_key(core, by)
    await core.keys.skip_document_numbers(by=by.facts())
    sessions = 0 if keep_sessions else await _repeat(core, _LIVE_SESSIONS, _END_SESSIONS)
    credentials = await _repeat(core, _CREDENTIALS, _DROP_CREDENTIALS)
    now = core.clock.now()
    invites = await _count(core, _OPEN_INVITES, {"now": now})
    ended = Ended(
        mark=mark,
        fingerprint=format_fingerprint(core.keys.root_fingerprint()),
        sessions=sessions,
        credentials=credentials,
        invites=invites,
        signing_key=core.keys.signing_key.kid,
        document_number=core.keys.document_number,
    )
    unit = Unit(key=RESTORED.encode())
    unit.add(_DROP_MARK, {"name": RESTORED, "value": raw}, guard="mark")
    unit.add(_END_INVITES, {"now": now})
    _note(unit, ended, chains, by, core)
    try:
        await core.database.commit(unit)
    except GuardError:
        raise ConflictError("another node ran after-restore at the same time") from None
    return ended


def _note(unit: Unit, ended: Ended, chains: Mapping[str, ChainHead], by: LocalOperator, core: Core) -> None:
    """One entry for the step, and one for each chain that the restore ended: see `AuditService.verify`."""
    now = core.clock.now()
    facts: dict[str, str | int] = {
        "backup": ended.mark.backup,
        "taken_at": ended.mark.taken_at,
        "restored_at": ended.mark.restored_at,
    }
    for node, head in chains.items():
        ends: dict[str, str | int] = {"node": node, "seq": head.seq, "mac": head.mac.hex()}
        unit.note(AuditEvent(tag=AuditTag.CHAIN_ENDED_BY_RESTORE, at=now, facts={**facts, **ends}))
    counts = {"sessions": ended.sessions, "credentials": ended.credentials, "invites": ended.invites}
    unit.note(AuditEvent(tag=AuditTag.DATA_RESTORED, at=now, facts={**facts, **counts, **by.facts()}))


async def _new_signing_key(core: Core, by: LocalOperator) -> None:
    """A key that no backup holds: one that waited in it may have signed since."""
    known = {each.key for each in core.keys.status() if each.use == "signing"}
    while core.keys.signing_key.kid in known:
        await core.keys.rotate("signing", at_once=True, by=by.facts())


async def _repeat(core: Core, counting: str, ending: str) -> int:
    """Run `ending` in steps until nothing is left; how many rows there were."""
    total = left = await _count(core, counting, {})
    while left > 0:
        unit = Unit(key=RESTORED.encode())
        unit.add(ending, {"now": core.clock.now(), "step": _STEP})
        await core.database.commit(unit)
        left = await _count(core, counting, {})
    return total


async def _chains(core: Core, *, but: str) -> dict[str, ChainHead]:
    """Where every chain but our own ends: their nodes write no more."""
    found: dict[str, ChainHead] = {}
    for node, seq in await core.database.fetch_all(_CHAINS, {}):
        row = await core.database.fetch_one(_MAC, {"node": node, "seq": seq})
        if node == but or row is None:
            continue
        if not isinstance(node, str) or not isinstance(seq, int) or not isinstance(row[0], bytes):
            raise DamagedError("an audit entry cannot be read: run `watchword audit verify`")
        found[node] = ChainHead(seq=seq, mac=row[0])
    return found


async def _find_mark(core: Core) -> tuple[bytes, RestoredMark] | None:
    row = await core.database.fetch_one(FIND_MARK, {"name": RESTORED})
    if row is None:
        return None
    mark = RestoredMark.parse(row[0])
    return (row[0] if isinstance(row[0], bytes) else b""), mark


async def _count(core: Core, sql: str, parameters: Mapping[str, int]) -> int:
    row = await core.database.fetch_one(sql, parameters)
    return row[0] if row is not None and isinstance(row[0], int) else 0
