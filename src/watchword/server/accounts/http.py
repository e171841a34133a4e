"""`POST /api/register`."""

from watchword.protocol.messages import SealedRequest
from watchword.server.accounts.registration import RegistrationService
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply


def account_routes(registration: RegistrationService) -> list[Route]:
    async def register(request: Request) -> Reply:
        answer = await registration.register(request.body, request.context)
        return Reply.json(answer, status=201)

    return [Route("POST", "/api/register", register, body=SealedRequest, costly=True)]
