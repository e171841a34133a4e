"""The one place that chooses adapters: from a core to services, and from services to routes."""

from collections.abc import Coroutine, Iterator
from dataclasses import dataclass

from watchword.core.clock import DAY, HOUR, Instant, SteadyClock
from watchword.core.ids import DeviceId
from watchword.crypto.hpke import Suite
from watchword.crypto.keyring import DataKeyPurpose
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import KeyUnknownError
from watchword.protocol.device_header import WINDOW
from watchword.protocol.envelope import Recipient
from watchword.server.accounts.decoys import DecoySalts
from watchword.server.accounts.http import account_routes
from watchword.server.accounts.password_change import PasswordChangeService
from watchword.server.accounts.passwords import PasswordChecker
from watchword.server.accounts.registration import RecoveryVerifiers, RegistrationService
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.activity.service import ActivityService
from watchword.server.activity.sql import SQLActivityStore
from watchword.server.addresses import AddressForm, KeptAddresses
from watchword.server.bans.book import MemoryOffenceBook, OffenceBook
from watchword.server.bans.calls import BanCalls
from watchword.server.bans.keeping import BanKeeper
from watchword.server.bans.keyed_book import KeyedBook
from watchword.server.bans.making import BanMaker, Means
from watchword.server.bans.policy import BanPolicy
from watchword.server.bans.service import Bans
from watchword.server.bans.shared_book import SharedOffenceBook
from watchword.server.bans.sql import SQLBanStore
from watchword.server.bans.table import BanTable
from watchword.server.config.model import WithoutRedis
from watchword.server.core import Core
from watchword.server.db.unit import Unit
from watchword.server.devices.client_keys import ClientKeys
from watchword.server.devices.credentials import EnrolmentCredentials
from watchword.server.devices.header_pass import MAX_HEADERS, DevicePass
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.enrolment.http import enrolment_routes
from watchword.server.enrolment.service import EnrolmentService
from watchword.server.guessing.nobody import NobodysLanes
from watchword.server.guessing.service import Guessing
from watchword.server.guessing.sql import SQLLaneStore
from watchword.server.http.admission import HashPool
from watchword.server.http.endpoint import Identify, Route
from watchword.server.http.page_edge import PageEdge
from watchword.server.http.proxies import UNIX
from watchword.server.keys.http import routes as key_routes
from watchword.server.limits.memory import MemoryLimiter
from watchword.server.measures import GuessMeasures
from watchword.server.one_time import OneTimeSecrets
from watchword.server.operator.service import OperatorService
from watchword.server.pages.assets import Assets
from watchword.server.pages.edge import Pages
from watchword.server.pages.http import page_routes
from watchword.server.pages.making import PageMaker
from watchword.server.pages.password_form import password_form_routes
from watchword.server.pages.stand_in import StandIn
from watchword.server.redis.link import RedisLink
from watchword.server.redis.used_keys import RedisUsedKeys
from watchword.server.redis.uses import Uses
from watchword.server.retention import AddressRetention
from watchword.server.sealed import SealedDoor
from watchword.server.sessions.begin import BeginService
from watchword.server.sessions.boots import Boots, NodeBoots, OwnBoot
from watchword.server.sessions.cookie import BrowserCookies
from watchword.server.sessions.grants import SessionGranter
from watchword.server.sessions.http import login_routes, session_routes
from watchword.server.sessions.identify import Identifier
from watchword.server.sessions.login import LoginService
from watchword.server.sessions.model import SESSION_END
from watchword.server.sessions.service import SessionService
from watchword.server.sessions.shared_boot import RedisBoot
from watchword.server.sessions.short_keys import ShortKeys
from watchword.server.sessions.sql import SQLSessionStore
from watchword.server.tokens.http import token_routes
from watchword.server.tokens.service import TokenService
from watchword.server.used_keys import MemoryUsedKeys, UsedKeys

_KEEP_SESSIONS = SESSION_END + 30 * DAY
_KEEP_CREDENTIALS = HOUR
_KEEP_RETIRED_SEEDS = 30 * DAY
_KEEP_QUIET_LANES = 2 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the edges call. `routes` are for programs, `page_routes` and `pages` for people."""

    routes: list[Route]
    identify: Identify
    page_routes: list[Route]
    pages: PageEdge
    cookies: BrowserCookies
    operator: OperatorService
    activity: ActivityService
    sessions: SessionService
    bans: Bans
    pool: HashPool
    redis: RedisLink | None
    """None: this process is alone."""
    _uses: Uses | None
    guesses: GuessMeasures
    login: LoginService
    device_pass: DevicePass
    _core: Core
    _sessions: SQLSessionStore
    _devices: SQLDeviceStore
    _accounts: SQLAccountStore
    _lanes: SQLLaneStore

    def works(self) -> Iterator[Coroutine[None, None, None]]:
        """What runs beside the requests, for ever."""
        yield self.bans.run()
        if (days := self._core.config.privacy.days) is not None:
            yield AddressRetention(
                days=days,
                audit=self._core.audit,
                sessions=self._sessions,
                database=self._core.database,
                clock=self._core.clock,
            ).run()
        if self._uses is not None:
            yield self._uses.keep()

    async def tidy(self, now: Instant) -> None:
        """Forget what has ended for good; bounded tables are part of the design."""
        unit = Unit(key=b"tidy")
        self._sessions.drop_old(unit, Instant(now - _KEEP_SESSIONS))
        self._devices.drop_old_credentials(unit, Instant(now - _KEEP_CREDENTIALS))
        self._accounts.drop_retired_seeds(unit, Instant(now - _KEEP_RETIRED_SEEDS))
        self._lanes.drop_quiet(unit, Instant(now - _KEEP_QUIET_LANES))
        self.bans.drop_old(unit)
        await self._core.database.commit(unit)


class _Parts:
    """Everything that more than one service needs, made once."""

    def __init__(self, core: Core, pool: HashPool, redis: RedisLink | None) -> None:
        data = core.keys.data
        self.uses = Uses(redis, clock=core.clock, entropy=core.entropy) if redis else None
        self.accounts = SQLAccountStore(core.database)
        self.devices = SQLDeviceStore(core.database)
        self.session_store = SQLSessionStore(core.database)
        self.pool = pool
        self.one_time = _one_time(core)
        self.credentials = EnrolmentCredentials(self.devices, self.one_time)
        self.client_keys = ClientKeys(lambda version: data.get(DataKeyPurpose.GENERATION, version))
        self.short_keys = ShortKeys(
            current=lambda: data.current(DataKeyPurpose.SHORT_KEY),
            find=lambda version: data.get(DataKeyPurpose.SHORT_KEY, version),
            boots=_boots(core, self.uses),
            entropy=core.entropy,
        )
        self.door = SealedDoor(
            issuer=core.origin,
            sealing_key=core.keys.find_sealing_key,
            short_keys=self.short_keys,
            entropy=core.entropy,
        )
        self.tokens = TokenService(
            issuer=core.origin,
            signing_key=lambda: core.keys.signing_key,
            require_session=self.session_store.require_session,
            database=core.database,
            entropy=core.entropy,
        )
        self.granter = SessionGranter(
            store=self.session_store,
            tokens=self.tokens,
            client_keys=self.client_keys,
            sign_in_key=lambda: data.current(DataKeyPurpose.SIGN_IN),
            find_sign_in_key=lambda version: data.get(DataKeyPurpose.SIGN_IN, version),
            entropy=core.entropy,
        )
        self.cookies = BrowserCookies(
            store=self.session_store,
            find_sign_in_key=lambda version: data.get(DataKeyPurpose.SIGN_IN, version),
        )
        self.sessions = SessionService(store=self.session_store, database=core.database)
        self.lanes = SQLLaneStore(core.database)
        self.guesses = GuessMeasures()
        self.guessing = Guessing(
            store=self.lanes,
            database=core.database,
            present=SteadyClock(core.clock).now,
            end_device=self._end_device,
            measures=self.guesses,
            enabled=core.config.limits.guessing,
        )
        self.device_pass = DevicePass(
            issuer=core.origin,
            devices=self.devices,
            client_keys=self.client_keys,
            generation=lambda: data.current(DataKeyPurpose.GENERATION).version,
            used=_used_headers(self.uses),
            limiter=MemoryLimiter(core.clock),
        )
        self.activity = ActivityService(store=SQLActivityStore(core.database))

    def _end_device(self, unit: Unit, device_id: DeviceId, now: Instant) -> None:
        self.devices.end(unit, device_id, now)
        self.session_store.end_on_device(unit, device_id, now)


def _used_headers(uses: Uses | None) -> UsedKeys:
    if uses is None:
        return MemoryUsedKeys(MAX_HEADERS)
    return RedisUsedKeys(uses, name="device-header", window_ms=2 * WINDOW)


def _boots(core: Core, uses: Uses | None) -> Boots:
    own = OwnBoot(core.clock, core.entropy)
    if uses is None:
        return own
    local = core.config.limits.without_redis is WithoutRedis.LOCAL
    return NodeBoots(own, RedisBoot(uses), local=local)


async def assemble(core: Core, redis: RedisLink | None = None) -> Services:
    """Wire the services of `core`; with `redis`, which is to be started afterwards, it is one of several nodes.

    Reads which password schemes are in use.
    """
    pool = HashPool()
    parts = _Parts(core, pool, redis)
    bans = await open_bans(core, redis)
    data = core.keys.data
    passwords = PasswordChecker(
        scheme=core.config.passwords.server_hash,
        in_use=await parts.accounts.schemes_in_use(),
        pepper=lambda: data.current(DataKeyPurpose.PEPPER),
        find_pepper=lambda version: data.get(DataKeyPurpose.PEPPER, version),
        entropy=core.entropy,
        run_slow=pool.run,
    )
    sealed = _sealed(core, parts, passwords)
    maker = PageMaker(assets=Assets.load(), origin=core.origin, registration=core.config.registration)
    return Services(
        routes=_routes(core, parts, passwords, sealed),
        identify=Identifier(
            issuer=core.origin,
            verifying_key=lambda kid: _verifying_key(core, kid),
            store=parts.session_store,
        ),
        page_routes=[*maker.assets.routes(), *_page_routes(core, parts, sealed, maker)],
        pages=Pages(maker, parts.cookies),
        cookies=parts.cookies,
        operator=operator_service(core, bans),
        activity=parts.activity,
        sessions=parts.sessions,
        bans=bans,
        pool=pool,
        redis=redis,
        _uses=parts.uses,
        guesses=parts.guesses,
        login=sealed.login,
        device_pass=parts.device_pass,
        _core=core,
        _sessions=parts.session_store,
        _devices=parts.devices,
        _accounts=parts.accounts,
        _lanes=parts.lanes,
    )


def operator_service(core: Core, bans: Bans) -> OperatorService:
    """The operator's use cases, which need no more than a core and the bans."""
    return OperatorService(
        bans=bans,
        accounts=SQLAccountStore(core.database),
        devices=SQLDeviceStore(core.database),
        sessions=SQLSessionStore(core.database),
        lanes=SQLLaneStore(core.database),
        invites=_one_time(core),
        keys=core.keys,
        audit=core.audit,
        database=core.database,
        clock=core.clock,
    )


async def open_bans(core: Core, redis: RedisLink | None = None) -> Bans:
    """The bans with what was kept of them. Raises `UnavailableError`, `DamagedError`."""
    store, steady = SQLBanStore(core.database), SteadyClock(core.clock)
    policy = BanPolicy.of(core.config.bans)
    shared = core.config.database is not None
    table = BanTable(steady, _exempt(core))
    own = MemoryOffenceBook(policy, steady, store=store, database=core.database, node=core.audit_node)
    book = _book_of(core, SharedOffenceBook(own, redis, policy) if redis else own)
    data = core.keys.data
    means = Means(
        clock=core.clock,
        steady=steady,
        entropy=core.entropy,
        form=AddressForm.of(core.config.privacy.addresses, data.get(DataKeyPurpose.AUDIT, 1)),
    )
    keeper = BanKeeper(store, core.database, table, policy, steady, shared=shared)
    maker = BanMaker(
        means,
        policy,
        table=table,
        book=book,
        keeper=keeper,
        tag_key=data.get(DataKeyPurpose.DECOY, 1),  # the one that never changes
    )
    bans = Bans(maker, table=table, book=book, keeper=keeper, shared=shared)
    if redis is not None:
        BanCalls(bans, redis)
    await bans.load()
    return bans


def _book_of(core: Core, book: OffenceBook) -> OffenceBook:
    """Where addresses are not kept whole, not by what counts offences either."""
    if core.config.privacy.addresses is KeptAddresses.WHOLE:
        return book
    return KeyedBook(book, core.keys.data.get(DataKeyPurpose.DECOY, 1))


def _exempt(core: Core) -> list[str]:
    """Whom no ban reaches: who was named for it, and whoever brings us other callers."""
    return [*core.config.bans.allow, *(place for place in core.config.proxies.places if place != UNIX)]


def _one_time(core: Core) -> OneTimeSecrets:
    data = core.keys.data
    return OneTimeSecrets(
        current=lambda: data.current(DataKeyPurpose.ONE_TIME),
        find=lambda version: data.get(DataKeyPurpose.ONE_TIME, version),
        entropy=core.entropy,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sealed:
    """What a sign-in takes, one sealed exchange after the other."""

    begin: BeginService
    login: LoginService
    enrolment: EnrolmentService


def _sealed(core: Core, parts: _Parts, passwords: PasswordChecker) -> _Sealed:
    begin = BeginService(
        door=parts.door,
        accounts=parts.accounts,
        decoys=DecoySalts(core.keys.data.get(DataKeyPurpose.DECOY, 1)),
        short_keys=parts.short_keys,
        database=core.database,
    )
    login = LoginService(
        door=parts.door,
        accounts=parts.accounts,
        devices=parts.devices,
        passwords=passwords,
        credentials=parts.credentials,
        granter=parts.granter,
        guessing=parts.guessing,
        nobody=NobodysLanes(core.keys.data.get(DataKeyPurpose.DECOY, 1)),
        database=core.database,
    )
    enrolment = EnrolmentService(
        door=parts.door,
        accounts=parts.accounts,
        devices=parts.devices,
        credentials=parts.credentials,
        granter=parts.granter,
        sessions=parts.sessions,
        generation_key=lambda: core.keys.data.current(DataKeyPurpose.GENERATION),
        key_document=core.keys.key_document,
        database=core.database,
        entropy=core.entropy,
    )
    return _Sealed(begin=begin, login=login, enrolment=enrolment)


def _routes(core: Core, parts: _Parts, passwords: PasswordChecker, sealed: _Sealed) -> list[Route]:
    return [
        *key_routes(core.keys),
        *login_routes(sealed.begin, sealed.login, parts.cookies),
        *account_routes(_registration(core, parts, passwords)),
        *enrolment_routes(sealed.enrolment, parts.cookies),
        *session_routes(parts.sessions, parts.devices, _password_change(core, parts, passwords)),
        *token_routes(parts.tokens),
    ]


def _page_routes(core: Core, parts: _Parts, sealed: _Sealed, maker: PageMaker) -> list[Route]:
    allowed = core.config.pages.password_form
    return [
        *page_routes(
            maker=maker,
            cookies=parts.cookies,
            sessions=parts.sessions,
            activity=parts.activity,
            password_form=allowed,
            styleguide=core.config.pages.styleguide,
        ),
        *(password_form_routes(_stand_in(core, parts, sealed), parts.cookies, maker) if allowed else []),
    ]


def _stand_in(core: Core, parts: _Parts, sealed: _Sealed) -> StandIn:
    def recipient() -> Recipient:
        found = core.keys.current_sealing(Suite.HYBRID)
        return Recipient(kid=found.kid, key=found.key.public, issuer=core.origin)

    return StandIn(
        begin=sealed.begin,
        login=sealed.login,
        enrolment=sealed.enrolment,
        recipient=recipient,
        run_slow=parts.pool.run,
        entropy=core.entropy,
    )


def _registration(core: Core, parts: _Parts, passwords: PasswordChecker) -> RegistrationService:
    return RegistrationService(
        mode=core.config.registration,
        door=parts.door,
        accounts=parts.accounts,
        passwords=passwords,
        credentials=parts.credentials,
        invites=parts.one_time,
        recovery=RecoveryVerifiers(current=lambda: core.keys.data.current(DataKeyPurpose.RECOVERY)),
        database=core.database,
        entropy=core.entropy,
    )


def _password_change(core: Core, parts: _Parts, passwords: PasswordChecker) -> PasswordChangeService:
    return PasswordChangeService(
        door=parts.door,
        accounts=parts.accounts,
        devices=parts.devices,
        passwords=passwords,
        client_keys=parts.client_keys,
        end_others=parts.sessions.add_end_of_others,
        guessing=parts.guessing,
        database=core.database,
    )


def _verifying_key(core: Core, kid: str) -> TokenVerifyingKey:
    for key in core.keys.verification_keys:
        if key.kid == kid:
            return key
    raise KeyUnknownError
