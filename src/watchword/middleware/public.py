"""Which paths of an application need no caller."""

import re
from collections.abc import Iterable
from typing import Final

from watchword.errors import InvalidConfigError

_ODD: Final = re.compile(r"//|/\.\.?(?:/|\Z)|[\\%;\x00-\x1f\x7f-\U0010ffff]")
"""What one reader of a path drops, decodes or folds and another does not: never public below a folder."""


class PublicPaths:
    """Whole paths ("/health"), and folders ("/static/") with all below them that is spelt plainly."""

    def __init__(self, paths: Iterable[str]) -> None:
        listed = [paths] if isinstance(paths, str) else list(paths)
        if any(not path.startswith("/") or _ODD.search(path) for path in listed):
            raise InvalidConfigError("public: plain paths from the root, such as /health or /static/")
        self._whole = frozenset(listed)
        self._folders = tuple(path for path in listed if path.endswith("/") and path != "/")

    def __contains__(self, path: str) -> bool:
        if path in self._whole:
            return True
        return bool(self._folders) and path.startswith(self._folders) and _ODD.search(path) is None
