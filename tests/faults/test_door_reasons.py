"""For every reason that the door refuses for: the log has it under the id of the answer, and the metric counts it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from tests.kits.sealed import make_member, sign_in, try_login
from tests.kits.world import World, open_world
from tests.unit.server.door.test_offences import READ, request_for

from watchword.errors import BANNED
from watchword.server.bans.model import Offence, OffenceKind
from watchword.server.limits.model import ASSET, CONCURRENT, LIMIT_CLASSES
from watchword.server.logs import JSONFormatter
from watchword.server.metrics import families

pytestmark = pytest.mark.anyio
STRANGER: Final = "192.0.2.7"
PLAIN: Final = {"accept": "application/json"}
Ask = Callable[[World], Awaitable[httpx.Response]]


class Case(NamedTuple):
    reason: str
    step: str
    ask: Ask
    """Once more than is let in."""
    settings: Mapping[str, Any] = {}


async def ask_banned(world: World) -> httpx.Response:
    world.services.bans.offend(Offence(OffenceKind.FORGED, STRANGER))
    return await world.call("GET", "/api/nothing", headers=PLAIN)


async def ask_beside_another(world: World) -> httpx.Response:
    lease = await world.gate.reserve(request_for("/login"), READ, "")
    answer = await world.call("GET", "/login", headers=PLAIN)
    world.gate.leave(lease)
    return answer


async def ask_for_account(world: World) -> httpx.Response:
    anna = await sign_in(world, "anna")
    return await until_held(world, lambda: world.call("GET", "/api/me", token=anna.token, headers=PLAIN))


async def guess(world: World) -> httpx.Response:
    await make_member(world, "anna")
    return await until_held(world, lambda: try_login(world, "anna"))


async def until_held(world: World, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    for _ in range(20):
        answer = await ask()
        if answer.status_code == 429:
            return answer
    raise AssertionError("nothing was held up")


def again(method: str, path: str, body: object = None) -> Ask:
    return lambda world: until_held(world, lambda: world.call(method, path, body, headers=PLAIN))


ONE: Final = "1/1h"
CASES: Final = [
    Case(BANNED, "ban", ask_banned),
    Case("lane", "lane", guess),
    Case(CONCURRENT, "limit", ask_beside_another, {"limits__concurrent": "1"}),
    Case("rate_read", "limit", again("GET", "/login"), {"limits__read": ONE}),
    Case("rate_asset", "limit", again("GET", "/assets/nothing"), {"limits__read": ONE}),
    Case("rate_sign_in", "limit", again("POST", "/api/login/begin", {}), {"limits__sign_in": ONE}),
    Case("rate_register", "limit", again("POST", "/api/register", {}), {"limits__register": ONE}),
    Case("rate_account", "limit", ask_for_account, {"limits__account": "2/1h"}),
    Case("rate_other", "limit", again("GET", "/api/nothing"), {"limits__other": ONE}),
]


@asynccontextmanager
async def opened(data: Path, case: Case) -> AsyncIterator[World]:
    async with open_world(data, **case.settings) as world:
        world.address = STRANGER
        yield world


def metrics_of(world: World) -> str:
    class Collector:
        def collect(self) -> list[Metric]:
            return list(families.door(world.door))

    registry = CollectorRegistry()
    registry.register(Collector())
    return generate_latest(registry).decode()


def test_every_reason_has_a_case() -> None:
    limits = {f"rate_{name}" for name in (*LIMIT_CLASSES, ASSET)}
    assert {case.reason for case in CASES} == {BANNED, CONCURRENT, "lane", *limits}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reason)
async def test_a_refusal_is_found_by_its_id_and_counted_by_its_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, case: Case
) -> None:
    caplog.set_level("INFO", "watchword")
    async with opened(tmp_path / "data", case) as world:
        answer = await case.ask(world)
        assert answer.status_code == 429
        request_id = answer.headers["x-request-id"]
        assert answer.json()["request_id"] == request_id
        lines = [json.loads(JSONFormatter().format(record)) for record in caplog.records]
        found = [
            line for line in lines if line.get("request") == request_id and line["event"] == "http.request"
        ]
        assert [(line["status"], line["code"], line["reason"]) for line in found] == [
            (429, "too_many", case.reason)
        ]
        assert case.reason not in answer.text
        counted = f'watchword_door_refused_total{{reason="{case.reason}",step="{case.step}"}} 1.0'
        assert counted in metrics_of(world)
