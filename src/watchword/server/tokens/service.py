"""Issuing access tokens. Verification offline is the middleware's; the server's own API also asks for the session."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import MINUTE, SECOND, Instant, later
from watchword.core.encoding import encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.ids import SessionId
from watchword.crypto.signing import TokenSigningKey
from watchword.errors import MalformedError, UnauthenticatedError
from watchword.protocol.tokens import AccessClaims, audience_of, issue_access_token, scopes_of
from watchword.server.accounts.model import Account
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.context import RequestContext
from watchword.server.db.unit import Database, GuardError, Unit
from watchword.server.sessions.model import Session
from watchword.server.spans import part

ACCESS_TOKEN_LIFE: Final = 10 * MINUTE
API_SCOPE: Final = ("api",)
_JTI_SIZE: Final = 16


RequireSession = Callable[[Unit, SessionId, Instant], None]
"""Adds to a unit of work the demand that a session is live."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    text: str
    expires_at: Instant


class TokenService:
    """Issues tokens of this issuer; `signing_key` gives the key that signs now."""

    def __init__(
        self,
        *,
        issuer: str,
        signing_key: Callable[[], TokenSigningKey],
        require_session: RequireSession,
        database: Database,
        entropy: Entropy,
    ) -> None:
        self._issuer = issuer
        self._signing_key = signing_key
        self._require_session = require_session
        self._database = database
        self._entropy = entropy

    def issue_for_api(self, account: Account, session: Session, now: Instant) -> IssuedToken:
        """A token for the server's own API; recorded by whatever unit of work grants it."""
        return self._issue(account, session, audience=self._issuer, scope=API_SCOPE, now=now)

    async def issue_bearer(
        self,
        account: Account,
        session: Session,
        audience: str,
        context: RequestContext,
        *,
        scopes: Iterable[str] = (),
    ) -> IssuedToken:
        """A token for one app that works for whoever holds it; audited before it is given out.

        `scopes` are the owner's choice of what it is for: they grant nothing.

        Raises:
            MalformedError: `audience` is not an origin in its canonical spelling, or is the server itself; or
                `scopes` are not scopes.
            UnauthenticatedError: the session has ended meanwhile.
        """
        if audience_of(audience) != audience:
            raise MalformedError(f"the audience is the app's origin: {audience_of(audience)}")
        if audience == self._issuer:
            raise MalformedError("the server's own API takes only the session's own token")
        scope = scopes_of(scopes)
        token = self._issue(account, session, audience=audience, scope=scope, now=context.now)
        unit = Unit(key=account.id.value)
        self._require_session(unit, session.id, context.now)
        unit.note(
            AuditEvent(
                tag=AuditTag.TOKEN_ISSUED,
                at=context.now,
                facts={
                    "account": str(account.id),
                    "session": str(session.id),
                    "audience": audience,
                    "scope": " ".join(scope),
                    "binding": "none",
                    "request": str(context.request_id),
                },
                personal={"address": context.shown_address},
            )
        )
        try:
            await self._database.commit(unit)
        except GuardError:
            raise UnauthenticatedError("session_ended") from None
        return token

    def _issue(
        self, account: Account, session: Session, *, audience: str, scope: tuple[str, ...], now: Instant
    ) -> IssuedToken:
        expires_at = min(later(now, ACCESS_TOKEN_LIFE), session.expires_at, session.ends_at)
        seconds = now // SECOND
        claims = AccessClaims(
            iss=self._issuer,
            sub=str(account.id),
            aud=audience,
            exp=expires_at // SECOND,
            iat=seconds,
            nbf=seconds,
            jti=encode_b64u(self._entropy.bytes(_JTI_SIZE)),
            sid=str(session.id),
            device=str(session.device_id),
            level=account.level,
            scope=scope,
            auth_time=session.auth_time // SECOND,
            amr=("pwd",),
            preferred_username=account.username,
        )
        with part("sign"):
            return IssuedToken(issue_access_token(claims, self._signing_key()), Instant(expires_at))
