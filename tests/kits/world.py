"""A whole server in this process, on a real database, with an injected clock; and clients that talk to it.

`World.call` sends one request through the real ASGI application; `World.run` drives the client's own flows against it.
Stretching is real, and remembered: a test that logs in ten times with one password and salt pays for it once.
"""

import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from watchword.client.drive import drive_async
from watchword.client.effects import Call, Flow, Stretch, T
from watchword.client.flows import account
from watchword.client.flows.account import DeviceKeys, LoggedIn, NewAccount
from watchword.client.flows.sealed import Prover, recipient_of
from watchword.client.transport import error_of
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPublicKey, Suite
from watchword.crypto.passwords import StretchParams, stretch
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.device_header import DEVICE_HEADER, HeaderKey
from watchword.protocol.envelope import Recipient
from watchword.protocol.keydocument import verify_key_document
from watchword.protocol.messages import EnrolAnswer, RegisterAnswer
from watchword.protocol.passwords import prepare
from watchword.server.assembly import Services, assemble
from watchword.server.config import FIELDS, Config, load_config
from watchword.server.core import Core, open_core
from watchword.server.door.gate import TheGate
from watchword.server.doorway import open_door
from watchword.server.http.admission import Admission
from watchword.server.http.app import build_app
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.proxies import Proxies
from watchword.server.logs import get_log
from watchword.server.measures import DoorMeasures, LimitMeasures
from watchword.server.redis.link import RedisLink
from watchword.server.sessions.identify import account_of
from watchword.testing import FixedClock, SeededEntropy

ORIGIN = "https://localhost:8443"
PASSWORD = "violet kangaroo plays chess"


@functools.lru_cache(maxsize=512)
def _stretched(password: bytes, salt: bytes, params: StretchParams) -> bytes:
    return stretch(Secret(password), salt, params).reveal()


@dataclass(kw_only=True)
class Person:
    """Somebody who has registered and enrolled a device."""

    username: str
    password: Secret
    recovery: RecoveryKey
    registered: RegisterAnswer
    keys: DeviceKeys
    enrolled: EnrolAnswer

    @property
    def access_token(self) -> Secret:
        return Secret.from_text(self.enrolled.grant.access_token)

    @property
    def prover(self) -> Prover:
        return Prover(key=self.keys.signing, device_id=self.enrolled.device)


@dataclass(kw_only=True)
class World:
    """One node, with its door. `address` is what the server takes for the caller's; the default is not limited."""

    core: Core
    services: Services
    clock: FixedClock
    entropy: SeededEntropy
    client_entropy: SeededEntropy
    app: Any
    gate: TheGate
    door: DoorMeasures
    address: str = "127.0.0.1"
    header_key: HeaderKey | None = None
    """Of a device that proves itself in a header of every call."""
    seen: list[httpx.Response] = field(default_factory=list)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: Secret | str | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """One request as a stock HTTP client would send it."""
        sent = dict(headers or {})
        if token is not None:
            text = token.reveal().decode() if isinstance(token, Secret) else token
            sent.setdefault("authorization", f"Bearer {text}")
        if self.header_key is not None:
            now, entropy = self.clock.now(), self.client_entropy
            sent[DEVICE_HEADER] = self.header_key.header(method, path, now=now, entropy=entropy)
        if body is not None:
            content = msgspec.json.encode(body)
        if content is not None:
            sent.setdefault("content-type", "application/json")
        transport = httpx.ASGITransport(app=self.app, client=(self.address, 40000))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            answer = await client.request(method, path, headers=sent, content=content)
        self.seen.append(answer)
        return answer

    async def run(self, flow: Flow[T]) -> T:
        """Drive a flow of the client. Raises the errors that the server names."""
        return await drive_async(flow, self._perform)

    async def _perform(self, effect: Call | Stretch) -> bytes | Secret:
        if isinstance(effect, Stretch):
            return Secret(_stretched(effect.password.reveal(), effect.salt, effect.params))
        headers = {}
        if effect.device is not None:
            headers[DEVICE_HEADER] = effect.device.header(
                effect.method, effect.path, now=self.clock.now(), entropy=self.client_entropy
            )
        answer = await self.call(
            effect.method, effect.path, effect.body, token=effect.access_token, headers=headers
        )
        if answer.status_code >= 300:
            raise error_of(answer.status_code, answer.content)
        return answer.content

    def recipient(self, suite: Suite = Suite.HYBRID) -> Recipient:
        """The server's current sealing key, from its signed key document."""
        document = verify_key_document(
            self.core.keys.key_document(),
            pin=self.core.keys.root_fingerprint(),
            now=self.clock.now(),
            at_least=1,
        )
        if suite is Suite.HYBRID:
            return recipient_of(document)
        found = document.current_sealing(suite)
        assert found is not None
        key: SealingPublicKey = found.key
        return Recipient(kid=found.kid, key=key, issuer=document.issuer)

    async def register(
        self, username: str, password: str = PASSWORD, *, email: str | None = None, **more: Any
    ) -> Person:
        """Register and enrol a first device, as `watchword register` does."""
        prepared, recovery = prepare(password), RecoveryKey.generate(self.client_entropy)
        new = NewAccount(username=username, password=prepared, email=email, **more)
        registered = await self.run(
            account.register(new, recovery, to=self.recipient(), entropy=self.client_entropy)
        )
        keys = DeviceKeys.generate(self.client_entropy)
        enrolled = await self.enrol(registered.temporary_token, keys)
        return Person(
            username=username,
            password=prepared,
            recovery=recovery,
            registered=registered,
            keys=keys,
            enrolled=enrolled,
        )

    async def enrol(self, credential: str, keys: DeviceKeys) -> EnrolAnswer:
        return await self.run(
            account.enrol(
                credential, "a test's device", keys, to=self.recipient(), entropy=self.client_entropy
            )
        )

    async def log_in(
        self, identifier: str, password: Secret | str = PASSWORD, *, prover: Prover | None = None
    ) -> LoggedIn:
        prepared = prepare(password) if isinstance(password, str) else password
        return await self.run(
            account.log_in(
                identifier, prepared, to=self.recipient(), entropy=self.client_entropy, prover=prover
            )
        )

    async def audit_tags(self) -> list[str]:
        """The tags of the audit trail, oldest first."""
        return [entry.tag for entry in await self.core.audit.tail(1000)]


@asynccontextmanager
async def open_world(
    data: Path,
    *,
    database: str | None = None,
    clock: FixedClock | None = None,
    seed: int | str = "world",
    redis: RedisLink | None = None,
    **settings: str,
) -> AsyncIterator[World]:
    """A node on `data` (SQLite there, unless `database` is a PostgreSQL URL). `settings` as in the config file.

    `redis`: what it shares with other nodes, not yet started; the caller closes it.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = make_config(data, database=database, **settings)
    clock, entropy = clock or FixedClock(), SeededEntropy(seed)
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(open_core(config, origin=ORIGIN, clock=clock, entropy=entropy))
        services = await assemble(core, redis)
        if redis is not None:
            await redis.start()
        measures = DoorMeasures()
        gate = await stack.enter_async_context(
            open_door(core, services, door=measures, limits=LimitMeasures())
        )
        app = build_app(
            [*services.routes, *services.page_routes],
            hosts=HostPolicy.of(ORIGIN, port=8443),
            identify=services.identify,
            clock=clock,
            entropy=entropy,
            admission=Admission(),
            log=get_log("http"),
            ready=_ready,
            gate=gate,
            proxies=Proxies.of(config.proxies.places, config.proxies.header),
            account_of=account_of,
            pages=services.pages,
        )
        try:
            yield World(
                core=core,
                services=services,
                clock=clock,
                entropy=entropy,
                client_entropy=SeededEntropy(f"client of {seed}"),
                app=app,
                gate=gate,
                door=measures,
            )
        finally:
            services.pool.close()


@asynccontextmanager
async def two_worlds(place: Path, database: str) -> AsyncIterator[tuple[World, World]]:
    """Two nodes with one root key and one clock on one PostgreSQL."""
    root = str(place / "root.key")
    async with (
        open_world(place / "a", database=database, root_key_file=root) as one,
        open_world(place / "b", database=database, root_key_file=root, seed="b", clock=one.clock) as two,
    ):
        yield one, two


async def _ready() -> bool:
    return True


def make_config(data: Path, *, database: str | None = None, **settings: str) -> Config:
    """`settings` by key of the configuration, with `__` for the dot: `passwords__server_hash="bcrypt"`."""
    values = {"data": str(data), "origin": ORIGIN, **settings}
    if database is not None:
        values["database"] = database
    variables = {entry.key: entry.variable for entry in FIELDS}
    environ = {variables[name.replace("__", ".")]: value for name, value in values.items()}
    return load_config(environ=environ)
