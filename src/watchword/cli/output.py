"""What commands print: results on standard output, everything else on standard error.

With `--json` a result is one JSON document (or one a line, where results stream) in ASCII. For people, tables have
colours and lines on a terminal only. No text of others reaches a terminal with characters that it would obey.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from watchword.core.clock import Instant, iso

NAME: Final = "watchword"
_TAB_STOP: Final = "  "


def safe(text: object) -> str:
    """`text` on one line, with control and format characters as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )


def print_json(value: Any, *, stream: Any = None) -> None:
    """One line of ASCII JSON, written at once."""
    target = stream or sys.stdout
    target.write(json.dumps(value, separators=(",", ":")) + "\n")
    target.flush()


def print_text(text: object = "") -> None:
    """A line for people, safe for a terminal."""
    sys.stdout.write(safe(text) + "\n")
    sys.stdout.flush()


def note(text: object) -> None:
    """A remark on standard error, where it disturbs no script."""
    sys.stderr.write(f"{NAME}: {safe(text)}\n")
    sys.stderr.flush()


def when(instant: int | None) -> str:
    """An instant in milliseconds as people read it, in UTC to the second; empty for None."""
    if instant is None:
        return ""
    return iso(Instant(instant))[:19].replace("T", " ") + "Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns by name, rows of text."""

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    empty: str = "none"
    """What is said when there are no rows."""

    def print(self) -> None:
        rows = [[safe("" if cell is None else cell) for cell in row] for row in self.rows]
        if not rows:
            print_text(self.empty)
        elif _decorated() and self._width(rows) <= shutil.get_terminal_size().columns:
            self._print_rich(rows)
        else:
            self._print_plain(rows)

    def _width(self, rows: list[list[str]]) -> int:
        """How much of a terminal it takes. A wider one is printed plain: an id folded in a cell cannot be copied."""
        widths = (max(map(len, (name, *cells))) for name, *cells in zip(self.columns, *rows, strict=True))
        return sum(width + len(_TAB_STOP) for width in widths) + len(_TAB_STOP)

    def _print_plain(self, rows: list[list[str]]) -> None:
        lines = [[name.upper() for name in self.columns], *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        for line in lines:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print_text(_TAB_STOP.join(padded).rstrip())

    def _print_rich(self, rows: list[list[str]]) -> None:
        from rich.box import SIMPLE_HEAD  # only where a terminal shows it
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
        for name in self.columns:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))  # Text: a name is never read as markup
        Console().print(table)


def _decorated() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
