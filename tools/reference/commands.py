"""The page of all commands, from the commands themselves."""

from collections.abc import Iterator

from tools.reference.markdown import code, page, table

from watchword.cli.reference import CommandReference, Paragraph, ParameterReference, describe_commands

_INTRODUCTION = """\
One program is server, operator's tool and client. Every command explains itself with `--help` and speaks JSON with \
`--json`: one document on standard output, errors as `{"error": {"code", "detail"}}` on standard error. What an exit \
code means is in [codes](codes.md). `watchword --install-completion` completes commands in your shell.
"""


def commands_page() -> str:
    found = describe_commands()
    program, commands = found[0], [each for each in found[1:] if not each.is_group]
    overview = table(
        ("command", "what it does"),
        [(f"[`{each.name}`](#{_anchor(each)})", each.summary) for each in commands],
    )
    lines = [_INTRODUCTION, *overview, "## Options of `watchword` itself", "", *_options(program.options)]
    for each in commands:
        lines += _command(each)
    return page("Commands", lines)


def _anchor(command: CommandReference) -> str:
    return "-".join(command.path)


def _command(command: CommandReference) -> Iterator[str]:
    yield from (f"## `{command.name}`", "", command.summary, "", "```text", command.usage, "```", "")
    for paragraph in command.paragraphs:
        yield from _paragraph(paragraph)
    if command.arguments:
        rows = [(code(each.spelling[0]), _help(each)) for each in command.arguments]
        yield from table(("argument", "what it is"), rows)
    yield from _options(command.options)


def _paragraph(paragraph: Paragraph) -> list[str]:
    if paragraph.verbatim:
        return ["```text", paragraph.text, "```", ""]
    return [paragraph.text, ""]


def _options(options: tuple[ParameterReference, ...]) -> list[str]:
    rows = [(_spelling(each), _help(each), code(each.variable)) for each in options]
    if not any(variable for *_, variable in rows):
        return table(("option", "what it does"), [row[:2] for row in rows])
    return table(("option", "what it does", "variable"), rows)


def _spelling(option: ParameterReference) -> str:
    names = ", ".join(code(name) for name in option.spelling)
    return f"{names} {code(option.metavar)}".strip()


def _help(parameter: ParameterReference) -> str:
    default = f" Default: `{parameter.default}`." if parameter.default else ""
    required = " Required." if parameter.required else ""
    return f"{parameter.help}{required}{default}"
