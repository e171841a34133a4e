"""The audit trail on both engines: written by the real writer, read, verified, damaged, erased, refused."""

import asyncio
from pathlib import Path

import pytest
from tests.kits.audit import ACCOUNT, SIGNER, verifying_key

from watchword.core.clock import Instant
from watchword.core.ids import AccountId
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.errors import ConflictError, KeyUnknownError, UnavailableError
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.checkpoint_file import CheckpointFile
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.erase import Erasure
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.audit.service import AuditService
from watchword.server.audit.sql import SQLAuditStore, load_head
from watchword.server.db.unit import AuditedDatabase, GuardError, Step, Unit
from watchword.testing import FixedClock, SeededEntropy
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio

KEY = VersionedKey(version=1, key=Secret(bytes(range(32))))
PUT = "insert into meta (name, value) values (:name, :value)"
READ = "select value from meta where name = :name"


def only_version_one(version: int) -> Secret:
    if version != 1:
        raise KeyUnknownError
    return KEY.key


def attach(database: AuditedDatabase, head: ChainHead | None = None, *, node: str = "main") -> AuditChain:
    chain = AuditChain(node=node, key=KEY, head=head or ChainHead(), entropy=SeededEntropy("chain"))
    database.use_audit(chain)
    return chain


def make_service(database: AuditedDatabase, chain: AuditChain, directory: Path) -> AuditService:
    return AuditService(
        store=SQLAuditStore(database),
        keys=only_version_one,
        verifying_keys=verifying_key,
        checkpoints=CheckpointFile(directory / "audit" / "checkpoints.jsonl"),
        clock=FixedClock(),
        live=lambda: {chain.node: chain.head},
    )


def login(number: int) -> AuditEvent:
    return AuditEvent(
        tag=AuditTag.LOGIN_SUCCEEDED,
        at=Instant(1_800_000_000_000 + number),
        facts={"account": ACCOUNT, "n": number},
        personal={"address": "192.0.2.1", "user_agent": "nul \x00 line\u2028"},
    )


def unit(number: int, *, guard: bool = False) -> Unit:
    made = Unit(f"key {number}".encode())
    if guard:
        made.add(
            "update meta set value = :value where name = :name", {"name": "nobody", "value": b""}, guard="no"
        )
    made.add(PUT, {"name": f"name {number}", "value": b""})
    made.note(login(number))
    return made


async def problems(service: AuditService) -> list[tuple[str, str, int | None]]:
    found = (await service.verify()).problems
    return [(each.kind.value, each.node, each.seq) for each in found if each.kind != "no-checkpoints"]


async def edit(database: AuditedDatabase, sql: str) -> None:
    """What somebody with the database in hands does."""
    await database.commit(Unit(b"edit", steps=[Step(sql, {})]))


async def test_units_and_their_entries_stand_together(database: AuditedDatabase, tmp_path: Path) -> None:
    chain = attach(database)
    await asyncio.gather(*[database.commit(unit(number)) for number in range(count(50, 2000))])
    service = make_service(database, chain, tmp_path)
    assert await problems(service) == []
    assert (await service.verify()).heads["main"] == chain.head == await load_head(database, "main")
    assert chain.head.seq == count(50, 2000)


async def test_units_that_fail_in_a_group_leave_no_entry_and_no_gap(
    database: AuditedDatabase, tmp_path: Path
) -> None:
    chain = attach(database)
    units = [unit(number, guard=number % 3 == 1) for number in range(30)]
    results = await asyncio.gather(*map(database.commit, units), return_exceptions=True)
    assert [isinstance(result, GuardError) for result in results] == [number % 3 == 1 for number in range(30)]
    assert await problems(make_service(database, chain, tmp_path)) == []
    assert chain.head.seq == 20


async def test_a_restart_goes_on_from_the_stored_head(database: AuditedDatabase, tmp_path: Path) -> None:
    attach(database)
    await database.commit(unit(1))
    chain = attach(database, await load_head(database, "main"))
    await database.commit(unit(2))
    assert await problems(make_service(database, chain, tmp_path)) == []
    assert chain.head.seq == 2


async def test_fault_N8_damage_is_named_on_either_engine(database: AuditedDatabase, tmp_path: Path) -> None:
    chain = attach(database)
    for number in range(6):
        await database.commit(unit(number))
    service = make_service(database, chain, tmp_path)
    await edit(database, "update audit_entries set at = 5 where seq = 3")
    assert await problems(service) == [("changed", "main", 3)]
    await edit(database, "delete from audit_entries where seq = 3")
    assert await problems(service) == [("gap", "main", 4)]
    await edit(database, "delete from audit_entries where seq = 6")
    assert await problems(service) == [("gap", "main", 4), ("cut-off", "main", 6)]


async def test_a_checkpoint_names_a_cut_end(database: AuditedDatabase, tmp_path: Path) -> None:
    chain = attach(database)
    for number in range(4):
        await database.commit(unit(number))
    service = make_service(database, chain, tmp_path)
    file = CheckpointFile(tmp_path / "audit" / "checkpoints.jsonl")
    file.append(node="main", head=chain.head, at=Instant(1), signer=SIGNER)
    assert (await service.verify()).problems == []
    await edit(database, "delete from audit_entries where seq > 2")
    after_restart = make_service(database, attach(database, await load_head(database, "main")), tmp_path)
    assert await problems(after_restart) == [("cut-off", "main", 3)]


async def test_two_nodes_have_chains_of_their_own(database: AuditedDatabase, tmp_path: Path) -> None:
    for node in ("b", "a"):
        chain = attach(database, node=node)
        for number in range(3):
            await database.commit(unit(number + 10 * ord(node)))
    service = make_service(database, chain, tmp_path)
    report = await service.verify()
    assert {node: head.seq for node, head in report.heads.items()} == {"a": 3, "b": 3}
    assert await problems(service) == []


async def test_tail_and_erasure(database: AuditedDatabase, tmp_path: Path) -> None:
    chain = attach(database)
    for number in range(6):
        await database.commit(unit(number))
    service = make_service(database, chain, tmp_path)
    assert [entry.seq for entry in await service.tail(2)] == [5, 6]
    assert [entry.seq for entry in await service.tail(2, {"main": 2})] == [3, 4]
    assert await service.erase_personal(Erasure(account=AccountId.parse(ACCOUNT))) == 12
    report = await service.verify()
    assert (report.erased, report.entries) == (6, 7)
    assert await problems(service) == []
    assert all(entry.personal is None for entry in await service.tail(7))


async def test_two_erasures_at_a_time_bring_nothing_back(database: AuditedDatabase, tmp_path: Path) -> None:
    chain = attach(database)
    for number in range(6):
        await database.commit(unit(number))
    service = make_service(database, chain, tmp_path)
    erasures = [Erasure(fields=frozenset({field})) for field in ("address", "user_agent")]
    results = await asyncio.gather(*map(service.erase_personal, erasures), return_exceptions=True)
    for erasure, result in zip(erasures, results, strict=True):
        if isinstance(result, ConflictError):
            assert await service.erase_personal(erasure) == 6
        else:
            assert result == 6
    assert all(entry.personal is None for entry in await service.tail(50))
    assert await problems(service) == []


async def test_fault_N3_without_its_audit_table_nothing_is_written(database: AuditedDatabase) -> None:
    """A unit with events is refused whole; one without goes on, and so do reads."""
    attach(database)
    await edit(database, "drop table audit_entries")
    with pytest.raises(Exception, match="audit_entries"):
        await asyncio.wait_for(database.commit(unit(1)), 60)
    assert await database.fetch_one(READ, {"name": "name 1"}) is None
    plain = Unit(b"plain")
    plain.add(PUT, {"name": "plain", "value": b""})
    await asyncio.wait_for(database.commit(plain), 60)
    assert await database.fetch_one(READ, {"name": "plain"}) is not None


async def test_fault_N3_a_full_audit_table_refuses_the_unit(
    database: AuditedDatabase, tmp_path: Path
) -> None:
    """The row does not go in (here: its place is taken), so what it describes does not happen."""
    chain = attach(database)
    await database.commit(unit(1))
    attach(database)  # a chain that begins again at 1
    with pytest.raises(UnavailableError):
        await asyncio.wait_for(database.commit(unit(2)), 60)
    assert await database.fetch_one(READ, {"name": "name 2"}) is None
    assert await problems(make_service(database, chain, tmp_path)) == []
