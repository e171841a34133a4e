"""Why a caller is refused, beside the steps of `TokenError`: what the door finds, and what routes require."""

from typing import TYPE_CHECKING, Final

from watchword.errors import ForbiddenError, MalformedError, UnauthenticatedError, WatchwordError
from watchword.protocol.tokens import Step, TokenError

if TYPE_CHECKING:
    from watchword.middleware.requirement import Requirement


class NoCredentialsError(UnauthenticatedError):
    """The request proves nothing, or in a way that we do not take: no error is named (RFC 6750, 3.1)."""

    def __init__(self) -> None:
        super().__init__("no_credentials")


class RepeatedCredentialsError(MalformedError):
    """Two Authorization headers: which one counts would be a guess."""


class NoIdentityError(UnauthenticatedError):
    """A public route asked who is calling: nobody has proven anything."""

    def __init__(self) -> None:
        super().__init__("no_identity")


class UnboundError(TokenError):
    """The route takes no token that is good in anybody's hands."""

    def __init__(self) -> None:
        super().__init__(Step.UNBOUND)


class InsufficientError(ForbiddenError):
    """The caller is known, and below what is required."""

    def __init__(self, requirement: "Requirement") -> None:
        super().__init__("a higher level or another scope is needed")
        self.requirement = requirement


class StaleLoginError(UnauthenticatedError):
    """The person proved who they are too long ago for this: log in again (RFC 9470)."""

    def __init__(self, max_age: int) -> None:
        super().__init__("login_too_old")
        self.max_age: Final = max_age


ROUTE_ERRORS: Final[tuple[type[WatchwordError], ...]] = (
    InsufficientError,
    NoIdentityError,
    StaleLoginError,
    UnboundError,
)
"""What a route raises by `require` or by asking for an identity; every face answers it as its own refusals."""
