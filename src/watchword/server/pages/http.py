"""The pages of somebody who is not signed in, and what all pages have in common.

GET  /            to the dashboard
GET  /login       sign in
GET  /register    make an account
GET  /styleguide  everything that pages are made of, where the operator wants it
"""

from typing import Final

from watchword.errors import UnauthenticatedError
from watchword.protocol.passwords import MIN_LENGTH
from watchword.server.accounts.model import RegistrationMode
from watchword.server.activity.service import ActivityService
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply
from watchword.server.http.return_path import safe_return_path
from watchword.server.pages.account import DASHBOARD, account_routes
from watchword.server.pages.making import PageMaker
from watchword.server.pages.words import read_done
from watchword.server.sessions.cookie import BrowserCookies
from watchword.server.sessions.service import SessionService

_LOGIN_QUERY: Final = frozenset({"return", "done"})


def page_routes(
    *,
    maker: PageMaker,
    cookies: BrowserCookies,
    sessions: SessionService,
    activity: ActivityService,
    password_form: bool,
    styleguide: bool,
) -> list[Route]:
    """All pages. With `password_form`, the page to sign in has one for browsers without scripts."""

    async def home(_request: Request) -> Reply:
        return Reply.see_other(DASHBOARD)

    async def login(request: Request) -> Reply:
        if await _signed_in(cookies, request):
            return Reply.see_other(return_path_of(request))
        return login_page(maker, request, password_form=password_form)

    async def register(request: Request) -> Reply:
        if await _signed_in(cookies, request):
            return Reply.see_other(return_path_of(request))
        if maker.registration is RegistrationMode.CLOSED:
            return maker.make(request, "closed")
        return maker.make(
            request,
            "register",
            registration=maker.registration.value,
            least=MIN_LENGTH,
            return_path=return_path_of(request),
            facts=maker.facts(return_path=return_path_of(request)),
        )

    async def show_styleguide(request: Request) -> Reply:
        return maker.make(request, "styleguide", least=MIN_LENGTH)

    return [
        Route("GET", "/", home, page=True),
        Route("GET", "/login", login, page=True, query=_LOGIN_QUERY, past_bans=True),
        Route("GET", "/register", register, page=True, query=frozenset({"return"})),
        *([Route("GET", "/styleguide", show_styleguide, page=True)] if styleguide else []),
        *account_routes(maker=maker, cookies=cookies, sessions=sessions, activity=activity),
    ]


def return_path_of(request: Request) -> str:
    """Where somebody goes on after signing in: the return path of the query if it is one of ours."""
    return safe_return_path(request.query.get("return", "")) or DASHBOARD


def login_page(
    maker: PageMaker,
    request: Request,
    *,
    password_form: bool,
    status: int = 200,
    identifier: str = "",
    refused: bool = False,
    return_path: str | None = None,
) -> Reply:
    """The page to sign in. After a form without scripts it keeps who it was, and says that it was `refused`."""
    goes_on = return_path or return_path_of(request)
    return maker.make(
        request,
        "login",
        status=status,
        registration=maker.registration.value,
        done=read_done(request),
        password_form=password_form,
        identifier=identifier,
        refused=refused,
        return_path=goes_on,
        request_id=str(request.context.request_id),
        facts=maker.facts(return_path=goes_on),
    )


async def _signed_in(cookies: BrowserCookies, request: Request) -> bool:
    try:
        await cookies.identify(request)
    except UnauthenticatedError:
        return False
    return True
