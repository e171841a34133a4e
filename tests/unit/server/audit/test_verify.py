import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.kits.audit import Trail

from watchword.core.secret import Secret
from watchword.crypto.keyring import DataKeyPurpose
from watchword.server.audit.lines import as_json_line
from watchword.server.audit.verify import ChainVerifier, KeyRing, Problem, ProblemKind, verify_lines
from watchword.testing.counts import count


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    made = Trail(tmp_path)
    made.add(6)
    made.checkpoint()
    return made


def test_any_changed_byte_outside_the_erasable_column_is_found(trail: Trail) -> None:
    """One bit of one stored value at a time, in place, as a failing disk or a careful hand would."""
    columns = ("node", "at", "tag", "facts", "commitments", "key_version", "previous_mac", "mac")
    choose = random.Random(8)
    for _ in range(count(200, 5000)):
        seq, column = choose.randint(1, 6), choose.choice(columns)
        ((kind, stored),) = trail.database.connection.execute(
            f"select typeof({column}), cast({column} as blob) from audit_entries where seq = ?", (seq,)
        )
        changed = bytearray(stored)
        changed[choose.randrange(len(changed))] ^= 1 << choose.randrange(8)
        trail.edit("savepoint before")
        trail.edit(
            f"update audit_entries set {column} = cast(:value as {kind}) where seq = :seq",
            value=bytes(changed),
            seq=seq,
        )
        ((after,),) = trail.database.connection.execute(
            f"select count(*) from audit_entries where seq = ? and cast({column} as blob) = ?",
            (seq, stored),
        )
        if not after:  # a digit that became a letter casts to the same number, now and then
            found = trail.found()
            assert found, (column, seq, bytes(changed))
            assert column == "node" or {place for _kind, _node, place in found} == {seq}, (column, found)
        trail.edit("rollback to before")
        trail.edit("release before")
    assert trail.found() == []


def test_any_changed_byte_of_an_export_is_found_at_its_line(trail: Trail) -> None:
    lines = [as_json_line(entry).encode() + b"\n" for entry in trail.entries()]
    choose = random.Random(9)
    for _ in range(count(300, 20_000)):
        place = choose.randrange(len(lines))
        spoiled = bytearray(lines[place])
        spoiled[choose.randrange(len(spoiled) - 1)] ^= 1 << choose.randrange(8)
        changed = [*lines[:place], bytes(spoiled), *lines[place + 1 :]]
        problems = list(_verify(trail, changed))
        assert problems
        assert problems[0].line == place + 1 or (problems[0].kind is ProblemKind.GAP and place == 0)


def _verify(trail: Trail, lines: list[bytes]) -> Iterator[Problem]:
    return verify_lines(lines, keys=lambda version: trail.keys.get(DataKeyPurpose.AUDIT, version))


def test_a_changed_mac_is_one_finding(trail: Trail) -> None:
    trail.edit("update audit_entries set mac = :mac where seq = 3", mac=bytes(32))
    assert trail.found() == [("changed", "main", 3)]


def test_the_signed_mac_changed_is_two_findings_at_one_entry(trail: Trail) -> None:
    trail.edit("update audit_entries set mac = :mac where seq = 6", mac=bytes(32))
    assert trail.found() == [("changed", "main", 6), ("checkpoint-mismatch", "main", 6)]


def test_a_rewrite_with_the_key_in_hand_is_found_by_the_checkpoint(trail: Trail) -> None:
    """Who has the audit key can forge a whole chain, but not the signatures kept beside it."""
    forged = Trail(trail.path.parent.parent / "forged", seed="another")
    forged.add(6)
    rows = forged.database.connection.execute("select * from audit_entries").fetchall()
    trail.edit("delete from audit_entries")
    trail.database.connection.executemany("insert into audit_entries values (?,?,?,?,?,?,?,?,?,?)", rows)
    assert trail.found() == [("checkpoint-mismatch", "main", 6)]


def test_an_entry_spliced_from_another_chain_is_unlinked(trail: Trail) -> None:
    other = Trail(trail.path.parent.parent / "other", seed="another")
    other.add(6)
    verifier = ChainVerifier(node="main", keys=KeyRing(lambda _version: _key(trail)))
    spliced = [*trail.entries()[:3], *other.entries()[3:]]
    found = [problem for entry in spliced for problem in verifier.feed(entry)]
    assert [(each.kind, each.seq) for each in found] == [(ProblemKind.UNLINKED, 4)]


def test_a_version_of_the_key_that_is_gone_is_said(trail: Trail) -> None:
    trail.edit("update audit_entries set key_version = 9 where seq = 6")
    report = trail.verify()
    assert [(each.kind, each.seq) for each in report.problems] == [(ProblemKind.UNKNOWN_KEY, 6)]
    assert "version 9" in str(report.problems[0])


def test_another_root_of_keys_verifies_nothing(trail: Trail) -> None:
    verifier = ChainVerifier(node="main", keys=KeyRing(lambda _version: Secret(bytes(32))))
    found = [problem for entry in trail.entries() for problem in verifier.feed(entry)]
    assert [each.kind for each in found if each.kind is ProblemKind.CHANGED] == [ProblemKind.CHANGED] * 6


def test_a_problem_names_its_place_in_words(trail: Trail) -> None:
    entry = replace(trail.entries()[0], at=1)
    verifier = ChainVerifier(node="main", keys=KeyRing(lambda _version: _key(trail)))
    (problem,) = verifier.feed(entry, line=12)
    assert str(problem) == "node 'main', entry 1, line 12: the entry was changed: its MAC does not match"


def test_the_report_is_bounded(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.add(1200)
    trail.edit("update audit_entries set at = 0")
    report = trail.verify()
    assert len(report.problems) == 1000
    assert report.more_problems == 201  # one is that there are no checkpoints
    assert not report.ok


def _key(trail: Trail) -> Secret:
    return trail.keys.current(DataKeyPurpose.AUDIT).key
