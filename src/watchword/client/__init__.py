"""The client: what a person's device or a script does. Exchanges and session are generators, driven by a transport.

Invariants: the password never leaves this process; secrets are on disk only inside the sealed vault; a server is
talked to only under the root certificate that was pinned for it; what an answer grants is saved before it is used;
a token goes to the origin that it is for and nowhere else.
"""

from typing import TYPE_CHECKING

from watchword.client.client import Client
from watchword.client.opening import ClientSettings
from watchword.client.settings import Retries, Timeouts

if TYPE_CHECKING:
    from watchword.client.async_client import AsyncClient

__all__ = ["AsyncClient", "Client", "ClientSettings", "Retries", "Timeouts"]


def __getattr__(name: str) -> object:
    """`AsyncClient` is loaded when it is asked for: a command needs no event loop."""
    if name != "AsyncClient":
        raise AttributeError(name)
    from watchword.client.async_client import AsyncClient  # noqa: PLC0415  # as said

    return AsyncClient
