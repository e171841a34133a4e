"""What several nodes share, and how a node is without it."""

from dataclasses import dataclass
from typing import Protocol


class Link(Protocol):
    """The way to Redis."""

    @property
    def up(self) -> bool: ...
    @property
    def why(self) -> str:
        """The word for why it is not up, where that is known."""
        ...


@dataclass(frozen=True, slots=True)
class Shared:
    """What several nodes share in Redis. `needed`: without it, requests are refused."""

    link: Link
    needed: bool

    @property
    def local(self) -> bool:
        """Whether this node does without at the moment."""
        return not self.link.up and not self.needed
