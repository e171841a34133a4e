"""The gate itself, for what no request of a test can bring about."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.kits.world import World, open_world
from tests.unit.server.door.test_offences import READ, request_for

from watchword.errors import RefusedError, TooManyError
from watchword.server.http.endpoint import Request
from watchword.server.limits.model import Lease

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "data", limits__read="2/60s", proxies="127.0.0.1") as found:
        yield found


def brought_by_a_proxy_that_names_nobody() -> Request:
    request = request_for("/")
    context = dataclasses.replace(request.context, address="127.0.0.1", caller_named=False)
    return dataclasses.replace(request, context=context)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records]


async def test_a_proxy_that_names_nobody_is_limited_like_one_caller(world: World):
    request = brought_by_a_proxy_that_names_nobody()
    for _ in range(2):
        await world.gate.check(request, READ)
        lease = await world.gate.reserve(request, READ, "")
        assert isinstance(lease, Lease)
        world.gate.leave(lease)
    with pytest.raises(TooManyError) as held:
        await world.gate.reserve(request, READ, "")
    assert held.value.reason == "rate_read"
    with pytest.raises(TooManyError):
        await world.gate.check(request, READ)


async def test_a_proxy_that_names_nobody_is_said_once_a_minute(
    world: World, caplog: pytest.LogCaptureFixture
):
    request = brought_by_a_proxy_that_names_nobody()
    for _ in range(2):
        await world.gate.check(request, READ)
    assert said(caplog).count("proxy.caller_missing") == 1
    world.clock.advance(60_000)
    await world.gate.check(request, READ)
    assert said(caplog).count("proxy.caller_missing") == 2


async def test_a_proxy_is_never_banned_whatever_it_brings(world: World):
    request = brought_by_a_proxy_that_names_nobody()
    for _ in range(50):
        world.gate.failed(request, READ, RefusedError("short_key_forged"), "")
    assert world.services.bans.find("127.0.0.1") is None


async def test_what_fails_while_an_offence_is_counted_hides_no_answer(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def fails(_offence: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world.services.bans, "offend", fails)
    world.gate.failed(request_for("/"), READ, RefusedError("wrong_secret"), "")
    assert "door.not_counted" in said(caplog)
