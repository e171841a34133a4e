"""Randomness. The only module that asks the system for random bytes; everybody else is handed a source."""

import os
from typing import Protocol


class Entropy(Protocol):
    def bytes(self, size: int) -> bytes:
        """`size` bytes that nobody can predict."""
        ...


class SystemEntropy:
    """The kernel's generator, asked anew each time: nothing to share or repeat after a fork."""

    def bytes(self, size: int) -> bytes:
        return os.urandom(size)
