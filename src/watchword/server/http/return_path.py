"""Where a person goes on after signing in: a path of ours by construction, since nothing else has this form.

One spelling: segments of unreserved characters, none of them a dot segment, none empty. So there is no second slash at
the beginning, no backslash, no scheme, no host, no control character, and nothing that a browser would normalise.
"""

import re
from typing import Final

LOGIN_PATH: Final = "/login"
_PATH: Final = r"/|(?:/(?!\.{1,2}(?:[/?]|\Z))[A-Za-z0-9._~-]+)+"
_QUERY: Final = r"\?(?:[A-Za-z0-9._~!$'()*,;:@/=&+-]|%[0-9A-Fa-f]{2})+"
_SAFE: Final = re.compile(f"(?:{_PATH})(?:{_QUERY})?")
_ELSEWHERE: Final = re.compile(
    r"/(?:(?:api|assets|health|login|logout|register|\.well-known)(?:[/?]|\Z)|dashboard/)", re.IGNORECASE
)
"""Paths of ours that are no place to go on to. Below the dashboard lie forms alone; what lies there is not told."""
_MAX_SIZE: Final = 512


def safe_return_path(text: str) -> str | None:
    """`text` if it is a path of ours to go on to, perhaps with a query; None for everything else there is."""
    if len(text) > _MAX_SIZE or not _SAFE.fullmatch(text) or _ELSEWHERE.match(text):
        return None
    return text


def return_path_of(raw_path: str) -> str | None:
    """The return path for a request of `raw_path`. Its query is left behind: people put passwords there."""
    return None if "?" in raw_path else safe_return_path(raw_path)


def login_location(raw_path: str) -> str:
    """Where a request for `raw_path` is sent that nobody signed in for. A safe path needs no escapes in a query."""
    found = return_path_of(raw_path)
    return LOGIN_PATH if found is None else f"{LOGIN_PATH}?return={found}"
