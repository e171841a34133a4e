"""Whether a commit happened whose answer was lost.

Each group's transaction begins by inserting its random id. To find out, we insert the same id: the unique index makes
us wait while the old transaction is still undecided, tells us when it was committed, and if it was not, our own row
keeps it from ever being so.
"""

from typing import Final

from watchword.core.clock import Instant
from watchword.errors import UnavailableError
from watchword.server.db.postgres.connection import Source

GROUP_ID_SIZE: Final = 16
_CLAIM: Final = "insert into commits (id, number) values ($1, $2) on conflict (id) do nothing returning id"


class UnknownOutcomeError(Exception):
    """It could not be found out yet."""


def begin_text(group_id: bytes, now: Instant) -> str:
    """Begin and record the id, in one round trip (the simple protocol takes no parameters)."""
    values = f"'\\x{group_id.hex()}', {int(now)}"
    return f"begin; insert into commits (id, number) values ({values})"  # noqa: S608  # hex digits and a number


async def find_out(source: Source, group_id: bytes, now: Instant) -> bool:
    """Return whether the group was committed; if not, it never will be.

    Raises:
        UnknownOutcomeError: the database does not answer, or not the one we know.
    """
    try:
        connection = await source.connect()
    except (Exception, UnavailableError) as error:
        raise UnknownOutcomeError(str(error)) from error
    try:
        claimed = await connection.fetchval(_CLAIM, group_id, now)
    except Exception as error:
        raise UnknownOutcomeError(str(error)) from error
    finally:
        connection.terminate()
    return claimed is None
