"""Reading, verifying and erasing. Writing is `AuditChain`, which the database's writer calls."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from watchword.core.clock import MINUTE, Clock, Instant, later
from watchword.core.ids import RequestId
from watchword.errors import ConflictError, DamagedError, MalformedError
from watchword.server.audit.checkpoint_file import CheckpointFile, read_checkpoints
from watchword.server.audit.checkpoints import Checkpoint, VerifyingKeys
from watchword.server.audit.entry import AuditEntry, ChainHead
from watchword.server.audit.erase import Erasure
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.audit.restored import EndedChain, explain_restores, note_restore
from watchword.server.audit.scan import list_nodes, scan
from watchword.server.audit.sql import parse_row, set_personal
from watchword.server.audit.store import AuditStore
from watchword.server.audit.verify import AuditKeys, ChainVerifier, KeyRing, Problem, ProblemKind
from watchword.server.db.unit import GuardError, Row, Unit

MAX_TAIL: Final = 1000
MAX_PROBLEMS: Final = 1000
"""Enough to see what happened; a report of ten million lines would fill the memory."""
_ERASE_WINDOW: Final = 500
_ERASE_STEP: Final = 100
"""Entries changed by one step beside a server at work, whose writer takes some 50 ms for them on a busy machine."""
_REQUEST_SPAN: Final = 10 * MINUTE
"""Longer than any request lasts."""
_END_OF_TIME: Final = (1 << 63) - 1
_UNREADABLE: Final = "an audit entry cannot be read; verify the trail"

Progress = Callable[[int], None]
"""Told how many entries have been checked so far."""
Heads = Mapping[str, ChainHead]


@dataclass(slots=True, kw_only=True)
class AuditReport:
    """What a verification found."""

    entries: int = 0
    erased: int = 0
    """Entries of which personal values were erased. That is no damage."""
    checkpoints: int = 0
    heads: dict[str, ChainHead] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0
    """How many there are beyond MAX_PROBLEMS."""
    notes: list[str] = field(default_factory=list)
    """What looks like damage and is none: a chain that a restore ended before its last checkpoint."""

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if len(self.problems) < MAX_PROBLEMS:
                self.problems.append(problem)
            else:
                self.more_problems += 1


class AuditService:
    """`live` gives the heads that the running server knows by itself: a cut behind them is found at once."""

    def __init__(
        self,
        *,
        store: AuditStore,
        keys: AuditKeys,
        verifying_keys: VerifyingKeys,
        checkpoints: CheckpointFile,
        clock: Clock,
        live: Callable[[], Heads] = dict,
    ) -> None:
        self._store = store
        self._keys = keys
        self._verifying_keys = verifying_keys
        self._checkpoints = checkpoints
        self._clock = clock
        self._live = live

    async def tail(self, limit: int = 50, after: Mapping[str, int] | None = None) -> list[AuditEntry]:
        """The newest entries; or, with `after` (node to sequence number), the next ones behind those.

        At most `limit` (up to MAX_TAIL). Each node's entries stand in their order; nodes are merged by time.
        Raises `DamagedError` when a row cannot be read: then `verify` says which.
        """
        limit = max(0, min(limit, MAX_TAIL))
        chains = [await self._part(node, limit, after) for node in await self._nodes()]
        merged = list(heapq.merge(*chains, key=lambda entry: entry.at))
        return merged[:limit] if after is not None else merged[len(merged) - limit :]

    async def of_request(self, request: RequestId) -> list[AuditEntry]:
        """What the audit trail says of one request, the oldest first; nothing where it changed nothing.

        Its id tells when it began. Raises `DamagedError` when a row cannot be read.
        """
        since = request.began_at
        found: list[AuditEntry] = []
        for node in await self._nodes():
            rows = await self._store.with_fact(
                node, str(request), since=since, until=later(since, _REQUEST_SPAN), limit=MAX_TAIL
            )
            found += _parse_all(rows)
        return sorted(found, key=lambda entry: entry.at)

    async def follow(
        self, after: Mapping[str, int] | None = None, *, every: float = 0.5
    ) -> AsyncIterator[AuditEntry]:
        """Entries as they appear, for ever; from now on without `after`. Looks again after `every` seconds."""
        seen = dict(after) if after is not None else await self._ends()
        while True:
            found = await self.tail(MAX_TAIL, seen)
            for entry in found:
                seen[entry.node] = entry.seq
                yield entry
            if len(found) < MAX_TAIL:
                await asyncio.sleep(every)

    async def verify(self, progress: Progress | None = None, *, known: Heads | None = None) -> AuditReport:
        """Check every entry and every checkpoint, page by page, beside the running server.

        `known` are heads that somebody wrote down elsewhere: held against the trail as checkpoints are.
        """
        report = AuditReport()
        demanded = [*self._live().items(), *(known or {}).items()]  # before reading: what came later may miss
        signed = await asyncio.to_thread(self._read_checkpoints, report)
        for node, head in demanded:
            report.add(_demand(signed, node, head))
        nodes, whole = await list_nodes(self._store)
        if not whole:
            report.add([Problem(kind=ProblemKind.MALFORMED, detail="a node's name cannot be read")])
        ended: dict[str, EndedChain] = {}
        for name in sorted({*nodes, *signed}):
            await self._verify_chain(name, signed.get(name, {}), report, progress, ended)
        explain_restores(report.problems, report.notes, ended)
        return report

    async def erase_personal(self, erasure: Erasure) -> int:
        """Erase the selected values; returns how many. Each step and its audit entry are one transaction.

        Raises `ConflictError` when another erasure took values of the same step; what was done before stays done.
        """
        erased = 0
        for node, end in (await self._ends()).items():
            for after in range(0, end, _ERASE_WINDOW):
                erased += await self._erase_window(node, after, min(after + _ERASE_WINDOW, end), erasure)
        return erased

    async def erase_next(self, node: str, field: str, before: Instant, *, after: int, until: int) -> int:
        """Erase `field` of the first entries of `node` behind `after` that hold it and are older; where to go on.

        One step of bounded size: `until` is returned once nothing is left up to there. Raises `ConflictError` as
        `erase_personal`.
        """
        rows = await self._store.holding(
            node, field, after=after, until=until, before=before, limit=_ERASE_STEP
        )
        entries = _parse_all(rows)
        end = entries[-1].seq if len(entries) == _ERASE_STEP else until
        if entries:
            erasure = Erasure(fields=frozenset({field}), before=before)
            await self._erase(entries, node, entries[0].seq, entries[-1].seq, erasure)
        return end

    async def ends(self) -> dict[str, int]:
        """Each node's newest sequence number: where `follow` can go on from."""
        return await self._ends()

    async def _nodes(self) -> list[str]:
        nodes, _whole = await list_nodes(self._store)
        return nodes

    async def _ends(self) -> dict[str, int]:
        """The last sequence number of each node."""
        return {
            node: part[-1].seq for node in await self._nodes() if (part := await self._part(node, 1, None))
        }

    async def _part(self, node: str, limit: int, after: Mapping[str, int] | None) -> list[AuditEntry]:
        try:
            if after is None:
                return _parse_all(await self._store.newest(node, limit=limit))
            return _parse_all(await self._store.page(node, start=after.get(node, 0) + 1, limit=limit))
        except UnicodeDecodeError:
            raise DamagedError(_UNREADABLE) from None

    def _read_checkpoints(self, report: AuditReport) -> dict[str, dict[int, bytes]]:
        signed: dict[str, dict[int, bytes]] = {}
        last: dict[str, int] = {}
        try:
            for line, found in read_checkpoints(self._checkpoints.paths, self._verifying_keys):
                if isinstance(found, Problem):
                    report.add([found])
                    continue
                report.checkpoints += 1
                report.add(_check_order(found, last.get(found.node, 0), line))
                report.add(_demand(signed, found.node, found.head, line))
                last[found.node] = found.head.seq
        except OSError as error:
            detail = f"the checkpoints cannot be read: {error.strerror}"
            report.add([Problem(kind=ProblemKind.CHECKPOINT_DAMAGED, detail=detail)])
        if not report.checkpoints:
            report.add([Problem(kind=ProblemKind.NO_CHECKPOINTS, detail="there are no checkpoints")])
        return signed

    async def _verify_chain(
        self,
        node: str,
        signed: Mapping[int, bytes],
        report: AuditReport,
        progress: Progress | None,
        ended: dict[str, EndedChain],
    ) -> None:
        verifier = ChainVerifier(node=node, keys=KeyRing(self._keys), checkpoints=signed)
        before = report.entries
        async for page in scan(self._store, node):
            for seq, found in page:
                problems = list(_check(verifier, seq, found))
                report.add(problems)
                if not problems and isinstance(found, AuditEntry):
                    note_restore(found, ended)
            report.entries = before + verifier.entries
            if progress is not None:
                progress(report.entries)
            await asyncio.sleep(0)  # a page is a few milliseconds of work: others first
        report.add(verifier.finish())
        report.erased += verifier.erased
        report.heads[node] = verifier.last

    async def _erase_window(self, node: str, after: int, until: int, erasure: Erasure) -> int:
        before = _END_OF_TIME if erasure.before is None else erasure.before
        fact = None if erasure.account is None else str(erasure.account)
        rows = await self._store.personal(node, after=after, until=until, before=before, fact=fact)
        return await self._erase(_parse_all(rows), node, after + 1, until, erasure)

    async def _erase(
        self, entries: Iterable[AuditEntry], node: str, first: int, last: int, erasure: Erasure
    ) -> int:
        unit = Unit(key=b"audit")
        erased = 0
        for entry in entries:
            gone, kept = erasure.keep(entry)
            if gone:
                set_personal(unit, entry, kept)
                erased += gone
        if erased:
            facts = {**erasure.facts(), "node": node, "first": first, "last": last, "values": erased}
            unit.note(AuditEvent(tag=AuditTag.AUDIT_ERASED, at=self._clock.now(), facts=facts))
            await self._commit(unit)
        return erased

    async def _commit(self, unit: Unit) -> None:
        try:
            await self._store.commit(unit)
        except GuardError:
            raise ConflictError("another erasure is at work; try again") from None


def _check(verifier: ChainVerifier, seq: int, found: AuditEntry | MalformedError) -> Iterator[Problem]:
    return verifier.feed(found) if isinstance(found, AuditEntry) else verifier.skip(seq, found)


def _parse_all(rows: Sequence[Row]) -> list[AuditEntry]:
    try:
        return [parse_row(row) for row in rows]
    except MalformedError:
        raise DamagedError(_UNREADABLE) from None


def _check_order(checkpoint: Checkpoint, last_seq: int, line: int) -> Iterator[Problem]:
    if checkpoint.head.seq <= last_seq:
        yield Problem(
            kind=ProblemKind.CHECKPOINT_MISMATCH,
            node=checkpoint.node,
            seq=checkpoint.head.seq,
            line=line,
            detail=f"the chain went back from entry {last_seq}: an older database was put in its place",
        )


def _demand(
    signed: dict[str, dict[int, bytes]], node: str, head: ChainHead, line: int | None = None
) -> Iterator[Problem]:
    """Add `head` to what the chain of `node` must hold."""
    if head.seq == 0:
        return
    known = signed.setdefault(node, {}).setdefault(head.seq, head.mac)
    if known != head.mac:  # compare: both are our own records
        detail = "two heads are known for this entry"
        yield Problem(kind=ProblemKind.CHECKPOINT_MISMATCH, node=node, seq=head.seq, line=line, detail=detail)
