"""Randomness. The only module that asks the system for random bytes; everybody else is handed a source."""

import os
from typing import Protocol

from watchword.errors import UnavailableError


class Entropy(Protocol):
    def bytes(self, size: int) -> bytes:
        """`size` bytes that nobody can predict. Raises `UnavailableError` rather than give weaker ones."""
        ...


class SystemEntropy:
    """The kernel's generator, asked anew each time: nothing to share or repeat after a fork."""

    def bytes(self, size: int) -> bytes:
        try:
            return os.urandom(size)
        except (OSError, NotImplementedError):
            raise UnavailableError("the system gives no random bytes") from None
