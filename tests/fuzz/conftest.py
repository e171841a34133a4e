"""Under `make fuzz`: every test here runs with new seeds until its share of the time is over.

Each seed follows from one base, which is printed; `WATCHWORD_FUZZ_SEED=…` repeats a run.
"""

import os
import secrets
import time
import zlib
from collections.abc import Generator
from typing import Any

import pytest
from tests.kits.fuzzing import FUZZING, SECONDS_VARIABLE

SEED_VARIABLE = "WATCHWORD_FUZZ_SEED"


def pytest_configure(config: pytest.Config) -> None:
    if FUZZING and not hasattr(config, "workerinput"):
        os.environ.setdefault(SEED_VARIABLE, str(secrets.randbits(32)))


def pytest_report_header() -> list[str]:
    return [f"fuzzing from the seed {SEED_VARIABLE}={os.environ[SEED_VARIABLE]}"] if FUZZING else []


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Ours comes around the call of every fuzz test; hypothesis takes the seed from the function."""
    if not FUZZING or not hasattr(pyfuncitem.obj, "hypothesis"):
        return (yield)
    base = int(os.environ[SEED_VARIABLE]) ^ zlib.crc32(pyfuncitem.nodeid.encode())
    ends = time.monotonic() + _share(pyfuncitem.session)
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    rounds = 0
    while time.monotonic() < ends:
        pyfuncitem.obj._hypothesis_internal_use_seed = base + rounds
        pyfuncitem.obj(**arguments)
        rounds += 1
    pyfuncitem.add_report_section("call", "fuzz", f"{rounds} rounds from seed {base}")
    return (yield)


def _share(session: pytest.Session) -> float:
    """Seconds for each test of the run."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return float(os.environ[SECONDS_VARIABLE]) * workers / max(1, len(session.items))
