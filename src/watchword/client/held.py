"""The vault as a session holds it: opened, changed and saved. Changed only inside a `Whole`, one at a time.

Another process may hold it too. What that one has written is never overwritten: before a login it is taken in, and
where it comes to light later, what is held here is let go of (`ConflictError`), to be opened again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from watchword.client import device
from watchword.client.settings import Retries
from watchword.client.steps import SessionFlow, T, Work
from watchword.client.vault import OpenVault, Owner, StretchFunction, VaultFile
from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import ConflictError, SignInNeededError
from watchword.protocol.device_header import HeaderKey
from watchword.protocol.messages import SessionGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What a session is handed: nothing here is looked up."""

    clock: Clock
    entropy: Entropy
    retries: Retries
    stretch: StretchFunction


class Held:
    """`generation` moves whenever another session, or none, takes the place of the one before."""

    def __init__(self, file: VaultFile, ways: Ways) -> None:
        self.file, self._ways = file, ways
        self.vault: OpenVault | None = None
        self.generation = 0

    def require(self) -> OpenVault:
        """Raises `SignInNeededError`."""
        if self.vault is None:
            raise SignInNeededError("the vault is not open: open it, or log in")
        return self.vault

    def set_aside(self, flow: SessionFlow[T]) -> SessionFlow[T]:
        """Run `flow` as if there were no vault; if it fails, the vault is as it was."""
        before, self.vault = self.vault, None
        try:
            return (yield from flow)
        except BaseException:
            self.vault = before
            raise

    def open(self, password: Secret) -> SessionFlow[None]:
        """Raises `WrongPasswordError`, `DamagedError`."""
        self.vault = yield Work(run=lambda: self.file.open(password, self._ways.stretch))

    def refresh(self, password: Secret) -> SessionFlow[None]:
        """Take in what another process has written since. Raises `WrongPasswordError`, `DamagedError`."""
        vault = self.require()
        newer = yield Work(run=lambda: self.file.newer_than(vault, password, self._ways.stretch))
        if newer is not None:
            self.vault = newer
            self.generation += 1

    def enrolled(self, owner: Owner, entries: dict[str, str], password: Secret) -> SessionFlow[None]:
        """This is another device from now on: a new file in place of what was there."""
        self.generation += 1
        self.vault = yield Work(run=lambda: self.file.create(owner, entries, password, self._ways.stretch))

    def reseal(self, owner: Owner, entries: dict[str, str], password: Secret) -> SessionFlow[None]:
        """The same device under another password. Raises `ConflictError`."""
        vault = self.require()
        stretch = self._ways.stretch
        yield from self._writing(lambda: self.file.create(owner, entries, password, stretch, replaces=vault))

    def keep(self, grant: SessionGrant, password: Secret) -> SessionFlow[None]:
        """What the device was granted, on disk before this returns; `password` has just logged in."""
        vault = self.require()
        vault.put(device.session_entries(grant))
        self.generation += 1
        # compare: numbers of versions. Another one: the password was changed elsewhere, so seal with the new one.
        if grant.seed_version != vault.owner.password_version:
            owner = replace(vault.owner, password_version=grant.seed_version)
            yield from self.reseal(owner, dict(vault.entries), password)
        else:
            yield from self.save()

    def end_session(self) -> SessionFlow[None]:
        """The device stays; its session is gone.

        Raises `ConflictError` where another process has changed the vault: its session may be another one.
        """
        if self.vault is None:  # let go of meanwhile
            raise ConflictError("the vault was changed by another process: open it again")
        self.vault.drop(*device.SESSION_ENTRIES)
        self.generation += 1
        yield from self.save()

    def header_key(self) -> HeaderKey | None:
        """What this device proves itself with in a header; None without a vault. Raises `DamagedError`."""
        return device.header_key_of(self.vault) if self.vault else None

    def document_number(self) -> int:
        """Of the newest key document that this device has seen."""
        return device.stored_number(self.vault)

    def keep_number(self, number: int) -> SessionFlow[None]:
        """Keep it on disk: a document that a thief kept cannot come back after a rotation."""
        if self.vault is not None and number > self.document_number():
            self.vault.put({device.DOCUMENT_NUMBER: str(number)})
            yield from self.save()

    def save(self) -> SessionFlow[None]:
        """Raises `ConflictError`; nothing is written then, and the vault is no longer open here."""
        vault = self.require()

        def saved() -> OpenVault:
            self.file.save(vault)
            return vault

        yield from self._writing(saved)

    def _writing(self, write: Callable[[], OpenVault]) -> SessionFlow[None]:
        try:
            self.vault = yield Work(run=write)
        except ConflictError:
            self.vault = None
            self.generation += 1
            raise
