"""FAULTS N8: whatever is done to a stored trail, verification names the entry or the line."""

from pathlib import Path

import pytest
from tests.kits.audit import Trail

from watchword.crypto.keyring import DataKeyPurpose
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.lines import as_json_line, parse_lines
from watchword.server.audit.verify import verify_lines
from watchword.server.db.unit import Value


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    """Ten entries; checkpoints at 5 and 10."""
    made = Trail(tmp_path)
    made.add(5)
    assert made.checkpoint()
    made.add(5)
    assert made.checkpoint()
    assert made.found(live=True) == []
    return made


def test_fault_N8_a_deleted_entry_is_named(trail: Trail) -> None:
    trail.edit("delete from audit_entries where seq = 4")
    report = trail.verify()
    assert [(each.kind, each.seq) for each in report.problems] == [("gap", 5)]
    assert "entries 4 to 4 are missing" in str(report.problems[0])


def test_fault_N8_the_first_entry_deleted_is_named(trail: Trail) -> None:
    trail.edit("delete from audit_entries where seq = 1")
    assert trail.found() == [("gap", "main", 2)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 1_800_000_000_000),
        ("tag", "account:session:end"),
        ("facts", '{"account":"acc_01j00000000000000000000001","number":3}'),
        ("facts", "not json"),
        ("facts", '{"account": "acc_01j00000000000000000000000","number":3}'),
        ("commitments", "{}"),
        ("commitments", '{"address":"00"}'),
        ("key_version", 2),
        ("previous_mac", bytes(32)),
        ("mac", bytes(32)),
    ],
)
def test_fault_N8_a_change_of_any_column_is_named(trail: Trail, column: str, value: Value) -> None:
    trail.edit(f"update audit_entries set {column} = :value where seq = 4", value=value)
    found = trail.found()
    assert found
    assert {seq for _kind, _node, seq in found} == {4}


@pytest.mark.parametrize(
    "column", ["at", "tag", "facts", "commitments", "key_version", "previous_mac", "mac"]
)
@pytest.mark.parametrize("value", [b"\x00", "x", 7, -1, 1 << 62, 1.5])
def test_fault_N8_a_value_of_another_type_is_named(trail: Trail, column: str, value: Value) -> None:
    trail.edit(f"update audit_entries set {column} = :value where seq = 4", value=value)
    assert {seq for _kind, _node, seq in trail.found()} == {4}


def test_fault_N8_text_that_is_not_utf8_is_named(trail: Trail) -> None:
    trail.edit("update audit_entries set facts = cast(x'ff41' as text) where seq = 4")
    assert trail.found() == [("malformed", "main", 4)]


def test_fault_N8_several_unreadable_entries_are_each_named(trail: Trail) -> None:
    trail.edit("update audit_entries set facts = cast(x'ff41' as text) where seq in (1, 4, 5, 10)")
    assert [seq for _kind, _node, seq in trail.found()] == [1, 4, 5, 10]


def test_fault_N8_a_changed_personal_value_is_named(trail: Trail) -> None:
    trail.edit(
        "update audit_entries set personal = replace(personal, '192.0.2.', '198.51.100.') where seq = 4"
    )
    assert trail.found() == [("personal-changed", "main", 4)]


@pytest.mark.parametrize(
    "personal", ["", "[]", "not json", '{"address":1}', '{"address":["zz","x"]}', '{"new":["00","x"]}']
)
def test_fault_N8_a_senseless_personal_column_is_named(trail: Trail, personal: str) -> None:
    trail.edit("update audit_entries set personal = :personal where seq = 4", personal=personal)
    assert trail.found() == [("personal-changed", "main", 4)]


def test_fault_N8_personal_values_of_two_entries_swapped_are_named(trail: Trail) -> None:
    trail.edit(
        "update audit_entries set personal = (select personal from audit_entries where seq = 7) where seq = 4"
    )
    assert trail.found() == [("personal-changed", "main", 4), ("personal-changed", "main", 4)]


def test_fault_N8_two_entries_reordered_are_both_named(trail: Trail) -> None:
    trail.edit("update audit_entries set seq = -1 where seq = 4")
    trail.edit("update audit_entries set seq = 4 where seq = 5")
    trail.edit("update audit_entries set seq = 5 where seq = -1")
    changed = [seq for kind, _node, seq in trail.found() if kind == "changed"]
    assert changed == [4, 5]


def test_fault_N8_an_entry_added_at_the_end_is_named(trail: Trail) -> None:
    trail.edit(
        "insert into audit_entries select node, 11, at, tag, facts, commitments, personal, key_version, mac, mac"
        " from audit_entries where seq = 10"
    )
    assert trail.found() == [("changed", "main", 11)]


@pytest.mark.parametrize("seq", [0, -5, -(1 << 63), (1 << 63) - 1])
def test_fault_N8_an_entry_outside_the_numbers_is_named(trail: Trail, seq: int) -> None:
    trail.edit(
        "insert into audit_entries select node, :seq, at, tag, facts, commitments, personal, key_version,"
        " previous_mac, mac from audit_entries where seq = 10",
        seq=seq,
    )
    assert ("changed", "main", seq) in trail.found()


def test_fault_N8_a_cut_end_is_named_by_the_checkpoint(trail: Trail) -> None:
    trail.edit("delete from audit_entries where seq > 7")
    report = trail.verify()
    assert [(each.kind, each.seq) for each in report.problems] == [("cut-off", 8)]
    assert "entries 8 to 10 were cut off" in str(report.problems[0])


def test_fault_N8_a_whole_chain_removed_is_named(trail: Trail) -> None:
    trail.edit("delete from audit_entries")
    assert trail.found() == [("cut-off", "main", 1)]


def test_fault_N8_a_cut_end_and_cut_checkpoint_are_named_by_the_running_server(trail: Trail) -> None:
    trail.edit("delete from audit_entries where seq > 7")
    lines = trail.path.read_bytes().splitlines(keepends=True)
    trail.path.write_bytes(b"".join(lines[:-1]))
    assert (
        trail.found() == []
    )  # nothing that is left knows of the end: divergence stated in the protocol document
    assert trail.found(live=True) == [("cut-off", "main", 8)]


def test_fault_N8_a_cut_end_and_cut_checkpoint_are_named_by_a_head_kept_elsewhere(trail: Trail) -> None:
    kept = trail.chain.head
    trail.edit("delete from audit_entries where seq > 7")
    trail.path.write_bytes(trail.path.read_bytes().splitlines(keepends=True)[0])
    report = trail.verify(known={"main": kept})
    assert [(each.kind, each.seq) for each in report.problems] == [("cut-off", 8)]


def test_fault_N8_a_cut_below_the_checkpoint_that_is_left_is_named(trail: Trail) -> None:
    trail.edit("delete from audit_entries where seq > 3")
    trail.path.write_bytes(trail.path.read_bytes().splitlines(keepends=True)[0])
    assert trail.found() == [("cut-off", "main", 4)]


def test_fault_N8_entries_swapped_between_nodes_are_named(trail: Trail) -> None:
    trail.add(10, node="other")
    assert trail.found() == []
    trail.edit("update audit_entries set node = 'x' where node = 'main' and seq = 4")
    trail.edit("update audit_entries set node = 'main' where node = 'other' and seq = 4")
    trail.edit("update audit_entries set node = 'other' where node = 'x' and seq = 4")
    changed = [(node, seq) for kind, node, seq in trail.found() if kind == "changed"]
    assert changed == [("main", 4), ("other", 4)]


@pytest.mark.parametrize("node", ["maim", "", "\x00", b"main"])
def test_fault_N8_an_entry_moved_to_an_unknown_node_is_named(trail: Trail, node: Value) -> None:
    trail.edit("update audit_entries set node = :node where seq = 4", node=node)
    found = trail.found()
    assert ("gap", "main", 5) in found
    assert len(found) > 1


def test_fault_N8_an_old_database_put_back_is_named(trail: Trail) -> None:
    """The chain goes on from an old head: entry 8 is not the one that stood there when 10 was signed."""
    trail.edit("delete from audit_entries where seq > 7")
    entry = trail.entries()[-1]
    trail.chains["main"] = trail.chain = type(trail.chain)(
        node="main",
        key=trail.keys.current(DataKeyPurpose.AUDIT),
        head=ChainHead(seq=entry.seq, mac=entry.mac),
        entropy=trail.entropy,
    )
    trail.add(2)
    trail.checkpoint()
    found = trail.found()
    assert ("checkpoint-mismatch", "main", 9) in found  # the file: after 10 came 9
    assert ("cut-off", "main", 10) in found
    trail.add(3)
    assert ("checkpoint-mismatch", "main", 10) in trail.found()


def _export(trail: Trail) -> list[bytes]:
    return [as_json_line(entry).encode() + b"\n" for entry in trail.entries()]


def _check(trail: Trail, lines: list[bytes]) -> list[tuple[str, int | None, int | None]]:
    report = verify_lines(lines, keys=lambda version: trail.keys.get(DataKeyPurpose.AUDIT, version))
    return [(each.kind.value, each.line, each.seq) for each in report]


def test_fault_N8_an_untouched_export_verifies(trail: Trail) -> None:
    assert _check(trail, _export(trail)) == []
    assert _check(trail, _export(trail)[4:]) == []


def test_fault_N8_a_deleted_line_of_an_export_is_named(trail: Trail) -> None:
    lines = _export(trail)
    del lines[3]
    assert _check(trail, lines) == [("gap", 4, 5)]


def test_fault_N8_a_changed_line_of_an_export_is_named(trail: Trail) -> None:
    lines = _export(trail)
    lines[3] = lines[3].replace(b'"number":3', b'"number":4')
    assert _check(trail, lines) == [("changed", 4, 4)]


def test_fault_N8_a_spoiled_line_of_an_export_is_named(trail: Trail) -> None:
    lines = _export(trail)
    lines[3] = b"{}\n"
    assert _check(trail, lines) == [("malformed", 4, 4)]


def test_fault_N8_reordered_lines_of_an_export_are_named(trail: Trail) -> None:
    lines = _export(trail)
    lines[3], lines[4] = lines[4], lines[3]
    assert _check(trail, lines) == [("gap", 4, 5), ("out-of-order", 5, 4)]


def test_fault_N8_a_repeated_line_of_an_export_is_named(trail: Trail) -> None:
    lines = _export(trail)
    lines.insert(4, lines[3])
    assert _check(trail, lines) == [("duplicate", 5, 4)]


def test_fault_N8_damage_survives_an_export(trail: Trail) -> None:
    trail.edit("update audit_entries set facts = '{ }' || char(10) where seq = 4")
    assert _check(trail, _export(trail)) == [("changed", 4, 4)]
    assert all(line.count(b"\n") == 1 for line in _export(trail))
    assert len(list(parse_lines(_export(trail)))) == 10
