"""Lua that Redis runs as one step."""

import hashlib
from typing import Final

OTHER_BOOT: Final = "BOOT"
"""First word of the error by which a guarded script says that Redis has forgotten."""
_GUARD: Final = f"""\
local boot_key, boot = table.remove(KEYS), table.remove(ARGV)
if redis.call('GET', boot_key) ~= boot then return redis.error_reply('{OTHER_BOOT} forgotten') end
"""


class Script:
    """Runs under EVALSHA, and is sent whole where Redis does not know it.

    A `guarded` script does nothing in a Redis that has forgotten (was flushed) since the link asked for its `boot_id`:
    for what must not be taken for new because nobody remembers it. It sees the `KEYS` and `ARGV` of its caller.
    """

    __slots__ = ("guarded", "sha", "text")

    def __init__(self, text: str, *, guarded: bool = False) -> None:
        self.guarded: Final = guarded
        self.text: Final = _GUARD + text if guarded else text
        self.sha: Final = hashlib.sha1(
            self.text.encode(), usedforsecurity=False
        ).hexdigest()  # Redis' own name
