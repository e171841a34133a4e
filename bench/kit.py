"""What several benchmarks need: a real server process, and clients that cost little and log in for real."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from watchword.client.client import Client
from watchword.client.drive import drive_async
from watchword.client.effects import Call, Effect, Flow, Reply, Stretch, T
from watchword.client.flows import account as flows
from watchword.client.flows.account import DeviceKeys, LoggedIn, NewAccount
from watchword.client.flows.sealed import Prover, recipient_of
from watchword.client.transport import error_of
from watchword.client.trust import TrustedServer, trust_by_file
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.crypto.hpke import Suite
from watchword.crypto.passwords import StretchParams, stretch
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.envelope import Recipient
from watchword.protocol.keydocument import KeyDocument
from watchword.protocol.passwords import prepare

PASSWORD = "violet kangaroo plays chess"  # noqa: S105  # of accounts that live for seconds
_STRETCHED: dict[bytes, Secret] = {}
_FRONT_STARTS_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server process."""

    process: subprocess.Popen[bytes]
    data: Path

    @property
    def origin(self) -> str:
        return f"https://localhost:{(self.data / 'address').read_text().strip().rpartition(':')[2]}"

    @property
    def trusted(self) -> TrustedServer:
        return trust_by_file(self.origin, self.data / "ca.pem")

    def cpu_seconds(self) -> float:
        """Time on a processor, user and system, of all threads so far; to the nanosecond where the kernel says."""
        return cpu_seconds_of(self.process.pid)

    def fronts(self) -> list[int]:
        """Process ids of the fronts that it has."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]

    def await_fronts(self, number: int) -> None:
        """Return once it has so many, and they have had time to start."""
        while len(self.fronts()) < number:
            time.sleep(0.01)
        time.sleep(_FRONT_STARTS_S)

    def cpu_of_each(self) -> list[float]:
        """As `cpu_seconds`: the server's own, then those of its fronts."""
        return [cpu_seconds_of(pid) for pid in (self.process.pid, *self.fronts())]

    def share_mib(self) -> float:
        """Memory of all its processes, shared pages divided among those that share them."""
        files = [Path(f"/proc/{pid}/smaps_rollup") for pid in (self.process.pid, *self.fronts())]
        lines = [line for file in files for line in file.read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def resident_mib(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")


def cpu_seconds_of(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


@contextmanager
def running_server(
    data: Path | None = None, *, environ: Mapping[str, str] | None = None, wait_s: float = 20
) -> Iterator[Server]:
    """Start `watchword serve` on a free port; stop it at the end."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = data or Path(temporary) / "data"
        process = start(folder, environ)
        try:
            wait_ready(process, folder, wait_s)
            yield Server(process=process, data=folder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)


def start(folder: Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """One process, so that its cost is all there is, unless `environ` says otherwise."""
    command = [sys.executable, "-m", "watchword", "serve", "--data", str(folder)]
    return subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"],
        env={**os.environ, "WATCHWORD_LOG": "warning", "WATCHWORD_PROCESSES": "1", **(environ or {})},
        stdout=subprocess.DEVNULL,
    )


def wait_ready(process: subprocess.Popen[bytes], folder: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while not (folder / "address").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.005)


@dataclass(frozen=True, kw_only=True)
class Account:
    """A registered person with a device."""

    username: str
    prover: Prover


async def register(server: Server, usernames: Sequence[str]) -> list[Account]:
    """Register and enrol each, through the client's own flows; a tenth of a second each, for the stretching."""
    connection, entropy, to = (
        await Connection(server).open(),
        SystemEntropy(),
        recipient(key_document(server)),
    )
    made = []
    for username in usernames:
        new = NewAccount(username=username, password=prepare(PASSWORD))
        recovery, keys = RecoveryKey.generate(entropy), DeviceKeys.generate(entropy)
        answer = await connection.run(flows.register(new, recovery, to=to, entropy=entropy))
        enrolment = flows.enrol(answer.temporary_token, "bench", keys, to=to, entropy=entropy)
        device = (await connection.run(enrolment)).device
        made.append(Account(username=username, prover=Prover(key=keys.signing, device_id=device)))
    connection.close()
    return made


def key_document(server: Server) -> KeyDocument:
    with tempfile.TemporaryDirectory() as home, Client(server.trusted, Path(home)) as client:
        return client.key_document()


def recipient(document: KeyDocument, suite: Suite = Suite.HYBRID) -> Recipient:
    if suite is Suite.HYBRID:
        return recipient_of(document)
    found = document.current_sealing(suite)
    if found is None:
        raise RuntimeError("no such key")
    return Recipient(kid=found.kid, key=found.key, issuer=document.issuer)


class Connection:
    """One keep-alive connection; writes each request at once and reads answers with a Content-Length."""

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.origin)
        self._host, self._port = address.hostname or "", address.port or 443
        self._tls = ssl.create_default_context(cadata=server.trusted.root_pem)

    async def open(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._tls, server_hostname=self._host
        )
        return self

    def close(self) -> None:
        self._writer.close()

    async def request(self, method: str, path: str, body: bytes = b"", token: str = "") -> tuple[int, bytes]:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        return int(head[9:12]), await self._reader.readexactly(size)

    async def run(self, flow: Flow[T]) -> T:
        """Drive a flow of the client; stretching is done once for each salt."""
        return await drive_async(flow, self._perform)

    async def _perform(self, effect: Effect) -> Reply:
        if isinstance(effect, Stretch):
            return stretched(effect.password, effect.salt, effect.params)
        status, body = await self._call(effect)
        if status >= 300:
            raise error_of(status, body)
        return body

    async def _call(self, call: Call) -> tuple[int, bytes]:
        body = msgspec.json.encode(call.body) if call.body is not None else b""
        token = call.access_token.reveal().decode() if call.access_token else ""
        return await self.request(call.method, call.path, body, token)


def stretched(password: Secret, salt: bytes, params: StretchParams) -> Secret:
    if salt not in _STRETCHED:
        _STRETCHED[salt] = stretch(password, salt, params)
    return _STRETCHED[salt]


async def log_in_once(connection: Connection, account: Account, to: Recipient) -> str:
    """A complete login, begin and login, on the account's device. Gives the access token."""
    return granted(await connection.run(login_flow(account, to)))


def login_flow(account: Account, to: Recipient) -> Flow[LoggedIn]:
    password = prepare(PASSWORD)
    return flows.log_in(account.username, password, to=to, entropy=SystemEntropy(), prover=account.prover)


def granted(logged_in: LoggedIn) -> str:
    if logged_in.answer.grant is None:
        raise RuntimeError("no session")
    return logged_in.answer.grant.access_token
