"""What the service needs kept. A change is one unit, guarded by the version that it was decided on."""

from typing import Protocol

from watchword.server.db.unit import Unit
from watchword.server.keys.model import StoredKeys

CHANGED = "keys_changed"
"""The guard that fails when somebody else changed the keys, or made the first ones, meanwhile."""


class KeyStore(Protocol):
    async def version(self) -> int | None:
        """One small read; None before the first start."""
        ...

    async def load(self) -> StoredKeys | None:
        """All of one version, or None before the first start. Raises `DamagedError`."""
        ...

    def unit_of_first(self, first: StoredKeys) -> Unit:
        """Store the first keys, unless there are some."""
        ...

    def unit_of_change(self, before: StoredKeys, after: StoredKeys) -> Unit:
        """Go from `before` to `after`, if the stored version is still that of `before`."""
        ...
