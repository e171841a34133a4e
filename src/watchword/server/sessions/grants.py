"""Granting a session to a device: the rows, and what the device is told once they are on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from watchword.core.clock import Instant, later
from watchword.core.encoding import encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.ids import AccountId, DeviceId, SessionId
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.kdf import Label, derive, mac
from watchword.protocol.messages import SealedAnswer, SessionGrant
from watchword.server.accounts.model import Account
from watchword.server.context import RequestContext
from watchword.server.db.unit import Unit
from watchword.server.devices.client_keys import ClientKeys
from watchword.server.devices.model import Device
from watchword.server.sessions.model import SEED_SIZE, SESSION_END, SESSION_LIFE, Session
from watchword.server.sessions.store import SessionStore

_SIGN_IN_PREFIX = "wsi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A sealed answer, and the session that goes out as a cookie as well, where a browser asked for that."""

    answer: SealedAnswer
    for_browser: Session | None = None


class APIToken(Protocol):
    """An access token for the server's own API."""

    @property
    def text(self) -> str: ...
    @property
    def expires_at(self) -> Instant: ...


class APITokens(Protocol):
    """Whoever issues access tokens, which are made of sessions and so stand above them."""

    def issue_for_api(self, account: Account, session: Session, now: Instant) -> APIToken: ...


class SessionGranter:
    """Opens sessions. Nothing it returns may leave before the unit of work that it was given is committed."""

    def __init__(
        self,
        *,
        store: SessionStore,
        tokens: APITokens,
        client_keys: ClientKeys,
        sign_in_key: Callable[[], VersionedKey],
        find_sign_in_key: Callable[[int], Secret],
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._client_keys = client_keys
        self._sign_in_key = sign_in_key
        self._find_sign_in_key = find_sign_in_key
        self._entropy = entropy
        self._derived: dict[int, Secret] = {}

    def open(
        self, unit: Unit, device_id: DeviceId, account: Account, context: RequestContext, auth_time: Instant
    ) -> Session:
        """A new session on the device; its earlier one ends."""
        now = context.now
        session = Session(
            id=SessionId.new(now, self._entropy),
            account_id=account.id,
            device_id=device_id,
            seed=self._entropy.bytes(SEED_SIZE),
            sign_in_version=self._sign_in_key().version,
            counter=1,
            auth_time=auth_time,
            created_at=now,
            expires_at=later(now, SESSION_LIFE),
            ends_at=later(auth_time, SESSION_END),
            address=context.shown_address,
            user_agent=context.user_agent,
        )
        self._store.insert(unit, session)
        return session

    async def find_live_on(self, device_id: DeviceId, now: Instant) -> Session | None:
        """The session that the device has, if any."""
        return await self._store.find_live_on(device_id, now=now)

    async def count_live(self, account_id: AccountId, now: Instant) -> int:
        """On how many devices the account is signed in."""
        return await self._store.count_live(account_id, now=now)

    def require_live(self, unit: Unit, device_id: DeviceId, now: Instant) -> None:
        """Guard "session": the device is still signed in."""
        self._store.require_live(unit, device_id, now)

    def grant(self, session: Session, device: Device, account: Account, now: Instant) -> SessionGrant:
        """What the device is told: tokens, and its client key under the current password."""
        token = self._tokens.issue_for_api(account, session, now)
        client_key = self.client_key(device, account)
        return SessionGrant(
            session=session.body(current=session.id),
            sign_in_token=self.sign_in_token(session, session.counter),
            access_token=token.text,
            access_token_expires_at=token.expires_at,
            client_key=encode_b64u(client_key.reveal()),
            seed_version=account.password_version,
        )

    def client_key(self, device: Device, account: Account) -> Secret:
        return self._client_keys.client_key(
            device.id, generation_version=device.generation_version, seed=account.client_key_seed
        )

    def sign_in_token(self, session: Session, counter: int) -> str:
        """Token number `counter` = MAC(sign-in key, session id, seed, counter): recomputable, stored as a counter."""
        key = self._derived.get(session.sign_in_version)
        if key is None:
            key = derive(self._find_sign_in_key(session.sign_in_version), Label.SIGN_IN)
            self._derived[session.sign_in_version] = key
        tag = mac(key, session.id.value, session.seed, counter.to_bytes(8, "big"))
        return f"{_SIGN_IN_PREFIX}_{encode_b64u(session.id.value + tag)}"
