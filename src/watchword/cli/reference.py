"""Every command as data: what the manual pages and the documentation are made from, so that neither can drift.

for each in describe_commands():
    print(each.name, each.summary)
"""

import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import typer

from watchword.cli.main import make_app
from watchword.cli.output import NAME

_VERBATIM: Final = "\b"
"""Where a paragraph of help begins whose lines stay as they are: examples."""
_FORMS: Final = {"str": "TEXT", "text": "TEXT", "int": "NUMBER", "integer": "NUMBER"}


@dataclass(frozen=True, slots=True)
class Paragraph:
    """`verbatim`: lines that must not be filled, such as commands to type."""

    text: str
    verbatim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterReference:
    """An option (`--level INTEGER`) or an argument (`NAME`)."""

    spelling: tuple[str, ...]
    """All spellings of an option; an argument's name in capitals."""
    metavar: str
    """What stands for the value; empty for a switch and for an argument."""
    help: str
    required: bool
    default: str
    """Empty where there is none, or where leaving it out says the same."""
    variable: str
    """The environment variable that Typer reads in its place, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandReference:
    """One command, or a group of them. `path` begins with the program."""

    path: tuple[str, ...]
    usage: str
    summary: str
    paragraphs: tuple[Paragraph, ...]
    """The help after its summary."""
    arguments: tuple[ParameterReference, ...]
    options: tuple[ParameterReference, ...]
    is_group: bool

    @property
    def name(self) -> str:
        return " ".join(self.path)


def describe_commands(app: typer.Typer | None = None) -> tuple[CommandReference, ...]:
    """The program first, then each command in the order of `--help`; a group stands before its own commands."""
    root: Any = typer.main.get_command(app or make_app())
    return tuple(_walk(root, (NAME,)))


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[CommandReference]:
    yield _describe(command, path)
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from _walk(child, (*path, name))


def _describe(command: Any, path: tuple[str, ...]) -> CommandReference:
    paragraphs = _paragraphs(command.help or "")
    parameters = [each for each in command.params if not getattr(each, "hidden", False)]
    return CommandReference(
        path=path,
        usage=" ".join([*path, *_usage(command, parameters)]),
        summary=paragraphs[0].text,
        paragraphs=paragraphs[1:],
        arguments=tuple(map(_parameter, filter(_is_argument, parameters))),
        options=tuple(_parameter(each) for each in parameters if not _is_argument(each)),
        is_group=hasattr(command, "commands"),
    )


def _paragraphs(text: str) -> tuple[Paragraph, ...]:
    found = []
    for block in inspect.cleandoc(text).split("\n\n"):
        first, _, rest = block.partition("\n")
        if first.strip() == _VERBATIM:
            found.append(Paragraph(textwrap.dedent(rest), verbatim=True))
        elif block.strip():
            found.append(Paragraph(" ".join(block.split())))
    return tuple(found) or (Paragraph(""),)


def _usage(command: Any, parameters: list[Any]) -> Iterator[str]:
    if not all(map(_is_argument, parameters)):
        yield "[OPTIONS]"
    for each in filter(_is_argument, parameters):
        yield each.name.upper() if each.required else f"[{each.name.upper()}]"
    if hasattr(command, "commands"):
        yield "COMMAND ..."


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _parameter(parameter: Any) -> ParameterReference:
    is_argument = _is_argument(parameter)
    spelling = (parameter.name.upper(),) if is_argument else (*parameter.opts, *parameter.secondary_opts)
    return ParameterReference(
        spelling=spelling,
        metavar="" if is_argument or parameter.is_flag else parameter.metavar or _form(parameter.type),
        help=" ".join((parameter.help or "").split()),
        required=parameter.required,
        default=_default(parameter.default),
        variable=parameter.envvar if isinstance(parameter.envvar, str) else "",
    )


def _form(kind: Any) -> str:
    """What a value of this type looks like; a whole number with its bounds."""
    if hasattr(kind, "min"):
        return f"{kind.min}..{kind.max}"
    return "PATH" if hasattr(kind, "path_type") else _FORMS.get(kind.name, kind.name.upper())


def _default(value: object) -> str:
    return "" if value is None or isinstance(value, bool) or callable(value) else str(value)
