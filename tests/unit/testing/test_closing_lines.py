"""What a run says at its end, from a real run of pytest with workers over planted tests."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLANTED = """
import pytest
from watchword.testing import components, measured, published
from watchword.testing.counts import count

AT_IMPORT = count(3, 30)

def test_counts():
    assert count(10, 4000) in (10, 4000)
    assert count(7, 1) in (7, 1)
    measured.record("X1 of two", "3 µs")
    measured.record("X1 of one", "2 µs")

def test_component():
    components.require("no-such-program")

def test_vectors():
    published.published("no/such/set.json")

def test_python_is_there():
    assert components.require("python3").exists()

@pytest.mark.parametrize("text", ["\\ud800"])
def test_hostile(text):
    import os
    assert os.environ.get("HOSTILE") is None or text == "x"
"""


CLOSING = [
    "counts: quick 13 repetitions of 4,030 at full, in 2 repeated tests; `make soak` runs them all",
    "counts: 1 more look at every n-th place; `make soak` looks at every one",
    "measured: X1 of one: 2 µs",
    "measured: X1 of two: 3 µs",
    "PUBLISHED VECTORS ABSENT, 1 sets not checked (set WATCHWORD_VECTORS): no/such/set.json",
    "skipped: 2 tests",
    "NOT RUN for lack of no-such-program: 1 tests",
    "  test_planted.py::test_component",
]


def run(folder: Path, *arguments: str, **environ: str) -> tuple[int, list[str]]:
    (folder / "test_planted.py").write_text(PLANTED)
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools/run_tests.py"),
            "-p",
            "tests.kits.report",
            f"--rootdir={folder}",
            *arguments,
            str(folder),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "WATCHWORD_SOAK": "", "WATCHWORD_STRICT": "", **environ},
        capture_output=True,
        text=True,
        timeout=240,
    )
    return done.returncode, done.stdout.splitlines()


def test_counts_absent_vectors_and_absent_components_follow_pytests_last_line(tmp_path: Path) -> None:
    code, lines = run(tmp_path)
    assert code == 0
    last = next(place for place, line in enumerate(lines) if line.startswith("====") and " passed" in line)
    assert "3 passed, 2 skipped" in lines[last]
    assert lines[last + 2 :] == CLOSING


def test_what_workers_recorded_is_told_and_hostile_text_does_not_end_them(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "-n", "2", HOSTILE="1")
    assert code == 1
    assert any("1 failed, 2 passed, 2 skipped" in line for line in lines)
    assert lines[-len(CLOSING) :] == CLOSING


def test_soak_runs_the_full_counts_and_strict_fails_for_an_absent_component(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "--soak", "--strict")
    assert code == 1
    assert any("1 failed, 3 passed, 1 skipped" in line for line in lines)
    assert "counts: 2 repeated tests ran at full, 4,030 repetitions" in lines
