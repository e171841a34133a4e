"""M10: a backup under load, restored elsewhere: nothing acknowledged before is missing, and every proof ends."""

import asyncio
import contextlib
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kits.canaries import Canaries, ProcessWatch, secret_texts
from tests.kits.commands import Finished, Shell
from tests.kits.ledger import Ledger
from tests.kits.mixed_load import Crowd, Line, Person, enrol, log_in, refused
from tests.kits.ports import kept_port
from tests.kits.process import RunningServer

from watchword.client.drive import drive
from watchword.client.flows import api
from watchword.client.trust import fetch_key_document
from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.middleware.identity import Presentation, Proof
from watchword.middleware.verifier import Verifier
from watchword.protocol.tokens import TokenError
from watchword.server.db.migrate import list_migrations
from watchword.server.db.restored import RestoredMark
from watchword.server.db.transfer import open_loader, open_snapshot
from watchword.server.db.unit import Unit
from watchword.testing.counts import count
from watchword.testing.databases import PostgresServer, opened

AUDIENCE = "https://app.example.org"


def ran(done: Finished, code: int = 0) -> Finished:
    assert done.code == code, done
    return done


def acknowledged(crowd: Crowd) -> list[Person]:
    """What everybody had been told at this moment."""
    return [copy.copy(person) for person in list(crowd.people) if person.registered]


def wait_for(crowd: Crowd, number: int) -> None:
    for _ in range(9000):
        if crowd.acknowledged >= number:
            return
        crowd._told.wait(0.01)
    raise AssertionError(crowd.failures)


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that is restored elsewhere and serves again where it was: nobody takes it meanwhile."""
    with kept_port() as found:
        yield found


def test_fault_M10_a_backup_under_load_has_all_that_was_acknowledged_and_after_it_no_proof_lives(
    tmp_path: Path, port: int
) -> None:
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "backup.wwb"
    key, canaries, listen = tmp_path / "offline.key", Canaries(), f"127.0.0.1:{port}"
    with ProcessWatch() as watch, RunningServer.start(old, settings={"listen": listen}) as server:
        shell = Shell(environ={"WATCHWORD_DATA": str(old)})
        ran(shell.run("backup-key", "new", str(key), "--json"))
        invitation = ran(shell.run("invite", "--json")).json["invitation"]
        with Crowd(server, "p") as crowd:
            wait_for(crowd, count(12, 2000))
            before = acknowledged(crowd)
            made = ran(shell.run("backup", str(file), "--to", f"{key}.pub", "--with-root-key", "--json")).json
            assert made["sealed"]
            reached = crowd.acknowledged
            wait_for(crowd, reached + 5)
        assert sum(crowd.failures.values()) == 0, crowd.failures
        after = acknowledged(crowd)
        with contextlib.closing(Line(server)) as line:
            app_token = bearer_of(line, after)
            assert verified(server, app_token) is None
            seen_number = number_of(line)
        origin = server.origin
        spent = {person.username: person.temporary for person in after}
        for person in after:
            note_secrets(canaries, person)
    for text in (invitation, key.read_text().splitlines()[-1], (old / "root.key").read_text().strip()):
        canaries.add("secret", text)
    assert canaries.hits(file.read_bytes()) == []
    assert canaries.hits(watch.text + server.log_text().encode()) == []

    restored = Shell(environ={"WATCHWORD_DATA": str(new)})
    ran(restored.run("restore", str(file), "--key", str(key)))
    assert (new / "root.key").read_bytes() == (old / "root.key").read_bytes()
    assert "after-restore" in ran(restored.run("serve", WATCHWORD_LISTEN="127.0.0.1:0"), 2).err
    ended = ran(restored.run("after-restore", "--json")).json
    assert ended["invites"] == 1
    assert ended["document_number"] > seen_number
    assert ran(restored.run("audit", "verify", "--json")).json["ok"]

    settings = {"listen": listen, "origin": origin, "registration": "invite"}
    with RunningServer.start(new, settings=settings) as server, contextlib.closing(Line(server)) as line:
        assert number_of(line) >= ended["document_number"]
        assert isinstance(verified(server, app_token), TokenError)
        for person in before:
            check_is_there(line, person)
        for person in after:
            for token in [*person.ended, *([person.live[1]] if person.live else [])]:
                assert refused(line.try_run(api.who_am_i(token))[1]), "a token lives on"
        for person in after[:: max(1, len(after) // 5)]:
            person.temporary = spent[person.username]
            assert refused(line.try_run(enrol(person, line.recipient()))[1]), "a temporary token lives on"
        assert restored.run("invites", "--json").json == []


def note_secrets(canaries: Canaries, person: Person) -> None:
    canaries.add("device key", person.keys.signing.seed().reveal())
    if person.temporary is not None:
        canaries.add("temporary token", person.temporary)
    if person.enrolled is not None:
        canaries.add("tokens", *secret_texts(person.enrolled.grant))


def check_is_there(line: Line, person: Person) -> None:
    """What this person was told before the backup is true; what they asked for later may be or not."""
    to = line.recipient()
    works = [line.try_run(log_in(person, number, to))[1] is None for number in range(2)]
    if person.password_changed:
        assert works == [False, True], f"{person.username}: the password change is lost"
    elif person.password_asked:
        assert sorted(works) == [False, True], f"{person.username}: the password is half changed"
    else:
        assert any(works), f"{person.username}: the account is lost"


def bearer_of(line: Line, people: list[Person]) -> str:
    """A token for an app, made after the backup."""
    to = line.recipient()
    for person in people:
        for number in range(2):
            logged_in = line.try_run(log_in(person, number, to))[0]
            if logged_in is not None and logged_in.answer.grant is not None:
                token = Secret.from_text(logged_in.answer.grant.access_token)
                return line.run(api.bearer_token(token, AUDIENCE)).access_token
    raise AssertionError("nobody can log in")


def verified(server: RunningServer, token: str) -> TokenError | None:
    """What a middleware that begins now says to it."""
    verifier = Verifier(issuer=server.origin, audience=AUDIENCE, ca_file=str(server.ca), bearer_ok=True)
    try:
        verifier.verify_blocking(token, Presentation(now=SystemClock().now(), proof=Proof.BEARER))
    except TokenError as error:
        return error
    return None


def number_of(line: Line) -> int:
    return drive(fetch_key_document(line.trusted, clock=SystemClock(), at_least=1), line.perform).number


@pytest.fixture(params=["sqlite", "postgres"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where the copy goes."""
    if request.param == "sqlite":
        (tmp_path / "copy").mkdir(mode=0o700)
        return tmp_path / "copy" / "watchword.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_empty()


def test_fault_M10_a_snapshot_under_load_is_of_one_moment(
    database_location: str | Path, elsewhere: str | Path
) -> None:
    """Another process writes as fast as it can: what it was told before is there, and nothing half done."""
    ledger = Ledger()
    program = [sys.executable, "-m", "tests.kits.ledger", str(database_location), "m10"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "? ready\n"
        while len(ledger.acknowledged) < count(200, 20_000):
            ledger.say(child.stdout.readline().rstrip("\n"))
        asyncio.run(copy_while_it_runs(database_location, elsewhere))
        child.kill()
    asyncio.run(compare(elsewhere, ledger))


async def copy_while_it_runs(source: str | Path, target: str | Path) -> None:
    clock, entropy = SystemClock(), SystemEntropy()
    async with (
        open_snapshot(source, alone=False) as snapshot,
        open_loader(target, list_migrations(), clock=clock, entropy=entropy) as loader,
    ):
        for table in await snapshot.tables():
            async for rows in snapshot.rows(table):
                await loader.insert(table, rows)
        await loader.finish([], RestoredMark(backup="test", taken_at=0, restored_at=0).encode())


async def compare(location: str | Path, ledger: Ledger) -> None:
    async with opened(location) as database:
        rows = await database.fetch_all("select name, value from meta where name = 'restored'", {})
        assert json.loads(rows[0][1] or b"")["backup"] == "test"  # type: ignore[arg-type]  # a blob
        unit = Unit(b"mark")
        unit.add("delete from meta where name = 'restored'", {})
        await database.commit(unit)
        await ledger.compare(database)
