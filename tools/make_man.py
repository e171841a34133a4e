"""Writes the man pages from the commands themselves: `man/watchword.1`, and one page for each command below it.

    python -m tools.make_man [FOLDER]

What --help says is the one source; a test holds the committed pages to it.
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from watchword import __version__
from watchword.cli.exit_codes import ExitCode
from watchword.cli.main import make_app
from watchword.server.config import FIELDS

ROOT: Final = Path(__file__).resolve().parents[1]
_VERBATIM: Final = "\b"
"""Click's mark of a paragraph whose lines stay as they are."""
_EXITS: Final = {
    ExitCode.DONE: "Done.",
    ExitCode.REFUSED: "Refused: a wrong password, no such account, damaged data.",
    ExitCode.USAGE: "Usage: the arguments, or a configuration that permits no start.",
    ExitCode.UNREACHABLE: "No server was reached, or it cannot serve now.",
    ExitCode.INTERNAL: "An internal error; run again with WATCHWORD_DEBUG=1 to see it.",
    ExitCode.INTERRUPTED: "Interrupted.",
}


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "man"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = dict(pages())
    for found in folder.glob("*.1"):
        if found.name not in wanted:
            found.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> Iterator[tuple[str, str]]:
    """The name of each page's file, and its text."""
    for path, command in _walk(typer.main.get_command(make_app()), ("watchword",)):
        yield f"{'-'.join(path)}.1", _page(path, command)


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            yield from _walk(child, (*path, name))


def _page(path: tuple[str, ...], command: Any) -> str:
    title = "-".join(path)
    about = inspect.cleandoc(command.help or "")
    first, _, rest = about.partition("\n\n")
    lines = [
        f'.TH {title.upper()} 1 "" "watchword {__version__}" "Watchword Manual"',
        ".SH NAME",
        f"{_text(title)} \\- {_text(' '.join(first.split()).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(' '.join(path))}",
        *_usage(command),
        *_section("DESCRIPTION", _paragraphs(rest)),
        *_section("COMMANDS", _commands(path, command)),
        *_section("ARGUMENTS", _parameters(command, "argument")),
        *_section("OPTIONS", _parameters(command, "option")),
        *_section("ENVIRONMENT", _environment(path)),
        *_section("EXIT STATUS", _exits()),
        *_section("SEE ALSO", _related(path, command)),
    ]
    return "\n".join(lines) + "\n"


def _section(name: str, lines: list[str]) -> list[str]:
    return [f".SH {name}", *lines] if lines else []


def _usage(command: Any) -> list[str]:
    context = _context(command)
    return [_text(" ".join(command.collect_usage_pieces(context)))]


def _paragraphs(text: str) -> list[str]:
    lines = []
    for paragraph in filter(None, text.split("\n\n")):
        if paragraph.startswith(_VERBATIM):
            kept = paragraph.removeprefix(_VERBATIM).strip("\n").splitlines()
            lines += [".PP", ".nf", *(_text(line) for line in kept), ".fi"]
        else:
            lines += [".PP", _text(" ".join(paragraph.split()))]
    return lines


def _commands(path: tuple[str, ...], command: Any) -> list[str]:
    lines = []
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            page = _text(f"{'-'.join(path)}-{name}")
            lines += [".TP", f"\\fB{page}\\fR(1)", _text(child.get_short_help_str(200))]
    return lines


def _parameters(command: Any, kind: str) -> list[str]:
    lines = []
    context = _context(command)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if parameter.param_type_name == kind and record is not None:
            names, text = record
            lines += [".TP", f"\\fB{_text(names)}\\fR", _text(" ".join(text.split()) or "See above.")]
    return lines


def _environment(path: tuple[str, ...]) -> list[str]:
    if path != ("watchword", "serve"):
        return []
    lines = []
    for field in FIELDS:
        about = f"{field.effect} Default: {field.default_text}. In the file: {field.key} ({field.unit})."
        lines += [".TP", f"\\fB{_text(field.variable)}\\fR", _text(about)]
    return lines


def _exits() -> list[str]:
    return [line for code, text in _EXITS.items() for line in (".TP", f"\\fB{code.value}\\fR", _text(text))]


def _related(path: tuple[str, ...], command: Any) -> list[str]:
    below = [f"{'-'.join(path)}-{name}" for name in getattr(command, "commands", {})]
    above = ["-".join(path[:-1])] if len(path) > 1 else []
    names = [*above, *sorted(below)]
    return [",\n".join(f"\\fB{_text(name)}\\fR(1)" for name in names)] if names and not below else []


def _context(command: Any) -> Any:
    """With the root's settings, which say how help is asked for."""
    root = typer.main.get_command(make_app())
    parent = root.make_context("watchword", [], resilient_parsing=True)
    return command.make_context(command.name, [], parent=parent, resilient_parsing=True)


def _text(text: str) -> str:
    """`text` with nothing in it that the formatter would take for an order."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    escaped = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped


if __name__ == "__main__":
    sys.exit(main())
