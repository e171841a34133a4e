import errno
import os
import random
import stat
from pathlib import Path

import pytest
from tests.kits.audit import SIGNER, STRANGER, Trail, verifying_key

from watchword.core.clock import Instant
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_canonical_json
from watchword.crypto.signing import TokenSigningKey
from watchword.errors import InvalidConfigError, KeyUnknownError, MalformedError, SignatureError
from watchword.server.audit.checkpoint_file import CheckpointFile, read_checkpoints
from watchword.server.audit.checkpoints import (
    FIRST,
    Checkpoint,
    encode_checkpoint,
    read_unverified,
    verify_checkpoint,
)
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.verify import Problem
from watchword.testing.counts import count

NOW = Instant(1_800_000_000_000)


def head(seq: int) -> ChainHead:
    return ChainHead(seq=seq, mac=seq.to_bytes(32, "big"))


def append(file: CheckpointFile, seq: int, signer: TokenSigningKey = SIGNER) -> bool:
    return file.append(node="main", head=head(seq), at=NOW, signer=signer)


def problems(*paths: Path) -> list[tuple[int | None, str]]:
    return [
        (each.line, each.detail)
        for _, each in read_checkpoints(paths, verifying_key)
        if isinstance(each, Problem)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "checkpoints.jsonl"


@pytest.fixture
def file(path: Path) -> CheckpointFile:
    """Five checkpoints."""
    made = CheckpointFile(path)
    for seq in range(10, 60, 10):
        assert append(made, seq)
    return made


def test_a_checkpoint_reads_back_as_it_was_written() -> None:
    made = Checkpoint(number=3, node="main", head=head(7), at=NOW, previous=bytes(range(32)))
    line = encode_checkpoint(made, SIGNER)
    assert line.endswith(b"\n")
    assert verify_checkpoint(line[:-1], verifying_key) == read_unverified(line[:-1]) == made
    header = decode_json(decode_b64u(line.decode().split(".")[0]))
    assert header == {"alg": "ES256", "kid": SIGNER.kid, "typ": "watchword-audit-checkpoint+jwt"}


def test_any_changed_byte_of_a_checkpoint_is_refused() -> None:
    line = encode_checkpoint(Checkpoint(number=1, node="main", head=head(7), at=NOW, previous=FIRST), SIGNER)[
        :-1
    ]
    choose = random.Random(1)
    for _ in range(count(200, 10_000)):
        spoiled = bytearray(line)
        spoiled[choose.randrange(len(line))] ^= 1 << choose.randrange(8)
        with pytest.raises((MalformedError, KeyUnknownError, SignatureError)):
            verify_checkpoint(bytes(spoiled), verifying_key)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": SIGNER.kid, "typ": "watchword-audit-checkpoint+jwt"},
        {"alg": "ES256", "kid": SIGNER.kid, "typ": "at+jwt"},
        {"alg": "ES256", "kid": SIGNER.kid, "typ": "watchword-audit-checkpoint+jwt", "crit": ["b64"]},
        {"alg": "ES256", "kid": 1, "typ": "watchword-audit-checkpoint+jwt"},
        {"alg": "ES256", "typ": "watchword-audit-checkpoint+jwt"},
        [],
    ],
)
def test_another_header_is_malformed_even_when_signed(header: object) -> None:
    good = encode_checkpoint(Checkpoint(number=1, node="main", head=head(7), at=NOW, previous=FIRST), SIGNER)
    payload = good.decode().split(".")[1]
    signed = f"{encode_b64u(encode_canonical_json(header))}.{payload}".encode()
    line = signed + b"." + encode_b64u(SIGNER.sign(signed)).encode()
    with pytest.raises(MalformedError):
        verify_checkpoint(line, verifying_key)


def test_the_file_and_its_directory_are_for_the_owner_alone(file: CheckpointFile, path: Path) -> None:
    assert file.paths == (path,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert problems(path) == []


def test_nothing_is_written_when_the_head_did_not_move(file: CheckpointFile, path: Path) -> None:
    before = path.read_bytes()
    assert not append(file, 50)
    assert not append(CheckpointFile(path), 50)
    assert not CheckpointFile(path.with_name("new.jsonl")).append(
        node="main", head=ChainHead(), at=NOW, signer=SIGNER
    )
    assert path.read_bytes() == before


@pytest.mark.usefixtures("file")
def test_a_restart_goes_on_with_the_next_number(path: Path) -> None:
    again = CheckpointFile(path)
    assert again.open().head == head(50)
    assert append(again, 60)
    assert problems(path) == []
    assert [
        each.number for _, each in read_checkpoints((path,), verifying_key) if isinstance(each, Checkpoint)
    ] == [1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("tail", [b"eyJ", b"\x00" * 700, b"x" * 30_000])
def test_fault_M2_a_line_torn_by_a_power_cut_is_tolerated_and_repaired(path: Path, tail: bytes) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    again = CheckpointFile(path)
    assert again.open().number == 5
    assert path.read_bytes() == whole
    assert append(again, 60)
    assert problems(path) == []


@pytest.mark.usefixtures("file")
def test_fault_M2_every_length_of_the_last_line_is_repaired(path: Path) -> None:
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole), count(37, 1)):
        path.write_bytes(whole[:end])
        assert problems(path) == []
        again = CheckpointFile(path)
        assert again.open().number == 4
        assert append(again, 60)
        assert problems(path) == []


@pytest.mark.usefixtures("file")
def test_fault_N8_a_checkpoint_removed_or_moved_is_named(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert problems(path) == [(3, "checkpoint 4 stands where 3 should")]
    path.write_bytes(b"".join(lines[1:]))
    assert problems(path) == [(1, "checkpoint 2 stands where 1 should")]
    path.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert [line for line, _ in problems(path)] == [2, 3, 4]


@pytest.mark.usefixtures("file")
def test_fault_N8_a_changed_or_strange_checkpoint_is_named(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"rubbish\n", *lines[3:]]))
    assert [line for line, _ in problems(path)] == [3, 4]
    strange = encode_checkpoint(
        Checkpoint(number=6, node="main", head=head(5), at=NOW, previous=FIRST), STRANGER
    )
    path.write_bytes(b"".join([*lines, strange]))
    assert problems(path) == [(6, "the checkpoint is signed with a key that is not ours")]


@pytest.mark.usefixtures("file")
def test_a_damaged_last_line_is_left_for_verification(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"rubbish\n")
    again = CheckpointFile(path)
    again.open()
    assert append(again, 60)
    assert 6 in [line for line, _ in problems(path)]


def test_the_file_is_rotated_and_stays_bounded(path: Path) -> None:
    made = CheckpointFile(path, max_size=2000)
    for seq in range(1, 30):
        assert append(made, seq)
        assert problems(*made.paths) == []
    assert len(made.paths) == 2
    assert sum(each.stat().st_size for each in made.paths) <= 4000
    again = CheckpointFile(path, max_size=2000)
    assert again.open().number == 29


def test_a_restart_between_rotation_and_writing_goes_on(path: Path) -> None:
    made = CheckpointFile(path)
    append(made, 1)
    path.rename(path.with_name("checkpoints.1.jsonl"))
    again = CheckpointFile(path)
    assert again.open().number == 1
    append(again, 2)
    assert problems(*again.paths) == []


def test_a_retired_key_still_verifies(path: Path) -> None:
    newer = TokenSigningKey.generate()
    made = CheckpointFile(path)
    append(made, 1)
    append(made, 2, newer)
    keys = {SIGNER.kid: SIGNER.public, newer.kid: newer.public}
    assert all(isinstance(each, Checkpoint) for _, each in read_checkpoints((path,), keys.__getitem__))


def test_fault_N3_a_full_disk_leaves_the_file_as_it_was(
    file: CheckpointFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    write = os.write

    def write_a_part(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[:100])

    def fail_to_sync(_descriptor: int) -> None:
        raise OSError(errno.EIO, "planted")

    with monkeypatch.context() as planted:
        planted.setattr(os, "write", write_a_part)
        with pytest.raises(OSError, match="part"):
            append(file, 60)
    assert path.read_bytes() == before
    with monkeypatch.context() as planted:
        planted.setattr(os, "fsync", fail_to_sync)
        with pytest.raises(OSError, match="planted"):
            append(file, 60)
    assert path.read_bytes() == before
    assert append(file, 60)
    assert problems(path) == []


def test_a_file_that_others_may_read_or_a_link_is_refused(file: CheckpointFile, path: Path) -> None:
    path.chmod(0o644)
    with pytest.raises(InvalidConfigError):
        append(file, 60)
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(OSError, match="symbolic links"):
        append(file, 60)


def test_a_removed_file_is_reported(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.add(3)
    trail.checkpoint()
    trail.path.unlink()
    assert trail.found() == [("no-checkpoints", "", None)]
    trail.add(3)
    trail.checkpoint()  # the running server begins the file again, with its next number
    assert [(kind, trail.verify().problems[0].line) for kind, _node, _seq in trail.found()] == [
        ("checkpoint-damaged", 1)
    ]
