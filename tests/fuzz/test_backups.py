"""Any bytes into the reader of backups, at each of its layers: a value, or one of its errors."""

import io

from hypothesis import given
from tests.kits.backups import no_progress
from tests.kits.fuzzing import bytes_for, fuzzed

from watchword.errors import DamagedError, InvalidConfigError, MalformedError
from watchword.server.backup.chunks import ChunkWriter
from watchword.server.backup.head import make_head
from watchword.server.backup.keys import parse_recipient
from watchword.server.backup.records import (
    FileNote,
    Manifest,
    MigrationNote,
    RecordReader,
    RecordWriter,
    TableNote,
)
from watchword.server.backup.restore import check_backup
from watchword.server.db.migrate import list_migrations
from watchword.testing import SeededEntropy

MANIFEST = Manifest(
    id="x",
    taken_at=1,
    made_by="0.1.0",
    engine="sqlite",
    origin="https://localhost",
    node="n",
    accounts=1,
    root_key=False,
    migrations=tuple(
        MigrationNote(number=each.number, name=each.name, checksum=each.checksum.hex())
        for each in list_migrations()
    ),
    files=(FileNote(name="ca.pem", size=3),),
    tables=(TableNote(name="meta", columns=("name", "value"), rows=2),),
)


class Plain:
    """A body without chunks around it."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        found = self._file.read(size)
        if len(found) != size:
            raise DamagedError("it ends")
        return found

    def check_end(self) -> None:
        if self._file.read(1):
            raise DamagedError("it goes on")


def body() -> bytes:
    file = io.BytesIO()
    records = RecordWriter(file)
    records.manifest(MANIFEST)
    records.file(MANIFEST.files[0], b"abc")
    records.table(MANIFEST.tables[0])
    records.rows([("a", b"\0"), ("b", -1)])
    records.end()
    return file.getvalue()


def whole() -> bytes:
    file = io.BytesIO()
    writer = ChunkWriter(file, make_head(None, SeededEntropy("fuzz")))
    writer.write(body())
    writer.finish()
    return file.getvalue()


WHOLE, BODY = whole(), body()


def test_the_examples_are_whole():
    assert check_backup(io.BytesIO(WHOLE), None, no_progress).manifest == MANIFEST
    assert len(list(RecordReader(Plain(BODY)).records())) == 2


@given(bytes_for(WHOLE))
@fuzzed()
def test_any_bytes_as_a_backup(data):
    try:
        check_backup(io.BytesIO(data), None, no_progress)
    except (DamagedError, MalformedError, InvalidConfigError):
        return


@given(bytes_for(BODY))
@fuzzed()
def test_any_bytes_as_its_records(data):
    try:
        list(RecordReader(Plain(data)).records())
    except DamagedError:
        return


@given(bytes_for(b"wwbackup1:" + b"A" * 40))
@fuzzed()
def test_any_bytes_as_a_public_key(data):
    try:
        parse_recipient(data.decode("utf-8", "replace"))
    except MalformedError:
        return
