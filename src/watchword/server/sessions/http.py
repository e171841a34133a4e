"""Logging in, seeing who one is, and ending sessions.

POST   /api/login/begin          short key and how to stretch
POST   /api/login                session, or a temporary token
POST   /api/password             a new password (signed in)
GET    /api/me                   who calls
GET    /api/sessions             the account's live sessions
DELETE /api/sessions             end all
DELETE /api/sessions/{session}   end one
"""

from typing import Final

from watchword.core.ids import SessionId
from watchword.errors import DamagedError, ErrorCode, MalformedError, NotFoundError
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import (
    BeginAnswer,
    BeginPayload,
    LoginAnswer,
    LoginPayload,
    PasswordAnswer,
    PasswordPayload,
    SealedAnswer,
    SealedRequest,
    SessionList,
    WhoAmI,
)
from watchword.protocol.wire import Message
from watchword.server.accounts.password_change import PasswordChangeService
from watchword.server.devices.store import DeviceStore
from watchword.server.http.about import About, Answer, Sealed
from watchword.server.http.endpoint import Handler, Request, Route
from watchword.server.http.reply import Reply
from watchword.server.sessions.begin import BeginService
from watchword.server.sessions.cookie import BrowserCookies
from watchword.server.sessions.identify import Caller
from watchword.server.sessions.login import LoginService
from watchword.server.sessions.service import SessionService

_SIGN_IN: Final = "sign-in"
_SESSIONS: Final = "sessions"
_SHORT_KEY_ERRORS: Final = frozenset({ErrorCode.REFUSED, ErrorCode.BEGIN_AGAIN, ErrorCode.KEY_UNKNOWN})
_BEGIN: Final = About(
    operation="beginLogin",
    group=_SIGN_IN,
    summary="Get a short key, and how to stretch the password",
    text="The same answer in form and time for every name, known or not. The short key is good for one envelope of"
    " the purpose that the payload names.",
    answers=(Answer(text="A short key.", body=SealedAnswer),),
    errors=frozenset({ErrorCode.REFUSED, ErrorCode.KEY_UNKNOWN}),
    sealed=Sealed(purpose=Purpose.BEGIN, payload=BeginPayload, answer=BeginAnswer),
)
_LOGIN: Final = About(
    operation="logIn",
    group=_SIGN_IN,
    summary="Log in",
    text="Needs a short key for `login`. `device` and `signature` prove an enrolled device: then the answer holds a"
    " session. Without them it holds a temporary token, which enrols a device. With `browser` in the payload a session"
    " comes as a cookie as well (`Set-Cookie`), which opens pages and nothing of this API.",
    answers=(Answer(text="The login is good.", body=SealedAnswer),),
    errors=_SHORT_KEY_ERRORS,
    sealed=Sealed(purpose=Purpose.LOGIN, payload=LoginPayload, answer=LoginAnswer),
)
_PASSWORD: Final = About(
    operation="changePassword",
    group=_SIGN_IN,
    summary="Set a new password",
    text="Needs a short key for `password`. Every other session of the account ends.",
    answers=(Answer(text="The password is changed.", body=SealedAnswer),),
    errors=_SHORT_KEY_ERRORS,
    sealed=Sealed(purpose=Purpose.PASSWORD, payload=PasswordPayload, answer=PasswordAnswer),
)
_ME: Final = About(
    operation="whoAmI",
    group=_SESSIONS,
    summary="Who calls",
    answers=(Answer(text="Account, device and session.", body=WhoAmI),),
)
_LIST: Final = About(
    operation="listSessions",
    group=_SESSIONS,
    summary="Where the account is signed in",
    answers=(Answer(text="Live sessions, the oldest first.", body=SessionList),),
)
_END_ALL: Final = About(
    operation="endAllSessions",
    group=_SESSIONS,
    summary="End every session of the account",
    text="The caller's own session as well.",
    answers=(Answer(status=204, text="All are ended."),),
)
_END: Final = About(
    operation="endSession",
    group=_SESSIONS,
    summary="End one session of the account",
    answers=(Answer(status=204, text="It is ended."),),
    errors=frozenset({ErrorCode.NOT_FOUND}),
)


def login_routes(begin: BeginService, login: LoginService, cookies: BrowserCookies) -> list[Route]:
    async def begin_login(request: Request) -> Reply:
        return _json(await begin.begin(request.body, request.context))

    async def log_in(request: Request) -> Reply:
        granted = await login.log_in(request.body, request.context)
        return Reply.json(granted.answer, headers=cookies.headers_for(granted, request.context.now))

    def way_in(path: str, handler: Handler, about: About) -> Route:
        return Route(
            "POST",
            path,
            handler,
            body=SealedRequest,
            costly=True,
            about=about,
            limit="sign_in",
            for_devices=True,
        )

    return [way_in("/api/login/begin", begin_login, _BEGIN), way_in("/api/login", log_in, _LOGIN)]


def session_routes(
    sessions: SessionService, devices: DeviceStore, passwords: PasswordChangeService
) -> list[Route]:
    async def me(request: Request) -> Reply:
        caller: Caller = request.identity
        device = await devices.find(caller.device_id)
        if device is None:
            raise DamagedError("a session without a device")
        return _json(
            WhoAmI(
                account=caller.account.body(),
                device=str(device.id),
                device_name=device.name,
                session=str(caller.session.id),
                expires_at=min(caller.session.expires_at, caller.session.ends_at),
            )
        )

    async def list_sessions(request: Request) -> Reply:
        caller: Caller = request.identity
        found = await sessions.list_live(caller.account.id, request.context.now)
        return _json(SessionList(sessions=[one.body(current=caller.session.id) for one in found]))

    async def end_session(request: Request) -> Reply:
        caller: Caller = request.identity
        try:
            session_id = SessionId.parse(request.path_parameters["session"])
        except MalformedError:
            raise NotFoundError("no such session") from None
        await sessions.end(caller.account.id, session_id, request.context)
        return Reply.empty(204)

    async def end_all(request: Request) -> Reply:
        caller: Caller = request.identity
        await sessions.end_all(caller.account.id, request.context)
        return Reply.empty(204)

    async def change_password(request: Request) -> Reply:
        caller: Caller = request.identity
        return _json(
            await passwords.change(
                request.body, caller.account, caller.session.id, caller.device_id, request.context
            )
        )

    return [
        Route("GET", "/api/me", me, auth=True, about=_ME),
        Route("GET", "/api/sessions", list_sessions, auth=True, about=_LIST),
        Route("DELETE", "/api/sessions", end_all, auth=True, about=_END_ALL),
        Route("DELETE", "/api/sessions/{session}", end_session, auth=True, about=_END),
        Route(
            "POST",
            "/api/password",
            change_password,
            body=SealedRequest,
            auth=True,
            costly=True,
            about=_PASSWORD,
        ),
    ]


def _json(message: Message) -> Reply:
    return Reply.json(message)
