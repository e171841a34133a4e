import asyncio
import contextlib
import dataclasses
import json
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kits.audit import ACCOUNT, Trail

from watchword.core.clock import DAY, HOUR, Instant
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.keyring import DataKeyPurpose
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.entry import GENESIS, MAX_VALUE, ChainHead, decode_object, decode_personal
from watchword.server.audit.lines import as_json_line, parse_json_line
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.audit.sql import load_head
from watchword.server.db.unit import Step, Unit
from watchword.testing import SeededEntropy
from watchword.testing.counts import count

KEY = VersionedKey(version=1, key=Secret(bytes(range(32))))
NOW = Instant(1_800_000_000_000)


def make_chain(head: ChainHead | None = None) -> AuditChain:
    return AuditChain(node="main", key=KEY, head=head or ChainHead(), entropy=SeededEntropy(1))


def event(number: int = 0) -> AuditEvent:
    return AuditEvent(
        tag=AuditTag.LOGIN_SUCCEEDED, at=NOW, facts={"n": number}, personal={"address": "192.0.2.1"}
    )


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path)


def test_the_first_entry_is_number_one_and_follows_the_genesis() -> None:
    chain = make_chain()
    chain.begin()
    (step,) = chain.entries([event()])
    assert (step.parameters["seq"], step.parameters["previous_mac"]) == (1, GENESIS)
    assert step.guard is None


def test_entries_are_chained_across_units_and_within_one() -> None:
    chain = make_chain()
    chain.begin()
    steps = [*chain.entries([event(1), event(2)]), *chain.entries([]), *chain.entries([event(3)])]
    chain.committed()
    assert [step.parameters["seq"] for step in steps] == [1, 2, 3]
    assert steps[1].parameters["previous_mac"] == steps[0].parameters["mac"]
    assert steps[2].parameters["previous_mac"] == steps[1].parameters["mac"]
    assert chain.head == ChainHead(seq=3, mac=bytes(steps[2].parameters["mac"]))  # type: ignore[arg-type]  # bytes


def test_the_head_moves_only_with_the_commit() -> None:
    chain = make_chain()
    chain.begin()
    chain.entries([event()])
    assert chain.head.seq == 0
    chain.committed()
    assert chain.head.seq == 1


def test_undo_forgets_the_last_unit_alone() -> None:
    chain = make_chain()
    chain.begin()
    (kept,) = chain.entries([event(1)])
    chain.entries([event(2), event(3)])
    chain.undo()
    (after,) = chain.entries([event(4)])
    assert after.parameters["seq"] == 2
    assert after.parameters["previous_mac"] == kept.parameters["mac"]


def test_a_rollback_restores_the_durable_head() -> None:
    chain = make_chain()
    chain.begin()
    chain.entries([event(1)])
    chain.committed()
    durable = chain.head
    chain.begin()
    chain.entries([event(2)])
    chain.rolled_back()
    assert chain.head == durable
    chain.begin()
    (step,) = chain.entries([event(3)])
    assert (step.parameters["seq"], step.parameters["previous_mac"]) == (2, durable.mac)


def test_two_transactions_at_a_time_are_a_mistake() -> None:
    chain = make_chain()
    with pytest.raises(RuntimeError):
        chain.entries([event()])
    chain.begin()
    with pytest.raises(RuntimeError):
        chain.begin()


def test_an_event_that_cannot_be_encoded_moves_nothing() -> None:
    chain = make_chain()
    chain.begin()
    impossible = AuditEvent(tag=AuditTag.LOGIN_SUCCEEDED, at=Instant(1 << 70))
    with pytest.raises(Exception, match="int"):
        chain.entries([event(), impossible])
    (step,) = chain.entries([event()])
    assert step.parameters["seq"] == 1


def test_every_field_has_its_own_salt(trail: Trail) -> None:
    trail.write(*[trail.event(7) for _ in range(50)])
    salts = [salt for entry in trail.entries() for salt, _ in decode_personal(entry.personal).values()]
    assert len(salts) == 100
    assert len(set(salts)) == 100
    assert len({entry.commitments for entry in trail.entries()}) == 50


def test_a_chain_goes_on_from_the_stored_head(trail: Trail) -> None:
    trail.add(3)
    head = asyncio.run(load_head(trail.database, "main"))
    assert head == trail.chain.head
    trail.chains["main"] = AuditChain(
        node="main", key=trail.keys.current(DataKeyPurpose.AUDIT), head=head, entropy=trail.entropy
    )
    trail.add(2)
    assert trail.found() == [("no-checkpoints", "", None)]
    assert asyncio.run(load_head(trail.database, "nobody")) == ChainHead()


def test_a_chain_spans_versions_of_the_key(trail: Trail) -> None:
    trail.add(2)
    trail.keys.install(DataKeyPurpose.AUDIT, 2, Secret(bytes(32)))
    trail.chain.use_key(trail.keys.current(DataKeyPurpose.AUDIT))
    trail.add(2)
    assert [entry.key_version for entry in trail.entries()] == [1, 1, 2, 2]
    trail.checkpoint()
    assert trail.found() == []


def test_fault_M15_a_clock_that_jumps_does_not_break_the_chain(trail: Trail) -> None:
    for jump in (HOUR, -HOUR, DAY, -DAY, 3653 * DAY, -7000 * DAY, 253402300799999, -253402300799999):
        trail.clock.jump(jump)
        trail.add(1)
        trail.checkpoint()
    assert trail.found(live=True) == []
    assert [entry.seq for entry in trail.entries()] == list(range(1, 9))


def test_fault_N3_a_full_disk_refuses_the_unit_and_the_chain_goes_on(trail: Trail) -> None:
    trail.edit("create table told (number integer)")
    trail.add(3)
    ((pages,),) = trail.database.connection.execute("pragma page_count")
    trail.edit(f"pragma max_page_count = {pages}")
    done = 3
    with contextlib.suppress(apsw.FullError):
        while done < 1000:
            steps = [Step("insert into told values (:number)", {"number": done})]
            asyncio.run(trail.database.commit(Unit(b"x", steps=steps, events=[trail.event(done)])))
            done += 1
    assert done < 1000
    assert trail.chain.head.seq == done
    assert trail.database.connection.execute("select count(*) from told").fetchall() == [(done - 3,)]
    trail.edit("pragma max_page_count = 1000000")
    trail.add(3)
    trail.checkpoint()
    assert trail.found(live=True) == []


NASTY = [
    "line\r\nbreak\n",
    "separators\u2028\u2029\x85",
    "nul\x00",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    '"},{"seq":1,"personal":{"',
    "\ud800 lone \udfff",
    "\u202e\u200b\ufeff\U000e0041",
    "x" * (1 << 20),
    "\U0001f512" * 5000,
    "\\u0000",
]


@pytest.mark.parametrize("value", NASTY, ids=range(len(NASTY)))
def test_fault_N2_any_value_stays_one_line_of_valid_json(trail: Trail, value: str) -> None:
    trail.write(
        AuditEvent(tag=AuditTag.LOGIN_REFUSED, at=NOW, facts={"why": value}, personal={"name": value})
    )
    trail.checkpoint()
    assert trail.found() == []
    (entry,) = trail.entries()
    line = as_json_line(entry)
    assert line.isascii()
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    shown = json.loads(line)
    assert len(shown["facts"]["why"]) <= MAX_VALUE
    expected = value[:MAX_VALUE].encode("utf-8", "replace").decode()
    assert shown["personal"]["name"][1] == shown["facts"]["why"] == expected
    assert parse_json_line(line.encode()) == entry


def test_fault_N1_nothing_but_the_event_is_stored(trail: Trail) -> None:
    """The keys that chain an entry are nowhere in it, in its line, or in what the objects print."""
    trail.add(1)
    key = trail.keys.current(DataKeyPurpose.AUDIT).key.reveal()
    (entry,) = trail.entries()
    shown = as_json_line(entry) + repr(entry) + repr(trail.chain) + repr(vars(trail.chain))
    assert key.hex() not in shown
    assert repr(key)[2:-1] not in shown


@settings(max_examples=count(60, 2000), deadline=None, database=None)
@given(
    facts=st.dictionaries(
        st.text(max_size=20), st.text(max_size=50) | st.integers(-(1 << 63), (1 << 63) - 1)
    ),
    personal=st.dictionaries(st.text(max_size=20), st.text(max_size=50)),
)
def test_any_event_reads_back_as_it_was_written(
    facts: dict[str, str | int], personal: dict[str, str]
) -> None:
    names = [name for name in (*facts, *personal) if any(0xD800 <= ord(sign) < 0xE000 for sign in name)]
    if names:
        return  # names come from our own code
    chain = make_chain()
    chain.begin()
    made = AuditEvent(tag=AuditTag.LOGIN_SUCCEEDED, at=NOW, facts=facts, personal=personal)
    row = chain.entries([made])[0].parameters
    assert decode_object(str(row["facts"])) == facts
    stored = decode_personal(None if row["personal"] is None else str(row["personal"]))
    assert {name: value for name, (_salt, value) in stored.items()} == personal


def test_the_account_is_found_in_the_facts(trail: Trail) -> None:
    trail.add(1)
    assert decode_object(trail.entries()[0].facts)["account"] == ACCOUNT


def test_no_fact_stands_before_the_account_by_which_entries_are_found(trail: Trail) -> None:
    event = trail.event(1)
    with pytest.raises(ValueError, match="'about' stands before 'account'"):
        trail.write(dataclasses.replace(event, facts={**event.facts, "about": "x"}))
    trail.write(event)
    assert trail.found() == [("no-checkpoints", "", None)]


def test_nothing_personal_stands_after_the_identifier_by_which_refusals_are_found(trail: Trail) -> None:
    with pytest.raises(ValueError, match="'user_agent' stands after 'identifier'"):
        trail.write(dataclasses.replace(trail.event(1), personal={"identifier": "ada", "user_agent": "x"}))
