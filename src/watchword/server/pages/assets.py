"""Scripts, styles and images of the pages: built by `make web`, named by content, the same for everybody.

What is in `static/` is committed and shipped. A file is read when it is first asked for, and compressed once: a server
that nobody opens a page of holds none of them.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from watchword.errors import NotFoundError
from watchword.server.http.accept import accepts_gzip
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.page_headers import WORKER_HEADERS
from watchword.server.http.reply import Reply

STATIC: Final = Path(__file__).parent / "static"
PLACE: Final = "/assets/"
_ICON: Final = "icon.svg"
_WORKER: Final = "worker.js"
_TYPES: Final[Mapping[str, str]] = {
    ".bin": "application/octet-stream",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
"""A year, the most that caches take: other content has another name."""
_FOR_A_DAY: Final = "public, max-age=86400"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asset:
    file: str
    integrity: str
    source: str = ""
    """Where its bytes are, from the folder of the others; "" where they are beside them, under `file`."""


@dataclass(slots=True)
class _Content:
    """The bytes of one file, both ways."""

    plain: bytes
    packed: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.packed = gzip.compress(self.plain, mtime=0)


class Assets:
    """What the build made, by the name of its source: `login.js`."""

    def __init__(self, folder: Path, assets: Mapping[str, _Asset]) -> None:
        self._folder = folder
        self._assets = assets
        self._files: Final = {asset.file: asset for asset in assets.values()}
        self._contents: dict[str, _Content] = {}

    @classmethod
    def load(cls, folder: Path = STATIC) -> Self:
        """Read the list of what there is, and no more."""
        listed = json.loads((folder / "manifest.json").read_bytes())
        return cls(folder, {name: _Asset(**about) for name, about in listed.items()})

    def url(self, name: str) -> str:
        """Its path, `/assets/login-….js`. Raises `KeyError` for what the build did not make."""
        return PLACE + self._assets[name].file

    def integrity(self, name: str) -> str:
        """What the attribute `integrity` of its element says (W3C Subresource Integrity), with SHA-384."""
        return self._assets[name].integrity

    def routes(self) -> list[Route]:
        """Public; a name that is not there is like any other path that is not."""
        return [
            Route("GET", PLACE + "{file}", self._answer, page=True, limit="asset", past_bans=True),
            Route("GET", "/favicon.ico", self._icon, page=True, limit="asset", past_bans=True),
        ]

    async def _answer(self, request: Request) -> Reply:
        file = request.path_parameters["file"]
        if file not in self._files:
            raise NotFoundError
        return self._reply(file, request, _FOR_EVER)

    async def _icon(self, request: Request) -> Reply:
        """Browsers ask for it by this name where a page names none, as our error pages under `/api/` do."""
        return self._reply(self._assets[_ICON].file, request, _FOR_A_DAY)

    def _reply(self, file: str, request: Request, keep: str) -> Reply:
        headers = {
            "content-type": _TYPES[Path(file).suffix],
            "cache-control": keep,
            "vary": "accept-encoding",
        }
        if file == self._assets[_WORKER].file:
            headers |= WORKER_HEADERS
        content = self._content(file)
        if len(content.packed) < len(content.plain) and accepts_gzip(request.headers.get("accept-encoding")):
            return Reply(200, content.packed, {**headers, "content-encoding": "gzip"})
        return Reply(200, content.plain, headers)

    def _content(self, file: str) -> _Content:
        """One of a fixed list, so what is kept is bounded."""
        found = self._contents.get(file)
        if found is None:
            source = self._files[file].source or file
            found = self._contents[file] = _Content((self._folder / source).read_bytes())
        return found
