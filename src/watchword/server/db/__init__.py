"""Where state is kept: units of work on SQLite or PostgreSQL, behind one interface.

`unit.py` says what a database is; `open.py` chooses the engine; `dialect.py` and `migrate.py` make SQL written once
run on both. Nothing is acknowledged before it is on disk, and nothing is half done.
"""

from watchword.server.db.open import open_database
from watchword.server.db.unit import AuditSink, Database, GuardError, Parameters, Row, Step, Unit, Value

__all__ = [
    "AuditSink",
    "Database",
    "GuardError",
    "Parameters",
    "Row",
    "Step",
    "Unit",
    "Value",
    "open_database",
]
