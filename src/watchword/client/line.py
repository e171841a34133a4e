"""The server's end of the session: exchanges as requests, repeated where that does no harm, and errors as named.

| what | repeated |
|---|---|
| GET of the key document, of who I am, of my sessions | yes |
| `begin` of a login, registration or password change | yes: it changes nothing |
| enrolment, with the same credential and keys | yes: the server answers the same again (enrol.md, step 12) |
| every other POST, and DELETE | never: its outcome may be unknown |

Repeated are connection failures and 429 or 503, as `Retries` says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from watchword import __version__
from watchword.client.answers import error_of, retry_after_of
from watchword.client.effects import Call, Effect, Flow, Reply, T
from watchword.client.settings import Retries
from watchword.client.steps import Send, SessionFlow, Sleep, Work, performed
from watchword.client.trust import TrustedServer
from watchword.client.vault import StretchFunction
from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import UnreachableError
from watchword.protocol.device_header import DEVICE_HEADER

MAX_ANSWER: Final = 1 << 20
USER_AGENT: Final = f"watchword/{__version__}"
_BUSY: Final = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})


def answered(
    send: Callable[[], Send], *, repeatable: bool, retries: Retries, entropy: Entropy
) -> SessionFlow[httpx.Response]:
    """The answer to what `send` makes, made and sent again where that is allowed and may help."""
    attempt = 1
    while True:
        failure: UnreachableError | None = None
        answer: httpx.Response | None = None
        try:
            answer = yield send()
        except UnreachableError as error:
            failure = error
        wait = None
        if repeatable and (answer is None or answer.status_code in _BUSY):
            asked = retry_after_of(answer.headers) if answer is not None else 0.0
            wait = retries.wait_after(attempt, asked=asked, entropy=entropy)
        if wait is not None:
            try:
                yield Sleep(seconds=wait)
            except UnreachableError:
                wait = None  # no time is left: what came of this attempt is the outcome
        if wait is None:
            return _outcome(answer, failure)
        attempt += 1


def _outcome(answer: httpx.Response | None, failure: UnreachableError | None) -> httpx.Response:
    if answer is None:
        raise failure or UnreachableError
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """To one server under its pinned root."""

    trusted: TrustedServer
    retries: Retries
    entropy: Entropy
    clock: Clock
    stretch: StretchFunction

    def run(self, flow: Flow[T]) -> SessionFlow[T]:
        """An exchange with the server. Raises what it raises, and `UnreachableError`, `NotTrustedError`."""
        return performed(flow, self._perform)

    def _perform(self, effect: Effect) -> SessionFlow[Reply]:
        if isinstance(effect, Call):
            return (yield from self._call(effect))
        stretched: Secret = yield Work(run=lambda: self.stretch(effect.password, effect.salt, effect.params))
        return stretched

    def _call(self, call: Call) -> SessionFlow[bytes]:
        answer = yield from answered(
            lambda: self._request(call),
            repeatable=call.repeatable,
            retries=self.retries,
            entropy=self.entropy,
        )
        if answer.status_code >= httpx.codes.MULTIPLE_CHOICES:
            raise error_of(answer.status_code, answer.content, retry_after=retry_after_of(answer.headers))
        return answer.content

    def _request(self, call: Call) -> Send:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if call.access_token is not None:
            headers["Authorization"] = f"Bearer {call.access_token.reveal().decode()}"
        if call.device is not None:
            now = self.clock.now()
            proof = call.device.header(call.method, call.path, now=now, entropy=self.entropy)
            headers[DEVICE_HEADER] = proof
        content = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(call.body)
        return Send(
            method=call.method,
            url=self.trusted.server + call.path,
            headers=headers,
            content=content,
            server=self.trusted,
            max_answer=MAX_ANSWER,
        )
