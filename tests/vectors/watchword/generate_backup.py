"""Write `backup.json` anew: `python -m tests.vectors.watchword.generate_backup`. Sealing is random by nature."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey
from watchword.server.backup.chunks import SEALED_SIZE, ChunkWriter
from watchword.server.backup.head import MAGIC, make_head
from watchword.server.backup.keys import SUITE, encode_recipient
from watchword.server.backup.records import FileNote, Manifest, MigrationNote, RecordWriter, TableNote
from watchword.server.db.unit import Row
from watchword.testing import SeededEntropy

HERE = Path(__file__).parent
ENTROPY = SeededEntropy("backup vectors")
KEY = SealingPrivateKey.generate(SUITE, ENTROPY)
CA = b"-----BEGIN CERTIFICATE-----\n"
ROWS: dict[str, list[Row]] = {
    "accounts": [(b"\x01" * 16, "anna", 0, None), (b"\x02" * 16, "béla", -(1 << 63), "e@example.org")],
    "chests": [(b"\x01" * 16, (1 << 63) - 1, "x" * 70_000)],
    "invites": [],
}
COLUMNS = {
    "accounts": ("id", "username", "level", "email"),
    "chests": ("account_id", "version", "sealed"),
    "invites": ("id",),
}
MANIFEST = Manifest(
    id="AAECAwQFBgcICQoLDA0ODw",
    taken_at=1_800_000_000_000,
    made_by="0.1.0",
    engine="sqlite",
    origin="https://id.example",
    node="node-1",
    accounts=2,
    root_key=False,
    migrations=(MigrationNote(number=1, name="0001_foundation.sql", checksum="00" * 32),),
    files=(FileNote(name="ca.pem", size=len(CA)),),
    tables=tuple(
        TableNote(name=name, columns=columns, rows=len(ROWS[name])) for name, columns in COLUMNS.items()
    ),
)


def make(to: SealingPublicKey | None) -> bytes:
    file = io.BytesIO()
    writer = ChunkWriter(file, make_head(to, ENTROPY))
    records = RecordWriter(writer)
    records.manifest(MANIFEST)
    records.file(MANIFEST.files[0], CA)
    for table in MANIFEST.tables:
        records.table(table)
        if ROWS[table.name]:
            records.rows(ROWS[table.name])
    records.end()
    writer.finish()
    return file.getvalue()


Recipe = dict[str, Any]


def bad(file: bytes) -> dict[str, Recipe]:
    """Ways to spoil a file of two chunks, by what is wrong with it: ranges of it in a row, a bit flipped, a tail."""
    header = int.from_bytes(file[len(MAGIC) : len(MAGIC) + 4], "big")
    body, end = len(MAGIC) + 4 + header, len(file)
    second = body + SEALED_SIZE
    whole = [[0, end]]
    return {
        "another first line": {"parts": whole, "flip": len(MAGIC) - 2},
        "a bit of the header": {"parts": whole, "flip": len(MAGIC) + 14},
        "a bit of the first chunk": {"parts": whole, "flip": body + 100},
        "the last bit": {"parts": whole, "flip": end - 1},
        "cut between two chunks": {"parts": [[0, second]]},
        "the last byte is gone": {"parts": [[0, end - 1]]},
        "a byte behind the end": {"parts": whole, "tail": "00"},
        "two chunks swapped": {"parts": [[0, body], [second, end], [body, second]]},
        "the first chunk twice": {"parts": [[0, second], [body, end]]},
        "the first chunk is gone": {"parts": [[0, body], [second, end]]},
    }


def row(values: Row) -> list[Any]:
    return [{"hex": value.hex()} if isinstance(value, bytes) else value for value in values]


def main() -> None:
    kinds: dict[str, Callable[[], bytes]] = {
        "in the clear": lambda: make(None),
        "sealed": lambda: make(KEY.public),
    }
    files = {kind: build() for kind, build in kinds.items()}
    content = {
        "seed": KEY.seed().reveal().hex(),
        "recipient": encode_recipient(KEY.public),
        "manifest": json.loads(
            json.dumps({name: _plain(getattr(MANIFEST, name)) for name in MANIFEST.__struct_fields__})
        ),
        "files": {"ca.pem": CA.hex()},
        "rows": {name: [row(each) for each in rows] for name, rows in ROWS.items()},
        "good": [{"what": kind, "file": _name(kind)} for kind in files],
        "bad": [
            {"why": f"{kind}: {why}", "of": _name(kind), **recipe}
            for kind, file in files.items()
            for why, recipe in bad(file).items()
        ],
    }
    for kind, file in files.items():
        (HERE / _name(kind)).write_bytes(file)
    (HERE / "backup.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _name(kind: str) -> str:
    return f"backup-{kind.rpartition(' ')[2]}.wwb"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "__struct_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    return value


if __name__ == "__main__":
    main()
