"""M1: the whole server is killed at any instant, under load over HTTPS, and started again on the same data."""

import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.kits.commands import Shell
from tests.kits.mixed_load import Crowd, Line, Person, check_person
from tests.kits.process import RunningServer
from tests.kits.unready import environment, starting

from watchword.testing.counts import count, soaking
from watchword.testing.databases import opened

ORIGIN = {"origin": "https://id.example.org"}
"""Fixed, so that tokens from before a restart are still good after it."""
READY_SECONDS = 3.0
BUSY_READY_SECONDS = 30.0
"""On a machine that does other things at the same time."""
FIRST_SECONDS = 60.0
"""Until the first are served, on such a machine."""
HALVES = {
    "an account without a login": "select a.id from accounts a left join logins l on l.account_id = a.id"
    " where l.account_id is null",
    "an account without a chest": "select a.id from accounts a left join chests c on c.account_id = a.id"
    " where c.account_id is null",
    "an account without keys of its chest": "select a.id from accounts a"
    " left join chest_keys k on k.account_id = a.id where k.account_id is null",
    "an account that never got a credential": "select a.id from accounts a"
    " left join enrolment_credentials e on e.account_id = a.id where e.account_id is null",
    "a login of nobody": "select l.account_id from logins l left join accounts a on a.id = l.account_id"
    " where a.id is null",
    "a device of nobody": "select d.id from devices d left join accounts a on a.id = d.account_id"
    " where a.id is null",
    "a device that no credential made": "select d.id from devices d"
    " left join enrolment_credentials e on e.device_id = d.id where e.device_id is null",
    "a device that never had a session": "select d.id from devices d left join sessions s on s.device_id = d.id"
    " where s.id is null",
    "a session of another account's device": "select s.id from sessions s"
    " left join devices d on d.id = s.device_id and d.account_id = s.account_id where d.id is null",
    "two live sessions on a device": "select device_id from sessions where ended_at is null"
    " group by device_id having count(*) > 1",
    "a used credential without its device": "select e.selector from enrolment_credentials e"
    " left join devices d on d.id = e.device_id where e.used_at is not null and d.id is null",
    "a new password whose old seed is gone": "select a.id from accounts a"
    " left join retired_seeds r on r.account_id = a.id where a.password_version > 1 and r.account_id is null",
}


def cut_off(server: RunningServer, name: str, seconds: float) -> Crowd:
    """Load the server and kill it `seconds` after it has begun to acknowledge."""
    with Crowd(server, name) as crowd:
        ends = time.monotonic() + FIRST_SECONDS
        while not crowd.goes_on_after(1):
            assert time.monotonic() < ends, "nobody is served"
            time.sleep(0.001)
        time.sleep(seconds)
        server.kill()
    return crowd


def worth_checking(crowd: Crowd, dice: random.Random) -> list[Person]:
    """Everybody whose life was cut off, and a few whose life was whole."""
    whole = [person for person in crowd.people if person.password_changed and person.live is None]
    few = dice.sample(whole, min(len(whole), 3))
    return [person for person in crowd.people if person not in whole] + few


async def count_entries(location: str | Path) -> tuple[int, list[str]]:
    """How long the audit trail is, and everything that is half done."""
    async with opened(location) as database:
        half = [what for what, sql in HALVES.items() if await database.fetch_all(f"{sql} limit 3", {})]
        row = await database.fetch_one("select count(*) from audit_entries", {})
        assert row is not None
        return int(row[0] or 0), half


def survive(data: Path, settings: Mapping[str, str], location: str | Path, rounds: int, seed: int) -> None:
    dice, acknowledged, starts = random.Random(seed), 0, []
    crowd: Crowd | None = None
    for number in range(rounds + 1):
        begun = time.monotonic()
        with RunningServer.start(data, settings=settings) as server:
            starts.append(time.monotonic() - begun)
            if crowd is not None:
                with contextlib.closing(Line(server)) as line:
                    for person in worth_checking(crowd, dice):
                        check_person(line, person)
            if number == rounds:
                break
            crowd = cut_off(server, f"p{number}x", dice.uniform(0, 0.5))
            acknowledged += crowd.acknowledged
        assert "Traceback" not in server.log_text()
    assert acknowledged > rounds
    assert (statistics.median(starts[1:]) if soaking() else min(starts[1:])) <= READY_SECONDS
    assert max(starts[1:]) <= (READY_SECONDS if soaking() else BUSY_READY_SECONDS)
    check_at_rest(data, settings, location, acknowledged)


def check_at_rest(data: Path, settings: Mapping[str, str], location: str | Path, acknowledged: int) -> None:
    entries, half = asyncio.run(count_entries(location))
    assert half == []
    assert entries >= acknowledged
    verified = Shell(environ=environment(data, settings)).run("audit", "verify")
    assert verified.code == 0, verified
    assert "the trail is whole" in verified.out


def test_fault_M1_a_killed_server_on_sqlite_loses_nothing_and_does_nothing_by_halves(tmp_path: Path) -> None:
    data = tmp_path / "data"
    survive(data, ORIGIN, data / "watchword.db", count(4, 200), seed=1)


def test_fault_M1_a_killed_server_on_postgres_loses_nothing_and_does_nothing_by_halves(
    tmp_path: Path, postgres_url: str
) -> None:
    survive(tmp_path / "data", {**ORIGIN, "database": postgres_url}, postgres_url, count(3, 200), seed=2)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_fault_M1_a_server_killed_while_it_makes_its_keys_starts_all_the_same(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    dice = random.Random(3)
    for number in range(count(2, 50)):
        data = tmp_path / f"data{number}"
        settings = dict(ORIGIN)
        if engine == "postgres":
            settings["database"] = request.getfixturevalue("postgres_server").new()
        with starting(data, settings) as server:
            time.sleep(dice.uniform(0.5, 1.6))
            server.kill()
        with RunningServer.start(data, settings=settings) as server, contextlib.closing(Line(server)) as line:
            assert line.recipient().issuer == server.origin
