"""Logging in, seeing who one is, and ending sessions.

POST   /api/login/begin          short key and how to stretch
POST   /api/login                session, or a temporary token
POST   /api/password             a new password (signed in)
GET    /api/me                   who calls
GET    /api/sessions             the account's live sessions
DELETE /api/sessions             end all
DELETE /api/sessions/{session}   end one
"""

from watchword.core.ids import SessionId
from watchword.errors import DamagedError, MalformedError, NotFoundError
from watchword.protocol.messages import SealedRequest, SessionList, WhoAmI
from watchword.protocol.wire import Message
from watchword.server.accounts.password_change import PasswordChangeService
from watchword.server.devices.store import DeviceStore
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply
from watchword.server.sessions.begin import BeginService
from watchword.server.sessions.identify import Caller
from watchword.server.sessions.login import LoginService
from watchword.server.sessions.service import SessionService


def login_routes(begin: BeginService, login: LoginService) -> list[Route]:
    async def begin_login(request: Request) -> Reply:
        return _json(await begin.begin(request.body, request.context))

    async def log_in(request: Request) -> Reply:
        return _json(await login.log_in(request.body, request.context))

    return [
        Route("POST", "/api/login/begin", begin_login, body=SealedRequest, costly=True),
        Route("POST", "/api/login", log_in, body=SealedRequest, costly=True),
    ]


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
        Route("GET", "/api/me", me, auth=True),
        Route("GET", "/api/sessions", list_sessions, auth=True),
        Route("DELETE", "/api/sessions", end_all, auth=True),
        Route("DELETE", "/api/sessions/{session}", end_session, auth=True),
        Route("POST", "/api/password", change_password, body=SealedRequest, auth=True, costly=True),
    ]


def _json(message: Message) -> Reply:
    return Reply.json(message)
