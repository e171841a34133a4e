"""Request headers: what may stand once stands once."""

from collections.abc import Iterable
from typing import Final

from watchword.errors import MalformedError

_ONCE: Final = frozenset(
    {
        b"host",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"transfer-encoding",
        b"authorization",
        b"cookie",
        b"origin",
        b"user-agent",
        b"dpop",
        b"sec-fetch-site",
        b"watchword-device",
    }
)
"""Two of these would let two readers of one request see two requests."""


class Headers:
    """Headers by lower-case name. Repeated ones are joined with ", " (RFC 9110, 5.3), except those of `_ONCE`."""

    __slots__ = ("_values",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        """Raise `MalformedError` when a header that may stand once stands twice. Names are in lower case already."""
        values: dict[bytes, bytes] = {}
        for name, value in raw:
            if name in values:
                if name in _ONCE:
                    raise MalformedError("a header stands twice")
                values[name] += b", " + value
            else:
                values[name] = value
        self._values = values

    def get(self, name: str) -> str | None:
        """The value as ISO 8859-1 text, which never fails and never mistakes one byte for two."""
        value = self._values.get(name.encode("ascii"))
        return None if value is None else value.decode("latin-1")

    def raw(self, name: bytes) -> bytes | None:
        return self._values.get(name)

    def __repr__(self) -> str:
        return f"<Headers, {len(self._values)} names>"  # values may be credentials
