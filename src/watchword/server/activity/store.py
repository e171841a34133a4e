"""What the service needs to read. Entries come newest first; each call reads about as much as it gives."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, DeviceId
from watchword.server.activity.model import Entry


class ActivityStore(Protocol):
    """Every method may raise `UnavailableError`, and `DamagedError` where the trail cannot be read."""

    async def events(self, account_id: AccountId, *, limit: int) -> Sequence[Entry]:
        """Entries with this account, those of tokens left out."""
        ...

    async def tokens(self, account_id: AccountId, *, limit: int) -> Sequence[Entry]:
        """Tokens for apps that were made for this account."""
        ...

    async def refused(self, identifier_key: str, *, since: Instant, limit: int) -> Sequence[Entry]:
        """Logins by this name that were refused at `since` or later."""
        ...

    async def username_key(self, account_id: AccountId) -> str | None:
        """The user name by which the account logs in, as it stands in entries."""
        ...

    async def device_names(self, account_id: AccountId) -> Mapping[DeviceId, str]:
        """The newest devices of the account."""
        ...
