"""What the HTTP edge asks of the pages: who sent a cookie, and what an error looks like."""

import asyncio

from watchword.errors import WatchwordError
from watchword.server.http.endpoint import Request
from watchword.server.http.reply import Reply
from watchword.server.pages.making import PageMaker, load_problems
from watchword.server.sessions.cookie import BrowserCookies
from watchword.server.sessions.identify import Caller


class Pages:
    """See `server/http/page_edge.PageEdge`."""

    def __init__(self, maker: PageMaker, cookies: BrowserCookies) -> None:
        self._maker = maker
        self._cookies = cookies
        self._loading = asyncio.Lock()
        self._loaded = False

    async def identify(self, request: Request) -> Caller:
        return await self._cookies.identify(request)

    async def load(self) -> None:
        if self._loaded:
            return
        async with self._loading:
            if not self._loaded:
                await asyncio.to_thread(load_problems)
                self._loaded = True

    def problem(self, request: Request, error: WatchwordError) -> Reply:
        return self._maker.problem(request, error)
