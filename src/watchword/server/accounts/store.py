"""What the accounts service needs kept. Methods that take a `Unit` add steps to it; the caller commits."""

from collections.abc import Sequence
from typing import Protocol

from watchword.core.clock import Instant
from watchword.core.ids import AccountId, InviteId
from watchword.crypto.passwords import ServerHash, StretchParams
from watchword.server.accounts.model import (
    Account,
    AccountState,
    Invite,
    Login,
    LoginAttempt,
    LoginRecord,
    StoredChest,
)
from watchword.server.db.unit import Unit
from watchword.server.guessing.model import LaneKey


class AccountStore(Protocol):
    async def find_login(self, identifier_key: str) -> LoginRecord | None:
        """The login, its account and chest, in one read."""
        ...

    async def find_attempt(self, identifier_key: str, nobody: LaneKey) -> LoginAttempt:
        """The same with the lane of strangers, in one read: `nobody`'s where nobody has the name."""
        ...

    async def find_salt(self, identifier_key: str) -> tuple[bytes, StretchParams] | None: ...
    async def find(self, account_id: AccountId) -> Account | None: ...
    async def find_by_name(self, name_key: str) -> Account | None: ...
    async def page(self, *, after: AccountId | None, limit: int) -> list[Account]: ...
    async def schemes_in_use(self) -> set[ServerHash]:
        """Schemes of all stored verifiers; a scan, for start-up."""
        ...

    async def find_invite(self, invite: InviteId) -> Invite | None: ...
    async def list_invites(self, *, now: Instant, limit: int) -> list[Invite]: ...

    def claim_invite(self, unit: Unit, invite: InviteId, verifier: bytes, now: Instant) -> None:
        """Guard "invite": unused, unexpired, and of this verifier; used from now on."""
        ...

    def require_no_lookalike(self, unit: Unit, skeleton: str) -> None:
        """Guard "name": no account has this skeleton."""
        ...

    def insert(self, unit: Unit, account: Account, logins: Sequence[Login], chest: StoredChest) -> None:
        """Guard "name": no account has this name key, skeleton or e-mail key."""
        ...

    def insert_invite(self, unit: Unit, invite: Invite) -> None: ...
    def require_current(self, unit: Unit, account: Account) -> None:
        """Guard "account": still active and with this password version."""
        ...

    def replace_verifier(self, unit: Unit, identifier_key: str, old: bytes, new: bytes) -> None:
        """Only if it is still `old`: a rehash never overtakes a password change."""
        ...

    def change_password(
        self,
        unit: Unit,
        account: Account,
        logins: Sequence[Login],
        *,
        chest: StoredChest,
        seed: bytes,
        now: Instant,
    ) -> None:
        """Guards "account" (password version) and "chest" (the version before); the old seed is retired."""
        ...

    def drop_retired_seeds(self, unit: Unit, before: Instant) -> None:
        """Forget seeds that were retired before this instant."""
        ...

    def set_level(self, unit: Unit, account_id: AccountId, level: int, now: Instant) -> None:
        """Guard "account": exists."""
        ...

    def set_state(self, unit: Unit, account_id: AccountId, state: AccountState, now: Instant) -> None:
        """Guard "account": exists."""
        ...

    def delete(self, unit: Unit, account_id: AccountId) -> None:
        """Guard "account": exists. Everything that hangs on it goes too."""
        ...
