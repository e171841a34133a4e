"""Databases as released versions left them, and migrations that only tests apply.

`python -m tests.kits.released LOCATION` migrates LOCATION to the newest schema and the migrations of `next/` behind it.
"""

import asyncio
import contextlib
import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from watchword.server.backup import upgrade
from watchword.server.config.model import DATABASE_FILE
from watchword.server.db.migrate import Migration, list_migrations
from watchword.server.db.postgres import schema as postgres_schema
from watchword.server.db.sqlite import before as sqlite_before
from watchword.server.db.sqlite import schema as sqlite_schema
from watchword.server.db.sqlite.connection import configure, connect
from watchword.server.db.sqlite.place import create
from watchword.testing.databases import opened

FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "schemas"
RELEASES: Final = sorted(path.name for path in FOLDER.iterdir() if (path / "facts.json").exists())
_CROWD: Final = (
    "insert into accounts (id, username, name_key, skeleton, level, state, password_version, client_key_seed,"
    " created_at, updated_at) values"
)


@dataclass(frozen=True, slots=True)
class Released:
    """A released version's database, laid out. `location` is what `open_database` takes."""

    data: Path
    location: str | Path
    facts: dict[str, Any]


async def lay_out(version: str, data: Path, *, database: str | None = None, crowd: int = 0) -> Released:
    """Put the data of `version` into `data` (or the empty PostgreSQL `database`), with `crowd` more accounts."""
    folder = FOLDER / version
    (data / "audit").mkdir(mode=0o700, parents=True)
    data.chmod(0o700)
    for name, place in (("root.key", ""), ("node", ""), ("checkpoints.jsonl", "audit")):
        copied = data / place / name
        shutil.copy(folder / name, copied)
        copied.chmod(0o600)
    engine = "sqlite" if database is None else "postgres"
    script = gzip.decompress((folder / f"{engine}.sql.gz").read_bytes()).decode()
    script += "".join(_account(number, engine) for number in range(crowd))
    if database is None:
        _fill_sqlite(data / DATABASE_FILE, script)
    else:
        connection = await asyncpg.connect(database)
        await connection.execute(script)
        await connection.close()
    facts = json.loads((folder / "facts.json").read_text())
    return Released(data, database or data / DATABASE_FILE, facts)


def _account(number: int, engine: str) -> str:
    value = number.to_bytes(16, "big").hex()
    blob = f"x'{value}'" if engine == "sqlite" else f"'\\x{value}'::bytea"
    name = f"crowd{number}"
    return f"{_CROWD} ({blob}, '{name}', '{name}', '{name}', 0, 'active', 1, {blob}, {number}, {number});\n"


def _fill_sqlite(path: Path, script: str) -> None:
    create(path)
    connection = connect(path)
    configure(connection, writes=True)
    connection.execute("begin; " + script + "; commit")
    connection.wal_checkpoint()
    connection.close()


def next_migrations() -> list[Migration]:
    """Ours, and those of `next/`."""
    files = sorted((FOLDER / "next").glob("*.sql"))
    return list_migrations() + [
        Migration(number=int(file.name[:4]), name=file.name, sql=file.read_text()) for file in files
    ]


@contextlib.contextmanager
def knowing(migrations: list[Migration]) -> Iterator[None]:
    """While the block runs, this process is a Watchword that has `migrations`."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (sqlite_schema, sqlite_before, postgres_schema, upgrade):
            patch.setattr(module, "list_migrations", lambda: migrations)
        yield


async def _migrate(location: str) -> None:
    with knowing(next_migrations()):
        sys.stdout.write("begins\n")
        sys.stdout.flush()
        async with opened(location if "://" in location else Path(location)):
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_migrate(sys.argv[1]))
