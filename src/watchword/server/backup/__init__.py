"""Backups: one file that holds all of a server's data, and the way back.

A backup is a consistent snapshot, taken by a process of its own beside the running server: writers never wait for it.
The file is the same for both engines, so a backup of SQLite restores to PostgreSQL and back
(docs/protocol/backup.md is normative).

Invariants: what was acknowledged before the backup began is in it; nothing of a restore is visible before the whole
file was checked and the root key opened the data; restored data does not serve before `watchword after-restore` has
ended what may have come after the backup.

| file | holds |
|---|---|
| `keys.py` | key pairs that backups are sealed to |
| `head.py` | the first bytes: how the rest is sealed |
| `chunks.py` | the rest in chunks, each checked by itself |
| `records.py` | what the chunks say: manifest, files, tables |
| `make.py`, `output.py` | taking one |
| `restore.py`, `stage.py` | putting one back |
| `after_restore.py` | ending what came after it |
"""
