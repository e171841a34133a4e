"""Commands as data: nothing that `--help` shows is missing."""

import typer

from watchword.cli.main import make_app
from watchword.cli.reference import Paragraph, describe_commands


def test_every_command_is_described_with_what_it_does():
    found = describe_commands()
    assert found[0].path == ("watchword",)
    names = [each.name for each in found]
    assert len(set(names)) == len(names)
    assert {"watchword serve", "watchword accounts set-level", "watchword token"} <= set(names)
    assert all(each.summary and each.summary.isprintable() for each in found)


def test_every_option_and_argument_says_what_it_is_for():
    for command in describe_commands():
        for each in (*command.arguments, *command.options):
            assert each.help, f"{command.name} {each.spelling}"


def test_examples_keep_their_lines_and_prose_is_filled():
    app = typer.Typer()

    def one() -> None:
        """Do it.

        This goes
        on.

        \b
        Examples:
          one --twice
        """

    def two() -> None:
        """Do the other."""

    app.command()(one)
    app.command()(two)
    found = {each.path[-1]: each for each in describe_commands(app)}
    assert found["one"].summary == "Do it."
    assert found["one"].paragraphs == (
        Paragraph("This goes on."),
        Paragraph("Examples:\n  one --twice", verbatim=True),
    )


def test_values_have_a_form_and_switches_have_none():
    options = {
        each.spelling[-1]: each
        for command in describe_commands(make_app())
        if command.name == "watchword invite"
        for each in command.options
    }
    assert (options["--level"].metavar, options["--level"].default) == ("0..9", "0")
    assert options["--json"].metavar == ""
    assert options["--note"].metavar == "TEXT"


def test_usage_shows_what_may_be_left_out():
    usages = {each.name: each.usage for each in describe_commands()}
    assert usages["watchword register"] == "watchword register [OPTIONS] [USERNAME]"
    assert usages["watchword accounts set-level"] == "watchword accounts set-level [OPTIONS] NAME LEVEL"
    assert usages["watchword keys"] == "watchword keys COMMAND ..."
