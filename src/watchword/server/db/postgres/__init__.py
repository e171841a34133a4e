"""The server engine: PostgreSQL through asyncpg, with the same groups as on SQLite.

Units with different keys travel together: those of the same shape run statement by statement, many rows at a time.
A group that fails as a whole is run again unit by unit, so that a failure is its own unit's alone.
"""

from watchword.server.db.postgres.database import PostgresDatabase
from watchword.server.db.postgres.start import open_postgres

__all__ = ["PostgresDatabase", "open_postgres"]
