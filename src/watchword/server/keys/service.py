"""The keys of a running server: opened at start, changed by time and by operators, seen by every node."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Self

from watchword.core.clock import Clock, Instant
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.authority import Issued
from watchword.crypto.certificates import encode_certificate_pem, root_fingerprint
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.keyring import DataKeyPurpose, DataKeys, RootKey
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import (
    ConflictError,
    DamagedError,
    InvalidConfigError,
    KeyUnknownError,
    NotFoundError,
    UnavailableError,
)
from watchword.server.db.unit import Database, GuardError
from watchword.server.keys.changes import Change, KeyChanges
from watchword.server.keys.live import LiveKeys, OpenSealingKey, open_keys, tls_role
from watchword.server.keys.model import SEALING_LANES, KeyStatus, Lane, Policy, StoredKeys
from watchword.server.keys.root_file import RootKeys
from watchword.server.keys.sealing import KeySealer
from watchword.server.keys.sql import SqlKeyStore
from watchword.server.keys.status import list_status
from watchword.server.keys.store import KeyStore

READ_FLOOR: Final = 5.0
"""Seconds between reads that unknown key ids cause: strangers choose those."""
_ATTEMPTS: Final = 5
_DATA_PREFIX: Final = "data:"

DataKeysReady = Callable[[DataKeys], Awaitable[None]]


async def _nobody(_data: DataKeys) -> None:
    return


def _no_more() -> None:
    return


class KeyService:
    """One per process. Reads are from memory; `tick` and `reload_if_changed` keep that memory true."""

    def __init__(
        self, *, database: Database, store: KeyStore, root_keys: RootKeys, clock: Clock, entropy: Entropy,
        policy: Policy, ready: DataKeysReady,
    ) -> None:  # fmt: skip
        """Use `open`."""
        self.data = DataKeys({})
        """One object for the life of the process; rotations anywhere add to it."""
        self._database = database
        self._store = store
        self._root_keys = root_keys
        self._clock = clock
        self._entropy = entropy
        self._policy = policy
        self._ready = ready
        self._changing = asyncio.Lock()
        self._names: tuple[str, ...] = ()
        self._read_at = clock.monotonic()
        self._root: RootKey | None = None
        self._served: Issued | None = None
        self.on_new_tls: Callable[[], None] = _no_more
        """Called when the certificate is another than `server_tls` gave last."""
        self._live: LiveKeys

    @classmethod
    async def open(
        cls,
        database: Database,
        root_keys: RootKeys,
        clock: Clock,
        entropy: Entropy,
        origin: str | None,
        *,
        tls_names: Sequence[str] = (),
        policy: Policy | None = None,
        ready: DataKeysReady = _nobody,
    ) -> Self:
        """Load the keys, or make them at the first start; of several first starts at once, one makes them.

        `ready` is called when data keys are known and whenever they change, before anything is written under them:
        there the audit chain takes its key. `origin` is the issuer, None for the one
        that the data has; without `tls_names` no TLS certificate is made.

        Raises:
            InvalidConfigError: the root key is missing, unsafe or of other data; the authority has ended.
            DamagedError: stored keys fail their checks.
        """
        service = cls(
            database=database, store=SqlKeyStore(database), root_keys=root_keys, clock=clock, entropy=entropy,
            policy=policy or Policy(), ready=ready,
        )  # fmt: skip
        await service._load_or_make(origin)
        service._live.authority.check_time(clock.now())
        service._names = tuple(sorted(set(tls_names)))
        await service._keep_up(issuer=origin or service.issuer)
        return service

    # What requests use.

    def sealing_key(self, kid: str) -> SealingPrivateKey:
        """The key that an envelope names, in its grace too. Raise `KeyUnknownError`."""
        found = self._live.sealing.get(kid)
        if found is None or (found.until is not None and found.until <= self._clock.now()):
            raise KeyUnknownError
        return found.key

    async def find_sealing_key(self, kid: str) -> SealingPrivateKey:
        """As `sealing_key`; an unknown id may be a key that another node made, so look again (not too often)."""
        try:
            return self.sealing_key(kid)
        except KeyUnknownError:
            if self._clock.monotonic() - self._read_at < READ_FLOOR:
                raise
        await self.reload_if_changed()
        return self.sealing_key(kid)

    def current_sealing(self, suite: Suite) -> OpenSealingKey:
        """`.kid` and `.key` of what new envelopes are sealed to."""
        return self._live.current_sealing[suite]

    @property
    def signing_key(self) -> TokenSigningKey:
        """What signs tokens now. Ask each time."""
        return self._live.signing

    @property
    def verification_keys(self) -> tuple[TokenVerifyingKey, ...]:
        """What tokens are verified with: as published."""
        return self._live.published

    def verifying_key(self, kid: str) -> TokenVerifyingKey:
        """Any signing key that there ever was, for what stays for ever (audit checkpoints), never for tokens.

        Raises:
            KeyUnknownError: it was never ours.
        """
        found = self._live.verifying.get(kid)
        if found is None:
            raise KeyUnknownError
        return found

    def jwks(self) -> bytes:
        return self._live.jwks

    @property
    def jwks_tag(self) -> str:
        """Strong entity tag of `jwks()`."""
        return self._live.jwks_tag

    def key_document(self) -> str:
        return self._live.stored.document

    @property
    def document_number(self) -> int:
        return self._live.stored.document_number

    @property
    def issuer(self) -> str:
        """The origin that keys and tokens name."""
        return self._live.stored.issuer

    def root_certificate(self) -> bytes:
        """PEM, for `ca.pem`."""
        return encode_certificate_pem(self._live.authority.root.certificate)

    def root_fingerprint(self) -> bytes:
        """SHA-256 of the root's public key: what clients pin."""
        return root_fingerprint(self._live.authority.root.certificate)

    def server_tls(self) -> tuple[bytes, Secret]:
        """The chain (leaf first) and the private key for TLS, both PEM. Raise `NotFoundError` without `tls_names`."""
        issued = self._tls()
        if issued is None:
            raise NotFoundError("no names were given for a TLS certificate")
        self._served = issued
        return issued.chain_pem(), issued.key_pem()

    def status(self) -> list[KeyStatus]:
        """For `watchword keys status`."""
        return list_status(self._live)

    # What changes them.

    async def tick(self) -> None:
        """Once a minute: see other nodes' changes, then do what time asks for."""
        await self.reload_if_changed()
        await self._keep_up(issuer=self._live.stored.issuer)

    async def reload_if_changed(self) -> bool:
        """One small read; more only if another node changed the keys. True if so."""
        self._read_at = self._clock.monotonic()
        if await self._store.version() == self._live.stored.version:
            return False
        await self._reload()
        return True

    async def rotate(
        self, use: str, *, at_once: bool = False, by: Mapping[str, str | int] | None = None
    ) -> None:
        """Rotate `signing`, `sealing`, `data:<purpose>`, `root` or `tls`.

        `at_once`, for a key that may be known to others: a new signing key signs without the time to be seen
        first, tokens of the older ones are good no more, and an old sealing key opens nothing more. `by` goes into the
        audit entries: who asked.

        Raises:
            NotFoundError: there is no such use.
            ConflictError: it does not rotate now, or not on a running server; the text says why.
            InvalidConfigError: the root key comes from the environment.
        """
        if use == "root":
            return await self._rotate_root(by)
        if use.startswith(_DATA_PREFIX):
            return await self._rotate_data(use.removeprefix(_DATA_PREFIX), by)
        if use == "tls":
            if not self._names:
                raise ConflictError(
                    "TLS is not of our own CA here: put a new certificate in place, and reload"
                )
            return await self._change(
                lambda live, now: self._changes.renew_tls(live, self._names, now=now), by
            )
        lanes = {"signing": [Lane.SIGNING], "sealing": list(SEALING_LANES)}.get(use)
        if lanes is None:
            raise NotFoundError(f"there is no key {use!r}: signing, sealing, data:<purpose>, root or tls")
        return await self._change(
            lambda live, now: self._changes.rotate(live, lanes, now=now, at_once=at_once), by
        )

    async def _rotate_data(self, name: str, by: Mapping[str, str | int] | None) -> None:
        try:
            purpose = DataKeyPurpose(name)
        except ValueError:
            raise NotFoundError(f"there is no data key {name!r}") from None

        def add(live: LiveKeys, now: Instant) -> Change:
            root = self._root or self._root_keys.choose(live.stored.root_check)
            return self._changes.add_data_key(live, purpose, root, now=now)

        await self._change(add, by)
        await self._keep_up(issuer=self._live.stored.issuer)  # own records under a new at-rest key

    async def _rotate_root(self, by: Mapping[str, str | int] | None) -> None:
        """The new file is staged first and takes its place when the table is durable under it (`choose`)."""
        await self._change(
            lambda live, now: self._changes.rewrap(
                live, self._root_keys.stage(live.stored.root_check), now=now
            ),
            by,
        )

    async def skip_document_numbers(self, *, by: Mapping[str, str | int] | None = None) -> None:
        """After a restore: clients have seen documents that this data does not know of, and refuse lower numbers."""
        await self._change(lambda live, now: self._changes.skip_document_numbers(live, now=now), by)

    async def _keep_up(self, *, issuer: str) -> None:
        await self._change(
            lambda live, now: self._changes.upkeep(live, issuer=issuer, names=self._names, now=now)
        )

    @property
    def _changes(self) -> KeyChanges:
        return KeyChanges(sealer=self._sealer, policy=self._policy, entropy=self._entropy)

    @property
    def _sealer(self) -> KeySealer:
        return KeySealer(self.data, self._entropy)

    def _tls(self) -> Issued | None:
        return self._live.tls.get(tls_role(self._names))

    async def _change(
        self,
        decide: Callable[[LiveKeys, Instant], Change | None],
        by: Mapping[str, str | int] | None = None,
    ) -> None:
        """Decide and commit; when another node was first, look at what it did and decide again."""
        async with self._changing:
            for _ in range(_ATTEMPTS):
                before = self._live.stored
                change = decide(self._live, self._clock.now())
                if change is None:
                    return None
                unit = self._store.unit_of_change(before, change.after)
                unit.events.extend(
                    dataclasses.replace(event, facts={**event.facts, **(by or {})}) for event in change.events
                )
                try:
                    await self._database.commit(unit)
                except GuardError:
                    await self._reload()
                else:
                    return await self._adopt(change.after)
        raise ConflictError("other nodes change the keys at the same time: try again")

    async def _load_or_make(self, origin: str | None) -> None:
        """Of several first starts at once one makes the keys; the others look again and find them."""
        for _ in range(_ATTEMPTS):
            stored = await self._store.load()
            if stored is None and origin is None:
                raise InvalidConfigError("there are no keys here yet: start the server once")
            stored = stored or await self._make_first(origin or "")
            if stored is not None:
                return await self._adopt(stored)
        raise UnavailableError("another node makes the first keys and does not finish: try again")

    async def _make_first(self, origin: str) -> StoredKeys | None:
        """Make everything and store it; None if another node was first."""
        root, data = self._root_keys.for_first_start(), DataKeys.generate(self._entropy)
        changes = KeyChanges(
            sealer=KeySealer(data, self._entropy), policy=self._policy, entropy=self._entropy
        )
        first = changes.first(root, issuer=origin, now=self._clock.now())
        await self._ready(data)
        unit = self._store.unit_of_first(first.after)
        unit.events.extend(first.events)
        try:
            await self._database.commit(unit)
        except GuardError:
            return None
        return first.after

    async def _reload(self) -> None:
        await self._adopt(await self._stored())

    async def _stored(self) -> StoredKeys:
        stored = await self._store.load()
        if stored is None:
            raise DamagedError("the server's keys are gone from the database")
        return stored

    async def _adopt(self, stored: StoredKeys) -> None:
        """Use `stored` from now on. Nothing changes if it does not open."""
        root = self._root
        if root is None or not root.matches(stored.root_check):
            root = self._root_keys.choose(stored.root_check)
        added = False
        for wrapped in stored.data_keys:
            if wrapped.version not in self.data.versions(wrapped.purpose):
                key = root.unwrap(wrapped.wrapped, purpose=wrapped.purpose, version=wrapped.version)
                self.data.install(wrapped.purpose, wrapped.version, key)
                added = True
        self._live = open_keys(stored, self._sealer)
        self._root = root
        if added:
            await self._ready(self.data)
        if self._served is not None and self._tls() != self._served:
            self.on_new_tls()
