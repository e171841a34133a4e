"""Whom the door turns away."""

from collections.abc import Mapping
from typing import Final

from watchword.errors import BANNED

_STEPS: Final[Mapping[str, str]] = {BANNED: "ban", "lane": "lane"}
"""By reason; all others are limits."""
_LIMIT: Final = "limit"


class DoorMeasures:
    def __init__(self) -> None:
        self.refused: Final[dict[tuple[str, str], int]] = {}
        """By step (`ban`, `limit`, `lane`) and reason, which are words of ours."""

    def refuse(self, reason: str) -> None:
        key = (_STEPS.get(reason, _LIMIT), reason)
        self.refused[key] = self.refused.get(key, 0) + 1
