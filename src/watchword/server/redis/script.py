"""Lua that Redis runs as one step."""

import hashlib
from typing import Final


class Script:
    """Runs under EVALSHA, and is sent whole where Redis does not know it."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self.sha: Final = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()  # Redis' own name
