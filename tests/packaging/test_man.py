"""The man pages say what --help says, and a formatter reads them without complaint."""

import subprocess
from pathlib import Path

import pytest
from tools.make_man import pages

from watchword.testing import components

MAN = Path(__file__).resolve().parents[2] / "man"
PAGES = dict(pages())


def test_the_committed_pages_are_those_that_the_commands_make() -> None:
    found = {path.name: path.read_text() for path in MAN.iterdir()}
    assert found.keys() == PAGES.keys(), "run `make man`"
    assert [name for name in PAGES if found[name] != PAGES[name]] == [], "run `make man`"


def test_a_formatter_reads_every_page_without_complaint() -> None:
    groff = str(components.require("groff"))
    pages = [str(path) for path in sorted(MAN.iterdir())]
    done = subprocess.run(
        [groff, "-man", "-ww", "-z", "-Tutf8", *pages], capture_output=True, text=True, timeout=240
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["watchword.1", "watchword-serve.1", "watchword-keys-rotate.1"])
def test_a_page_has_what_a_reader_looks_for(name: str) -> None:
    for heading in ("NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS"):
        assert f"\n.SH {heading}\n" in PAGES[name]


def test_what_the_formatter_would_take_for_an_order_is_text() -> None:
    for name, text in PAGES.items():
        for line in text.splitlines():
            if line.startswith("."):
                assert line.split()[0] in {".TH", ".SH", ".B", ".PP", ".nf", ".fi", ".TP"}, f"{name}: {line}"
