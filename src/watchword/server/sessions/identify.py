"""Who calls the server's own API: a good access token for the server itself, of a session that still lives.

Revocation is immediate here: the session and its account are read for each request, so a token outlives neither.
"""

from collections.abc import Callable
from dataclasses import dataclass

from watchword.core.clock import SECOND
from watchword.core.ids import DeviceId, SessionId
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import KeyUnknownError, UnauthenticatedError
from watchword.protocol.tokens import UnverifiedToken
from watchword.server.accounts.model import Account
from watchword.server.http.endpoint import Request
from watchword.server.sessions.model import Session
from watchword.server.sessions.store import SessionStore

_SCHEME = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in device and whose it is."""

    account: Account
    session: Session

    @property
    def device_id(self) -> DeviceId:
        return self.session.device_id


class Identifier:
    """Turns a request's `Authorization` into a `Caller`; the only way into what needs one."""

    def __init__(
        self, *, issuer: str, verifying_key: Callable[[str], TokenVerifyingKey], store: SessionStore
    ) -> None:
        self._issuer = issuer
        self._verifying_key = verifying_key
        self._store = store

    async def __call__(self, request: Request) -> Caller:
        """Raises `UnauthenticatedError` for every reason there is."""
        authorization = request.authorization or ""
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise UnauthenticatedError("no_token")
        token = UnverifiedToken.parse(authorization[len(_SCHEME) :])
        try:
            key = self._verifying_key(token.kid)
        except KeyUnknownError:
            raise UnauthenticatedError("unknown_key") from None
        now = request.context.now
        claims = token.verify(key, issuer=self._issuer, audience=self._issuer, now=now)
        found = await self._store.find_with_account(SessionId.parse(claims.sid))
        if found is None:
            raise UnauthenticatedError("session_unknown")
        session, account = found
        if not session.live(now) or not account.active or str(account.id) != claims.sub:
            raise UnauthenticatedError("session_ended")
        if claims.exp * SECOND <= now:  # the skew that apps allow is not for the one who set the clock
            raise UnauthenticatedError("token_expired")
        return Caller(account=account, session=session)
