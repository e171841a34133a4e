"""Finding what was done to a trail: each entry against its MAC, its neighbour, its commitments, checkpoints.

`ChainVerifier` is fed the entries of one node in the order in which they are stored, and keeps none of them.
Whatever it is fed, it reports and goes on, so that one pass names every place.
"""

import enum
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from watchword.core.secret import Secret
from watchword.errors import KeyUnknownError, MalformedError
from watchword.server.audit.entry import GENESIS, AuditEntry, ChainHead, chain_key, inspect_personal
from watchword.server.audit.lines import parse_lines

AuditKeys = Callable[[int], Secret]
"""The audit data key of a version; raises `KeyUnknownError` when there is none."""


class ProblemKind(enum.StrEnum):
    MALFORMED = "malformed"
    GAP = "gap"
    OUT_OF_ORDER = "out-of-order"
    DUPLICATE = "duplicate"
    CHANGED = "changed"
    UNLINKED = "unlinked"
    PERSONAL_CHANGED = "personal-changed"
    UNKNOWN_KEY = "unknown-key"
    CUT_OFF = "cut-off"
    CHECKPOINT_MISMATCH = "checkpoint-mismatch"
    CHECKPOINT_DAMAGED = "checkpoint-damaged"
    NO_CHECKPOINTS = "no-checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, and where: `seq` in the chain of `node`; `line`, from 1, in the file that was read."""

    kind: ProblemKind
    node: str = ""
    seq: int | None = None
    line: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        where = [f"node {self.node!r}"] if self.node else []
        where += [f"entry {self.seq}"] if self.seq is not None else []
        where += [f"line {self.line}"] if self.line is not None else []
        return f"{', '.join(where) or 'audit'}: {self.detail or self.kind}"


class KeyRing:
    """The chain keys of all versions, each derived once."""

    def __init__(self, keys: AuditKeys) -> None:
        self._keys = keys
        self._derived: dict[int, Secret | None] = {}

    def get(self, version: int) -> Secret | None:
        """The chain key of a version, or None when there is none."""
        if version not in self._derived:
            try:
                self._derived[version] = chain_key(self._keys(version))
            except KeyUnknownError:
                self._derived[version] = None
        return self._derived[version]


@dataclass(slots=True, kw_only=True)
class ChainVerifier:
    """One node's chain. `checkpoints` maps a sequence number to the MAC that was signed for it.

    With `whole` the chain must begin at 1; without, it may begin anywhere (an export of a part).
    """

    node: str
    keys: KeyRing
    checkpoints: Mapping[int, bytes] = field(default_factory=dict)
    whole: bool = True
    entries: int = 0
    erased: int = 0
    last: ChainHead = field(default_factory=ChainHead)
    _accepted: tuple[bytes, ...] = (GENESIS,)
    """What the next entry may name as its previous MAC; empty when a gap leaves it unknown."""

    def feed(self, entry: AuditEntry, *, line: int | None = None) -> Iterator[Problem]:
        """Check the next entry."""
        for kind, detail in self._check(entry):
            yield Problem(kind=kind, node=self.node, seq=entry.seq, line=line, detail=detail)

    def skip(self, seq: int, error: MalformedError, *, line: int | None = None) -> Iterator[Problem]:
        """Take note of an entry that cannot be read; the next one is not held against it."""
        self.entries += 1
        detail = f"the entry cannot be read: {error.detail}"
        yield Problem(kind=ProblemKind.MALFORMED, node=self.node, seq=seq, line=line, detail=detail)
        if seq == self.last.seq + 1:
            self.last = ChainHead(seq=seq)
            self._accepted = ()

    def finish(self) -> Iterator[Problem]:
        """Check that the chain reaches the newest checkpoint."""
        newest = max(self.checkpoints, default=0)
        if self.last.seq < newest:
            gone = f"entries {self.last.seq + 1} to {newest} were cut off"
            yield Problem(kind=ProblemKind.CUT_OFF, node=self.node, seq=self.last.seq + 1, detail=gone)

    def _check(self, entry: AuditEntry) -> Iterator[tuple[ProblemKind, str]]:
        self.entries += 1
        computed = self._compute(entry)
        if computed is None:
            yield ProblemKind.UNKNOWN_KEY, f"there is no audit key of version {entry.key_version}"
        elif not hmac.compare_digest(computed, entry.mac):
            yield ProblemKind.CHANGED, "the entry was changed: its MAC does not match"
        yield from self._check_personal(entry)
        yield from self._check_place(entry, computed or entry.mac)

    def _compute(self, entry: AuditEntry) -> bytes | None:
        key = self.keys.get(entry.key_version)
        if key is None or entry.node != self.node:
            return None if key is None else b""
        return entry.compute_mac(key)

    def _check_personal(self, entry: AuditEntry) -> Iterator[tuple[ProblemKind, str]]:
        try:
            personal = inspect_personal(entry)
        except MalformedError as error:
            yield ProblemKind.PERSONAL_CHANGED, f"the personal values cannot be read: {error.detail}"
            return
        self.erased += bool(personal.erased)
        for name in personal.mismatched:
            yield ProblemKind.PERSONAL_CHANGED, f"the value of {name!r} is not the one committed to"

    def _check_place(self, entry: AuditEntry, computed: bytes) -> Iterator[tuple[ProblemKind, str]]:
        expected = self.last.seq + 1
        if entry.seq < expected and self.entries > 1:
            kind = ProblemKind.DUPLICATE if entry.seq == self.last.seq else ProblemKind.OUT_OF_ORDER
            yield kind, f"entry {entry.seq} stands after entry {self.last.seq}"
            return
        if entry.seq > expected and (self.whole or self.entries > 1):
            yield ProblemKind.GAP, f"entries {expected} to {entry.seq - 1} are missing"
        elif entry.seq == expected and self._accepted and entry.previous_mac not in self._accepted:
            yield ProblemKind.UNLINKED, f"it does not follow entry {expected - 1}"
        yield from self._check_checkpoint(entry)
        self.last = ChainHead(seq=entry.seq, mac=entry.mac)
        # A changed MAC column is one finding, not two: the next entry may name the MAC that should be there.
        self._accepted = (entry.mac, computed)

    def _check_checkpoint(self, entry: AuditEntry) -> Iterator[tuple[ProblemKind, str]]:
        signed = self.checkpoints.get(entry.seq)
        if signed is not None and not hmac.compare_digest(signed, entry.mac):
            yield ProblemKind.CHECKPOINT_MISMATCH, "a signed checkpoint holds another MAC for this entry"


def verify_lines(lines: Iterable[bytes], *, keys: AuditKeys) -> Iterator[Problem]:
    """Check an export (`lines.as_json_line`), which may be a part of a trail and may hold several nodes."""
    ring = KeyRing(keys)
    chains: dict[str, ChainVerifier] = {}
    last: ChainVerifier | None = None
    for line, found in enumerate(parse_lines(lines), start=1):
        if isinstance(found, AuditEntry):
            last = chains.setdefault(found.node, ChainVerifier(node=found.node, keys=ring, whole=False))
            yield from last.feed(found, line=line)
        elif last is not None:  # most likely the next entry of the node whose entry stands before it
            yield from last.skip(last.last.seq + 1, found, line=line)
        else:
            detail = f"the line cannot be read: {found.detail}"
            yield Problem(kind=ProblemKind.MALFORMED, line=line, detail=detail)
