"""Why Redis is away, in a word for the operator."""

from typing import Final

_WORDS: Final = {
    "AuthenticationError": "password",
    "BusyLoadingError": "loading",
    "ConnectionRefusedError": "nobody_listens",
    "FileNotFoundError": "no_socket",
    "PermissionError": "no_permission",
    "SSLCertVerificationError": "certificate",
    "SSLError": "tls",
    "TimeoutError": "timeout",
    "gaierror": "host_name",
}
LOST: Final = "disconnected"


def reason_of(error: BaseException | None) -> str:
    """The library's own errors hide what the system said, so that comes first; their texts may show what was sent."""
    found = LOST
    while error is not None:
        found = _WORDS.get(type(error).__name__, found)
        error = error.__cause__ or error.__context__
    return found
