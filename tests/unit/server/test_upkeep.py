"""What runs beside the requests goes on after a failure that nobody foresaw, and says so when it cannot."""

import asyncio
import errno
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.edges.harness import throw_away_certificate
from tests.unit.server.test_health import Node

from watchword.core.clock import SystemClock
from watchword.core.secret import Secret
from watchword.server import app
from watchword.server.health import Trouble
from watchword.server.transport import ServedTLS

pytestmark = pytest.mark.anyio


@dataclass
class Upkept:
    """What upkeep looks after; at first it fails, each time in another way."""

    failures: list[Exception] = field(default_factory=lambda: [OSError(errno.EMFILE, "full"), MemoryError()])
    done: asyncio.Event = field(default_factory=asyncio.Event)
    clock: SystemClock = field(default_factory=SystemClock)

    async def tick(self) -> None:
        if self.failures:
            raise self.failures.pop()

    async def tidy(self, _now: Any) -> None:
        self.done.set()

    @property
    def keys(self) -> "Upkept":
        return self


class Keys:
    """Of the key service, what gives the newest certificate."""

    def server_tls(self) -> tuple[bytes, Secret]:
        return throw_away_certificate()


async def test_upkeep_goes_on_after_a_failure_that_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app, "UPKEEP_EVERY", 0.0)
    upkept: Any = Upkept()
    task = asyncio.create_task(app._upkeep(upkept, upkept))
    await asyncio.wait_for(upkept.done.wait(), 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [record.message for record in caplog.records][:2] == ["server.upkeep_failed"] * 2


async def test_background_work_that_ends_for_good_is_a_trouble(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise OSError(errno.EMFILE, "full")

    async def has_nothing_to_do() -> None:
        return

    node = Node()
    async with app._background(node.health, has_nothing_to_do()):
        await asyncio.sleep(0)
        assert await node.health.ready()
    async with app._background(node.health, fails(), asyncio.sleep(60)):
        while not node.health.upkeep_ended:
            await asyncio.sleep(0)
        assert await node.health.troubles() == (Trouble.UPKEEP,)
    assert [record.message for record in caplog.records] == ["server.upkeep_ended"]


async def test_a_stop_is_no_trouble() -> None:
    node = Node()
    async with app._background(node.health, asyncio.sleep(60)):
        await asyncio.sleep(0)
    assert await node.health.ready()


async def test_a_certificate_for_which_there_is_no_handle_leaves_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = ServedTLS(*throw_away_certificate())
    before = served.current()
    keys: Any = Keys()

    def no_handle(*_: Any) -> int:
        raise OSError(errno.EMFILE, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", no_handle)
        served.renew(keys)
    assert served.current() is before
    served.renew(keys)
    assert served.current() is not before
