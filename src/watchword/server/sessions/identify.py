"""Who calls the server's own API: a good access token for the server itself, of a session that still lives.

Revocation is immediate here: the session and its account are read for each request, so a token outlives neither.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import SECOND, Instant
from watchword.core.ids import DeviceId, SessionId
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import KeyUnknownError, UnauthenticatedError
from watchword.protocol.tokens import MAX_SKEW, Step, TokenError, UnverifiedToken, VerifiedClaims
from watchword.server.accounts.model import Account
from watchword.server.http.endpoint import Request
from watchword.server.logs import get_log
from watchword.server.sessions.model import Session
from watchword.server.sessions.store import SessionStore

_SCHEME: Final = "bearer "
_log: Final = get_log("sessions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in device and whose it is."""

    account: Account
    session: Session

    @property
    def device_id(self) -> DeviceId:
        return self.session.device_id


def account_of(caller: Caller) -> str:
    """How the log names who calls."""
    return str(caller.account.id)


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
            raise UnauthenticatedError("other_scheme" if authorization else "no_token")
        token = UnverifiedToken.parse(authorization[len(_SCHEME) :])
        try:
            key = self._verifying_key(token.kid)
        except KeyUnknownError:
            raise UnauthenticatedError("unknown_key") from None
        now = request.context.now
        claims = self._verify(token, key, now)
        found = await self._store.find_with_account(SessionId.parse(claims.sid))
        if found is None:
            raise UnauthenticatedError("session_unknown")
        session, account = found
        if not session.live(now) or not account.active or str(account.id) != claims.sub:
            raise UnauthenticatedError("session_ended")
        if claims.exp * SECOND <= now:  # the skew that apps allow is not for the one who set the clock
            raise UnauthenticatedError("token_expired")
        return Caller(account=account, session=session)

    def _verify(self, token: UnverifiedToken, key: TokenVerifyingKey, now: Instant) -> VerifiedClaims:
        try:
            return token.verify(key, issuer=self._issuer, audience=self._issuer, now=now)
        except TokenError as error:
            if error.step in {Step.ISSUED_AT, Step.NOT_BEFORE}:
                # We or another node signed it, at a time that has not come here: one of the clocks is wrong.
                _log.error("clock.skew", token_step=error.step.name.lower(), allowed_s=MAX_SKEW // SECOND)
            raise
