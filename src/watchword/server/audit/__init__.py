"""The audit trail: what is recorded, how entries are chained, and how a change to them is found.

Owns the table `audit_entries` and the file `audit/checkpoints.jsonl`; docs/protocol/audit.md is normative.

- An entry is in the transaction that it describes, or neither happens.
- One chain per node, in order of `seq`; only the erasable column of a row ever changes.
- A checkpoint is signed outside the database; when it cannot be, that is an alarm and no stop.

| module | offers |
|---|---|
| `model` | `AuditEvent`, `AuditTag`: what services note in a unit |
| `chain` | `AuditChain`: the sink that the database's writer calls |
| `sql` | `SQLAuditStore`, `load_head` |
| `service` | `AuditService`: tail, follow, verify, erase |
| `verify` | `ChainVerifier`, `verify_lines`, `Problem` |
| `lines` | `as_json_line`, `parse_json_line` |
| `checkpoint_file`, `checkpointer` | `CheckpointFile`, `Checkpointer` |

Imported from those modules: `server.db` needs `model`, and `chain` needs `server.db`.
"""
