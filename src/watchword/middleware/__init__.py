"""For applications that trust a Watchword server: who is calling, or a refusal (docs/apps.md).

`WatchwordMiddleware` here is for ASGI; `watchword.middleware.wsgi`, `.grpc`, `.flask` and `.django` are imported by
who uses them. All share one `Guard`: the same settings, decisions and errors.
Needs `cryptography` and nothing else; what a process may never use is imported when it is first used.
"""

from watchword.middleware.asgi import WatchwordMiddleware
from watchword.middleware.current import current_identity
from watchword.middleware.guard import Guard
from watchword.middleware.identity import Identity, Presentation, Proof
from watchword.middleware.refusals import (
    InsufficientError,
    NoIdentityError,
    StaleLoginError,
    UnboundError,
)
from watchword.middleware.requirement import Requirement, identity, require
from watchword.middleware.settings import Settings
from watchword.middleware.verifier import Verifier

__all__ = [
    "Guard",
    "Identity",
    "InsufficientError",
    "NoIdentityError",
    "Presentation",
    "Proof",
    "Requirement",
    "Settings",
    "StaleLoginError",
    "UnboundError",
    "Verifier",
    "WatchwordMiddleware",
    "current_identity",
    "identity",
    "require",
]
