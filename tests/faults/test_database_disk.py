"""M3, M4, M16: the disk is full or fails, and the process runs out of what it needs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from watchword.testing.counts import count


def run(module: str, *arguments: object) -> Any:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    return directory


def test_fault_M3_a_full_disk_refuses_writes_and_recovers(data: Path) -> None:
    seen = run("tests.kits.bad_disk", "full", data, count(12, 100), 3)
    assert seen["refused"] > 10
    assert seen["acknowledged"] > 10


def test_fault_M4_a_failed_sync_ends_the_writing(data: Path) -> None:
    rounds = count(4, 30)
    seen = run("tests.kits.bad_disk", "unsynced", data, rounds, 4)
    assert seen["alarms"] == rounds


def test_fault_M4_a_failed_sync_of_a_checkpoint_ends_the_writing(data: Path) -> None:
    rounds = count(2, 15)
    seen = run("tests.kits.bad_disk", "unsynced_checkpoint", data, rounds, 4)
    assert seen["alarms"] == rounds


def test_fault_M3_a_file_size_limit_refuses_writes_and_recovers(data: Path) -> None:
    seen = run("tests.kits.short_of", "file_size", data)
    assert seen["refused"] > 0
    assert seen["recovered"]


def test_fault_M16_a_process_without_file_handles_goes_on_serving(data: Path) -> None:
    seen = run("tests.kits.short_of", "handles", data)
    assert seen["done"] == 50


def test_fault_M16_a_process_without_memory_refuses_and_loses_nothing(data: Path) -> None:
    seen = run("tests.kits.short_of", "memory", data)
    assert seen["kept"] == seen["acknowledged"] > 0


def test_fault_M16_no_handle_at_start_is_a_clear_refusal(data: Path) -> None:
    seen = run("tests.kits.short_of", "handles_at_start", data)
    assert seen["error"] in ("UnavailableError", "InvalidConfigError")
