"""For applications that trust a Watchword server: who is calling, or a refusal (docs/protocol/tokens.md).

Needs `cryptography` and nothing else; what a process may never use is imported when it is first used.
"""

from watchword.middleware.asgi import WatchwordMiddleware
from watchword.middleware.identity import Identity, Presentation, Proof
from watchword.middleware.requirement import (
    InsufficientError,
    NoIdentityError,
    Requirement,
    identity,
    require,
)
from watchword.middleware.verifier import Verifier

__all__ = [
    "Identity",
    "InsufficientError",
    "NoIdentityError",
    "Presentation",
    "Proof",
    "Requirement",
    "Verifier",
    "WatchwordMiddleware",
    "identity",
    "require",
]
