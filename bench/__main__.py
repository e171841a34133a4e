"""`python -m bench [NAME …]`: run the benchmarks, print the table, write build/bench.json; exit 1 for a missed goal."""

import importlib
import json
import pkgutil
import sys
from pathlib import Path

import bench
from bench import Row

OUTPUT = Path("build/bench.json")


def main(wanted: list[str]) -> int:
    rows: list[Row] = []
    for module in sorted(found.name for found in pkgutil.iter_modules(bench.__path__)):
        loaded = (
            None if module.startswith("_") or module == "kit" else importlib.import_module(f"bench.{module}")
        )
        if loaded is None or not hasattr(loaded, "run") or (wanted and module not in wanted):
            continue
        print(f"measuring {module} …", file=sys.stderr, flush=True)
        rows += loaded.run()
    show(rows)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(row["holds"] for row in rows if row["holds"] is not None) else 1


def show(rows: list[Row]) -> None:
    """The table, one line for each row."""
    cells = [("what", "measured", "limit", "ratio", "goal", "")]
    for row in rows:
        limit = "" if row["limit"] is None else f"{row['limit']:.4g} {row['unit']}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        holds = {True: "holds", False: "MISSED", None: ""}[row["holds"]]
        cells.append((row["name"], f"{row['value']:.4g} {row['unit']}", limit, ratio, row["goal"], holds))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
