"""What can be called: name, parameters, handler. The command line calls through this table, with a server or without.

Results are what JSON holds. Instants are milliseconds; ids are text.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from watchword.core.clock import HOUR, SECOND
from watchword.core.ids import AccountId, BanId
from watchword.errors import MalformedError, MethodNotAllowedError, UnreachableError
from watchword.server.bans.service import MAX_PAGE as MAX_BANS
from watchword.server.control import shapes
from watchword.server.operator.model import INVITE_LIFE, MAX_PAGE, LocalOperator
from watchword.server.operator.service import OperatorService

REQUEST_S: Final = 30.0
"""For an ordinary call; a commit waits for the disk at most."""


class Stream(Protocol):
    """Where a long call tells what happens before its answer."""

    def offer(self, event: str, params: dict[str, Any]) -> None:
        """Tell it if there is room; never waits."""
        ...

    async def send(self, event: str, params: dict[str, Any]) -> None:
        """Tell it; waits until there is room."""
        ...


class Running(Protocol):
    """What only a server that runs can tell."""

    async def metrics(self) -> str:
        """In the text format of Prometheus."""
        ...

    async def troubles(self) -> Sequence[str]:
        """Why it is not ready; nothing when it is."""
        ...

    def notes(self) -> Sequence[str]:
        """What is not as it should be, ready or not."""
        ...


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters, or the base of those with some."""


class Page(Params, frozen=True):
    after: str | None = None
    limit: int = MAX_PAGE


class Named(Params, frozen=True):
    name: str


class SetLevel(Params, frozen=True):
    name: str
    level: int


class Invitation(Params, frozen=True):
    level: int = 0
    hours: int = INVITE_LIFE // HOUR
    note: str = ""


class BanPage(Params, frozen=True):
    after: str | None = None
    limit: int = MAX_BANS


class NewBan(Params, frozen=True):
    """`seconds` None: for ever. `own`: the address from which the operator works."""

    network: str
    seconds: int | None = None
    note: str = ""
    own: str = ""
    confirmed: bool = False


class Lift(Params, frozen=True):
    target: str
    confirmed: bool = False


class Rotation(Params, frozen=True):
    use: str
    at_once: bool = False


class Backup(Params, frozen=True):
    sealed: bool
    root_key: bool


class OfRequest(Params, frozen=True):
    request: str


class Tail(Params, frozen=True):
    limit: int = 20
    follow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: the service, who asks, and where to tell what happens meanwhile."""

    service: OperatorService
    operator: LocalOperator
    stream: Stream
    running: Running | None = None
    """None for a command that works on the data itself."""


Handler = Callable[[Call, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """`timeout_s` None: takes as long as it takes, and ends with the connection."""

    params: type[Params]
    handle: Handler
    timeout_s: float | None = REQUEST_S


async def dispatch(call: Call, name: str, params: Mapping[str, Any]) -> Any:
    """Run one method. Raises `MethodNotAllowedError` for an unknown one, `MalformedError` for its parameters."""
    method = METHODS.get(name)
    if method is None:
        raise MethodNotAllowedError("there is no such method")
    try:
        converted = msgspec.convert(dict(params), method.params, strict=True)
    except msgspec.ValidationError as error:
        raise MalformedError(f"{name}: {error}") from None
    return await method.handle(call, converted)


async def _list_accounts(call: Call, page: Page) -> Any:
    after = AccountId.parse(page.after) if page.after is not None else None
    found = await call.service.list_accounts(after=after, limit=page.limit)
    return {"accounts": [shapes.account(each) for each in found]}


async def _show_account(call: Call, params: Named) -> Any:
    return shapes.details(await call.service.show_account(params.name))


async def _set_level(call: Call, params: SetLevel) -> Any:
    return shapes.account(await call.service.set_level(params.name, params.level, call.operator))


async def _suspend(call: Call, params: Named) -> Any:
    return shapes.account(await call.service.suspend(params.name, call.operator))


async def _resume(call: Call, params: Named) -> Any:
    return shapes.account(await call.service.resume(params.name, call.operator))


async def _delete(call: Call, params: Named) -> Any:
    await call.service.delete(params.name, call.operator)
    return {"deleted": params.name}


async def _invite(call: Call, params: Invitation) -> Any:
    made = await call.service.invite(
        call.operator, level=params.level, valid_for=params.hours * HOUR, note=params.note
    )
    return {**shapes.invite(made.invite), "invitation": made.text}


async def _list_invites(call: Call, _params: Params) -> Any:
    return {"invites": [shapes.invite(each) for each in await call.service.list_invites()]}


async def _list_bans(call: Call, page: BanPage) -> Any:
    after = BanId.parse(page.after) if page.after is not None else None
    found = call.service.bans.page(after=after, limit=page.limit)
    return {"bans": [shapes.ban(each) for each in found]}


async def _add_ban(call: Call, params: NewBan) -> Any:
    made = await call.service.bans.add(
        params.network,
        by=call.operator.facts(),
        length_ms=None if params.seconds is None else params.seconds * SECOND,
        note=params.note,
        own=params.own,
        confirmed=params.confirmed,
    )
    return shapes.ban(made)


async def _lift_bans(call: Call, params: Lift) -> Any:
    lifted = await call.service.bans.lift(params.target, by=call.operator.facts(), confirmed=params.confirmed)
    return {"lifted": [shapes.lifted(each) for each in lifted]}


async def _watch_bans(call: Call, _params: Params) -> Any:
    _running(call)  # nobody bans anybody otherwise
    async for change, ban in call.service.bans.watch():
        await call.stream.send(change.value, shapes.ban(ban))


async def _key_status(call: Call, _params: Params) -> Any:
    return {"keys": [shapes.key(each) for each in call.service.key_status()]}


async def _rotate_key(call: Call, params: Rotation) -> Any:
    await call.service.rotate_key(params.use, call.operator, at_once=params.at_once)
    return {"rotated": params.use}


async def _begin_backup(call: Call, params: Backup) -> Any:
    instance = await call.service.begin_backup(call.operator, sealed=params.sealed, root_key=params.root_key)
    return {"instance": instance}


async def _verify_audit(call: Call, _params: Params) -> Any:
    report = await call.service.verify_audit(
        lambda entries: call.stream.offer("progress", {"entries": entries})
    )
    return shapes.report(report)


async def _show_audit(call: Call, params: OfRequest) -> Any:
    return {"entries": [shapes.entry(each) for each in await call.service.show_request(params.request)]}


async def _tail_audit(call: Call, params: Tail) -> Any:
    count = 0
    async for entry in call.service.tail_audit(params.limit, follow=params.follow):
        await call.stream.send("entry", shapes.entry(entry))
        count += 1
    return {"entries": count}


async def _metrics(call: Call, _params: Params) -> Any:
    return {"text": await _running(call).metrics()}


async def _health(call: Call, _params: Params) -> Any:
    running = _running(call)
    troubles = await running.troubles()
    return {
        "ready": not troubles,
        "troubles": list(map(str, troubles)),
        "notes": list(map(str, running.notes())),
    }


def _running(call: Call) -> Running:
    if call.running is None:
        raise UnreachableError("no server is running")
    return call.running


METHODS: Final[Mapping[str, Method]] = {
    "accounts.list": Method(Page, _list_accounts),
    "accounts.show": Method(Named, _show_account),
    "accounts.set-level": Method(SetLevel, _set_level),
    "accounts.suspend": Method(Named, _suspend),
    "accounts.resume": Method(Named, _resume),
    "accounts.delete": Method(Named, _delete),
    "invites.make": Method(Invitation, _invite),
    "invites.list": Method(Params, _list_invites),
    "bans.list": Method(BanPage, _list_bans),
    "bans.add": Method(NewBan, _add_ban),
    "bans.lift": Method(Lift, _lift_bans),
    "bans.watch": Method(Params, _watch_bans, None),
    "keys.status": Method(Params, _key_status),
    "keys.rotate": Method(Rotation, _rotate_key),
    "backup.begin": Method(Backup, _begin_backup),
    "server.metrics": Method(Params, _metrics),
    "server.health": Method(Params, _health),
    "audit.verify": Method(Params, _verify_audit, None),
    "audit.show": Method(OfRequest, _show_audit, None),
    "audit.tail": Method(Tail, _tail_audit, None),
}
