"""What the commands about backups show: how far they are, and what is in a backup."""

import sys
from typing import TYPE_CHECKING, Any, Self

from watchword.cli.output import when

if TYPE_CHECKING:
    from watchword.server.backup.records import Manifest


class Progress:
    """A line on a terminal, at most once a per cent."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self._what = what
        self._shows = not quiet and sys.stderr.isatty()
        self._shown = -1

    def show(self, done: int, total: int) -> None:
        share = 100 * done // max(total, 1)
        if self._shows and share != self._shown:
            self._shown = share
            sys.stderr.write(f"\r{share:3} %  {done:,} of {total:,} {self._what}")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown >= 0:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def summarise(manifest: "Manifest") -> str:
    root = ", with the root key" if manifest.root_key else ""
    return (
        f"{manifest.origin} as of {when(manifest.taken_at)}, {manifest.accounts:,} accounts, {manifest.rows:,} rows,"
        f" schema {manifest.schema}{root}"
    )


def name_authority(fingerprint: str | None) -> str:
    """The line that people compare; None when there is none in it."""
    return f"certificate authority: {fingerprint or 'none'}"


def describe(manifest: "Manifest", fingerprint: str | None) -> dict[str, Any]:
    return {
        "id": manifest.id,
        "taken_at": manifest.taken_at,
        "origin": manifest.origin,
        "engine": manifest.engine,
        "accounts": manifest.accounts,
        "rows": manifest.rows,
        "schema": manifest.schema,
        "root_key": manifest.root_key,
        "made_by": manifest.made_by,
        "fingerprint": fingerprint,
    }
