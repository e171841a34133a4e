"""From a token and the way it came in to the identity of the caller (docs/protocol/tokens.md, all steps)."""

import logging
import os
from collections.abc import Callable, Iterable
from typing import Final

from watchword.core.clock import SECOND, Clock, Instant, SystemClock
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import InvalidConfigError
from watchword.middleware.fetch import Source, check_origin
from watchword.middleware.identity import Identity, Presentation
from watchword.middleware.keys import KeyCache
from watchword.middleware.seen import Seen, SeenTokens, name_of
from watchword.middleware.waiting import Steps, run_async, run_blocking
from watchword.protocol.tokens import MAX_SKEW, Step, TokenError, UnverifiedToken, VerifiedClaims

CA_VARIABLE: Final = "WATCHWORD_CA"
Check = Callable[[Identity], None]
"""A further condition on a caller: raises `UnauthenticatedError` or `ForbiddenError`."""
_log: Final = logging.getLogger("watchword.middleware")


class Verifier:
    """Verifies the tokens of one issuer for one audience; both in the spelling of `audience_of`.

    `ca_file` defaults to the environment variable WATCHWORD_CA, then to the system's roots; `pin` (see
    `Source`) counts instead of either. `bearer_ok` admits tokens bound to no key: whoever copies one has it.
    `checks` run for every request, also with a token seen before: for what no token knows, as revocations.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        ca_file: str | None = None,
        pin: str | None = None,
        bearer_ok: bool = False,
        checks: Iterable[Check] = (),
        clock: Clock | None = None,
    ) -> None:
        self._issuer = check_origin(issuer, field="issuer")
        self._audience = check_origin(audience, field="audience")
        self._bearer_ok = bearer_ok
        self._checks = tuple(checks)
        self._seen = SeenTokens()
        source = Source(issuer=self._issuer, ca_file=_ca_file(ca_file, pin), pin=pin)
        self._keys = KeyCache(
            source, clock=clock or SystemClock(), on_failure=lambda reason: _report(issuer, reason)
        )

    async def verify(self, token: str, ctx: Presentation) -> Identity:
        """Who the caller is; raise as `steps` does."""
        return await run_async(self.steps(token, ctx))

    def verify_blocking(self, token: str, ctx: Presentation) -> Identity:
        """As `verify`, for a thread that may wait: 2 seconds at most, while the keys are fetched."""
        return run_blocking(self.steps(token, ctx))

    def steps(self, token: str, ctx: Presentation) -> Steps[Identity]:
        """Who the caller is.

        Raises:
            TokenError: the token is refused; says at which step.
            UnavailableError: the issuer's keys cannot be had.
        """
        name = name_of(token)
        seen = self._seen.find(name, ctx.now)
        if seen is not None and self._keys.current(seen.key.kid) is not seen.key:
            seen = yield from self._still_published(name, seen)
        if seen is None:
            unverified = UnverifiedToken.parse(token)
            key = self._keys.current(unverified.kid) or (yield from self._keys.lookup(unverified.kid))
            seen = self._verify_anew(unverified, key, ctx)
            self._seen.add(name, seen)
        for check in self._checks:
            check(seen.identity)
        return seen.identity

    def _still_published(self, name: bytes, seen: Seen) -> Steps[Seen | None]:
        """What was seen before, if its key is still the issuer's; else the token is forgotten."""
        try:
            if (yield from self._keys.lookup(seen.key.kid)) is seen.key:
                return seen
        except TokenError:
            pass
        self._seen.forget(name)
        return None

    def _verify_anew(self, unverified: UnverifiedToken, key: TokenVerifyingKey, ctx: Presentation) -> Seen:
        claims = unverified.verify(key, issuer=self._issuer, audience=self._audience, now=ctx.now)
        self._check_presentation(claims)
        return Seen(Identity.of(claims, ctx.proof), key, Instant(claims.exp * SECOND + MAX_SKEW))

    def _check_presentation(self, claims: VerifiedClaims) -> None:
        """Steps 20 and 21, for the one `Proof` there is: a bound token without its key is stolen."""
        if claims.cnf is not None:
            raise TokenError(Step.BOUND)
        if not self._bearer_ok:
            raise TokenError(Step.UNBOUND)


def _ca_file(ca_file: str | None, pin: str | None) -> str | None:
    """The file of roots; a wrong path is told at start rather than at the first caller."""
    chosen = ca_file or (None if pin is not None else os.environ.get(CA_VARIABLE)) or None
    if chosen is not None and not os.access(chosen, os.R_OK):
        raise InvalidConfigError(f"ca_file {chosen} cannot be read")
    return chosen


def _report(issuer: str, reason: str) -> None:
    _log.warning("the keys of the issuer %s could not be fetched: %s", issuer, reason)
