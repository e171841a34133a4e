"""The audit table in SQL that both engines run."""

from typing import Final

_COLUMNS: Final = "node, seq, at, tag, facts, commitments, personal, key_version, previous_mac, mac"

INSERT_ENTRY: Final = (
    f"insert into audit_entries ({_COLUMNS}) values "  # noqa: S608  # fixed column names
    "(:node, :seq, :at, :tag, :facts, :commitments, :personal, :key_version, :previous_mac, :mac)"
)
