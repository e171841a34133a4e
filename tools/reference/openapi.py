"""The OpenAPI document of the routes that a server has: opened once on an empty directory, to ask for them."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from watchword import __version__
from watchword.server.assembly import assemble
from watchword.server.config import load_config
from watchword.server.core import open_core
from watchword.server.http import Route
from watchword.server.http.lifecycle import health_routes
from watchword.server.http.openapi import make_document
from watchword.testing import FixedClock, SeededEntropy

_ORIGIN = "https://localhost:8443"


async def _ready() -> bool:
    return True


async def _routes(data: Path) -> list[Route]:
    config = load_config(environ={"WATCHWORD_DATA": str(data), "WATCHWORD_ORIGIN": _ORIGIN})
    async with open_core(config, origin=_ORIGIN, clock=FixedClock(), entropy=SeededEntropy()) as core:
        services = await assemble(core)
        services.pool.close()
        return [*services.routes, *health_routes(_ready)]


def server_routes() -> Sequence[Route]:
    """Every route of a server with its default settings."""
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        data.mkdir(mode=0o700)
        return asyncio.run(_routes(data))


def openapi_text() -> str:
    """The document as it is committed."""
    return (
        json.dumps(make_document(server_routes(), version=__version__), indent=2, ensure_ascii=False) + "\n"
    )
