"""The full check: every page read and verified, the trees walked, and pages of zeros reported."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from watchword.errors import DamagedError
from watchword.server.db.sqlite.connection import PAGE_SIZE, configure, connect
from watchword.server.db.sqlite.faults import Fault, classify
from watchword.server.db.sqlite.state import ServingState
from watchword.server.db.sqlite.worker import Worker

FOREGROUND_SIZE: Final = 50 * 1024 * 1024
"""Up to this many bytes the check runs before the server is ready; above, in the background."""
_BLOCK_PAGES: Final = 256
_FREELIST_HEAD: Final = 32  # offset in page 1: number of the first trunk page, then the count

_log = logging.getLogger(__name__)


def is_small(path: Path) -> bool:
    return path.stat().st_size <= FOREGROUND_SIZE


def check_whole(connection: apsw.Connection, path: Path) -> None:
    """Check everything, with nobody else at work; leaves the log written back.

    Raises:
        DamagedError: with the first finding.
    """
    check_structure(connection)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.Error as error:
        if classify(error) is not Fault.ENGINE:
            raise
        _log.warning("the log could not be written back (%s): pages of zeros are not looked for", error)
        return
    report_zeros(connection, path)


def check_in_background(path: Path, state: ServingState, loop: asyncio.AbstractEventLoop) -> None:
    """Check everything on a thread while the server serves; a finding ends the writing."""
    worker = Worker("watchword-check", loop)

    def done(outcome: BaseException | None) -> None:
        if isinstance(outcome, DamagedError):
            state.fail(outcome, cause="full check")
        elif isinstance(outcome, BaseException):
            state.judge(outcome)

    worker.submit(lambda: _check_while_serving(path), done)
    worker.stop()


def _check_while_serving(path: Path) -> None:
    connection = connect(path)
    try:
        configure(connection, writes=False)
        check_structure(connection)
        report_zeros(connection, path)
    finally:
        connection.close(True)


def check_structure(connection: apsw.Connection) -> None:
    """SQLite's own check, which reads every page in use and so verifies its checksum; foreign keys too.

    Raises:
        DamagedError: with the first finding.
    """
    findings = connection.execute("pragma integrity_check(1)").fetchall()
    if findings != [("ok",)]:
        found = " ".join(str(findings[0][0]).split())  # it has several lines
        raise DamagedError(f"The database is damaged: {found[:200]}")
    if connection.execute("pragma foreign_key_check").fetchone() is not None:
        raise DamagedError("The database is damaged: a row refers to one that is missing.")


def report_zeros(connection: apsw.Connection, path: Path) -> None:
    """Say so when a page in use holds zeros only: its checksum, of zeros, is zero and so seems right.

    A page of a tree cannot be so, and the structure check finds it. The last page of a long value can, and then
    nobody can tell a value that ends in zeros from a page that was lost, so this is no reason not to serve: a sender
    of zeros could keep the server from starting. Values longer than a page must therefore be sealed or encoded, so
    that their readers notice. Reads the main file only: what is still in the log is not seen.
    """
    pages = path.stat().st_size // PAGE_SIZE
    zeros = bytes(PAGE_SIZE)
    suspects = {
        first + place + 1
        for first, block in _blocks(connection, pages)
        for place in range(len(block) // PAGE_SIZE)
        if block[place * PAGE_SIZE : (place + 1) * PAGE_SIZE] == zeros
    }
    if suspects and (used := suspects - _free_pages(connection, pages)):
        _log.critical("pages of zeros in use: %s; long values that end there may be lost", sorted(used)[:10])


def _blocks(connection: apsw.Connection, pages: int) -> Iterator[tuple[int, bytes]]:
    """The main file in pieces, each with the number of pages before it."""
    for first in range(0, pages, _BLOCK_PAGES):
        yield first, _read(connection, first, min(_BLOCK_PAGES, pages - first))


def _read(connection: apsw.Connection, first: int, pages: int) -> bytes:
    """Read through SQLite's own handle.

    Opening the file and closing it again would drop, by the rules of POSIX, every lock that this process holds on it:
    another program could then take the log away under us. One byte more than the pages is asked for, since the
    checksum VFS takes a read whose size is a power of two for one page: it would verify several pages as one, and a
    page that a checkpoint is just writing as a damaged one.
    """
    _, data = connection.read("main", 0, first * PAGE_SIZE, pages * PAGE_SIZE + 1)
    return data[:-1]


def _free_pages(connection: apsw.Connection, pages: int) -> set[int]:
    """The pages of the freelist (file format, section 1.5); stops at the first number that makes no sense."""
    free: set[int] = set()
    trunk = int.from_bytes(_read(connection, 0, 1)[_FREELIST_HEAD : _FREELIST_HEAD + 4], "big")
    while 0 < trunk <= pages and trunk not in free:
        free.add(trunk)
        page = _read(connection, trunk - 1, 1)
        count = min(int.from_bytes(page[4:8], "big"), PAGE_SIZE // 4 - 2)
        free.update(int.from_bytes(page[8 + 4 * n : 12 + 4 * n], "big") for n in range(count))
        trunk = int.from_bytes(page[:4], "big")
    return free
