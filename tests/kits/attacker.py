"""An attacker that speaks the sealed protocol from many addresses of loopback, and counts what comes back.

    async with Attacker(server, addresses(1000)) as attacker:
        await attacker.guess_all(("anna", word) for word in words)
    attacker.seen["refused"], attacker.found, verified(server)

Every foothold is an address of 127.1.0.0/16 with a kept connection, opened again where the server closed it. The
stretch is a stand-in that costs nothing: whoever attacks has stretched his words beforehand, and a server cannot see
how a login secret was made. Accounts that are attacked here are made with the same stand-in, by `Owner`.
"""

import asyncio
import functools
import hashlib
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import msgspec
from prometheus_client import parser
from tests.kits.process import RunningServer

from watchword.client.drive import drive_async
from watchword.client.effects import Effect, Flow, Stretch, T
from watchword.client.flows import account
from watchword.client.flows.account import DeviceKeys, LoggedIn, NewAccount
from watchword.client.flows.sealed import Prover, recipient_of
from watchword.client.trust import fetch_key_document, trust_by_file
from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.envelope import Recipient
from watchword.protocol.passwords import prepare
from watchword.server.control.client import ControlClient

SOCKET: Final = "control.sock"
KINDS: Final = {200: "granted", 201: "granted", 403: "refused", 429: "too_many", 503: "overloaded"}
"""What a status means to a guesser; another one stands for itself."""
CLOSED: Final = "closed"
"""The connection was ended instead of an answer."""
ANSWER_S: Final = 60.0
_entropy: Final = SystemEntropy()
parse: Any = parser.text_string_to_metric_families  # the library gives it no types


def addresses(number: int, network: int = 1) -> list[str]:
    """`number` addresses of 127.`network`.0.0/16, each of its own /24 as long as there are any."""
    return [f"127.{network}.{each % 256}.{each // 256 + 1}" for each in range(number)]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    """By name in lower case; of a name that stands twice, the last."""
    body: bytes

    @property
    def kind(self) -> str:
        return KINDS.get(self.status, str(self.status))


class AnsweredError(Exception):
    """The server said no: `answer` is how."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.body[:300]!r}")
        self.answer = answer


class Foothold:
    """One address of the attacker's, with one connection that is kept while the server keeps it."""

    def __init__(self, server: RunningServer, address: str, tls: ssl.SSLContext | None = None) -> None:
        self.address = address
        self._tls = tls or tls_of(server)
        self._port, self._host = server.port, urlsplit(server.origin).netloc
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def greet(self) -> None:
        """Open the connection now, with a request that costs nothing."""
        await self.send("GET", "/health/live")

    async def send(
        self, method: str, path: str, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()
    ) -> Answer:
        """One request and its answer. Raises `ConnectionError` where the connection ends instead."""
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await self._connected()
                writer.write(self._encode(method, path, body, headers))
                return await self._read(reader)
        except (OSError, EOFError) as error:
            self._drop()
            raise ConnectionError(type(error).__name__) from error

    async def pipeline(self, method: str, path: str, body: bytes, number: int) -> list[Answer]:
        """The same request so often, written without waiting for answers."""
        reader, writer = await self._connected()
        data = self._encode(method, path, body, ())

        async def write() -> None:
            for _ in range(number):
                writer.write(data)
                await writer.drain()

        writing = asyncio.create_task(write())
        answers = [await self._read(reader) for _ in range(number)]
        await writing
        return answers

    async def send_and_leave(self, method: str, path: str, body: bytes) -> None:
        """One request, and away before anything can be answered."""
        _, writer = await self._connected()
        writer.write(self._encode(method, path, body, ()))
        await writer.drain()
        await self.close()

    def _encode(self, method: str, path: str, body: bytes, headers: Sequence[tuple[str, str]]) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self._host}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1",
                self._port,
                ssl=self._tls,
                server_hostname="localhost",
                local_addr=(self.address, 0),
            )
        return self._streams

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self._drop()
        return Answer(int(head.split()[1]), headers, body)

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def close(self) -> None:
        """Leave without a word, as attackers do."""
        self._drop()
        await asyncio.sleep(0)

    async def run(self, flow: Flow[T]) -> T:
        """Drive a flow of the client. Raises `AnsweredError` at the first answer that is no success."""
        return await drive_async(flow, self._perform)

    async def _perform(self, effect: Effect) -> bytes | Secret:
        if isinstance(effect, Stretch):
            return Secret(hashlib.sha256(effect.salt + effect.password.reveal()).digest())
        body = msgspec.json.encode(effect.body) if effect.body is not None else b""
        headers = []
        if effect.access_token is not None:
            headers.append(("Authorization", f"Bearer {effect.access_token.reveal().decode()}"))
        answer = await self.send(effect.method, effect.path, body, headers)
        if answer.status >= 300:
            raise AnsweredError(answer)
        return answer.body


@dataclass(kw_only=True)
class Owner:
    """Somebody with an account that is attacked, and the device that it was made on."""

    name: str
    password: str
    prover: Prover
    to: Recipient

    @classmethod
    async def register(cls, foothold: Foothold, to: Recipient, name: str, password: str) -> "Owner":
        recovery, keys = RecoveryKey.generate(_entropy), DeviceKeys.generate(_entropy)
        new = NewAccount(username=name, password=prepare(password))
        made = await foothold.run(account.register(new, recovery, to=to, entropy=_entropy))
        flow = account.enrol(made.temporary_token, "the owner's", keys, to=to, entropy=_entropy)
        enrolled = await foothold.run(flow)
        return cls(
            name=name, password=password, prover=Prover(key=keys.signing, device_id=enrolled.device), to=to
        )

    async def log_in(self, foothold: Foothold, *, on_device: bool = True) -> LoggedIn:
        """One try. Raises `AnsweredError` where it is refused."""
        return await foothold.run(
            account.log_in(
                self.name,
                prepare(self.password),
                to=self.to,
                entropy=_entropy,
                prover=self.prover if on_device else None,
            )
        )


Try = tuple[str, str]
"""A name and a password."""


@dataclass
class Attacker:
    """Tries names and passwords from all of its `sources` in turn, `at_once` of them at a time."""

    server: RunningServer
    sources: Sequence[str]
    at_once: int = 16
    seen: Counter[str] = field(default_factory=Counter)
    """How many tries ended how: a kind of `KINDS`, or `CLOSED`."""
    found: list[Try] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """The last answer of each try that was refused."""

    async def __aenter__(self) -> Self:
        tls = tls_of(self.server)
        self._footholds = [Foothold(self.server, source, tls) for source in self.sources]
        self.to = await recipient(self.server)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for foothold in self._footholds:
            await foothold.close()

    async def guess_all(self, tries: Iterable[Try]) -> None:
        """Every try once, each from the next address. A foothold does one thing at a time."""
        await self.each(
            functools.partial(self.guess, name=name, password=password) for name, password in tries
        )

    async def greet(self) -> None:
        """As `Foothold.greet`, for all at once."""
        await asyncio.gather(*(foothold.greet() for foothold in self._footholds))

    async def each(self, works: Iterable[Callable[[Foothold], Awaitable[None]]]) -> None:
        """Each work once, by the next foothold in turn that is free."""
        waiting, free = iter(works), asyncio.Queue[Foothold]()
        for foothold in self._footholds:
            free.put_nowait(foothold)

        async def worker() -> None:
            for work in waiting:
                foothold = await free.get()
                await work(foothold)
                free.put_nowait(foothold)

        await asyncio.gather(*(worker() for _ in range(min(self.at_once, len(self._footholds)))))

    async def guess(self, foothold: Foothold, name: str, password: str) -> None:
        try:
            await foothold.run(account.log_in(name, prepare(password), to=self.to, entropy=_entropy))
        except AnsweredError as error:
            self.seen[error.answer.kind] += 1
            self.answers.append(error.answer)
        except ConnectionError:
            self.seen[CLOSED] += 1
        else:
            self.seen["granted"] += 1
            self.found.append((name, password))

    async def ask(self, foothold: Foothold, method: str, path: str, body: bytes = b"") -> None:
        """Something else than a guess, counted the same."""
        try:
            answer = await foothold.send(method, path, body)
        except ConnectionError:
            self.seen[CLOSED] += 1
        else:
            self.seen[answer.kind] += 1
            self.answers.append(answer)


def tls_of(server: RunningServer) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=server.ca.read_text())


async def recipient(server: RunningServer, address: str = "127.0.0.1") -> Recipient:
    """The server's sealing key, from its signed key document."""
    foothold, trusted = Foothold(server, address), trust_by_file(server.origin, server.ca)
    found = recipient_of(await foothold.run(fetch_key_document(trusted, clock=SystemClock(), at_least=1)))
    await foothold.close()
    return found


async def register(server: RunningServer, *names: str, password: str) -> list[Owner]:
    """Accounts with a device each, made from 127.0.0.1."""
    foothold, to = Foothold(server, "127.0.0.1"), await recipient(server)
    owners = [await Owner.register(foothold, to, name, password) for name in names]
    await foothold.close()
    return owners


def metric(server: RunningServer, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels, by the operator's socket; 0 where there is none."""
    with ControlClient.connect(server.data / SOCKET) as control:
        text = control.call("server.metrics", {})["text"]
    return sum(
        float(sample.value)
        for family in parse(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def verified(server: RunningServer) -> int:
    """How many guesses of passwords of accounts have reached verification, by the audit trail's own count."""
    wrong = metric(server, LOGINS, outcome="refused", reason="wrong_secret")
    return int(wrong + sum(metric(server, LOGINS, outcome=each) for each in ("session", "temporary_token")))


LOGINS: Final = "watchword_logins_total"
