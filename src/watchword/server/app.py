"""Running the server: from a configuration to a process that listens, keeps itself in order, and stops cleanly.

bind -> open the core -> assemble -> serve (with upkeep beside it) -> stop: finish requests, last checkpoint, close
"""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from watchword.core.clock import Clock, SystemClock
from watchword.core.entropy import Entropy, SystemEntropy
from watchword.crypto.keyring import DataKeyPurpose
from watchword.errors import WatchwordError
from watchword.protocol.keydocument import format_fingerprint
from watchword.server.addresses import AddressForm
from watchword.server.assembly import Services, assemble, open_bans, operator_service
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.banner import banner
from watchword.server.config import Config, Loaded, TLSMode, find_warnings
from watchword.server.config.model import ProxyProtocol
from watchword.server.control.place import owner_or_root, refusing
from watchword.server.control.server import serve_control
from watchword.server.core import Core, open_core
from watchword.server.data_directory import (
    check_data_directory,
    prepare_data_directory,
    remove_file,
    write_file,
)
from watchword.server.db.skew import warn_of_skew
from watchword.server.db.unit import Unit
from watchword.server.doorway import open_door
from watchword.server.health import Health
from watchword.server.http.admission import Admission
from watchword.server.http.app import build_app
from watchword.server.http.connections import ConnectionLimits
from watchword.server.http.fronts.demand import Demand, count_for
from watchword.server.http.fronts.frames import Hello
from watchword.server.http.fronts.pool import Fronts
from watchword.server.http.gate import Gate
from watchword.server.http.hosts import HostPolicy
from watchword.server.http.proxies import Proxies
from watchword.server.http.serve import calm_collector, on_reload, run, serve, until_told_to_stop
from watchword.server.http.sockets import Address, address_of, bind, show_address
from watchword.server.http.wire import ASGIApp
from watchword.server.logs import configure_logs, current_level, get_log
from watchword.server.memory import give_back_free_memory
from watchword.server.metrics.listener import host_name, serve_metrics
from watchword.server.metrics.reader import MetricsReader
from watchword.server.notify import Notifier
from watchword.server.operator.service import OperatorService
from watchword.server.redis.open import check_package as check_redis_package
from watchword.server.redis.open import open_redis
from watchword.server.reload import Reloader
from watchword.server.sessions.identify import account_of
from watchword.server.telling import Telling
from watchword.server.traces.tracing import Tracing, open_tracing
from watchword.server.traces.tracing import check_packages as check_tracing_packages
from watchword.server.transport import ServedTLS, bound, own_tls_names, port_of

UPKEEP_EVERY: Final = 60.0
"""Seconds between looks at what time asks for: key rotation, other nodes' changes, what has ended for good."""
_log: Final = get_log("server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A server inside a process that is not its own: it leaves that process's memory, limits and output alone.

    `on_ready` is called on the server's loop once it accepts connections; `stop` ends it.
    """

    stop: asyncio.Event
    on_ready: Callable[[Core, Services, Address], None]
    limits: ConnectionLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What is around the server: a host, or a process of its own, which is told to reload and tells how it is."""

    guest: Guest | None
    loaded: Loaded | None
    notifier: Notifier
    reload: asyncio.Event
    """Set by each SIGHUP, also while the server starts."""
    ready: asyncio.Event


def run_server(config: Config, loaded: Loaded | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Raises `WatchwordError` when it cannot start; then nothing was changed.

    A signal before the server is ready ends the start. A second one while it stops does not wait for requests in work.
    SIGHUP reads what `loaded` came from again, once the server is ready; without `loaded` it does nothing.
    """
    configure_logs(level=config.log.level.value, as_json=config.log.as_json)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold every key
    run(until_told_to_stop(_serve(config, SystemClock(), SystemEntropy(), loaded=loaded)))


@asynccontextmanager
async def open_operator(config: Config) -> AsyncIterator[OperatorService]:
    """The operator's use cases on the data itself, while no server runs. Raises as `open_core`."""
    check_data_directory(config.data)
    async with open_core(config, origin=None, clock=SystemClock(), entropy=SystemEntropy()) as core:
        core.checkpointer.start()
        yield operator_service(core, await open_bans(core))
        core.checkpointer.tick()


async def serve_as_guest(config: Config, clock: Clock, entropy: Entropy, guest: Guest) -> None:
    """Serve until `guest.stop`; outside the main thread no signal is taken either. Raises as `run_server`."""
    await _serve(config, clock, entropy, guest)


async def _serve(
    config: Config,
    clock: Clock,
    entropy: Entropy,
    guest: Guest | None = None,
    *,
    loaded: Loaded | None = None,
) -> None:
    _check_packages(config)
    prepare_data_directory(config.data)
    notifier = Notifier("", clock) if guest else Notifier.find(os.environ, clock)
    around = _Around(
        guest=guest, loaded=loaded, notifier=notifier, reload=asyncio.Event(), ready=asyncio.Event()
    )
    if loaded is not None:
        on_reload(around.reload.set)
    async with AsyncExitStack() as stack:
        listen = stack.enter_context(bound(config))
        origin = config.resolve_origin(port_of(config, listen) or 0)
        _log.info("server.starting", address=show_address(address_of(listen)), origin=origin)
        if not config.is_private:  # where nobody else calls, there is nobody to be warned of
            for warning in find_warnings(config, os.environ, now=clock.now()):
                _log.warning("server.config", detail=warning)
        names = own_tls_names(config, origin)
        core = await stack.enter_async_context(
            open_core(config, origin=origin, clock=clock, entropy=entropy, tls_names=names)
        )
        remove_file(config.address_file)  # a killed server's; by now the data's lock is ours
        redis = await stack.enter_async_context(
            open_redis(config.redis and config.redis.reveal(), clock=clock, entropy=entropy)
        )
        services = await assemble(core, redis)
        if redis is not None:
            await redis.start()
        stack.callback(services.pool.close)
        await _run(core, services, listen, around)


def _check_packages(config: Config) -> None:
    """Before anything is made."""
    if config.traces.endpoint is not None:
        check_tracing_packages()
    if config.redis is not None:
        check_redis_package()


async def _run(core: Core, services: Services, listen: socket.socket, around: _Around) -> None:
    """Everything beside the requests: control socket, upkeep, checkpoints, and the audit of start and stop."""
    config, guest = core.config, around.guest
    by_header = config.proxies.protocol is ProxyProtocol.HEADERS
    proxies = Proxies.of(config.proxies.places, config.proxies.header if by_header else None)
    addresses = AddressForm.of(config.privacy.addresses, core.keys.data.get(DataKeyPurpose.AUDIT, 1))
    tls = ServedTLS.of(config, core.keys, core.clock)
    write_file(config.data / "ca.pem", core.keys.root_certificate())
    admission = Admission(slots=config.limits.costly_at_once, queue=config.limits.costly_waiting)
    tracing = _open_tracing(config)
    told = Telling(core, services, admission)
    if guest is None:
        calm_collector()
        give_back_free_memory()
    async with AsyncExitStack() as stack:
        if tracing is not None:
            stack.push_async_callback(asyncio.to_thread, tracing.close)
        gate = await stack.enter_async_context(open_door(core, services, door=told.door, limits=told.limits))
        fronts = None if guest else _make_fronts(config, tls)
        await stack.enter_async_context(
            serve_control(
                config.control_socket,
                services.operator,
                running=told,
                check_peer=refusing(fronts.has) if fronts else owner_or_root,
            )
        )
        await _open_metrics(stack, core, told.reader)
        await _note(core, AuditTag.SERVER_STARTED)
        await _look_at_clock(core)
        core.checkpointer.start(fresh=core.fresh)
        works = (
            core.checkpointer.run(),
            _upkeep(core, services),
            _reloads(core, tls, fronts, around),
            *services.works(),
        )
        await stack.enter_async_context(_background(told.health, *works))
        await serve(
            _make_app(
                core,
                services,
                listen,
                told,
                gate=gate,
                proxies=proxies,
                addresses=addresses,
                tracing=tracing,
                admission=admission,
            ),
            listen=listen,
            tls=tls.current if tls else None,
            on_ready=lambda address: _announce(core, services, address, around),
            shutdown_grace_s=config.shutdown_grace_s,
            stop=guest.stop if guest else None,
            limits=guest.limits if guest else None,
            proxies=proxies,
            on_stopping=lambda: _stopping(told, around),
            measures=told.connections,
            fronts=fronts,
            addresses=addresses,
            is_banned=lambda address: services.bans.find(address) is not None,
        )
    await services.bans.flush()
    await _record_stop(core)
    core.checkpointer.tick()
    remove_file(config.address_file)
    _log.info("server.stopped")


def _make_app(
    core: Core,
    services: Services,
    listen: socket.socket,
    told: Telling,
    *,
    gate: Gate,
    admission: Admission,
    proxies: Proxies,
    addresses: AddressForm,
    tracing: Tracing | None,
) -> ASGIApp:
    """The application with everything that it needs."""
    config = core.config
    return build_app(
        [*services.routes, *services.page_routes],
        hosts=HostPolicy.of(core.origin, port=port_of(config, listen), extra=config.hosts),
        identify=services.identify,
        clock=core.clock,
        entropy=core.entropy,
        admission=admission,
        log=get_log("http"),
        ready=told.health.ready,
        gate=gate,
        proxies=proxies,
        measures=told.requests,
        account_of=account_of,
        log_from=config.log.requests.least_status,
        tracing=tracing,
        pages=services.pages,
        addresses=addresses,
    )


def _stopping(told: Telling, around: _Around) -> None:
    told.health.stopping = True
    around.notifier.stopping()


def _open_tracing(config: Config) -> Tracing | None:
    """None where nothing is to be traced, which is the default."""
    if config.traces.endpoint is None:
        return None
    return open_tracing(config.traces.endpoint, config.traces.ratio)


def _make_fronts(config: Config, tls: ServedTLS | None) -> Fronts | None:
    """None where there is no core for one."""
    count = count_for(config.processes)
    if not count:
        return None

    def hello() -> Hello:
        chain, key = (tls.chain, tls.key.reveal()) if tls else (b"", b"")
        return Hello(chain, key, current_level(), config.log.as_json, config.shutdown_grace_s)

    fronts = Fronts(Demand(count=count, always=config.processes is not None), hello)
    if tls is not None:
        tls.on_new = fronts.renew
    return fronts


async def _open_metrics(stack: AsyncExitStack, core: Core, reader: MetricsReader) -> None:
    found = core.config.metrics.listen
    if found is not None:
        listen = bind(found.host, found.port)
        stack.callback(listen.close)
        names = (found.host, urlsplit(core.origin).hostname or "", *map(host_name, core.config.hosts))
        await stack.enter_async_context(serve_metrics(listen, reader, names=names))
        _log.info("metrics.ready", address=show_address(address_of(listen)))


@asynccontextmanager
async def _background(health: Health, *works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run `works` beside the block. One that fails for good shows in the log and in `health`."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            health.upkeep_ended = True
            _log.fault("server.upkeep_ended", error)

    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _reloads(core: Core, tls: ServedTLS | None, fronts: Fronts | None, around: _Around) -> None:
    """For ever, where there is something to read again."""
    if around.loaded is None:
        return
    reloader = Reloader(
        config=core.config,
        loaded=around.loaded,
        tls=tls,
        notifier=around.notifier,
        clock=core.clock,
        on_taken=fronts.renew if fronts else _nothing,
    )
    await around.ready.wait()  # a manager that was told of a reload first would take its end for the start's
    await reloader.run(around.reload)


def _nothing() -> None:
    """Nobody has to be told."""


async def _upkeep(core: Core, services: Services) -> None:
    """Once a minute, for ever; a failure is logged and the next minute tries again."""
    while True:
        await asyncio.sleep(UPKEEP_EVERY)
        try:
            await core.keys.tick()
            await services.tidy(core.clock.now())
            await _look_at_clock(core)
        except Exception as error:  # noqa: BLE001  # whatever it is, keys must be rotated in the minutes after it too
            _log.fault("server.upkeep_failed", error)


async def _look_at_clock(core: Core) -> None:
    """Nodes that share a database share its clock to measure theirs by; alone there is nothing to differ from."""
    if core.config.database is not None:
        await warn_of_skew(core.database, core.clock, _log)


async def _note(core: Core, tag: AuditTag) -> None:
    unit = Unit(key=b"server")
    unit.note(AuditEvent(tag=tag, at=core.clock.now(), facts={"origin": core.origin}))
    await core.database.commit(unit)


async def _record_stop(core: Core) -> None:
    """A disk that is full or a database that is away must not turn a clean stop into a failure."""
    try:
        await _note(core, AuditTag.SERVER_STOPPED)
    except WatchwordError as error:
        _log.fault("server.stop_not_recorded", error)


def _announce(core: Core, services: Services, address: Address, around: _Around) -> None:
    shown = show_address(address)
    write_file(core.config.address_file, f"{shown}\n".encode())
    _log.info("server.ready", address=shown, origin=core.origin)
    around.ready.set()
    around.notifier.ready()
    if around.guest is not None:
        around.guest.on_ready(core, services, address)
        return
    print(  # noqa: T201  # what a person at the terminal reads; logs go to standard error
        banner(
            origin=core.origin,
            fingerprint=format_fingerprint(core.keys.root_fingerprint()),
            data=core.config.data,
            own_tls=core.config.tls.mode is TLSMode.OWN,
        ),
        flush=True,
    )
