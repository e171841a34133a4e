"""The pages of an account, and what its forms do. Each form is answered by a redirect; ending what has ended is done.

GET  /dashboard                      profile, sessions, what happened lately
GET  /password                       change the password
POST /logout                         end this session
POST /dashboard/sessions/end         end one
POST /dashboard/sessions/end-others  end all but this one
POST /dashboard/sessions/end-all     end all
"""

import contextlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from watchword.core.ids import SessionId
from watchword.errors import MalformedError, NotFoundError
from watchword.protocol.passwords import MIN_LENGTH
from watchword.server.activity.service import ActivityService
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply
from watchword.server.http.return_path import LOGIN_PATH
from watchword.server.pages.making import PageMaker, texts_for
from watchword.server.pages.views import EventView, ProfileView, SessionView
from watchword.server.pages.words import Done, after, read_done
from watchword.server.sessions.cookie import BrowserCookies
from watchword.server.sessions.identify import Caller
from watchword.server.sessions.model import Session
from watchword.server.sessions.service import SessionService

DASHBOARD: Final = "/dashboard"
_DONE: Final = frozenset({"done"})


class _Confirmed(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    csrf: str


class _OneSession(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    session: str
    csrf: str


class _AccountPages:
    def __init__(
        self,
        maker: PageMaker,
        cookies: BrowserCookies,
        sessions: SessionService,
        activity: ActivityService,
    ) -> None:
        self._maker = maker
        self._cookies = cookies
        self._sessions = sessions
        self._activity = activity

    async def dashboard(self, request: Request) -> Reply:
        caller: Caller = request.identity
        # One after the other: what a task of its own does takes no turns.
        live = await self._sessions.list_live(caller.account.id, request.context.now)
        recent = await self._activity.recent(caller.account.id)
        texts, current = texts_for(request), caller.session.id
        return self._maker.make(
            request,
            "dashboard",
            **self._frame(caller),
            sessions=[SessionView.of(each, current, texts) for each in _in_order(live, current)],
            others=sum(each.id != current for each in live),
            events=[EventView.of(each, texts) for each in recent],
            done=read_done(request),
            facts=self._maker.facts(return_path=DASHBOARD),
        )

    async def password(self, request: Request) -> Reply:
        caller: Caller = request.identity
        facts = self._maker.facts(return_path=DASHBOARD)
        return self._maker.make(request, "password", **self._frame(caller), least=MIN_LENGTH, facts=facts)

    async def log_out(self, request: Request) -> Reply:
        caller = self._checked(request)
        await self._end(caller, caller.session.id, request)
        return self._signed_out(Done.SIGNED_OUT)

    async def end_one(self, request: Request) -> Reply:
        caller = self._checked(request)
        try:
            session_id = SessionId.parse(request.body.session)
        except MalformedError:
            raise NotFoundError("no such session") from None
        await self._end(caller, session_id, request)
        if session_id == caller.session.id:
            return self._signed_out(Done.SIGNED_OUT)
        return Reply.see_other(after(DASHBOARD, Done.SESSION_ENDED))

    async def end_others(self, request: Request) -> Reply:
        caller = self._checked(request)
        await self._sessions.end_others(caller.account.id, caller.session.id, request.context)
        return Reply.see_other(after(DASHBOARD, Done.OTHERS_ENDED))

    async def end_all(self, request: Request) -> Reply:
        caller = self._checked(request)
        await self._sessions.end_all(caller.account.id, request.context)
        return self._signed_out(Done.SIGNED_OUT_EVERYWHERE)

    def _checked(self, request: Request) -> Caller:
        """Who sent a form of this session's own pages. Raises `ForbiddenError` for every other form."""
        caller: Caller = request.identity
        self._cookies.check_csrf(caller.session, request.body.csrf)
        return caller

    async def _end(self, caller: Caller, session_id: SessionId, request: Request) -> None:
        with contextlib.suppress(NotFoundError):  # it has ended already, which is what was asked for
            await self._sessions.end(caller.account.id, session_id, request.context)

    def _signed_out(self, done: Done) -> Reply:
        return Reply.see_other(after(LOGIN_PATH, done), headers={"set-cookie": self._cookies.clear_cookie()})

    def _frame(self, caller: Caller) -> Mapping[str, Any]:
        return {
            "profile": ProfileView.of(caller.account),
            "csrf": self._cookies.csrf_token(caller.session),
        }


def account_routes(
    *, maker: PageMaker, cookies: BrowserCookies, sessions: SessionService, activity: ActivityService
) -> list[Route]:
    pages = _AccountPages(maker, cookies, sessions, activity)

    def form(path: str, handler: Any, kind: type[msgspec.Struct]) -> Route:
        return Route("POST", path, handler, page=True, auth=True, form=kind)

    return [
        Route("GET", DASHBOARD, pages.dashboard, page=True, auth=True, query=_DONE, costly=True),
        Route("GET", "/password", pages.password, page=True, auth=True),
        form("/logout", pages.log_out, _Confirmed),
        form("/dashboard/sessions/end", pages.end_one, _OneSession),
        form("/dashboard/sessions/end-others", pages.end_others, _Confirmed),
        form("/dashboard/sessions/end-all", pages.end_all, _Confirmed),
    ]


def _in_order(sessions: list[Session], current: SessionId) -> list[Session]:
    """The one in use, then the newest first."""
    return sorted(sessions, key=lambda session: (session.id != current, -session.created_at))
