"""A file system for SQLite that remembers what was synced, and fails on demand.

It lies under the checksum layer, so it must be installed before the first connection: use it in a process of its own.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import apsw

SECTOR: Final = 512
Event = tuple[str, Any, Any]
"""("write", name, (offset, data)), ("truncate", name, size), ("sync", name, None), ("delete", name, None), others."""


@dataclass(slots=True)
class Disk:
    """What happened, and what is to go wrong."""

    log: list[Event] = field(default_factory=list)
    recording: bool = False
    before_write: Callable[[str], None] | None = None
    before_sync: Callable[[str], None] | None = None

    def note(self, kind: str, name: str, what: object = None) -> None:
        if self.recording:
            self.log.append((kind, name, what))


class FaultFile(apsw.VFSFile):
    def __init__(self, disk: Disk, vfs: str, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "temporary").name
        super().__init__(vfs, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self.disk.before_write is not None:
            self.disk.before_write(self.name)
        self.disk.note("write", self.name, (offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self.disk.note("truncate", self.name, size)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        if self.disk.before_sync is not None:
            self.disk.before_sync(self.name)
        super().xSync(flags)
        self.disk.note("sync", self.name)


class FaultVFS(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__("faults", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> FaultFile:
        return FaultFile(self.disk, "unix", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.disk.note("delete", Path(filename).name)
        super().xDelete(filename, syncdir)
        if syncdir:
            self.disk.note("sync", Path(filename).name)


def install() -> tuple[Disk, FaultVFS]:
    assert "cksmvfs" not in apsw.vfs_names(), "too late: the checksum layer lies on the real file system"
    disk = Disk()
    return disk, FaultVFS(disk)


def sync_failure() -> Exception:
    return _failure(apsw.SQLITE_IOERR_FSYNC)


def no_space() -> Exception:
    return _failure(apsw.SQLITE_FULL)


def _failure(code: int) -> Exception:
    error = apsw.exception_for(code)
    error.extendedresult = code  # type: ignore[attr-defined]  # set by apsw, read by it too
    return error


def after_power_cut(log: Sequence[Event], chance: random.Random) -> dict[str, bytes]:
    """The files as a disk may hold them: all that was synced, and of the rest any sectors in any order."""
    durable: dict[str, bytearray] = {}
    pending: dict[str, list[Event]] = defaultdict(list)
    for event in log:
        kind, name, _ = event
        if kind == "sync":
            for earlier in pending.pop(name, []):
                _apply(durable, earlier)
        elif kind in ("write", "truncate", "delete"):
            pending[name].append(event)
    for events in pending.values():
        for event in events:
            for part in _sectors(event):
                if chance.random() < 0.5:
                    _apply(durable, part)
    return {name: bytes(data) for name, data in durable.items()}


def _sectors(event: Event) -> list[Event]:
    kind, name, what = event
    if kind != "write":
        return [event]
    offset, data = what
    first = SECTOR - offset % SECTOR
    cuts = [0, *range(first, len(data), SECTOR), len(data)]
    return [(kind, name, (offset + a, data[a:b])) for a, b in pairwise(cuts) if a < b]


def _apply(files: dict[str, bytearray], event: Event) -> None:
    kind, name, what = event
    if kind == "delete":
        files.pop(name, None)
        return
    data = files.setdefault(name, bytearray())
    if kind == "truncate":
        del data[what:]
        return
    offset, written = what
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(written)] = written
