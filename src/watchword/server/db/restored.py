"""The mark of data that was put back: in `meta`, from the moment when it is in place until somebody looked after it."""

from typing import Final

import msgspec

from watchword.errors import DamagedError
from watchword.server.db.unit import Value

RESTORED: Final = "restored"
FIND_MARK: Final = "select value from meta where name = :name"


class RestoredMark(msgspec.Struct, frozen=True):
    """What restored data says of itself until `after-restore`. Instants are milliseconds since 1970."""

    backup: str
    """The backup's id."""
    taken_at: int
    restored_at: int
    origin: str = ""

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def parse(cls, value: Value) -> "RestoredMark":
        """Raise `DamagedError`."""
        try:
            return msgspec.json.decode(value if isinstance(value, bytes) else b"", type=cls)
        except msgspec.DecodeError:
            raise DamagedError("the mark of a restore cannot be read") from None
