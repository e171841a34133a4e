"""`POST /api/devices`: enrol a device with a credential."""

from watchword.protocol.messages import SealedRequest
from watchword.server.enrolment.service import EnrolmentService
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply


def enrolment_routes(service: EnrolmentService) -> list[Route]:
    async def enrol(request: Request) -> Reply:
        answer = await service.enrol(request.body, request.context)
        return Reply.json(answer, status=201)

    return [Route("POST", "/api/devices", enrol, body=SealedRequest, costly=True)]
