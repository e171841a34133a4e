"""One root error and one enum of codes; imports nothing of ours.

`ErrorCode` values are wire contract: add, never rename or reuse. Each edge (HTTP, control socket, command line)
owns one table from code to its own status, and a test that the table covers the enum.
Subclass by what the caller can do about it; carry data, not sentences.
"""

import enum
from dataclasses import dataclass
from typing import ClassVar, Final


class ErrorCode(enum.StrEnum):
    """What went wrong, as the peer may know it."""

    INTERNAL = "internal"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA = "unsupported_media"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MISDIRECTED = "misdirected"
    TIMEOUT = "timeout"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    BEGIN_AGAIN = "begin_again"
    KEY_UNKNOWN = "key_unknown"
    TOO_MANY = "too_many"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    INVALID_CONFIG = "invalid_config"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  # the name of a code, not a password
    DAMAGED = "damaged"
    NOT_TRUSTED = "not_trusted"
    UNREACHABLE = "unreachable"


class WatchwordError(Exception):
    """The root of our errors. Its text may be shown to the peer; causes and notes stay in our logs."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL
    request_id: str | None = None
    """The id under which the server's log and audit trail have the request, where it told one: for its operator."""
    to_operator: ClassVar[bool] = False
    """Whether it came from a server that its operator asked, who is told what callers are not."""

    @property
    def detail(self) -> str:
        """The sentence for the peer, or "" for the code's own."""
        return str(self.args[0]) if self.args else ""


class MalformedError(WatchwordError):
    """The input does not parse; a codec raises this and nothing else."""

    code = ErrorCode.MALFORMED


class TooLargeError(WatchwordError):
    code = ErrorCode.TOO_LARGE


class UnsupportedMediaError(WatchwordError):
    code = ErrorCode.UNSUPPORTED_MEDIA


class MethodNotAllowedError(WatchwordError):
    code = ErrorCode.METHOD_NOT_ALLOWED


class MisdirectedError(WatchwordError):
    """The request names a host that is not ours."""

    code = ErrorCode.MISDIRECTED


class TimedOutError(WatchwordError):
    code = ErrorCode.TIMEOUT


class NotFoundError(WatchwordError):
    code = ErrorCode.NOT_FOUND


class RefusedError(WatchwordError):
    """A credential or a registration is refused; outwardly one error, whatever the reason.

    `reason` is for the audit record and our logs, never for the peer.
    """

    code = ErrorCode.REFUSED

    def __init__(self, reason: str, *, tried: str = "") -> None:
        super().__init__()
        self.reason = reason
        self.tried = tried
        """The canonical name that a credential was tried for, where one was; it stays inside too."""


class UnauthenticatedError(WatchwordError):
    """No proof of identity, or not a good one. `reason` stays inside."""

    code = ErrorCode.UNAUTHENTICATED

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class SignInNeededError(UnauthenticatedError):
    """Nobody is signed in on this client, or not any more; `detail` says what to do."""

    def __init__(self, detail: str) -> None:
        super().__init__("client")
        self.args = (detail,)


class ForbiddenError(WatchwordError):
    """Known, and not allowed."""

    code = ErrorCode.FORBIDDEN


class ConflictError(WatchwordError):
    """Somebody else changed it first: read again, then decide."""

    code = ErrorCode.CONFLICT


class BeginAgainError(WatchwordError):
    """The short key is no longer good: call `begin` again, once."""

    code = ErrorCode.BEGIN_AGAIN

    def __init__(self, reason: str = "expired") -> None:
        super().__init__()
        self.reason = reason


class KeyUnknownError(WatchwordError):
    """The envelope was sealed to a key that is not in use: fetch the key document again."""

    code = ErrorCode.KEY_UNKNOWN


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit as its callers may know it: `limit` requests in `window_s` seconds."""

    name: str
    limit: int
    window_s: int


BANNED: Final = "banned"
"""The reason of whoever is turned away for a time."""


class TooManyError(WatchwordError):
    """This caller asks too much, or has been turned away for a time: come back in `retry_after` seconds.

    Outwardly one error, whether a limit, a ban or the lane of an account refuses: `reason` is for our logs. What is
    `lasting` has no end by itself: people are not told to wait, and programs ask again as `retry_after` says.
    """

    code = ErrorCode.TOO_MANY

    def __init__(
        self, retry_after: int, *, reason: str = "", quota: Quota | None = None, lasting: bool = False
    ) -> None:
        super().__init__()
        self.retry_after = max(1, retry_after)
        self.reason = reason
        self.quota = quota
        self.lasting = lasting


class OverloadedError(WatchwordError):
    """Too much work is waiting; try again in `retry_after` seconds."""

    code = ErrorCode.OVERLOADED

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__()
        self.retry_after = retry_after


class UnavailableError(WatchwordError):
    """A part that we depend on (disk, database) does not answer; nothing was changed."""

    code = ErrorCode.UNAVAILABLE

    def __init__(self, detail: str = "", *, retry_after: int = 5) -> None:
        super().__init__(*([detail] if detail else []))
        self.retry_after = retry_after


class InvalidConfigError(WatchwordError):
    """The configuration, or what stands in the data directory, does not permit a safe start."""

    code = ErrorCode.INVALID_CONFIG


class WrongPasswordError(WatchwordError):
    """A local file does not open with this password."""

    code = ErrorCode.WRONG_PASSWORD


class DamagedError(WatchwordError):
    """Stored data fails its own checks."""

    code = ErrorCode.DAMAGED


class NotTrustedError(WatchwordError):
    """The server is not the one that we know."""

    code = ErrorCode.NOT_TRUSTED


class UnreachableError(WatchwordError):
    code = ErrorCode.UNREACHABLE


class UnsealError(WatchwordError):
    """A sealed thing does not open with this key, or was sealed for another purpose. Never says which."""

    code = ErrorCode.REFUSED


class SignatureError(WatchwordError):
    """A signature does not verify. Never says why."""

    code = ErrorCode.REFUSED
