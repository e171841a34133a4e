"""The session of a device at a server: opened, renewed, used, ended. Steps only; `Client` and `AsyncClient` drive them.

    no vault --register, log in--> vault with a session --(10 min)--> the same, access token renewed by logging in
                                         |  log out, or ended by the server
                                         v
                                    vault without a session: only `log_in` leads on

Everything that changes the vault happens inside a `Whole`: one at a time, to its end, saved before it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from watchword.client import device
from watchword.client.effects import Flow
from watchword.client.flows import account, api
from watchword.client.flows.account import DeviceKeys, LoggedIn, NewAccount
from watchword.client.held import Held, Ways
from watchword.client.password_source import PasswordSource, read_password
from watchword.client.peer import Peer
from watchword.client.steps import SessionFlow, Whole, Work
from watchword.client.trust import TrustedServer
from watchword.client.vault import OpenVault, VaultFile
from watchword.core.clock import SECOND
from watchword.core.secret import Secret
from watchword.errors import (
    ConflictError,
    RefusedError,
    SignInNeededError,
    UnauthenticatedError,
)
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.keydocument import KeyDocument
from watchword.protocol.messages import AccountBody
from watchword.protocol.passwords import check_new

SERVICE: Final = "watchword"
"""A password is not the name of what it opens."""
_MARGIN: Final = 5 * SECOND
"""An access token this close to its end is renewed first."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A new account, on this device; the recovery key is shown once and kept nowhere."""

    account: AccountBody
    recovery_key: RecoveryKey


class Session:
    """`trust` finds the server, once, when it is first needed; `source` is asked for the password when one is."""

    def __init__(
        self,
        trust: Callable[[], TrustedServer],
        file: VaultFile,
        *,
        source: PasswordSource | None,
        username: str | None,
        device_name: str,
        ways: Ways,
    ) -> None:
        self.ways, self._held = ways, Held(file, ways)
        self._peer = Peer(trust, self._held, ways)
        self._source, self._username, self._device_name = source, username, device_name

    @property
    def file(self) -> VaultFile:
        return self._held.file

    @property
    def generation(self) -> int:
        """Moves whenever another session, or none, takes the place of the one before."""
        return self._held.generation

    # Opening

    def begin(self) -> SessionFlow[None]:
        """Open the vault, or log in where there is none yet and a name to do it with; else nothing."""
        if self._source is not None and (self._held.file.exists() or self._username is not None):
            yield from self.opened()

    def opened(self) -> SessionFlow[OpenVault]:
        """The open vault; opened, or made by a first login, if it is not. Raises `SignInNeededError`."""
        if self._held.vault is None:
            yield Whole(flow=self._open_first)
        return self._held.require()

    def open_vault(self, source: PasswordSource | None = None) -> SessionFlow[OpenVault]:
        """Open it, with `source` from now on if one is given. Raises `WrongPasswordError`, `DamagedError`."""

        def opening() -> SessionFlow[None]:
            yield from self._open(self._source if source is None else source)
            self._source = self._source if source is None else source

        yield Whole(flow=opening)
        return self._held.require()

    def _open_first(self) -> SessionFlow[None]:
        if self._held.vault is not None:
            return
        if self._held.file.exists():
            yield from self._open(self._source)
        elif self._username is not None:
            yield from self._sign_in(self._username, None, self._device_name)
        else:
            raise SignInNeededError(f"there is no vault at {self._held.file.path}: register or log in first")

    def _open(self, source: PasswordSource | None) -> SessionFlow[None]:
        yield from self._held.open((yield from self._password(source)))

    def _password(self, source: PasswordSource | None) -> SessionFlow[Secret]:
        chosen = self._source if source is None else source
        if chosen is None:
            raise SignInNeededError(
                "a password is needed to sign in again, and the client was given no way to get one: "
                "give it `password`, or log in"
            )
        password: Secret = yield Work(run=lambda: read_password(chosen))
        return password

    # Signing in

    def register(self, new: NewAccount, device_name: str | None) -> SessionFlow[Registered]:
        def registering() -> SessionFlow[Registered]:
            recovery = RecoveryKey.generate(self.ways.entropy)
            answer = yield from self._peer.sealed(
                lambda to: account.register(new, recovery, to=to, entropy=self.ways.entropy)
            )
            yield from self._enrol(answer.temporary_token, new.password, device_name)
            return Registered(account=answer.account, recovery_key=recovery)

        registered: Registered = yield Whole(flow=registering)
        return registered

    def log_in(
        self,
        identifier: str | None,
        source: PasswordSource | None,
        device_name: str | None,
        *,
        new_device: bool,
    ) -> SessionFlow[AccountBody]:
        def signing_in() -> SessionFlow[AccountBody]:
            if new_device:
                return (yield from self._held.set_aside(self._sign_in(identifier, source, device_name)))
            if self._held.vault is None and self._held.file.exists():
                yield from self._open(source)
            return (yield from self._sign_in(identifier, source, device_name))

        found: AccountBody = yield Whole(flow=signing_in)
        return found

    def _sign_in(
        self, identifier: str | None, source: PasswordSource | None, device_name: str | None
    ) -> SessionFlow[AccountBody]:
        """On the device in the open vault, or else by enrolling this one."""
        name = identifier or (self._held.vault.owner.username if self._held.vault else self._username)
        if name is None:
            raise SignInNeededError("whose account? Give the name to log in with")
        password = yield from self._password(source)
        answer = (yield from self._prove(name, password)).answer
        if answer.temporary_token is not None:
            yield from self._enrol(answer.temporary_token, password, device_name)
        if source is not None and self._source is not None:
            self._source = source  # the newer one: the password may have been changed elsewhere
        return answer.account

    def _prove(self, identifier: str, password: Secret) -> SessionFlow[LoggedIn]:
        """Log in with whatever proves this device; a grant is in the vault, on disk, before this returns."""
        if self._held.vault is not None:
            yield from self._held.refresh(password)
        prover = device.prover_of(self._held.vault) if self._held.vault else None
        logged_in = yield from self._peer.sealed(
            lambda to: account.log_in(identifier, password, to=to, entropy=self.ways.entropy, prover=prover)
        )
        if logged_in.answer.grant is not None:
            yield from self._held.keep(logged_in.answer.grant, password)
        return logged_in

    def _enrol(self, credential: str, password: Secret, device_name: str | None) -> SessionFlow[None]:
        keys = DeviceKeys.generate(self.ways.entropy)
        name = device_name or self._device_name
        answer = yield from self._peer.sealed(
            lambda to: account.enrol(credential, name, keys, to=to, entropy=self.ways.entropy)
        )
        document = yield from self._peer.given(answer.key_document)
        trusted = yield from self.trusted()
        owner, entries = device.new_vault(
            answer,
            keys,
            server=trusted.server,
            issuer=document.issuer,
            root_pem=trusted.root_pem,
            number=document.number,
        )
        yield from self._held.enrolled(owner, dict(entries), password)

    def change_password(self, new_text: str, source: PasswordSource | None) -> SessionFlow[None]:
        """Change it, and seal the vault with the new one."""

        def changing() -> SessionFlow[None]:
            vault = self._held.require()
            logged_in = yield from self._prove(vault.owner.username, (yield from self._password(source)))
            yield from self._change(logged_in, new_text)

        yield from self.opened()
        yield Whole(flow=changing)

    def _change(self, logged_in: LoggedIn, new_text: str) -> SessionFlow[None]:
        vault = self._held.require()
        name, email = vault.owner.username, logged_in.answer.account.email
        new = check_new(new_text, username=name, email=email, service=SERVICE)
        answer = yield from self._peer.sealed(
            lambda to: account.change_password(logged_in, name, new, to=to, entropy=self.ways.entropy)
        )
        entries = {
            **vault.entries,
            "WATCHWORD_CLIENT_KEY": answer.client_key,
            "WATCHWORD_SEED_VERSION": str(answer.seed_version),
        }
        yield from self._held.reseal(replace(vault.owner, password_version=answer.seed_version), entries, new)
        if isinstance(self._source, Secret):  # a file or a function is its owner's to change
            self._source = new

    # Using the session

    def call(self, flow: Callable[[Secret], Flow[T]]) -> SessionFlow[T]:
        """Run a call of the API with a live access token; without one left, log in again first."""
        token = yield from self._live_token()
        line = yield from self._peer.line()
        try:
            return (yield from line.run(flow(token)))
        except UnauthenticatedError as error:
            ended = _ended(error)
            newer = yield Whole(flow=lambda: self._in_place_of(token, ended))
        return (yield from line.run(flow(newer)))  # another task or process has signed in meanwhile

    def call_alone(self, flow: Callable[[Secret], Flow[T]]) -> SessionFlow[T]:
        """As `call`, for a part of a `Whole`; the vault is open."""
        token = yield from self._renew()
        line = yield from self._peer.line()
        try:
            return (yield from line.run(flow(token)))
        except UnauthenticatedError as error:
            newer = yield from self._in_place_of(token, _ended(error))
        return (yield from line.run(flow(newer)))

    def _in_place_of(self, token: Secret, ended: SignInNeededError) -> SessionFlow[Secret]:
        """A token to use after `token` was refused, if somebody else has signed in; else the session has ended.

        Raises `ended`, and so does the next call; and `ConflictError` where another process has changed the vault,
        and there is no password at hand to open it again.
        """
        newer = self._newer_than(token)
        if newer is not None:
            return newer
        try:
            yield from self._held.end_session()
        except ConflictError:
            if self._source is None:
                raise
            yield from self._open_first()
            newer = yield from self._renew()
            if newer != token:  # compare: a Secret does so in constant time
                return newer
            yield from self._held.end_session()
        raise ended

    def _live_token(self) -> SessionFlow[Secret]:
        vault = yield from self.opened()
        token = self._token_in(vault)
        if token is None:
            token = yield Whole(flow=self._renew)
        found: Secret = token
        return found

    def _token_in(self, vault: OpenVault) -> Secret | None:
        if device.SESSION not in vault.entries:
            raise SignInNeededError("nobody is signed in here (any more): log in again")
        return device.live_access_token(vault, now=self.ways.clock.now(), margin=_MARGIN)

    def _newer_than(self, token: Secret) -> Secret | None:
        vault = self._held.vault
        found = self._token_in(vault) if vault is not None and device.SESSION in vault.entries else None
        if found is None:
            return None
        same = found == token  # compare: a Secret does so in constant time
        return None if same else found

    def _renew(self) -> SessionFlow[Secret]:
        """Many may wait for one renewal: whoever comes second finds it done."""
        vault = self._held.require()
        token = self._token_in(vault)
        if token is not None:
            return token
        password = yield from self._password(None)
        yield from self._held.refresh(password)
        token = self._token_in(self._held.require())
        if token is not None:
            return token  # another process has renewed it
        try:
            yield from self._prove(vault.owner.username, password)
        except RefusedError:
            yield from self._held.end_session()  # not tried again and again: guesses are counted
            raise
        return Secret.from_text(self._held.require().get("WATCHWORD_ACCESS_TOKEN"))

    def log_out(self, *, everywhere: bool, session: str | None) -> SessionFlow[None]:
        """End this session, another one, or all. Raises `NotFoundError`."""
        vault = yield from self.opened()
        own = session in (None, vault.entries.get(device.SESSION))
        if everywhere:
            yield from self.call(api.end_all_sessions)
        elif own:
            # Its name is read once the token is at hand: a renewal by login replaces the session.
            yield from self.call(
                lambda token: api.end_session(token, self._held.require().get(device.SESSION))
            )
        else:
            yield from self.call(lambda token: api.end_session(token, session or ""))
        if everywhere or own:
            yield Whole(flow=self._held.end_session)

    def key_document(self) -> SessionFlow[KeyDocument]:
        document: KeyDocument = yield Whole(flow=self._peer.keys)
        return document

    def trusted(self) -> SessionFlow[TrustedServer]:
        return (yield from self._peer.line()).trusted


def _ended(error: UnauthenticatedError) -> SignInNeededError:
    told = SignInNeededError("the server has ended this session: log in again")
    told.request_id = error.request_id
    return told
