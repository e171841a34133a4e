"""What asks for metrics: loads the library at the first question, since a start has better things to do."""

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from watchword.server.metrics.sources import Sources

if TYPE_CHECKING:
    from watchword.server.metrics.exposition import Exposed, Exposition

_MODULE: Final = "watchword.server.metrics.exposition"


class MetricsReader:
    """The metrics of one server."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._exposition: Exposition | None = None

    async def read(self, accept: str = "") -> "Exposed":
        """The metrics of this moment; `accept` is the header of that name."""
        if self._exposition is None:
            loaded: Any = await asyncio.to_thread(import_module, _MODULE)  # some tens of milliseconds
            if self._exposition is None:  # somebody else may have asked meanwhile
                self._exposition = loaded.Exposition(self._sources)
        return await self._exposition.render(accept)
