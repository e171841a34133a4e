"""`migrate`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchword.cli.entry import loading
from watchword.cli.operator_backup import backup
from watchword.cli.operator_options import ConfigPath, Data, Json, given
from watchword.cli.output import Table, note, print_json, print_text
from watchword.errors import ForbiddenError

if TYPE_CHECKING:
    from watchword.server.backup.upgrade import Upgrade
    from watchword.server.config import Config

_MEBIBYTE = 1 << 20


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Show what this version of Watchword would change in the database, and do it.

    Migrations go forward only: afterwards an older Watchword refuses the database, and the way back is a backup (or,
    with SQLite, the copy that is made beside the database before). A server applies them by itself when it starts; run
    this to see them first, or to have it done while nobody waits. Whatever stops it, run it again: each migration
    happens whole or not at all. On a terminal it offers to make a backup first, and asks.

    \b
    watchword migrate --dry-run
    watchword backup before-upgrade.wwb && watchword migrate --yes
    """
    with loading():
        import asyncio

        from watchword.server.backup.upgrade import apply_upgrade, find_upgrade
        from watchword.server.config import load_config

    found = load_config(flags=given(data=data), file=config)
    upgrade = asyncio.run(find_upgrade(found))
    if not as_json:
        _show(found, upgrade)
    if upgrade.pending and not dry_run:
        if not yes:
            _ask(data, config)
        asyncio.run(apply_upgrade(found))
        if not as_json:
            print_text(f"done: the schema has number {upgrade.target} now")
    if as_json:
        print_json(_shown(upgrade, applied=bool(upgrade.pending) and not dry_run))


def _ask(data: str | None, config: Path | None) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "a migration cannot be undone: say --yes, or --dry-run to look", param_hint="--yes"
        )
    note("there is no way back but a backup: make one now, unless you have one of today")
    if file := _answer("New file for a backup (Enter: none): "):
        backup(Path(file), data=data, config=config)
    if _answer("Apply? [y/N] ").lower() not in {"y", "yes"}:
        raise ForbiddenError("nothing was changed")


def _answer(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _show(config: "Config", upgrade: "Upgrade") -> None:
    print_text(f"schema: {upgrade.current} of {upgrade.target}, {upgrade.size / _MEBIBYTE:,.1f} MiB")
    rows = [(each.number, each.name, each.title) for each in upgrade.pending]
    Table(columns=("number", "migration", "what it does"), rows=rows, empty="Nothing is to be done.").print()
    if upgrade.pending:
        note("afterwards an older Watchword refuses this database; a backup is the way back")
        if upgrade.copy is not None:
            note(f"a copy of the database is made before: {_relative(upgrade.copy, config.data)}")


def _relative(path: Path, data: Path) -> str:
    return str(path) if not path.is_relative_to(data) else f"DATA/{path.relative_to(data)}"


def _shown(upgrade: "Upgrade", *, applied: bool) -> dict[str, Any]:
    return {
        "current": upgrade.current,
        "target": upgrade.target,
        "size": upgrade.size,
        "pending": [
            {"number": each.number, "name": each.name, "title": each.title} for each in upgrade.pending
        ],
        "copy": str(upgrade.copy) if upgrade.copy is not None else None,
        "applied": applied,
    }
