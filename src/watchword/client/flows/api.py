"""What a signed-in device asks of the server's API."""

from collections.abc import Iterable
from typing import Final

from watchword.client.effects import Call, Flow, call
from watchword.core.secret import Secret
from watchword.protocol.messages import SessionList, TokenAnswer, TokenRequest, WhoAmI
from watchword.protocol.wire import parse_message

_MAX_ANSWER: Final = 1 << 18


def who_am_i(access_token: Secret) -> Flow[WhoAmI]:
    raw = yield from call(Call(method="GET", path="/api/me", repeatable=True, access_token=access_token))
    return parse_message(raw, WhoAmI, max_size=_MAX_ANSWER)


def list_sessions(access_token: Secret) -> Flow[SessionList]:
    raw = yield from call(
        Call(method="GET", path="/api/sessions", repeatable=True, access_token=access_token)
    )
    return parse_message(raw, SessionList, max_size=_MAX_ANSWER)


def end_session(access_token: Secret, session: str) -> Flow[None]:
    yield from call(Call(method="DELETE", path=f"/api/sessions/{session}", access_token=access_token))


def end_all_sessions(access_token: Secret) -> Flow[None]:
    yield from call(Call(method="DELETE", path="/api/sessions", access_token=access_token))


def bearer_token(access_token: Secret, audience: str, scopes: Iterable[str] = ()) -> Flow[TokenAnswer]:
    """A token for one app that works for whoever holds it, for these scopes alone."""
    body = TokenRequest(audience=audience, bearer=True, scopes=tuple(scopes))
    raw = yield from call(Call(method="POST", path="/api/tokens", body=body, access_token=access_token))
    return parse_message(raw, TokenAnswer, max_size=_MAX_ANSWER)
