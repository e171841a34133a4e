"""Freeze the schema of a release, with real data in it, for the tests of upgrades.

    python tools/make_schema_fixture.py VERSION

Writes `tests/fixtures/schemas/VERSION/`: the whole database as SQL for each engine, the root key that opens it (made
for this, and good for nothing else), the checkpoints of its audit trail, and what a test needs to know of it. Run once
for each release, before its first migration of the next; a fixture never changes afterwards.
"""

import asyncio
import gzip
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.kits.world import PASSWORD, World, open_world  # noqa: E402  # found by the line above

from watchword.core.clock import DAY, HOUR, MINUTE  # noqa: E402
from watchword.server.db.dialect import Engine, define  # noqa: E402
from watchword.server.db.migrate import CREATE_TABLE, list_migrations  # noqa: E402
from watchword.server.db.transfer import Table, open_snapshot  # noqa: E402
from watchword.server.db.unit import Row, Value  # noqa: E402
from watchword.server.operator import LocalOperator  # noqa: E402

FOLDER: Final = ROOT / "tests" / "fixtures" / "schemas"
_OPERATOR: Final = LocalOperator(0)


async def live(world: World) -> dict[str, Any]:
    """A few weeks of a small team: everything that leaves a row, and keys that have rotated."""
    operator, keys = world.services.operator, world.core.keys
    world.core.checkpointer.start(fresh=True)
    anna = await world.register("anna", email="anna@example.org", display_name="Anna Ångström")
    bela = await world.register("béla", "another violet elephant song")
    await world.register("mallory")
    await operator.set_level("anna", 3, _OPERATOR)
    await operator.suspend("mallory", _OPERATOR)
    for use in (
        "signing",
        "sealing",
        "data:at_rest",
        "data:generation",
        "data:audit",
        "data:one_time",
        "root",
    ):
        await keys.rotate(use)
        world.clock.advance(HOUR)
        await keys.tick()
    world.clock.advance(DAY)
    await keys.tick()
    await world.log_in("anna@example.org", PASSWORD, prover=anna.prover)
    logged_in = await world.log_in("béla", "another violet elephant song", prover=bela.prover)
    await world.log_in("anna", PASSWORD)
    invite = await operator.invite(_OPERATOR, level=2, valid_for=30 * DAY, note="Ada, new on Monday")
    world.clock.advance(MINUTE)
    world.core.checkpointer.tick()
    grant = logged_in.answer.grant
    return {
        "now": world.clock.now(),
        "password": PASSWORD,
        "username": "anna",
        "email": "anna@example.org",
        "device_seed": anna.keys.signing.seed().reveal().hex(),
        "device": anna.enrolled.device,
        "access_token": grant.access_token if grant else "",
        "invitation": invite.text,
        "suspended": "mallory",
    }


def _literal(value: Value, engine: Engine) -> str:
    match value:
        case None:
            return "null"
        case bytes():
            return f"x'{value.hex()}'" if engine is Engine.SQLITE else f"'\\x{value.hex()}'::bytea"
        case str():
            return "'" + value.replace("'", "''") + "'"
    return str(value)


def _insert(table: Table, row: Row, engine: Engine) -> str:
    values = ", ".join(_literal(value, engine) for value in row)
    return f"insert into {table.name} ({', '.join(table.columns)}) values ({values});"  # noqa: S608  # our own data


async def _statements(database: Path, engine: Engine) -> list[str]:
    """The whole database, in the order in which it can be filled."""
    lines = [define(CREATE_TABLE, engine) + ";"]
    lines += [define(migration.sql, engine) for migration in list_migrations()]
    async with open_snapshot(database, alone=True) as snapshot:
        for name in ("instance", "group"):
            row = await snapshot.one(f"select name, value from meta where name = '{name}'")  # noqa: S608  # ours
            lines.append(_insert(Table("meta", ("name", "value")), row or (name, b""), engine))
        migrations = Table("schema_migrations", ("number", "name", "checksum", "applied_at"))
        for table in (migrations, *await snapshot.tables()):
            async for rows in snapshot.rows(table):
                lines += [_insert(table, row, engine) for row in rows]
    return lines


async def make(version: str) -> None:
    place = FOLDER / version
    if place.exists():
        raise SystemExit(f"{place} is there already, and never changes")
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        async with open_world(data, seed=f"fixture {version}") as world:
            facts = await live(world)
        place.mkdir(parents=True)
        for engine in Engine:
            lines = await _statements(data / "watchword.db", engine)
            content = "\n".join(lines).encode() + b"\n"
            (place / f"{engine.value}.sql.gz").write_bytes(gzip.compress(content, mtime=0))
        shutil.copy(data / "root.key", place)
        shutil.copy(data / "audit" / "checkpoints.jsonl", place)
        shutil.copy(data / "node", place)
        (place / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:  # the program and the version
        raise SystemExit(__doc__)
    asyncio.run(make(sys.argv[1]))
