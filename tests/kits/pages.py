"""A few pages of a test, behind the real edge: what the edge does for pages shows without ours."""

from typing import Any

import msgspec
from tests.edges.harness import GOOD_TOKEN, ROUTES

from watchword.errors import NotFoundError, UnauthenticatedError, UnavailableError, WatchwordError
from watchword.server.http import Reply, Request, Route
from watchword.server.http.page_headers import WORKER_HEADERS
from watchword.server.http.problem import KINDS

GOOD_COOKIE = "__Host-watchword=good"
HTML = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
SIGNED_IN = ("Cookie", GOOD_COOKIE)
TOKEN = ("Authorization", GOOD_TOKEN)


class Ending(msgspec.Struct, forbid_unknown_fields=True):
    session: str
    csrf: str = ""


class TestPages:
    """`looks` counts how often somebody was to be identified by the cookie; `changes` what forms have changed."""

    __test__ = False

    def __init__(self) -> None:
        self.looks = 0
        self.changes: list[str] = []

    async def identify(self, request: Request) -> Any:
        self.looks += 1
        if request.headers.get("cookie") != GOOD_COOKIE:
            raise UnauthenticatedError("no_cookie")
        return "somebody"

    async def load(self) -> None:
        """Nothing has to be read."""

    def problem(self, request: Request, error: WatchwordError) -> Reply:
        return Reply.html(f"<p>{error.code} {request.context.request_id}", KINDS[error.code].status)

    async def show(self, request: Request) -> Reply:
        done = request.query.get("done", "")
        return Reply.html(f"<p>dashboard of {request.identity}, {done}")

    async def end(self, request: Request) -> Reply:
        self.changes.append(request.body.session)
        return Reply.see_other("/dashboard?done=ended")

    def routes(self) -> list[Route]:
        return [
            *ROUTES,
            Route("GET", "/login", _login, page=True, query=frozenset({"return"})),
            Route("GET", "/dashboard", self.show, auth=True, page=True, query=frozenset({"done"})),
            Route("POST", "/dashboard/end", self.end, auth=True, page=True, form=Ending),
            Route("GET", "/broken", _broken, auth=True, page=True),
            Route("GET", "/busy", _busy, page=True),
            Route("GET", "/gone", _gone, page=True),
            Route("GET", "/agent", _agent, page=True),
            Route("GET", "/assets/worker.js", _worker, page=True),
        ]


async def _login(request: Request) -> Reply:
    return Reply.html(f"<p>log in, then {'return' in request.query}")


async def _broken(request: Request) -> Reply:
    raise ZeroDivisionError(f"canary-4711 {request.headers.get('cookie')}")


async def _busy(_request: Request) -> Reply:
    raise UnavailableError


async def _gone(_request: Request) -> Reply:
    raise NotFoundError


async def _agent(request: Request) -> Reply:
    return Reply.html(request.context.user_agent)


async def _worker(_request: Request) -> Reply:
    return Reply(200, b"1;", {"content-type": "text/javascript", **WORKER_HEADERS})
