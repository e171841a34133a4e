"""A log that nobody reads must not stop what is told in it."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from watchword.server.log_lines import LineWriter


@dataclass
class Pipe:
    """A small pipe, and what was read from it."""

    stream: TextIO
    reader: int

    def read_until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            piece = os.read(self.reader, 65536)
            assert piece, data[-200:]
            data += piece
        return data


@contextmanager
def pipe() -> Iterator[Pipe]:
    reader, number = os.pipe()
    fcntl.fcntl(number, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(number, "w") as stream:
        yield Pipe(stream, reader)
    os.close(reader)


def dropped(count: int) -> str:
    return f"dropped {count}"


def test_fault_N2_a_stuck_reader_costs_lines_and_holds_nobody_up_and_the_loss_is_told() -> None:
    with pipe() as found:
        writer = LineWriter(found.stream, dropped, room=10_000)
        for number in range(5000):
            writer.write(f"line {number:06}")
        assert sum(thread.name == "watchword-log" for thread in threading.enumerate()) == 1
        text = found.read_until(b"\n").decode()
        while "dropped" not in text:
            text += found.read_until(b"\n").decode()
        lines = text.splitlines()
        kept = [line for line in lines if line.startswith("line")]
        assert kept[:100] == [f"line {number:06}" for number in range(100)]
        assert kept == sorted(
            set(kept)
        )  # whole and in order; a later one may find the room that the thread made
        assert lines[-1] == f"dropped {5000 - len(kept)}"
        writer.close()
        writer.write("on time again")
        assert found.read_until(b"again\n") == b"on time again\n"


def test_fault_N2_a_long_line_is_not_torn_by_a_full_pipe() -> None:
    with pipe() as found:
        writer = LineWriter(found.stream, dropped)
        writer.write("x" * 20_000)
        writer.write("y")
        assert found.read_until(b"y\n") == b"x" * 20_000 + b"\ny\n"


def test_fault_N2_a_reader_that_is_gone_is_no_error() -> None:
    reader, number = os.pipe()
    os.close(reader)
    with os.fdopen(number, "w") as stream:
        writer = LineWriter(stream, dropped)
        for _ in range(10):
            writer.write("nobody listens")


def test_a_file_gets_every_line_at_once(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        writer = LineWriter(stream, dropped)
        for number in range(1000):
            writer.write(str(number))
        assert (tmp_path / "log").read_text().split() == [str(number) for number in range(1000)]
