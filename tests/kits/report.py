"""Carries what the tests of every worker recorded to the process that tells it: a pytest plugin.

Repetitions, measurements, absent components and absent published vectors go into the file that
WATCHWORD_TEST_REPORT names; `tools/run_tests.py` prints them when pytest has said its last word.
"""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from watchword.testing import components, counts, measured, published

REPORT_VARIABLE: Final = "WATCHWORD_TEST_REPORT"
_KEY: Final = "watchword_report"


class Report:
    """Everything recorded so far, of all workers."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = {}
        self.absent: dict[str, set[str]] = {}
        self.vectors: set[str] = set()
        self.measured: dict[str, str] = {}
        self.skipped: dict[str, str] = {}

    def add(self, recorded: dict[str, Any]) -> None:
        self.counts.update(recorded["counts"])
        self.vectors.update(recorded["vectors"])
        self.measured.update(recorded["measured"])
        for name, tests in recorded["absent"].items():
            self.absent.setdefault(name, set()).update(tests)

    def write(self, path: Path) -> None:
        told = {
            "counts": self.counts,
            "absent": {name: sorted(tests) for name, tests in self.absent.items()},
            "vectors": sorted(self.vectors),
            "measured": self.measured,
            "skipped": self.skipped,
        }
        path.write_text(json.dumps(told))


def recorded_here() -> dict[str, Any]:
    """What this process recorded, in plain values that can travel."""
    return {
        "counts": {name: list(pair) for name, pair in counts.used.items()},
        "vectors": sorted(published.absent),
        "measured": dict(measured.told),
        "absent": {name: sorted(tests) for name, tests in components.absent.items()},
    }


def without_surrogates(value: Any) -> Any:
    """`value`, made of plain values, with what is no text in UTF-8 as escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(without_surrogates(inner) for inner in value)
    return value


class Teller:
    """Runs in the process that leads, with workers or without."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._report = Report()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        recorded = getattr(node, "workeroutput", {}).get(_KEY)
        if recorded is not None:
            self._report.add(json.loads(recorded))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self._report.skipped[report.nodeid] = str(report.longrepr[2]).removeprefix("Skipped: ")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._report.add(recorded_here())
        self._report.write(self._path)


class Worker:
    """Runs in each worker of pytest-xdist."""

    def __init__(self, config: Any) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(self) -> Generator[None, Any, Any]:
        """Hostile text in a failure's message must not end the worker that tells it."""
        return without_surrogates((yield))

    def pytest_sessionfinish(self) -> None:
        self._config.workeroutput[_KEY] = json.dumps(recorded_here())


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(REPORT_VARIABLE)
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Worker(config))
    elif path:
        config.pluginmanager.register(Teller(Path(path)))
