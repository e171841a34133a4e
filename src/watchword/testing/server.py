"""A whole server inside a test: its own thread and loop, a free port of loopback, TLS by its own authority.

    with running_server() as server:
        ada = server.register("ada", level=2)          a real account, with a client that is signed in
        ada.client.get("https://app.example/")           tokens as the server issues them
        server.token("bob", for_="https://app.example", level=5)     tokens without an account, at once

Everything is real: database, keys, sealing, TLS. What is kept lies in a temporary folder, gone at the end.
Ready in about 50 ms once imported. Each server is alone: several may run at once.
"""

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import uvloop

from watchword.client.client import Client
from watchword.client.flows.account import NewAccount
from watchword.client.opening import ClientSettings
from watchword.client.trust import TrustedServer, trust_by_file
from watchword.core.clock import MINUTE
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.errors import InvalidConfigError
from watchword.protocol.passwords import prepare
from watchword.server.app import Guest, serve_as_guest
from watchword.server.assembly import Services
from watchword.server.config import FIELDS, Config, load_config
from watchword.server.core import Core
from watchword.server.http.connections import ConnectionLimits
from watchword.server.http.sockets import Address
from watchword.server.operator.model import LocalOperator
from watchword.testing.determinism import AdvancingClock
from watchword.testing.tokens import TokenMaker

PASSWORD: Final = "violet kangaroo plays chess"  # noqa: S105  # of accounts that live as long as a test
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
_CALL_SECONDS: Final = 30.0
_LIMITS: Final = ConnectionLimits(total=512, per_source=512)
_OPERATOR: Final = LocalOperator(uid=0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TestAccount:
    """Somebody who has registered. `client` is theirs, signed in; one thread at a time."""

    __test__ = False  # to pytest a class of this name is a class of tests

    id: str
    """The account's id in text form, as in the claim `sub`."""
    username: str
    password: Secret
    home: Path
    """The folder of the vault, for a further client of the same device."""
    client: Client


@dataclass(kw_only=True)
class RunningServer:
    """Made by `running_server`. Its methods may be called from any thread but the server's own."""

    url: str
    """The server's origin, and the issuer of its tokens."""
    ca_file: Path
    """PEM file with the root certificate that TLS and key document lead to."""
    data: Path
    clock: AdvancingClock
    """The time that the server goes by; `advance` it to see things expire."""
    _core: Core
    _services: Services
    _loop: asyncio.AbstractEventLoop
    _folder: Path
    _stack: ExitStack
    _accounts: dict[str, TestAccount] = field(default_factory=dict)

    @property
    def trusted(self) -> TrustedServer:
        """For a `Client` of one's own."""
        return trust_by_file(self.url, self.ca_file)

    def register(
        self, username: str, *, level: int = 0, password: str = PASSWORD, email: str | None = None
    ) -> TestAccount:
        """A new account with its first device. Takes two real stretches of the password, about 0.3 s.

        Raises as `Client.register`: `RefusedError` for a name that is taken.
        """
        home, secret = self._folder / "homes" / username, prepare(password)
        settings = ClientSettings(clock=self.clock, device_name=f"{username}'s test device")
        client = self._stack.enter_context(Client(self.trusted, home, password=secret, settings=settings))
        new = NewAccount(username=username, password=secret, email=email)
        made = client.register(new)
        if level:
            self.set_level(username, level)
        found = TestAccount(id=made.account.id, username=username, password=secret, home=home, client=client)
        self._accounts[username] = found
        return found

    def account(self, username: str, *, level: int = 0) -> TestAccount:
        """The account that `register` made here, made now if it is the first use: for sharing between tests."""
        found = self._accounts.get(username) or self.register(username)
        self.set_level(username, level)
        return found

    def token(
        self,
        username: str,
        *,
        for_: str,
        level: int = 0,
        scopes: Sequence[str] = (),
        valid_for: int = 10 * MINUTE,
    ) -> str:
        """A bearer token for the app at `for_`, signed by this server's key as it signs its own; no account is needed.

        A name that has an account here gets that account's id, any other name one that is its own for good.
        `valid_for` is in milliseconds; a negative one makes a token that has expired.
        """
        known = self._accounts.get(username)
        maker = TokenMaker(issuer=self.url, key=self._core.keys.signing_key, now=self.clock.now())
        return maker.make(
            username,
            audience=for_,
            level=level,
            scopes=tuple(scopes),
            valid_for=valid_for,
            account=known.id if known else None,
        )

    def middleware_settings(self, audience: str) -> dict[str, Any]:
        """What an app's middleware needs to trust this server: `WatchwordMiddleware(app, **settings)`."""
        return {
            "issuer": self.url,
            "audience": audience,
            "ca_file": str(self.ca_file),
            "bearer_ok": True,
            "clock": self.clock,
        }

    def set_level(self, username: str, level: int) -> None:
        """Raises `NotFoundError`, `MalformedError`."""
        self.run(lambda services: services.operator.set_level(username, level, _OPERATOR))

    def suspend(self, username: str) -> None:
        """No login from now on, and every session has ended. Raises `NotFoundError`."""
        self.run(lambda services: services.operator.suspend(username, _OPERATOR))

    def rotate_key(self, use: str = "signing", *, at_once: bool = False) -> None:
        """As `watchword key rotate` does: what is signed by the old key is good until it ends, unless `at_once`."""
        self.run(lambda services: services.operator.rotate_key(use, _OPERATOR, at_once=at_once))

    def run(self, work: Callable[[Services], Awaitable[T]]) -> T:
        """What `work` gives, run on the server's loop."""

        async def call() -> T:
            return await work(self._services)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(_CALL_SECONDS)


@contextmanager
def running_server(*, clock: AdvancingClock | None = None, **settings: str) -> Iterator[RunningServer]:
    """A server, ready, for as long as the block runs.

    `settings` are those of the configuration, with `__` for the dot: `registration="invite"`,
    `passwords__server_hash="bcrypt"`. Environment variables and files are not looked at. `data` is none of them, and
    `listen` stays on loopback: accounts and clock are made up here, and no real data or caller may meet them.
    Raises what a start raises, as `InvalidConfigError`; at the end, what ended the server before.
    """
    clock = clock or AdvancingClock()
    with tempfile.TemporaryDirectory(prefix="watchword-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        host = _Host(_config(folder / "data", settings), clock)
        core, services = host.start()
        stack.callback(host.stop)
        yield RunningServer(
            url=core.origin,
            ca_file=core.config.data / "ca.pem",
            data=core.config.data,
            clock=clock,
            _core=core,
            _services=services,
            _loop=host.loop,
            _folder=folder,
            _stack=stack,
        )


def _config(data: Path, settings: dict[str, str]) -> Config:
    if "data" in settings:
        raise InvalidConfigError("data: a server of tests keeps its data in its own folder, gone at the end")
    variables = {entry.key: entry.variable for entry in FIELDS}
    values = {"listen": "127.0.0.1:0", **settings, "data": str(data)}
    config = load_config(
        environ={variables[name.replace("__", ".")]: value for name, value in values.items()}
    )
    if not config.listen.is_loopback:
        raise InvalidConfigError("listen: a server of tests stays on loopback")
    return config


class _Host:
    """The server's thread: started, told to stop, joined."""

    def __init__(self, config: Config, clock: AdvancingClock) -> None:
        self._config, self._clock = config, clock
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._started: tuple[Core, Services] | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="watchword-server", daemon=True)
        self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()

    def start(self) -> tuple[Core, Services]:
        self._thread.start()
        ready = self._ready.wait(START_SECONDS)
        if self._started is None:
            if not ready:
                self._failure = RuntimeError("the server did not start in time")
            self.stop()
            raise self._failure or RuntimeError("the server stopped while it started")
        return self._started

    def stop(self) -> None:
        """Requests in work finish; then the thread ends."""
        stop = self._stop
        if stop is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended by itself
                self.loop.call_soon_threadsafe(stop.set)
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise RuntimeError("the server did not stop in time")
        if self._failure is not None:
            raise self._failure

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # handed to the thread that started us
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        guest = Guest(stop=self._stop, on_ready=self._on_ready, limits=_LIMITS)
        await serve_as_guest(self._config, self._clock, SystemEntropy(), guest)

    def _on_ready(self, core: Core, services: Services, _address: Address) -> None:
        self._started = core, services
        self._ready.set()
