"""`POST /api/devices`: enrol a device with a credential."""

from typing import Final

from watchword.errors import ErrorCode
from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import EnrolAnswer, EnrolPayload, SealedAnswer, SealedRequest
from watchword.server.enrolment.service import EnrolmentService
from watchword.server.http.about import About, Answer, Sealed
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply
from watchword.server.sessions.cookie import BrowserCookies

_ENROL: Final = About(
    operation="enrolDevice",
    group="sign-in",
    summary="Enrol a device with a temporary token",
    text="`signature` is made with the new device's signing key, over the envelope. For 30 minutes the same credential"
    " and key get the same device again, for an answer that was lost. With `browser` in the payload the session comes"
    " as a cookie as well (`Set-Cookie`), which opens pages and nothing of this API.",
    answers=(Answer(status=201, text="The device is enrolled and signed in.", body=SealedAnswer),),
    errors=frozenset({ErrorCode.REFUSED, ErrorCode.CONFLICT, ErrorCode.KEY_UNKNOWN}),
    sealed=Sealed(purpose=Purpose.ENROL, payload=EnrolPayload, answer=EnrolAnswer),
)


def enrolment_routes(service: EnrolmentService, cookies: BrowserCookies) -> list[Route]:
    async def enrol(request: Request) -> Reply:
        granted = await service.enrol(request.body, request.context)
        headers = cookies.headers_for(granted, request.context.now)
        return Reply.json(granted.answer, status=201, headers=headers)

    return [
        Route("POST", "/api/devices", enrol, body=SealedRequest, costly=True, about=_ENROL, limit="sign_in")
    ]
