"""M22: whatever a route runs into, the caller gets a generic answer, nothing is half done, the rest goes on."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kits import world as kit
from tests.kits.world import Person, World, open_world

from watchword.server.assembly import Services, assemble
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.server.http.endpoint import Request
from watchword.server.http.reply import Reply
from watchword.server.logs import JSONFormatter

CANARY = "canary-7c1f0e-in-an-exception"
TABLES = ("accounts", "logins", "chests", "devices", "sessions", "enrolment_credentials", "audit_entries")
ERRORS = (RuntimeError, MemoryError, KeyError, RecursionError, UnicodeDecodeError)


def boom(kind: type[BaseException]) -> BaseException:
    if kind is UnicodeDecodeError:
        return UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY)
    return kind(CANARY)


async def counts(world: World) -> dict[str, int]:
    found = {}
    for table in TABLES:
        row = await world.core.database.fetch_one(f"select count(*) from {table}", {})
        assert row is not None
        found[table] = int(row[0] or 0)
    return found


def as_written(caplog: pytest.LogCaptureFixture) -> str:
    """What a server would have written to standard error."""
    return "\n".join(JSONFormatter().format(record) for record in caplog.records)


async def assert_whole(world: World) -> None:
    """The trail is, with a checkpoint of now."""
    assert world.core.checkpointer.tick()
    assert (await world.core.audit.verify()).problems == []


def assert_generic(answer: httpx.Response) -> None:
    problem = answer.json()
    assert answer.status_code == 500
    assert (problem["code"], problem["status"]) == ("internal", 500)
    assert problem["request_id"].startswith("req_")
    assert CANARY not in answer.text
    assert "Error" not in answer.text


Commit = Callable[[Unit], Coroutine[Any, Any, None]]
Act = Callable[[World, Person], Awaitable[object]]
ACTS: dict[str, Act] = {
    "register": lambda world, _: world.register("somebody"),
    "log in": lambda world, person: world.log_in(person.username, prover=person.prover),
    "log in elsewhere": lambda world, person: world.log_in(person.username),
    "me": lambda world, person: world.call("GET", "/api/me", token=person.access_token),
    "sessions": lambda world, person: world.call("GET", "/api/sessions", token=person.access_token),
    "end all": lambda world, person: world.call("DELETE", "/api/sessions", token=person.access_token),
    "end one": lambda world, person: world.call(
        "DELETE", f"/api/sessions/{person.enrolled.grant.session.id}", token=person.access_token
    ),
    "token": lambda world, person: world.call(
        "POST", "/api/tokens", {"audience": "https://app.example", "bearer": True}, token=person.access_token
    ),
    "ready": lambda world, _: world.call("GET", "/health/live"),
}
CHANGES = {"register", "log in", "log in elsewhere", "end all", "end one"}


@pytest.mark.parametrize("kind", ERRORS)
def test_fault_M22_every_handler_that_fails_answers_generically(
    tmp_path: Path,
    kind: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault at the end of each handler of `services.routes`; an app is built of them as the server builds it."""
    reached: set[str] = set()

    async def assembled(core: Any, redis: Any = None) -> Services:
        services = await assemble(core, redis)
        return dataclasses.replace(services, routes=[failing(route) for route in services.routes])

    def failing(route: Any) -> Any:
        async def handler(_request: Request) -> Reply:
            reached.add(f"{route.method} {route.path}")
            raise boom(kind)

        return dataclasses.replace(route, handler=handler)

    envelope = {"envelope": "AAAA.AAAA"}
    bodies = {"/api/tokens": {"audience": "https://app.example", "bearer": True}}

    async def run() -> None:
        async with open_world(tmp_path / "data") as world:
            person = await world.register("anna")
        monkeypatch.setattr(kit, "assemble", assembled)
        async with open_world(tmp_path / "data") as world:
            before = await counts(world)
            for route in world.services.routes:
                path = route.path.replace("{session}", person.enrolled.grant.session.id)
                body = bodies.get(path, envelope) if route.body else None
                token = person.access_token if route.auth else None
                assert_generic(await world.call(route.method, path, body, token=token))
            assert reached == {f"{route.method} {route.path}" for route in world.services.routes}
            assert await counts(world) == before
        monkeypatch.undo()
        async with open_world(tmp_path / "data") as world:
            await world.log_in("anna", prover=person.prover)
            await assert_whole(world)

    asyncio.run(run())
    assert CANARY not in as_written(caplog)


@pytest.mark.parametrize("point", ["commit", "fetch_one", "fetch_all"])
@pytest.mark.parametrize("act", ACTS)
def test_fault_M22_a_database_call_that_fails_rolls_back_and_the_next_request_works(
    tmp_path: Path, act: str, point: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with open_world(tmp_path / "data") as world:
            person = await world.register("anna")
            before, seen = await counts(world), len(world.seen)
            with monkeypatch.context() as patched:
                fail(patched, type(world.core.database), point)
                told = await asyncio.gather(ACTS[act](world, person), return_exceptions=True)
            assert CANARY not in str(told)
            failed = [answer for answer in world.seen[seen:] if answer.status_code >= 500]
            assert failed or point != "commit" or act not in CHANGES
            for answer in failed:
                assert_generic(answer)
            if failed:
                assert await counts(world) == before
            await world.log_in("anna", prover=person.prover)
            await assert_whole(world)

    asyncio.run(run())
    assert CANARY not in as_written(caplog)


def fail(patched: pytest.MonkeyPatch, database: type[AuditedDatabase], point: str) -> None:
    async def failing(*_: object, **__: object) -> None:
        raise boom(RuntimeError)

    patched.setattr(database, point, failing)


def test_fault_M22_a_fault_in_the_middle_of_a_unit_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last statement of a registration cannot run: nothing of the account is there, and the name is free."""

    async def run() -> None:
        async with open_world(tmp_path / "data") as world:
            before, honest = await counts(world), world.core.database.commit
            monkeypatch.setattr(world.core.database, "commit", broken(honest))
            with pytest.raises(Exception) as refused:
                await world.register("anna")
            assert CANARY not in str(refused.value)
            assert_generic(world.seen[-1])
            assert await counts(world) == before
            monkeypatch.undo()
            assert (await world.register("anna")).username == "anna"

    def broken(honest: Commit) -> Commit:
        async def commit(unit: Unit) -> None:
            unit.add(f"insert into nowhere values ('{CANARY}')", {})
            await honest(unit)

        return commit

    asyncio.run(run())
