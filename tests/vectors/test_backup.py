"""Our vectors of backups: read by hand from the text of docs/protocol/backup.md, and by our reader."""

import hashlib
import io
import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import DamagedError, MalformedError
from watchword.server.backup.chunks import ChunkReader
from watchword.server.backup.head import read_head
from watchword.server.backup.keys import parse_recipient
from watchword.server.backup.records import FileContent, RecordReader

HERE = Path(__file__).parent / "watchword"
VECTORS = json.loads((HERE / "backup.json").read_text())
KEY = SealingPrivateKey.from_seed(Suite.HYBRID, Secret(bytes.fromhex(VECTORS["seed"])))
CHUNK = 65536 + 16


def unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def open_by_hand(file: bytes) -> bytes:
    """The body, as section 2 says."""
    assert file[:19] == b"watchword-backup 1\n"
    size = int.from_bytes(file[19:23], "big")
    head, header, rest = file[: 23 + size], json.loads(file[23 : 23 + size]), file[23 + size :]
    digest = hashlib.sha256(head).digest()
    chunks = [rest[start : start + CHUNK] for start in range(0, len(rest), CHUNK)]
    key = b"" if header["cipher"] == "none" else chunk_key(dict(header), digest)
    body = b""
    for number, chunk in enumerate(chunks):
        place = number.to_bytes(11, "big") + bytes([number == len(chunks) - 1])
        if key:
            body += AESGCM(key).decrypt(place, chunk, digest)
            continue
        found, check = chunk[:-16], chunk[-16:]
        label = b"watchword/v1/backup/plain\0"
        assert hashlib.sha256(label + digest + place + found).digest()[:16] == check
        body += found
    return body


def chunk_key(header: dict[str, Any], digest: bytes) -> bytes:
    sealed = unpadded(header.pop("key"))
    info = b"watchword/v1/backup\0" + json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    file_key = KEY.open(sealed, info=info)
    derived = HKDF(SHA256(), 32, unpadded(header["salt"]), b"watchword/v1/backup/stream\0" + digest)
    return derived.derive(file_key)


def records_of(body: bytes) -> list[tuple[str, bytes]]:
    found = []
    while body:
        size = int.from_bytes(body[:4], "big")
        found.append((body[4:5].decode(), body[5 : 5 + size]))
        body = body[5 + size :]
    return found


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["what"])
def test_a_backup_is_what_its_document_says(vector):
    body = open_by_hand((HERE / vector["file"]).read_bytes())
    records = records_of(body)
    assert "".join(kind for kind, _ in records) == "mfdtrtrte"
    assert json.loads(records[0][1]) == VECTORS["manifest"]
    assert records[2][1].hex() == VECTORS["files"]["ca.pem"]
    rows = [msgspec.msgpack.decode(content) for kind, content in records if kind == "r"]
    assert [shown(each) for each in rows] == [VECTORS["rows"]["accounts"], VECTORS["rows"]["chests"]]
    end = json.loads(records[-1][1])
    assert end == {"sha256": hashlib.sha256(body[: -len(records[-1][1]) - 5]).hexdigest()}


def shown(rows: list[list[Any]]) -> list[list[Any]]:
    return [[{"hex": value.hex()} if isinstance(value, bytes) else value for value in row] for row in rows]


def spoilt(vector: dict[str, Any]) -> bytes:
    whole = (HERE / vector["of"]).read_bytes()
    file = bytearray(b"".join(whole[start:end] for start, end in vector["parts"]))
    if "flip" in vector:
        file[vector["flip"]] ^= 1
    return bytes(file) + bytes.fromhex(vector.get("tail", ""))


def read(file: bytes) -> RecordReader:
    source = io.BytesIO(file)
    return RecordReader(ChunkReader(source, read_head(source, KEY)))


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["what"])
def test_our_reader_gives_what_is_in_a_good_backup(vector):
    reader = read((HERE / vector["file"]).read_bytes())
    found: dict[str, list[Any]] = {name: [] for name in VECTORS["rows"]}
    for record in reader.records():
        if isinstance(record, FileContent):
            assert record.data.hex() == VECTORS["files"][record.name]
        else:
            found[record.table.name] += shown([list(row) for row in record.rows])
    assert found == VECTORS["rows"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["why"])
def test_our_reader_refuses_every_bad_backup(vector):
    with pytest.raises((DamagedError, MalformedError)):
        list(read(spoilt(vector)).records())


def test_the_public_key_is_that_of_the_seed():
    assert parse_recipient(VECTORS["recipient"]) == KEY.public
