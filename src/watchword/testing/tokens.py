"""Access tokens for tests, of people who never registered: signed as the server signs, with the claims asked for."""

import hashlib
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import SECOND, Instant
from watchword.core.encoding import encode_b64u
from watchword.core.entropy import SystemEntropy
from watchword.core.ids import ID_SIZE, AccountId, DeviceId, SessionId
from watchword.crypto.signing import TokenSigningKey
from watchword.protocol.tokens import AccessClaims, audience_of, issue_access_token

_JTI_SIZE: Final = 16
_BEFORE: Final = 1 * SECOND
"""A token that has expired was issued before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMaker:
    """Signs with `key` in the name of `issuer`, at the moment `now`."""

    issuer: str
    key: TokenSigningKey
    now: Instant

    def make(
        self,
        username: str,
        *,
        audience: str,
        level: int,
        scopes: tuple[str, ...],
        valid_for: int,
        account: str | None = None,
    ) -> str:
        """The token's text. `valid_for` is in milliseconds. Raises `MalformedError` where `audience` is no origin."""
        ends = self.now + valid_for
        issued = min(self.now, ends - _BEFORE) // SECOND
        claims = AccessClaims(
            iss=self.issuer,
            sub=account or str(AccountId(_id_of(username, "account"))),
            aud=audience_of(audience),
            exp=ends // SECOND,
            iat=issued,
            nbf=issued,
            jti=encode_b64u(SystemEntropy().bytes(_JTI_SIZE)),
            sid=str(SessionId(_id_of(username, "session"))),
            device=str(DeviceId(_id_of(username, "device"))),
            level=level,
            scope=scopes,
            auth_time=issued,
            amr=("pwd",),
            preferred_username=username,
        )
        return issue_access_token(claims, self.key)


def _id_of(username: str, kind: str) -> bytes:
    """The same id for the same name in every run: a test may expect it."""
    return hashlib.sha256(f"{kind} of {username}".encode()).digest()[:ID_SIZE]
