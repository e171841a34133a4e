"""Writes the man pages from the commands themselves: `man/watchword.1`, and one page for each command below it.

    python -m tools.make_man [FOLDER]

What --help says is the one source; a test holds the committed pages to it.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from watchword import __version__
from watchword.cli.exit_codes import ExitCode
from watchword.cli.reference import CommandReference, Paragraph, ParameterReference, describe_commands
from watchword.server.config import FIELDS

ROOT: Final = Path(__file__).resolve().parents[1]
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
    commands = describe_commands()
    for command in commands:
        below = [each for each in commands if each.path[:-1] == command.path]
        yield f"{_page_name(command.path)}.1", _page(command, below)


def _page_name(path: Sequence[str]) -> str:
    return "-".join(path)


def _page(command: CommandReference, below: Sequence[CommandReference]) -> str:
    title = _page_name(command.path)
    lines = [
        f'.TH {title.upper()} 1 "" "watchword {__version__}" "Watchword Manual"',
        ".SH NAME",
        f"{_text(title)} \\- {_text(command.summary.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(command.usage)}",
        *_section("DESCRIPTION", _paragraphs(command.paragraphs)),
        *_section("COMMANDS", _commands(below)),
        *_section("ARGUMENTS", _parameters(command.arguments)),
        *_section("OPTIONS", _parameters(command.options)),
        *_section("ENVIRONMENT", _environment(command.path)),
        *_section("EXIT STATUS", _exits()),
        *_section("SEE ALSO", _related(command.path)),
    ]
    return "\n".join(lines) + "\n"


def _section(name: str, lines: list[str]) -> list[str]:
    return [f".SH {name}", *lines] if lines else []


def _paragraphs(paragraphs: Sequence[Paragraph]) -> list[str]:
    lines = []
    for paragraph in paragraphs:
        if paragraph.verbatim:
            lines += [".PP", ".nf", *(_text(line) for line in paragraph.text.splitlines()), ".fi"]
        else:
            lines += [".PP", _text(paragraph.text)]
    return lines


def _commands(below: Sequence[CommandReference]) -> list[str]:
    return [
        line
        for each in below
        for line in (".TP", f"\\fB{_text(_page_name(each.path))}\\fR(1)", _text(each.summary))
    ]


def _parameters(parameters: Sequence[ParameterReference]) -> list[str]:
    lines = []
    for each in parameters:
        spelling = f"\\fB{_text(', '.join(each.spelling))}\\fR"
        value = f" \\fI{_text(each.metavar)}\\fR" if each.metavar else ""
        lines += [".TP", spelling + value, _text(each.help or "See above.")]
    return lines


def _environment(path: Sequence[str]) -> list[str]:
    if tuple(path) != ("watchword", "serve"):
        return []
    lines = []
    for field in FIELDS:
        about = f"{field.effect} Default: {field.default_text}. In the file: {field.key} ({field.unit})."
        lines += [".TP", f"\\fB{_text(field.variable)}\\fR", _text(about)]
    return lines


def _exits() -> list[str]:
    return [line for code, text in _EXITS.items() for line in (".TP", f"\\fB{code.value}\\fR", _text(text))]


def _related(path: Sequence[str]) -> list[str]:
    return [f"\\fB{_text(_page_name(path[:-1]))}\\fR(1)"] if len(path) > 1 else []


def _text(text: str) -> str:
    """`text` with nothing in it that the formatter would take for an order."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    escaped = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped


if __name__ == "__main__":
    sys.exit(main())
