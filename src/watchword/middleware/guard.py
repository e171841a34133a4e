"""The door that all faces share: from the headers of a request to an admission or a refusal.

A face brings the values of `Authorization`, the path and the request id, and writes what comes out in its own way.
"""

import logging
import re
from collections.abc import Coroutine, Sequence
from typing import Any, Final, Unpack

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.ids import RequestId
from watchword.errors import UnauthenticatedError, WatchwordError
from watchword.middleware.current import Admission
from watchword.middleware.denial import Denial, denial_of
from watchword.middleware.identity import Presentation, Proof
from watchword.middleware.public import PublicPaths
from watchword.middleware.refusals import NoCredentialsError, RepeatedCredentialsError
from watchword.middleware.requirement import require
from watchword.middleware.settings import Settings, settings_of
from watchword.middleware.verifier import Verifier
from watchword.middleware.waiting import Steps, run_async, run_blocking

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SECOND: Final = re.compile(r",[ \t]*[A-Za-z][\w.+-]*[ \t]+[^ \t]")
"""A second scheme with its credentials after a comma, as RFC 9110, section 5.3, joins headers of one name."""
_log: Final = logging.getLogger("watchword.middleware")


class Guard:
    """Admits requests by the `Settings`. One for each application; any number of them in a process.

    Raise `InvalidConfigError` for settings that do not permit a safe start.
    """

    def __init__(self, **settings: Unpack[Settings]) -> None:
        given = settings_of(settings)
        self._clock = given.get("clock") or SystemClock()
        self._entropy = given.get("entropy") or SystemEntropy()
        checks = tuple(given.get("checks", ()))
        self._verifier = Verifier(
            issuer=given["issuer"], audience=given["audience"], ca_file=given.get("ca_file"), pin=given.get("pin"),
            bearer_ok=given.get("bearer_ok", False), checks=checks, clock=self._clock,
        )  # fmt: skip
        self.has_checks: Final = bool(checks)
        """Whether the application's own functions run with each admission, which may take their time."""
        self.realm: Final = given["audience"]
        self._requirement = require(
            level=given.get("least_level", 0), scopes=given.get("scopes", ()), max_age=given.get("max_age")
        )
        self._public = PublicPaths(given.get("public", ()))

    def admit_blocking(self, path: str, authorization: Sequence[str]) -> Admission:
        """As `steps`, for a thread that may wait."""
        return run_blocking(self.steps(path, authorization))

    def admit(self, path: str, authorization: Sequence[str]) -> Coroutine[Any, Any, Admission]:
        """As `steps`, on an event loop."""
        return run_async(self.steps(path, authorization))

    def steps(self, path: str, authorization: Sequence[str]) -> Steps[Admission]:
        """Let a request in, by all the values of its `Authorization`; nobody is known on a public path.

        Raises:
            WatchwordError: for `refuse` to answer.
        """
        now = self._clock.now()
        if path in self._public:
            return Admission(None, now)
        token = _token(authorization)
        caller = yield from self._verifier.steps(token, Presentation(now=now, proof=Proof.BEARER))
        self._requirement.check(caller, now)
        return Admission(caller, now)

    def refuse(self, error: WatchwordError, *, kind: str, request_id: str | None) -> Denial:
        """The answer to `error`, which is logged. `request_id` is the caller's own, if it sent one."""
        named = self._request_id(request_id)
        reason = error.reason if isinstance(error, UnauthenticatedError) else str(error.code)
        _log.info("refused %s: %s (request %s)", kind, reason, named)
        return denial_of(error, realm=self.realm, request_id=named)

    def _request_id(self, given: str | None) -> str:
        """That of whoever stands before us, if it is harmless in a log; else a new one."""
        if given is not None and _REQUEST_ID.match(given):
            return given
        return str(RequestId.new(self._clock.now(), self._entropy))


def _token(authorization: Sequence[str]) -> str:
    """The bearer token; of two credentials none, also where they were joined as WSGI does."""
    if len(authorization) > 1 or (authorization and _SECOND.search(authorization[0])):
        raise RepeatedCredentialsError
    scheme, _, token = authorization[0].partition(" ") if authorization else ("", "", "")
    if scheme.lower() != "bearer":
        raise NoCredentialsError
    return token
