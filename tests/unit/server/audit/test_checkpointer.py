import asyncio
import contextlib
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kits.audit import SIGNER, Trail

from watchword.server.audit.checkpointer import DEGRADED_AFTER, Checkpointer
from watchword.server.audit.entry import ChainHead
from watchword.server.logs import JSONFormatter


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    made = Trail(tmp_path)
    made.add(5)
    return made


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    logger = logging.getLogger("watchword.audit")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def make(trail: Trail, head: ChainHead | None = None) -> Checkpointer:
    return Checkpointer(
        file=trail.file,
        node="main",
        head=lambda: head or trail.chain.head,
        signer=lambda: SIGNER,
        clock=trail.clock,
    )


def test_a_start_and_a_stop_write_a_checkpoint(trail: Trail) -> None:
    checkpointer = make(trail)
    checkpointer.start()
    assert trail.found() == []
    trail.add(3)
    assert checkpointer.tick()
    trail.edit("delete from audit_entries where seq = 8")
    assert trail.found() == [("cut-off", "main", 8)]


def test_a_start_after_a_cut_alarms_and_goes_on(trail: Trail, log: io.StringIO) -> None:
    make(trail).start()
    end = trail.entries()[2]
    trail.file = type(trail.file)(trail.path)
    (problem,) = make(trail, ChainHead(seq=end.seq, mac=end.mac)).start()
    assert (problem.kind.value, problem.seq) == ("cut-off", 4)
    assert json.loads(log.getvalue().splitlines()[0])["event"] == "audit.damaged"


def test_a_start_with_another_last_entry_alarms(trail: Trail) -> None:
    make(trail).start()
    (problem,) = make(trail, ChainHead(seq=5, mac=bytes(32))).start()
    assert (problem.kind.value, problem.seq) == ("checkpoint-mismatch", 5)


def test_a_start_without_checkpoints_says_so(trail: Trail) -> None:
    assert [problem.kind.value for problem in make(trail).start()] == ["no-checkpoints"]
    assert make(trail).start() == []


def test_fault_N3_an_unwritable_file_alarms_and_degrades_readiness(trail: Trail, log: io.StringIO) -> None:
    checkpointer = make(trail)
    checkpointer.start()
    trail.path.unlink()
    trail.path.mkdir()  # nobody, root included, appends to a directory
    trail.add(1)
    assert not checkpointer.tick()
    health = checkpointer.health()
    assert (health.failing, health.degraded) == (True, False)
    trail.clock.advance(int(DEGRADED_AFTER * 1000))
    assert not checkpointer.tick()
    assert checkpointer.health().degraded
    assert [json.loads(line)["event"] for line in log.getvalue().splitlines()][
        -1
    ] == "audit.checkpoint_failed"
    trail.path.rmdir()
    assert checkpointer.tick()
    health = checkpointer.health()
    assert (health.failing, health.degraded, health.seconds_since_good) == (False, False, 0)


def test_fault_N3_an_unusable_file_at_start_does_not_stop_the_server(trail: Trail, log: io.StringIO) -> None:
    trail.path.mkdir(parents=True)
    checkpointer = make(trail)
    assert checkpointer.start() == []
    assert checkpointer.health().failing
    assert "checkpoint_failed" in log.getvalue()


def test_a_signer_that_fails_alarms(trail: Trail, log: io.StringIO) -> None:
    def no_key() -> None:
        raise LookupError("planted")

    checkpointer = Checkpointer(
        file=trail.file,
        node="main",
        head=lambda: trail.chain.head,
        signer=no_key,  # type: ignore[arg-type]  # it gives no signer
        clock=trail.clock,
    )
    assert not checkpointer.tick()
    assert "planted" not in log.getvalue()
    assert "LookupError" in log.getvalue()


def test_a_task_that_died_degrades_readiness(trail: Trail) -> None:
    checkpointer = make(trail)
    checkpointer.start()
    trail.clock.advance(int(DEGRADED_AFTER * 1000))
    assert checkpointer.health().degraded


def test_fault_M15_a_jump_of_the_wall_clock_is_no_alarm(trail: Trail) -> None:
    checkpointer = make(trail)
    checkpointer.start()
    trail.clock.jump(10 * 365 * 86_400_000)
    assert not checkpointer.health().degraded
    trail.add(1)
    trail.clock.jump(-20 * 365 * 86_400_000)
    assert checkpointer.tick()
    assert trail.found() == []


def test_the_task_ticks_until_it_is_cancelled(trail: Trail) -> None:
    async def go() -> None:
        task = asyncio.create_task(make(trail).run(every=0.001))
        while not trail.path.exists() or not trail.path.read_bytes():
            await asyncio.sleep(0.001)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(go(), 60))
    assert trail.found() == []
