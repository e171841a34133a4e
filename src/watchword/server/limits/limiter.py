"""What the door asks, wherever the buckets are."""

from typing import Protocol

from watchword.server.limits.model import Demand, Exceeded, Lease


class Limiter(Protocol):
    async def reserve(self, demand: Demand) -> Lease | Exceeded:
        """Take everything in `demand` in one step, or nothing.

        Raises `UnavailableError` where the buckets cannot be asked and the operator wants requests refused then.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Give the place back. Never waits, never raises; a second time does nothing."""
        ...

    def closed_ms(self, key: str) -> int:
        """For how long the bucket `key` is known here to let nobody in; 0 where that is not known."""
        ...
