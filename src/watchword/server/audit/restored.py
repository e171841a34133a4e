"""What a restore does to the trail: a chain ends where the backup was taken, and newer checkpoints name more entries.

The entry that says so stands in another chain, under its MAC, so whoever changes the database alone cannot excuse a cut
that way. What was cut is exactly what the entry names, or it stays a finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Instant, iso
from watchword.errors import MalformedError
from watchword.server.audit.entry import AuditEntry, decode_object
from watchword.server.audit.model import AuditTag
from watchword.server.audit.verify import Problem, ProblemKind

_TAG: Final = AuditTag.CHAIN_ENDED_BY_RESTORE.value


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedChain:
    """A chain whose newest entry is `seq`, since the backup was taken at `taken_at`."""

    node: str
    seq: int
    taken_at: Instant
    restored_at: Instant


def note_restore(entry: AuditEntry, ended: dict[str, EndedChain]) -> None:
    """Take note of an entry, which was verified, if it says that a restore ended a chain."""
    if entry.tag != _TAG:
        return
    try:
        facts = decode_object(entry.facts)
    except MalformedError:
        return
    node, seq = facts.get("node"), facts.get("seq")
    taken_at, restored_at = facts.get("taken_at"), facts.get("restored_at")
    if (
        isinstance(node, str)
        and isinstance(seq, int)
        and isinstance(taken_at, int)
        and isinstance(restored_at, int)
    ):
        ended[node] = EndedChain(
            node=node, seq=seq, taken_at=Instant(taken_at), restored_at=Instant(restored_at)
        )


def explain_restores(problems: list[Problem], notes: list[str], ended: Mapping[str, EndedChain]) -> None:
    """Turn findings that a restore explains into notes."""
    for problem in list(problems):
        chain = ended.get(problem.node)
        if chain is None or problem.kind is not ProblemKind.CUT_OFF or problem.seq != chain.seq + 1:
            continue
        problems.remove(problem)
        notes.append(
            f"node {chain.node!r}: {problem.detail} by the restore of {iso(chain.restored_at)}: the backup was taken"
            f" at {iso(chain.taken_at)}, when the chain ended with entry {chain.seq}"
        )
