"""Who is calling, as an application sees it; and how the proof of it came in."""

import enum
from dataclasses import dataclass
from typing import Self

from watchword.core.clock import SECOND, Instant
from watchword.protocol.tokens import VerifiedClaims


class Proof(enum.StrEnum):
    """How the caller proved who it is."""

    BEARER = "bearer"
    """A token that is good in anybody's hands (RFC 6750)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How a token came in: what a verifier must know beside the token itself."""

    now: Instant
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The verified caller of one request."""

    account: str
    """The account's id: what to store, since it never changes hands. Names may."""
    username: str
    level: int
    """The account's security level, 0 to 9."""
    scopes: frozenset[str]
    session: str
    device: str
    proof: Proof
    token_id: str
    authenticated_at: Instant
    """When the person last proved who they are, in milliseconds."""
    methods: tuple[str, ...]
    """How, in the words of RFC 8176."""
    expires_at: Instant
    """When the token ends, in milliseconds."""
    name: str | None = None
    email: str | None = None

    @classmethod
    def of(cls, claims: VerifiedClaims, proof: Proof) -> Self:
        return cls(
            account=claims.sub,
            username=claims.preferred_username,
            level=claims.level,
            scopes=frozenset(claims.scope),
            session=claims.sid,
            device=claims.device,
            proof=proof,
            token_id=claims.jti,
            authenticated_at=Instant(claims.auth_time * SECOND),
            methods=claims.amr,
            expires_at=Instant(claims.exp * SECOND),
            name=claims.name,
            email=claims.email,
        )
