"""Carries what the tests of every worker recorded to the process that tells it: a pytest plugin.

Repetitions, absent components and absent published vectors go into the file that WATCHWORD_TEST_REPORT names;
`tools/run_tests.py` prints them when pytest has said its last word.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from watchword.testing import components, counts, published

REPORT_VARIABLE: Final = "WATCHWORD_TEST_REPORT"
_KEY: Final = "watchword_report"


class Report:
    """Everything recorded so far, of all workers."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = {}
        self.absent: dict[str, set[str]] = {}
        self.vectors: set[str] = set()
        self.skipped: dict[str, str] = {}

    def add(self, recorded: dict[str, Any]) -> None:
        self.counts.update(recorded["counts"])
        self.vectors.update(recorded["vectors"])
        for name, tests in recorded["absent"].items():
            self.absent.setdefault(name, set()).update(tests)

    def write(self, path: Path) -> None:
        told = {
            "counts": self.counts,
            "absent": {name: sorted(tests) for name, tests in self.absent.items()},
            "vectors": sorted(self.vectors),
            "skipped": self.skipped,
        }
        path.write_text(json.dumps(told))


def recorded_here() -> dict[str, Any]:
    """What this process recorded, in plain values that can travel."""
    return {
        "counts": {name: list(pair) for name, pair in counts.used.items()},
        "vectors": sorted(published.absent),
        "absent": {name: sorted(tests) for name, tests in components.absent.items()},
    }


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

    def pytest_sessionfinish(self) -> None:
        self._config.workeroutput[_KEY] = json.dumps(recorded_here())


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(REPORT_VARIABLE)
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Worker(config))
    elif path:
        config.pluginmanager.register(Teller(Path(path)))
