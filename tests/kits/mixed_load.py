"""People who use a server over HTTPS all at once, and a ledger of what they asked and what was acknowledged.

    register -> enrol -> me -> token -> log in on the device -> change the password -> log out -> the next person

The stretch is a stand-in that costs nothing: a server cannot see how a login secret was made, and what is looked for
lies behind it. A crowd works until it is told to stop or the server is gone; `check_person` compares afterwards.
"""

import contextlib
import hashlib
import http.client
import itertools
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

import msgspec
from tests.kits.process import RunningServer

from watchword.client.drive import drive
from watchword.client.effects import Call, Flow, Stretch, T
from watchword.client.flows import account, api
from watchword.client.flows.account import DeviceKeys, LoggedIn, NewAccount
from watchword.client.flows.sealed import Prover, recipient_of
from watchword.client.transport import error_of
from watchword.client.trust import TrustedServer, fetch_key_document, trust_by_file
from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.errors import ErrorCode, UnreachableError, WatchwordError
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.envelope import Recipient
from watchword.protocol.messages import EnrolAnswer
from watchword.protocol.passwords import prepare

PASSWORDS: Final = ("violet kangaroo plays chess", "another violet elephant song")
TIMEOUT_SECONDS: Final = 60
_AUDIENCE: Final = "https://app.example.org"
_entropy: Final = SystemEntropy()


def refused(error: WatchwordError | None) -> bool:
    return error is not None and error.code in {ErrorCode.REFUSED, ErrorCode.UNAUTHENTICATED}


class Line:
    """One keep-alive connection of one client; drives the client's flows. One thread at a time."""

    def __init__(self, server: RunningServer, address: str = "127.0.0.1") -> None:
        self.trusted: TrustedServer = trust_by_file(server.origin, server.ca)
        self._tls = ssl.create_default_context(cadata=self.trusted.root_pem)
        self._place = (address, server.port)
        self._host = urlsplit(server.origin).netloc
        self._connection: http.client.HTTPSConnection | None = None
        self._recipient: Recipient | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(
        self, method: str, path: str, body: bytes | None = None, token: Secret | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers in lower case. Raises `UnreachableError` when there is no whole answer."""
        headers = {"Host": self._host}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.reveal().decode()}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection = self._connected()
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnreachableError(type(error).__name__) from error

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            made = http.client.HTTPSConnection(*self._place, timeout=TIMEOUT_SECONDS, context=self._tls)
            self._connection = made
        return self._connection

    def run(self, flow: Flow[T]) -> T:
        return drive(flow, self.perform)

    def perform(self, effect: Call | Stretch) -> bytes | Secret:
        if isinstance(effect, Stretch):
            return Secret(hashlib.sha256(effect.salt + effect.password.reveal()).digest())
        content = msgspec.json.encode(effect.body) if effect.body is not None else None
        status, body, _ = self.send(effect.method, effect.path, content, effect.access_token)
        if status >= 300:
            raise error_of(status, body)
        return body

    def recipient(self) -> Recipient:
        if self._recipient is None:
            flow = fetch_key_document(self.trusted, clock=SystemClock(), at_least=1)
            self._recipient = recipient_of(self.run(flow))
        return self._recipient

    def try_run(self, flow: Flow[T]) -> tuple[T | None, WatchwordError | None]:
        try:
            return self.run(flow), None
        except WatchwordError as error:
            return None, error


@dataclass(kw_only=True)
class Person:
    """What one person asked for and was told; `*_asked` is set before the request, the rest after its answer."""

    username: str
    keys: DeviceKeys = field(default_factory=lambda: DeviceKeys.generate(_entropy))
    registered: bool = False
    temporary: str | None = None
    enrol_asked: bool = False
    enrolled: EnrolAnswer | None = None
    live: tuple[str, Secret] | None = None
    """The session that nobody has asked to end, with its access token."""
    ended: list[Secret] = field(default_factory=list)
    """Access tokens of sessions whose end was acknowledged."""
    password_asked: bool = False
    password_changed: bool = False


class Crowd:
    """`workers` threads, each one person after the other. `failures` counts errors that were answered, by code."""

    def __init__(self, server: RunningServer, prefix: str, *, workers: int = 4) -> None:
        self.people: list[Person] = []
        self.acknowledged = 0
        self.failures: Counter[str] = Counter()
        self.slowest = 0.0
        self._server = server
        self._names = (f"{prefix}{number}" for number in itertools.count())
        self._told = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def goes_on_after(self, acknowledged: int) -> bool:
        return self.acknowledged > acknowledged

    def stop(self) -> None:
        """Let everybody finish what is in flight."""
        self._told.set()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive(), "a request is never answered"

    def _work(self) -> None:
        with contextlib.closing(Line(self._server)) as line:
            while not self._told.is_set():
                try:
                    self._live(line, self._new_person())
                except UnreachableError:
                    self.failures["unreachable"] += 1
                    self._told.wait(0.05)
                except WatchwordError as error:
                    self.failures[error.code.value] += 1
                    self._told.wait(0.02)

    def _new_person(self) -> Person:
        with self._lock:
            person = Person(username=next(self._names))
            self.people.append(person)
        return person

    def _live(self, line: Line, person: Person) -> None:
        for step in self._steps(line, person):
            with self._lock:
                self.acknowledged += step
            if self._told.is_set():
                return

    def _steps(self, line: Line, person: Person) -> Iterator[int]:
        """The requests of a life; each yields how many acknowledged changes it was."""
        to = line.recipient()
        new = NewAccount(username=person.username, password=prepare(PASSWORDS[0]))
        recovery = RecoveryKey.generate(_entropy)
        made = line.run(account.register(new, recovery, to=to, entropy=_entropy))
        person.registered, person.temporary = True, made.temporary_token
        yield 1
        person.enrol_asked = True
        enrolled = line.run(enrol(person, to))
        person.enrolled = enrolled
        person.live = _session(enrolled.grant)
        yield 1
        line.run(api.who_am_i(person.live[1]))
        line.run(api.bearer_token(person.live[1], _AUDIENCE))
        yield 0
        logged_in = self._log_in(line, person, to)
        yield 1
        self._change_password(line, person, logged_in, to)
        yield 1
        self._log_out(line, person)
        yield 1

    @staticmethod
    def _log_in(line: Line, person: Person, to: Recipient) -> LoggedIn:
        before, person.live = person.live, None
        logged_in = line.run(log_in(person, 0, to))
        assert logged_in.answer.grant is not None
        assert before is not None
        person.ended.append(before[1])  # a device has one session: the new one ends the old
        person.live = _session(logged_in.answer.grant)
        return logged_in

    @staticmethod
    def _change_password(line: Line, person: Person, logged_in: LoggedIn, to: Recipient) -> None:
        person.password_asked = True
        flow = account.change_password(
            logged_in, person.username, prepare(PASSWORDS[1]), to=to, entropy=_entropy
        )
        line.run(flow)
        person.password_changed = True

    @staticmethod
    def _log_out(line: Line, person: Person) -> None:
        assert person.live is not None
        (session, token), person.live = person.live, None
        line.run(api.end_session(token, session))
        person.ended.append(token)


def _session(grant: object) -> tuple[str, Secret]:
    return grant.session.id, Secret.from_text(grant.access_token)  # type: ignore[attr-defined]


def enrol(person: Person, to: Recipient, keys: DeviceKeys | None = None) -> Flow[EnrolAnswer]:
    assert person.temporary is not None
    return account.enrol(person.temporary, "a device", keys or person.keys, to=to, entropy=_entropy)


def log_in(person: Person, password: int, to: Recipient) -> Flow[LoggedIn]:
    device = person.enrolled.device if person.enrolled else None
    prover = Prover(key=person.keys.signing, device_id=device) if device else None
    secret = prepare(PASSWORDS[password])
    return account.log_in(person.username, secret, to=to, entropy=_entropy, prover=prover)


def check_person(line: Line, person: Person) -> None:
    """Raise unless the server agrees with what this person was told; what was not answered may be either way."""
    to = line.recipient()
    for token in person.ended:
        assert refused(line.try_run(api.who_am_i(token))[1]), "an ended session is back"
    if person.live is not None and not person.password_asked:
        assert line.run(api.who_am_i(person.live[1])).account.username == person.username
    if person.temporary is not None and person.enrol_asked:
        _check_temporary_token(line, person, to)
    works = [_works(line, person, number, to) for number in range(2)]
    if person.password_changed:
        assert works == [False, True], "the password change is lost"
    elif person.password_asked:
        assert sorted(works) == [False, True], "the password is half changed"
    elif person.registered:
        assert works == [True, False], "the account is lost"


def _check_temporary_token(line: Line, person: Person, to: Recipient) -> None:
    """Used for one device, it is never good for another one."""
    if person.enrolled is None:
        answer, error = line.try_run(enrol(person, to))
        assert answer is not None, f"the enrolment neither happened nor can: {error}"
    error = line.try_run(enrol(person, to, DeviceKeys.generate(_entropy)))[1]
    assert refused(error), "a temporary token was accepted twice"


def _works(line: Line, person: Person, password: int, to: Recipient) -> bool:
    """Whether the password logs in; the chest must open with it then."""
    answer, error = line.try_run(log_in(person, password, to))
    if answer is None:
        assert refused(error), error
        return False
    answer.open_chest()
    return True
