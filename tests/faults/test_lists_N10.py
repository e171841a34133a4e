"""FAULTS N10, as far as lists leave us by now: JSON lines and tables are inert, and hold no secret. No CSV is made."""

import io
import json

import pytest
from tests.kits.audit import Trail

from watchword.cli.output import Table, print_json
from watchword.core.clock import Instant
from watchword.server.audit.lines import as_json_line, parse_json_line
from watchword.server.audit.model import AuditEvent, AuditTag

HOSTILE = [
    "=cmd|'/c calc'!A1",
    '"quoted", and a comma',
    "two\nlines\r\nand more",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "\u2028\u2029\x85",
    "\x00",
    "@SUM(1+1)",
    "\t=1+1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_fault_N10_an_audit_line_is_one_line_of_printable_ascii(trail: Trail, text: str) -> None:
    event = AuditEvent(
        tag=AuditTag.LOGIN_REFUSED,
        at=Instant(trail.clock.now()),
        facts={"reason": text},
        personal={"username": text, "user_agent": text},
    )
    trail.write(event)
    (entry,) = trail.entries()
    line = as_json_line(entry)
    assert line.isascii()
    assert line.isprintable()
    assert parse_json_line(line.encode()) == entry
    assert not line.startswith(("=", "+", "-", "@", "\t"))


@pytest.mark.parametrize("text", HOSTILE)
def test_fault_N10_a_table_shows_what_a_terminal_would_obey_as_escapes(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    Table(columns=["name", "level"], rows=[[text, 0], ["anna", 1]]).print()
    lines = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("text", HOSTILE)
def test_fault_N10_json_of_a_list_is_one_line_of_ascii(text: str) -> None:
    stream = io.StringIO()
    print_json([{"username": text}], stream=stream)
    line = stream.getvalue()
    assert line.isascii()
    assert line.count("\n") == 1
    assert json.loads(line) == [{"username": text}]


@pytest.fixture
def trail(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    return Trail(tmp_path_factory.mktemp("trail"))
