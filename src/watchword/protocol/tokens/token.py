"""Reading and verifying an access token (docs/protocol/tokens.md, steps 1 to 19)."""

import functools
import re
from typing import Any, Final, Self

from watchword.core.clock import MINUTE, SECOND, Instant
from watchword.core.encoding import decode_b64u, decode_json
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import MalformedError, SignatureError, TooLargeError
from watchword.protocol.tokens.claims import MAX_LIFE_SECONDS, VerifiedClaims, parse_claims
from watchword.protocol.tokens.refusal import Step, TokenError

MAX_TOKEN_SIZE: Final = 8192
"""Characters, all ASCII."""
MAX_SKEW: Final = MINUTE
"""How far the clocks of issuer and verifier may differ, in milliseconds."""
_PARTS: Final = 3
_SIGNATURE_SIZE: Final = 64  # r and s, 32 bytes each (RFC 7518, section 3.4)
_HEADER_MEMBERS: Final = frozenset({"alg", "typ", "kid"})
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class UnverifiedToken:
    """A token of the right form. It has a key id, to choose the key by, and no claims until `verify`."""

    __slots__ = ("_message", "_payload", "_signature", "kid")

    def __init__(self, *, kid: str, message: bytes, payload: bytes, signature: bytes) -> None:
        self.kid: Final = kid
        self._message = message
        self._payload = payload
        self._signature = signature

    @classmethod
    def parse(cls, text: str) -> Self:
        """Steps 1 to 9. Raise `TokenError`."""
        if len(text) > MAX_TOKEN_SIZE:
            raise TokenError(Step.SIZE)
        parts = text.split(".")
        if len(parts) != _PARTS or "" in parts:
            raise TokenError(Step.PARTS)
        try:
            payload, signature = decode_b64u(parts[1]), decode_b64u(parts[2])
            kid = _parse_header(parts[0])
        except MalformedError:
            raise TokenError(Step.BASE64URL) from None
        if len(signature) != _SIGNATURE_SIZE:
            raise TokenError(Step.SIGNATURE_FORM)
        message = text[: -len(parts[2]) - 1].encode()
        return cls(kid=kid, message=message, payload=payload, signature=signature)

    def verify(
        self, key: TokenVerifyingKey, *, issuer: str, audience: str, now: Instant, skew: int = MAX_SKEW
    ) -> VerifiedClaims:
        """Steps 10 to 19. `skew` is in milliseconds, at most MAX_SKEW. Raise `TokenError`."""
        if not 0 <= skew <= MAX_SKEW:
            raise ValueError("skew")
        self._check_signature(key)
        claims = parse_claims(self._payload)
        if claims.iss != issuer:
            raise TokenError(Step.ISSUER)
        if claims.aud != audience:
            raise TokenError(Step.AUDIENCE)
        _check_times(claims, now=now, skew=skew)
        return claims

    def _check_signature(self, key: TokenVerifyingKey) -> None:
        """Steps 10 and 11."""
        if key.kid != self.kid:
            raise TokenError(Step.KEY)
        try:
            key.verify(self._signature, self._message)
        except SignatureError:
            raise TokenError(Step.SIGNATURE) from None


@functools.lru_cache(maxsize=32)  # every token of one key has the same header; refusals are not kept
def _parse_header(text: str) -> str:
    """Steps 3 to 8: the key id. Nothing else in a header means anything, so nothing else may stand there.

    Raises:
        MalformedError: (step 3) not base64url.
        TokenError: any other of these steps.
    """
    data = decode_b64u(text)
    try:
        header = decode_json(data)
    except (MalformedError, TooLargeError):
        raise TokenError(Step.HEADER_JSON) from None
    if type(header) is not dict:
        raise TokenError(Step.HEADER_JSON)
    return _check_header(header)


def _check_header(header: dict[str, Any]) -> str:
    if header.keys() != _HEADER_MEMBERS:
        raise TokenError(Step.HEADER_MEMBERS)
    if header["alg"] != "ES256":
        raise TokenError(Step.ALGORITHM)
    if header["typ"] != "at+jwt":
        raise TokenError(Step.TYPE)
    kid = header["kid"]
    if type(kid) is not str or not _KEY_ID.match(kid):
        raise TokenError(Step.KEY_ID)
    return kid


def _check_times(claims: VerifiedClaims, *, now: Instant, skew: int) -> None:
    """Steps 16 to 19. The token is good in the half-open interval [nbf - skew, exp + skew)."""
    if not (claims.iat < claims.exp <= claims.iat + MAX_LIFE_SECONDS and claims.nbf < claims.exp):
        raise TokenError(Step.LIFE)
    if claims.iat * SECOND > now + skew:
        raise TokenError(Step.ISSUED_AT)
    if claims.nbf * SECOND > now + skew:
        raise TokenError(Step.NOT_BEFORE)
    if now >= claims.exp * SECOND + skew:
        raise TokenError(Step.EXPIRY)
