"""One value that is in force, and where it came from."""

from dataclasses import dataclass
from typing import Any, Final

from watchword.server.config.fields import Field

DEFAULT: Final = "default"
"""The place of what nobody gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value and where it came from. `shown` is safe to print."""

    field: Field
    value: Any
    place: str

    @property
    def shown(self) -> str:
        if self.value is None:
            return self.field.default_text
        if isinstance(self.value, bool):
            return str(self.value).lower()  # as it is written
        return ", ".join(self.value) or "none" if isinstance(self.value, tuple) else str(self.value)
