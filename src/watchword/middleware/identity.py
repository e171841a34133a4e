"""Who is calling, as an application sees it; and how the proof of it came in."""

import enum
from dataclasses import dataclass
from typing import NamedTuple, Self

from watchword.core.clock import SECOND, Instant
from watchword.protocol.tokens import VerifiedClaims


class Proof(enum.StrEnum):
    """How the caller proved who it is."""

    BEARER = "bearer"
    """A token that is good in anybody's hands (RFC 6750)."""


class Presentation(NamedTuple):  # one is made for every request, and this is made faster than a dataclass
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
    claims: VerifiedClaims
    """All that the token said."""

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
            claims=claims,
        )

    @property
    def issuer(self) -> str:
        """The origin of the server that vouches for all this."""
        return self.claims.iss

    @property
    def name(self) -> str | None:
        return self.claims.name

    @property
    def email(self) -> str | None:
        """Not a proof of a mailbox."""
        return self.claims.email

    @property
    def methods(self) -> tuple[str, ...]:
        """How the person proved who they are, in the words of RFC 8176."""
        return self.claims.amr

    @property
    def authenticated_at(self) -> Instant:
        """When the person last did, in milliseconds."""
        return Instant(self.claims.auth_time * SECOND)

    @property
    def expires_at(self) -> Instant:
        """When the token ends, in milliseconds."""
        return Instant(self.claims.exp * SECOND)
