"""Runs the tests and closes with what a green line alone would hide: counts, measurements, and what was absent.

    python tools/run_tests.py [--soak] [--fuzz] [--strict] [pytest arguments…]

The order is random and the seed is shown; `-p randomly -p "randomly_seed=N"` repeats it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FUZZ_SECONDS = "60"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--soak", action="store_true", help="the full counts of the fault list")
    parser.add_argument("--fuzz", action="store_true", help="new random seeds, for a bounded time")
    parser.add_argument("--strict", action="store_true", help="an absent component is a failure")
    options, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        environment = {**os.environ, "WATCHWORD_TEST_REPORT": str(report), **_variables(options)}
        began = time.monotonic()
        code = _run(_pytest(rest), environment)
        told = json.loads(report.read_text()) if report.exists() else None
    if told is not None:
        print("\n".join(closing_lines(told, soaked=options.soak, seconds=time.monotonic() - began)))
    return code


def _run(command: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(
        command, check=False, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL
    ).returncode


def _variables(options: argparse.Namespace) -> dict[str, str]:
    found = {}
    if options.soak:
        found["WATCHWORD_SOAK"] = "1"
    if options.strict:
        found["WATCHWORD_STRICT"] = "1"
    if options.fuzz:
        found["WATCHWORD_FUZZ_SECONDS"] = os.environ.get("WATCHWORD_FUZZ_SECONDS", FUZZ_SECONDS)
    return found


def _pytest(rest: list[str]) -> list[str]:
    """Without output of its own for each test, since thousands run; failures are shown whole."""
    return [sys.executable, "-m", "pytest", "--durations=10", "--durations-min=5", *rest]


def closing_lines(told: dict[str, Any], *, soaked: bool, seconds: float) -> list[str]:
    """What is said after pytest's own closing line; what could not be run comes last."""
    return [
        f"time: {seconds:.0f} s",
        *_counts(told["counts"].values(), soaked=soaked),
        *_measured(told["measured"]),
        *_vectors(told["vectors"]),
        *_absent(told["absent"], told["skipped"]),
    ]


def _counts(pairs: Any, *, soaked: bool) -> list[str]:
    repeated = [(quick, full) for quick, full in pairs if full >= quick]
    strides = sum(full < quick for quick, full in pairs)
    quick, full = sum(pair[0] for pair in repeated), sum(pair[1] for pair in repeated)
    if soaked:
        lines = [f"counts: {len(repeated)} repeated tests ran at full, {full:,} repetitions"]
    else:
        ran = f"counts: quick {quick:,} repetitions of {full:,} at full, in {len(repeated)} repeated tests"
        lines = [f"{ran}; `make soak` runs them all"]
    if strides and not soaked:
        lines.append(f"counts: {strides} more look at every n-th place; `make soak` looks at every one")
    return lines


def _measured(measured: dict[str, str]) -> list[str]:
    return [f"measured: {name}: {text}" for name, text in sorted(measured.items())]


def _vectors(absent: list[str]) -> list[str]:
    if not absent:
        return ["published vectors: every set that was asked for is here"]
    return [
        f"PUBLISHED VECTORS ABSENT, {len(absent)} sets not checked (set WATCHWORD_VECTORS): {', '.join(absent)}"
    ]


def _absent(absent: dict[str, list[str]], skipped: dict[str, str]) -> list[str]:
    lines = [f"skipped: {len(skipped)} tests"]
    if not absent:
        return [*lines, "components: none was absent, nothing was left out for lack of one"]
    for component, tests in sorted(absent.items()):
        lines.append(f"NOT RUN for lack of {component}: {len(tests)} tests")
        lines += [f"  {test}" for test in tests]
    return lines


if __name__ == "__main__":
    sys.exit(main())
