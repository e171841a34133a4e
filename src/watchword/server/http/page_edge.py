"""How the edge answers people: which requests are theirs, what sends them to sign in, and what an error looks like.

A request is a person's when it says that it takes `text/html` and no other reader's place lies at its path. For such a
request a path that exists and one that does not are the same until somebody is signed in: the same work, and the same
redirect but for the return path.
"""

from collections.abc import Iterator
from typing import Any, Final, Protocol

from watchword.errors import UnauthenticatedError, WatchwordError
from watchword.server.http.accept import accepts_html
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.exchange import Exchange
from watchword.server.http.headers import Headers
from watchword.server.http.problem import retry_headers
from watchword.server.http.reply import Reply
from watchword.server.http.return_path import login_location
from watchword.server.http.routing import Place

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_NOT_FOR_PEOPLE: Final = (b"/api/", b"/assets/", b"/health/", b"/.well-known/")
"""Below these, whatever is there and whatever is not answers alike to everybody, in documents for programs."""


class PageEdge(Protocol):
    """What the edge needs of the pages."""

    async def identify(self, request: Request) -> Any:
        """Who it is, by the cookie alone. Raises `UnauthenticatedError`."""
        ...

    async def load(self) -> None:
        """Have ready what `problem` needs, in a thread the first time: reading it would hold up everybody else."""
        ...

    def problem(self, request: Request, error: WatchwordError) -> Reply:
        """The page that says what went wrong, by `problem.KINDS`, with the request's id."""
        ...


def find_misplaced(route: Route, request: Request, query: bytes) -> Iterator[str]:
    """Where a request for a page brings what pages do not read (`measures.requests.MISPLACED`)."""
    if query and any(
        part.partition("=")[0] not in route.query for part in query.decode("latin-1").split("&")
    ):
        yield "query"
    if request.authorization is not None:
        yield "authorization"


def is_for_people(place: Place | None, raw_path: bytes, headers: Headers) -> bool:
    """Whether the answer is for somebody to look at, and not for a program."""
    if raw_path.lower().startswith(_NOT_FOR_PEOPLE):  # whatever lies there, and if it is a file of the pages
        return False
    if place is not None and not place.page:
        return False
    return accepts_html(headers.get("accept"))


async def show_to_people(
    pages: PageEdge, exchange: Exchange, request: Request, error: WatchwordError
) -> Reply:
    """The page for `error`; where nobody is signed in, 303 to where that is mended.

    What somebody sent without being signed in is gone: after it they begin at the dashboard.
    """
    if isinstance(error, UnauthenticatedError):
        path = exchange.raw_path.decode("latin-1") if exchange.method in SAFE_METHODS else ""
        return Reply.see_other(login_location(path))
    await pages.load()
    reply = pages.problem(request, error)
    return Reply(reply.status, reply.body, {**reply.headers, **retry_headers(error), **exchange.extra})
