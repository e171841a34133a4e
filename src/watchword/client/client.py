"""A device of one person at one server: registers, logs in, and calls the API, keeping its secrets in the vault.

no vault --register/login--> vault with a session --(10 min)--> the same, access token renewed by logging in again
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self, TypeVar

from watchword.client.effects import Flow
from watchword.client.flows import account, api
from watchword.client.flows.account import DeviceKeys, LoggedIn, NewAccount
from watchword.client.flows.sealed import Prover, recipient_of
from watchword.client.transport import StretchProgress, Transport
from watchword.client.trust import TrustedServer, fetch_key_document
from watchword.client.vault import OpenVault, Owner, VaultFile
from watchword.core.clock import SECOND, Clock, SystemClock
from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.core.entropy import Entropy, SystemEntropy
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey
from watchword.errors import (
    DamagedError,
    KeyUnknownError,
    MalformedError,
    NotTrustedError,
    UnauthenticatedError,
)
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.envelope import Recipient
from watchword.protocol.keydocument import KeyDocument, verify_key_document
from watchword.protocol.messages import (
    AccountBody,
    EnrolAnswer,
    SessionGrant,
    SessionList,
    TokenAnswer,
    WhoAmI,
)
from watchword.protocol.passwords import check_new
from watchword.protocol.tokens import audience_of

_KEY_SIZE: Final = 32
SERVICE: Final = "watchword"
"""A password is not the name of what it opens."""
_MARGIN: Final = 5 * SECOND
"""An access token this close to its end is renewed first."""
_SESSION_ENTRIES: Final = (
    "WATCHWORD_SESSION",
    "WATCHWORD_SIGN_IN_TOKEN",
    "WATCHWORD_ACCESS_TOKEN",
    "WATCHWORD_ACCESS_TOKEN_EXPIRES_AT",
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A new account, on this device; the recovery key is shown once and kept nowhere."""

    account: AccountBody
    recovery_key: RecoveryKey


class Client:
    """Use as a context manager. One thread at a time.

    `home` is the folder of the vault; `progress` runs each stretch, which takes about 0.1 s and 64 MiB.
    """

    def __init__(
        self,
        trusted: TrustedServer,
        home: Path,
        *,
        progress: StretchProgress | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self._trusted = trusted
        self._clock = clock or SystemClock()
        self._entropy = entropy or SystemEntropy()
        self._transport = Transport(trusted.server, trusted.root_pem, progress=progress)
        self._file = VaultFile(home, self._entropy)
        self._document: KeyDocument | None = None
        self._seen_number = 1
        self._vault: OpenVault | None = None
        self._opened_with: Secret | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    @property
    def file(self) -> VaultFile:
        return self._file

    def key_document(self) -> KeyDocument:
        """The server's current keys, verified under the pinned root."""
        return self._keys()

    def open_vault(self, password: Secret) -> OpenVault:
        """Raises `WrongPasswordError`, `DamagedError`."""
        self._vault = self._file.open(password, self._transport.stretch)
        self._opened_with = password
        return self._vault

    def register(self, new: NewAccount, *, device_name: str) -> Registered:
        """Make the account and enrol this device. Raises `RefusedError`."""
        recovery = RecoveryKey.generate(self._entropy)
        answer = self._sealed(lambda to: account.register(new, recovery, to=to, entropy=self._entropy))
        self._enrol(answer.temporary_token, new.password, device_name)
        return Registered(account=answer.account, recovery_key=recovery)

    def log_in(self, identifier: str, password: Secret, *, device_name: str) -> AccountBody:
        """Log in on the device in the open vault, or else enrol this one. Raises `RefusedError`."""
        logged_in = self._log_in(identifier, password)
        answer = logged_in.answer
        if answer.temporary_token is not None:
            self._enrol(answer.temporary_token, password, device_name)
        elif self._opened_with != password:  # compare: a Secret does so in constant time
            self._seal_anew(password, answer.grant)
        return answer.account

    def _seal_anew(self, password: Secret, grant: SessionGrant | None) -> None:
        """Seal the vault with the password that has just logged in: it was changed elsewhere."""
        vault = self._open()
        version = grant.seed_version if grant else vault.owner.password_version
        self._create(replace(vault.owner, password_version=version), vault.entries, password)

    def _create(self, owner: Owner, entries: Mapping[str, str], password: Secret) -> None:
        self._vault = self._file.create(owner, entries, password, self._transport.stretch)
        self._opened_with = password

    def change_password(self, password: Secret, new_text: str) -> None:
        """Change the password of the account and seal the vault with the new one.

        Raises:
            RefusedError: the current password is wrong, or the account has changed meanwhile.
            WeakPasswordError: the new one is too short, common, or like the account's names.
        """
        vault = self._open()
        identifier = vault.owner.username
        logged_in = self._log_in(identifier, password)
        account_email = logged_in.answer.account.email
        new_password = check_new(new_text, username=identifier, email=account_email, service=SERVICE)
        answer = self._sealed(
            lambda to: account.change_password(
                logged_in, identifier, new_password, to=to, entropy=self._entropy
            )
        )
        vault.put(
            {"WATCHWORD_CLIENT_KEY": answer.client_key, "WATCHWORD_SEED_VERSION": str(answer.seed_version)}
        )
        owner = replace(vault.owner, password_version=answer.seed_version)
        self._create(owner, vault.entries, new_password)

    def who_am_i(self, password: Secret) -> WhoAmI:
        return self._api(password, api.who_am_i)

    def list_sessions(self, password: Secret) -> SessionList:
        return self._api(password, api.list_sessions)

    def bearer_token(self, password: Secret, url: str) -> TokenAnswer:
        """A token for the app at `url`, good for ten minutes for whoever holds it."""
        audience = audience_of(url)
        return self._api(password, lambda token: api.bearer_token(token, audience))

    def log_out(self, password: Secret, *, everywhere: bool = False, session: str | None = None) -> None:
        """End this session, another one, or all. The device stays enrolled. Raises `NotFoundError`."""
        vault = self._open()
        own = session in (None, vault.entries.get("WATCHWORD_SESSION"))
        if everywhere:
            self._api(password, api.end_all_sessions)
        elif own:
            # The session's name is read once the token is at hand: a renewal by login replaces the session.
            self._api(password, lambda token: api.end_session(token, vault.get("WATCHWORD_SESSION")))
        else:
            self._api(password, lambda token: api.end_session(token, session or ""))
        if everywhere or own:
            vault.drop(*_SESSION_ENTRIES)
            self._file.save(vault)

    def _api(self, password: Secret, flow: Callable[[Secret], Flow[T]]) -> T:
        """Run a call of the API with a live access token; without one left, log in again first."""
        vault = self._open()
        if "WATCHWORD_SESSION" not in vault.entries:
            raise UnauthenticatedError("no_session")
        token = self._live_access_token(vault)
        if token is None:
            self._log_in(vault.owner.username, password)
            token = Secret.from_text(vault.get("WATCHWORD_ACCESS_TOKEN"))
        try:
            return self._transport.run(flow(token))
        except UnauthenticatedError:
            vault.drop(*_SESSION_ENTRIES)  # ended elsewhere: say so once, and the next command too
            self._file.save(vault)
            raise

    def _log_in(self, identifier: str, password: Secret) -> LoggedIn:
        """Log in with whatever proves this device; a grant is in the vault, on disk, before this returns."""
        prover = _prover(self._vault) if self._vault else None
        logged_in = self._sealed(
            lambda to: account.log_in(identifier, password, to=to, entropy=self._entropy, prover=prover)
        )
        grant = logged_in.answer.grant
        if grant is not None and self._vault is not None:
            self._vault.put(_session_entries(grant))
            self._file.save(self._vault)
        return logged_in

    def _enrol(self, credential: str, password: Secret, device_name: str) -> None:
        keys = DeviceKeys.generate(self._entropy)
        answer = self._sealed(
            lambda to: account.enrol(credential, device_name, keys, to=to, entropy=self._entropy)
        )
        document = verify_key_document(
            answer.key_document, pin=self._trusted.pin, now=self._clock.now(), at_least=self._number()
        )
        entries = {
            **_device_entries(answer, keys),
            **_session_entries(answer.grant),
            "WATCHWORD_KEY_DOCUMENT_NUMBER": str(document.number),
        }
        owner = Owner(
            server=self._trusted.server,
            issuer=document.issuer,
            username=answer.account.username,
            account=answer.account.id,
            root=self._trusted.root_pem,
            password_version=answer.grant.seed_version,
        )
        self._create(owner, entries, password)

    def _sealed(self, flow: Callable[[Recipient], Flow[T]]) -> T:
        """Run a sealed exchange to the server's current key; fetch the key document anew if that key is gone."""
        try:
            return self._transport.run(flow(recipient_of(self._keys())))
        except KeyUnknownError:
            self._document = None  # its number is remembered
            return self._transport.run(flow(recipient_of(self._keys())))

    def _keys(self) -> KeyDocument:
        if self._document is None:
            document = self._transport.run(
                fetch_key_document(self._trusted, clock=self._clock, at_least=self._number())
            )
            if self._vault is not None and document.issuer != self._vault.owner.issuer:
                raise NotTrustedError(f"this server calls itself {document.issuer} now")
            self._remember(document.number)
            self._document = document
        return self._document

    def _remember(self, number: int) -> None:
        """Keep the number, here and on disk: a document that a thief kept cannot come back after a rotation."""
        known = self._number()
        self._seen_number = max(number, known)
        if self._vault is not None and self._seen_number > self._stored_number():
            self._vault.put({"WATCHWORD_KEY_DOCUMENT_NUMBER": str(self._seen_number)})
            self._file.save(self._vault)

    def _number(self) -> int:
        """The newest key document seen: an older one is refused."""
        return max(self._seen_number, self._stored_number())

    def _stored_number(self) -> int:
        return int(self._vault.entries.get("WATCHWORD_KEY_DOCUMENT_NUMBER", "1")) if self._vault else 1

    def _open(self) -> OpenVault:
        if self._vault is None:
            raise ValueError("open the vault first")
        return self._vault

    def _live_access_token(self, vault: OpenVault) -> Secret | None:
        expires_at = int(vault.entries.get("WATCHWORD_ACCESS_TOKEN_EXPIRES_AT", "0"))
        if self._clock.now() + _MARGIN >= expires_at:
            return None
        return Secret.from_text(vault.get("WATCHWORD_ACCESS_TOKEN"))


def _prover(vault: OpenVault) -> Prover:
    try:
        seed = Secret(decode_b64u_sized(vault.get("WATCHWORD_SIGNING_KEY"), _KEY_SIZE))
    except MalformedError as error:
        raise DamagedError("the vault holds no signing key") from error
    return Prover(key=DeviceSigningKey.from_seed(seed), device_id=vault.get("WATCHWORD_DEVICE"))


def _device_entries(answer: EnrolAnswer, keys: DeviceKeys) -> dict[str, str]:
    return {
        "WATCHWORD_DEVICE": answer.device,
        "WATCHWORD_SIGNING_KEY": encode_b64u(keys.signing.seed().reveal()),
        "WATCHWORD_MESSAGE_SIGNING_KEY": encode_b64u(keys.message_signing.seed().reveal()),
        "WATCHWORD_SEALING_KEY": encode_b64u(keys.sealing.seed().reveal()),
    }


def _session_entries(grant: SessionGrant) -> dict[str, str]:
    return {
        "WATCHWORD_SESSION": grant.session.id,
        "WATCHWORD_SIGN_IN_TOKEN": grant.sign_in_token,
        "WATCHWORD_ACCESS_TOKEN": grant.access_token,
        "WATCHWORD_ACCESS_TOKEN_EXPIRES_AT": str(grant.access_token_expires_at),
        "WATCHWORD_CLIENT_KEY": grant.client_key,
        "WATCHWORD_SEED_VERSION": str(grant.seed_version),
    }
