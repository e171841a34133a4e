"""`POST /login`: the form for browsers without scripts, where the operator allows it (docs/operations.md).

Where it is not allowed there is no such route: the answer comes before the body is read.
"""

from dataclasses import replace
from typing import Final

import msgspec

from watchword.core.ids import SessionId
from watchword.errors import RefusedError, UnauthenticatedError
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply
from watchword.server.http.return_path import LOGIN_PATH, safe_return_path
from watchword.server.pages.account import DASHBOARD
from watchword.server.pages.http import login_page
from watchword.server.pages.making import PageMaker
from watchword.server.pages.stand_in import StandIn
from watchword.server.sessions.cookie import BrowserCookies

_MAX_FORM: Final = 16_384
"""Bytes: 1,024 code points of password, each escaped in the longest way, and the rest."""
_REFUSED: Final = 403


class SignInForm(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"return_path": "return"}):
    """What the form posts. Its `repr` shows nothing."""

    identifier: str
    password: str
    return_path: str = ""

    def __repr__(self) -> str:
        return "<SignInForm>"


def password_form_routes(stand_in: StandIn, cookies: BrowserCookies, maker: PageMaker) -> list[Route]:
    async def sign_in(request: Request) -> Reply:
        form: SignInForm = request.body
        return_path = safe_return_path(form.return_path) or DASHBOARD
        try:
            granted = await stand_in.sign_in(
                form.identifier,
                form.password,
                request.context,
                instead_of=await _session_of(cookies, request),
            )
        except RefusedError as error:
            return replace(_refused(maker, request, form.identifier, return_path), error=error)
        headers = cookies.headers_for(granted, request.context.now)
        return Reply.see_other(return_path, headers=headers)

    return [
        Route(
            "POST",
            LOGIN_PATH,
            sign_in,
            page=True,
            form=SignInForm,
            max_body=_MAX_FORM,
            costly=True,
            limit="sign_in",
        )
    ]


async def _session_of(cookies: BrowserCookies, request: Request) -> SessionId | None:
    """The one that the browser would forget for the new one."""
    try:
        return (await cookies.identify(request)).session.id
    except UnauthenticatedError:
        return None


def _refused(maker: PageMaker, request: Request, identifier: str, return_path: str) -> Reply:
    """The page again: who it was is kept, the password is not."""
    return login_page(
        maker,
        request,
        password_form=True,
        status=_REFUSED,
        identifier=identifier,
        refused=True,
        return_path=return_path,
    )
