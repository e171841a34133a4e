"""`POST /api/register`."""

from typing import Final

from watchword.errors import ErrorCode
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import RegisterAnswer, RegisterPayload, SealedAnswer, SealedRequest
from watchword.server.accounts.registration import RegistrationService
from watchword.server.http.about import About, Answer, Sealed
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply

_REGISTER: Final = About(
    operation="register",
    group="sign-in",
    summary="Make an account",
    text="Needs a short key for `register`. The answer holds a temporary token, which enrols the first device.",
    answers=(Answer(status=201, text="The account exists.", body=SealedAnswer),),
    errors=frozenset({ErrorCode.REFUSED, ErrorCode.BEGIN_AGAIN, ErrorCode.KEY_UNKNOWN}),
    sealed=Sealed(purpose=Purpose.REGISTER, payload=RegisterPayload, answer=RegisterAnswer),
)


def account_routes(registration: RegistrationService) -> list[Route]:
    async def register(request: Request) -> Reply:
        answer = await registration.register(request.body, request.context)
        return Reply.json(answer, status=201)

    return [
        Route(
            "POST",
            "/api/register",
            register,
            body=SealedRequest,
            costly=True,
            about=_REGISTER,
            limit="register",
        )
    ]
