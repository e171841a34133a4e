"""`python -m tools.reference`: write what of docs/reference is generated. With `--check`, only say what is old."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.reference.codes import codes_page
from tools.reference.commands import commands_page
from tools.reference.configuration import configuration_page
from tools.reference.http import http_page
from tools.reference.metrics import metrics_page
from tools.reference.openapi import openapi_text

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "reference"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "codes.md": codes_page,
    "commands.md": commands_page,
    "configuration.md": configuration_page,
    "http.md": http_page,
    "metrics.md": metrics_page,
    "openapi.json": openapi_text,
}


def stale() -> list[str]:
    """The names of generated pages that differ from what would be written now."""
    return [
        name
        for name, make in PAGES.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != make()
    ]


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    found = stale()
    for name in found:
        if "--check" in sys.argv:
            print(f"docs/reference/{name} is old: make reference")
        else:
            (FOLDER / name).write_text(PAGES[name]())
            print(f"docs/reference/{name}: written")
    return int(bool(found) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
