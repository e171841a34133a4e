"""Numbered, forward-only changes of the schema, found by their file names: `migrations/0004_accounts.sql`.

Each is applied in one transaction with the row that records it. A recorded migration never changes: its checksum is
compared at every start.
"""

import hashlib
import importlib.resources
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watchword.errors import InvalidConfigError

_NAME: Final = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+\.sql")

CREATE_TABLE: Final = (
    "create table if not exists schema_migrations "
    "(number {bigint} primary key, name {text} not null, checksum {blob} not null, applied_at {bigint} not null)"
)
SELECT_APPLIED: Final = "select number, name, checksum from schema_migrations order by number"
RECORD: Final = (
    "insert into schema_migrations (number, name, checksum, applied_at) "
    "values (:number, :name, :checksum, :applied_at)"
)

INSTANCE_SIZE: Final = 16
SELECT_INSTANCE: Final = "select value from meta where name = 'instance'"
INSERT_INSTANCE: Final = (
    "insert into meta (name, value) values ('instance', :value) on conflict (name) do nothing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    number: int
    name: str
    """The file's name."""
    sql: str

    @property
    def title(self) -> str:
        """What it does: the first sentence of the comment that it begins with."""
        lines = itertools.takewhile(lambda line: line.startswith("--"), self.sql.splitlines())
        words = " ".join(line.removeprefix("--").strip() for line in lines)
        return words.partition(". ")[0].partition(": ")[0].rstrip(".")

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the file."""
        return hashlib.sha256(self.sql.encode()).digest()


@dataclass(frozen=True, slots=True)
class Applied:
    """What the database says of a migration that it has."""

    number: int
    name: str
    checksum: bytes


def list_migrations() -> list[Migration]:
    """Every migration of this Watchword in order; no number stands twice."""
    folder = importlib.resources.files("watchword.server.db") / "migrations"
    found = [
        Migration(number=int(name["number"]), name=file.name, sql=file.read_text("utf-8"))
        for file in folder.iterdir()
        if (name := _NAME.fullmatch(file.name))
    ]
    found.sort(key=lambda migration: migration.number)
    if len({migration.number for migration in found}) != len(found) or not found:
        raise InvalidConfigError("The migrations of this Watchword are not in order: install it again.")
    return found


def plan(known: Sequence[Migration], applied: Sequence[Applied]) -> Sequence[Migration]:
    """Return what is still to be applied.

    Raises:
        InvalidConfigError: the database is newer than this Watchword, or was migrated by files that differ from ours.
    """
    if applied and applied[-1].number > known[-1].number:
        raise InvalidConfigError(
            f"The database was made by a newer Watchword (its schema has number {applied[-1].number}, "
            f"this one knows {known[-1].number}): upgrade this one."
        )
    for ours, theirs in zip(known, applied, strict=False):
        if (ours.number, ours.checksum) != (theirs.number, theirs.checksum):
            raise InvalidConfigError(
                f"Migration {ours.name} is not the one that was applied to this database ({theirs.name}): "
                "it was made by another edition of Watchword."
            )
    return known[len(applied) :]
