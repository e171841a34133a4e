"""An issuer that means harm, or whose address somebody else took: no key of it counts, and nothing of ours suffers."""

import asyncio
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.kits.hostile import ENDING, ENDLESS, HostileServer
from tests.kits.tokens import AUDIENCE, KEY, KeyServer, key_set, token

from watchword.errors import UnavailableError, WatchwordError
from watchword.middleware import Guard, fetch, waiting
from watchword.middleware.fetch import Source
from watchword.middleware.keys import parse_keys
from watchword.testing import FixedClock

MEMORY = 3 << 20
"""Bytes that a hostile answer may cost at its worst: a hundred headers of 64 kB would be more than twice that."""


WORK_SECONDS = 2
"""Of the processor, for such an answer and for making it."""


def guard_of(origin: str, clock: FixedClock) -> Guard:
    return Guard(issuer=origin, audience=AUDIENCE, bearer_ok=True, clock=clock)


def admit(way: str, guard: Guard, text: str) -> Any:
    values = [f"Bearer {text}"]
    return guard.admit_blocking("/", values) if way == "blocking" else asyncio.run(guard.admit("/", values))


@pytest.mark.parametrize("way", ["blocking", "async"])
def test_no_hostile_answer_is_believed_nor_costs_memory_or_time(way):
    clock = FixedClock()
    for name, answer in ENDING.items():
        with HostileServer(answer) as server:
            guard = guard_of(server.origin, clock)
            tracemalloc.start()
            started = time.process_time()
            with pytest.raises(UnavailableError) as caught:
                admit(way, guard, token(iss=server.origin))
            spent = time.process_time() - started
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert caught.value.retry_after == 1, name  # the fetch ended, and failed
            assert spent < WORK_SECONDS, name
            assert peak < MEMORY, name
            assert server.connections == 1, name


@pytest.mark.parametrize("way", ["blocking", "async"])
def test_keys_are_kept_whatever_the_issuer_answers_later(way, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.5)  # of answers that never end, which the test waits out
    clock = FixedClock()
    with KeyServer(key_set(KEY)) as real, HostileServer(b"") as hostile:
        guard = guard_of(real.origin, clock)
        assert admit(way, guard, token(iss=real.origin)).identity.username == "alice"
        keys = guard._verifier._keys
        keys._source = Source(issuer=hostile.origin)  # the same address, taken over
        for number, answer in enumerate([*ENDING.values(), *[first for first, _ in ENDLESS.values()]]):
            hostile.first = answer
            clock.advance(400_000)
            fresh = token(now=clock.now(), iss=real.origin, jti=f"t{number}")
            hostile.go_on.clear()
            assert (
                admit(way, guard, fresh).identity.username == "alice"
            )  # without having waited for an answer
            hostile.go_on.set()
            while keys._flight is not None:  # the fetch that runs beside
                time.sleep(0.001)
        assert hostile.connections > len(ENDING)


def test_an_answer_without_an_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.3)

    def ask(endless: tuple[bytes, bytes]) -> tuple[str, float]:
        with HostileServer(*endless) as server:
            started = time.monotonic()
            try:
                parse_keys(Source(issuer=server.origin).fetch().body or b"", {})
            except WatchwordError as error:
                return str(error.code), time.monotonic() - started
        return "believed", 0

    with ThreadPoolExecutor(len(ENDLESS)) as pool:
        found = dict(zip(ENDLESS, pool.map(ask, ENDLESS.values()), strict=True))
    codes = {name: code for name, (code, _) in found.items()}
    assert codes.pop("dripping headers") == "malformed"  # cut off, they look complete; nothing follows them
    assert set(codes.values()) == {"unreachable"}
    assert all(spent < 60 for _, spent in found.values()), found


def test_who_waits_for_a_silent_issuer_waits_briefly_and_holds_up_nobody_else(monkeypatch):
    monkeypatch.setattr(waiting, "WAIT", 0.8)
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 120)
    with HostileServer(b"", b"") as silent, KeyServer(key_set(KEY)) as real:
        stuck, well = guard_of(silent.origin, FixedClock()), guard_of(real.origin, FixedClock())
        good = token(iss=real.origin)
        admit("blocking", well, good)

        def wait(way: str) -> float:
            started = time.monotonic()
            with pytest.raises(UnavailableError):
                admit(way, stuck, token(iss=silent.origin))
            return time.monotonic() - started

        with ThreadPoolExecutor(20) as pool:
            waits = [pool.submit(wait, ("blocking", "async")[number % 2]) for number in range(20)]
            started = time.monotonic()
            for _ in range(50):
                admit("blocking", well, good)
            assert time.monotonic() - started < 20  # each of the fifty behind a wait would be twice that
            assert all(0.7 < one.result() < 60 for one in waits)  # half of what the fetch has
        assert silent.connections == 1  # twenty callers, one fetch


def test_an_event_loop_goes_on_while_a_fetch_hangs():
    with HostileServer(b"", b"") as silent:
        guard = guard_of(silent.origin, FixedClock())

        async def both() -> None:
            stuck = asyncio.create_task(guard.admit("/", [f"Bearer {token(iss=silent.origin)}"]))
            for _ in range(10):
                await asyncio.sleep(0.005)
                assert not stuck.done()
            silent.hang_up()
            with pytest.raises(UnavailableError):
                await stuck

        asyncio.run(both())
