"""The caller of the request that runs now: known to whatever the request calls, in its thread or task.

Held in a context variable, which the copies of the context that frameworks make for their threads carry along.
"""

from contextvars import ContextVar, Token
from typing import Final, NamedTuple, TypeAlias

from watchword.core.clock import Instant
from watchword.middleware.identity import Identity
from watchword.middleware.refusals import NoIdentityError


class Admission(NamedTuple):  # one is made for every request, and this is made faster than a dataclass
    """A request that was let in: its caller, or None on a public path; and the time it came, read once."""

    identity: Identity | None
    now: Instant

    def caller(self) -> Identity:
        """Raise `NoIdentityError` where there is none."""
        if self.identity is None:
            raise NoIdentityError
        return self.identity


_NOW: Final[ContextVar[Admission | None]] = ContextVar("watchword.admission", default=None)
Entered: TypeAlias = Token[Admission | None]


def enter(admission: Admission) -> Entered:
    """Make it the current one, until `leave` with what this gives."""
    return _NOW.set(admission)


def leave(entered: Entered) -> None:
    _NOW.reset(entered)


def current_admission() -> Admission:
    """Raise `NoIdentityError` outside of any request that our middleware let in."""
    admission = _NOW.get()
    if admission is None:
        raise NoIdentityError
    return admission


def current_identity() -> Identity:
    """The verified caller of the request that runs now, in every framework.

    Raise `NoIdentityError` on a public route and outside of requests: the middleware answers 401.
    """
    return current_admission().caller()
