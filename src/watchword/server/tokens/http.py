"""`POST /api/tokens`: a token for one app."""

from typing import Final

from watchword.errors import ErrorCode, ForbiddenError
from watchword.protocol.messages import TokenAnswer, TokenRequest
from watchword.server.http.about import About, Answer
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply
from watchword.server.sessions.identify import Caller
from watchword.server.tokens.service import TokenService

_ISSUE: Final = About(
    operation="issueToken",
    group="tokens",
    summary="Get an access token for one app",
    text="`audience` is the app's origin, as `https://host` or `https://host:port`; `http` on this machine alone."
    " `bearer` must be true: tokens that are bound to a key are not issued yet.",
    answers=(Answer(status=201, text="The token, good for at most ten minutes.", body=TokenAnswer),),
    errors=frozenset({ErrorCode.MALFORMED, ErrorCode.FORBIDDEN}),
)


def token_routes(service: TokenService) -> list[Route]:
    async def issue(request: Request) -> Reply:
        caller: Caller = request.identity
        asked: TokenRequest = request.body
        if not asked.bearer:
            raise ForbiddenError('only unbound tokens are issued so far: ask with "bearer": true')
        token = await service.issue_bearer(
            caller.account, caller.session, asked.audience, request.context, scopes=asked.scopes
        )
        answer = TokenAnswer(access_token=token.text, expires_at=token.expires_at, token_type="Bearer")  # noqa: S106
        return Reply.json(answer, status=201)

    return [Route("POST", "/api/tokens", issue, body=TokenRequest, auth=True, about=_ISSUE)]
