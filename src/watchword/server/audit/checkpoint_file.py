"""The file of checkpoints: appending so that a power cut costs one line at most, and reading it all back.

`checkpoints.jsonl` grows to MAX_FILE bytes, then becomes `checkpoints.1.jsonl` (replacing the last one) and
a new file goes on with the next number: at most two files, at least a month of uninterrupted activity.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchword.core.clock import Instant
from watchword.errors import InvalidConfigError, KeyUnknownError, MalformedError, SignatureError
from watchword.server.audit.checkpoints import (
    FIRST,
    MAX_LINE,
    Checkpoint,
    CheckpointSigner,
    VerifyingKeys,
    encode_checkpoint,
    explain,
    line_hash,
    read_unverified,
    verify_checkpoint,
)
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.verify import Problem, ProblemKind
from watchword.server.data_directory import sync_directory

MAX_FILE: Final = 24 << 20
_FLAGS: Final = os.O_APPEND | os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE: Final = 0o600
_TAIL: Final = 2 * MAX_LINE


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEnd:
    """The last line of a file: its number, the head it signed (None when it cannot be read), whose, its hash."""

    number: int = 0
    node: str = ""
    head: ChainHead | None = None
    digest: bytes = FIRST


class CheckpointFile:
    """Appends; one process at a time.

    Calls may raise `OSError` (then the file is as it was), and `InvalidConfigError` for a strange file.
    """

    def __init__(self, path: Path, *, max_size: int = MAX_FILE) -> None:
        self._path = path
        self._older = path.with_name(f"{path.stem}.1{path.suffix}")
        self._max_size = max_size
        self._end: FileEnd | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that exist, oldest first."""
        return tuple(path for path in (self._older, self._path) if path.exists())

    def open(self) -> FileEnd:
        """Find where to go on. A line that a power cut left unfinished at the end is cut away."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = self._descriptor()
        try:
            self._end = _repair(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(self._path.parent)
        if self._end.number == 0 and self._older.exists():
            self._end = _last_of(self._older.read_bytes())
        return self._end

    def append(self, *, node: str, head: ChainHead, at: Instant, signer: CheckpointSigner) -> bool:
        """Add a checkpoint, on disk when this returns; False when the head is the one signed last."""
        end = self._end or self.open()
        if head.seq == 0 or end.head == head:
            return False
        checkpoint = Checkpoint(number=end.number + 1, node=node, head=head, at=at, previous=end.digest)
        line = encode_checkpoint(checkpoint, signer)
        self._rotate_if_full(len(line))
        self._write(line)
        self._end = FileEnd(number=checkpoint.number, node=node, head=head, digest=line_hash(line[:-1]))
        return True

    def _rotate_if_full(self, more: int) -> None:
        if self._path.exists() and self._path.stat().st_size + more > self._max_size:
            self._path.replace(self._older)

    def _write(self, line: bytes) -> None:
        is_new = not self._path.exists()
        descriptor = self._descriptor()
        try:
            _append_all(descriptor, line)
        finally:
            os.close(descriptor)
        if is_new:
            sync_directory(self._path.parent)

    def _descriptor(self) -> int:
        """Opened anew each time: a file that was removed or moved away is not written to unseen for ever."""
        descriptor = os.open(self._path, _FLAGS, _MODE)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
            os.close(descriptor)
            raise InvalidConfigError(f"{self._path.name} is not a regular file of mode 0600")
        return descriptor


def _append_all(descriptor: int, line: bytes) -> None:
    """All of `line` and on disk, or (disk full) nothing of it."""
    before = os.fstat(descriptor).st_size
    try:
        _write_whole(descriptor, line)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def _write_whole(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) != len(line):
        raise OSError(errno.ENOSPC, "the disk took a part of the line")


def _repair(descriptor: int) -> FileEnd:
    tail = _read_tail(descriptor)
    while tail and not tail.endswith(b"\n"):
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - torn)
        os.fsync(descriptor)
        tail = _read_tail(descriptor)
    return _last_of(tail)


def _read_tail(descriptor: int) -> bytes:
    return os.pread(descriptor, _TAIL, max(0, os.fstat(descriptor).st_size - _TAIL))


def _last_of(data: bytes) -> FileEnd:
    lines = data[-_TAIL:].split(b"\n")[:-1]
    if not lines:
        return FileEnd()
    try:
        last = read_unverified(lines[-1])
    except MalformedError:  # damage, not a torn write: go on after it, and let verification report it
        return FileEnd(number=len(lines), digest=line_hash(lines[-1]))
    return FileEnd(number=last.number, node=last.node, head=last.head, digest=line_hash(lines[-1]))


Reading = tuple[int, Checkpoint | Problem]
"""A line's number, from 1 over all files, with what it says or what is wrong with it."""


def read_checkpoints(paths: tuple[Path, ...], keys: VerifyingKeys) -> Iterator[Reading]:
    """Every line of the files, oldest file first."""
    # A second file means that older ones were dropped: then the first line may follow one that is gone.
    reader = _Reader(
        keys=keys, number=None if len(paths) > 1 else 0, previous=None if len(paths) > 1 else FIRST
    )
    for place, path in enumerate(paths, start=1):
        with path.open("rb") as file:
            for line in iter(lambda: file.readline(MAX_LINE), b""):
                yield from reader.read(line, may_be_torn=place == len(paths))


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Where the reading stands: what the next line must follow; None where that is not known."""

    keys: VerifyingKeys
    number: int | None
    previous: bytes | None
    line: int = 0

    def read(self, raw: bytes, *, may_be_torn: bool) -> Iterator[Reading]:
        line = raw.removesuffix(b"\n")
        self.line += 1
        try:
            checkpoint = verify_checkpoint(line, self.keys)
        except (MalformedError, KeyUnknownError, SignatureError) as error:
            if may_be_torn and line is raw:
                return  # the power went while it was written, or it is being written now
            yield self.line, self._problem(explain(error))
            self.number = None if self.number is None else self.number + 1
        else:
            yield from self._check_place(checkpoint)
            yield self.line, checkpoint
            self.number = checkpoint.number
        self.previous = line_hash(line)

    def _check_place(self, checkpoint: Checkpoint) -> Iterator[Reading]:
        if self.number is not None and checkpoint.number != self.number + 1:
            detail = f"checkpoint {checkpoint.number} stands where {self.number + 1} should"
            yield self.line, self._problem(detail)
        elif self.previous is not None and checkpoint.previous != self.previous:
            yield self.line, self._problem("the checkpoint before it was changed")

    def _problem(self, detail: str) -> Problem:
        return Problem(kind=ProblemKind.CHECKPOINT_DAMAGED, line=self.line, detail=detail)
