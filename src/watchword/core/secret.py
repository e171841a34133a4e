"""Bytes that must never be shown. They leave by `.reveal()` alone, so that uses can be searched for."""

import hmac
from typing import NoReturn, Self, final


@final
class Secret:
    """Secret bytes: a blind `repr`, comparison in constant time, no pickling, no hashing."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a hash would be a second, slower way to compare

    def __init__(self, value: bytes) -> None:
        self._value = value

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(text.encode())

    def reveal(self) -> bytes:
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __repr__(self) -> str:
        return f"<Secret {len(self._value)} bytes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
