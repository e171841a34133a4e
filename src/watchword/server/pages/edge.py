"""What the HTTP edge asks of the pages: who sent a cookie, and what an error looks like."""

from watchword.errors import WatchwordError
from watchword.server.http.endpoint import Request
from watchword.server.http.reply import Reply
from watchword.server.pages.making import PageMaker
from watchword.server.sessions.cookie import BrowserCookies
from watchword.server.sessions.identify import Caller


class Pages:
    """See `server/http/page_edge.PageEdge`."""

    def __init__(self, maker: PageMaker, cookies: BrowserCookies) -> None:
        self._maker = maker
        self._cookies = cookies

    async def identify(self, request: Request) -> Caller:
        return await self._cookies.identify(request)

    def problem(self, request: Request, error: WatchwordError) -> Reply:
        return self._maker.problem(request, error)
