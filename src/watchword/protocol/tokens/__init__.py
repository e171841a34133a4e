"""Access tokens (docs/protocol/tokens.md): issued by the server, verified by applications without asking it.

Steps have the same numbers in the document, in `Step` and in the tests. Needs `cryptography` alone,
since applications import it. `UnverifiedToken` has no claims; only its `verify` gives a `VerifiedClaims`.
"""

from watchword.protocol.tokens.audience import audience_of
from watchword.protocol.tokens.claims import MAX_LIFE_SECONDS, AccessClaims, VerifiedClaims
from watchword.protocol.tokens.issue import issue_access_token
from watchword.protocol.tokens.refusal import Step, TokenError
from watchword.protocol.tokens.scope import is_scope, scopes_of
from watchword.protocol.tokens.token import MAX_SKEW, MAX_TOKEN_SIZE, UnverifiedToken

__all__ = [
    "MAX_LIFE_SECONDS",
    "MAX_SKEW",
    "MAX_TOKEN_SIZE",
    "AccessClaims",
    "Step",
    "TokenError",
    "UnverifiedToken",
    "VerifiedClaims",
    "audience_of",
    "is_scope",
    "issue_access_token",
    "scopes_of",
]
