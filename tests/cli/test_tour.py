"""The tour is walked as a newcomer walks it, and ends where a step does not do what it says."""

import subprocess
import sys
from pathlib import Path

import pytest
from tools.tour import StopError, check

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_step_of_the_tour_does_what_it_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.tour"], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "That was everything there is." in done.stdout
    assert done.stdout.count("✓") >= 24


def test_a_step_that_does_not_do_what_it_says_ends_the_tour() -> None:
    with pytest.raises(StopError, match="the moon is made of cheese"):
        check(False, "the moon is made of cheese")
