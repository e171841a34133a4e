"""`watchword`: puts the groups of commands together, runs one, and turns whatever happens into an exit code."""

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError  # Typer gives these no public name

from watchword import __version__
from watchword.cli import operator_commands, person_commands
from watchword.cli.exit_codes import ExitCode
from watchword.cli.failures import close_quietly, fail, fail_internal, fail_usage
from watchword.cli.output import NAME, note, print_text
from watchword.errors import WatchwordError

_HELP: Final = """Watchword: a self-hosted identity server, and its client.

\b
Start a server of your own:      watchword serve
Become somebody there:           watchword register
Let an app know who is calling:  watchword token --for https://app.example

Every command explains itself with --help, and speaks JSON with --json. Exit codes: 0 done, 1 refused, 2 usage,
3 unreachable, 4 internal error.
"""


def _show_version(wanted: bool) -> None:
    if wanted:
        print_text(f"{NAME} {__version__}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    """The options of `watchword` itself."""


def make_app() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        name=NAME,
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help starts in half the time
        pretty_exceptions_enable=False,  # a traceback may show locals, and so secrets
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    )
    app.callback()(_root)
    person_commands.add_commands(app)
    operator_commands.add_commands(app)
    return app


def run(arguments: Sequence[str]) -> ExitCode | int:
    """Run one command line and return its exit code; nothing escapes."""
    as_json = "--json" in arguments
    try:
        command = typer.main.get_command(make_app())
        code = command.main(list(arguments), prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        note("interrupted")
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit) as ended:
        # Typer answers to a closed pipe with `sys.exit(1)`.
        if not isinstance(ended, BrokenPipeError) and not isinstance(ended.__context__, BrokenPipeError):
            raise
        return close_quietly()
    except Exception as error:  # noqa: BLE001  # the last resort: no traceback for people
        return _fail(error, as_json=as_json)
    return code if isinstance(code, int) else ExitCode.DONE


def _fail_arguments(error: ClickException, *, as_json: bool) -> ExitCode:
    """The arguments are not understood; without any, the help is the answer."""
    if isinstance(error, NoArgsIsHelpError):
        sys.stderr.write(f"{error.format_message()}\n")
        return ExitCode.USAGE
    context = getattr(error, "ctx", None)
    hint = f" (see “{context.command_path} --help”)" if context is not None else ""
    return fail_usage(f"{error.format_message().rstrip('.')}{hint}", as_json=as_json)


def _fail(error: Exception, *, as_json: bool) -> ExitCode:
    if isinstance(error, ClickException):
        return _fail_arguments(error, as_json=as_json)
    if isinstance(error, WatchwordError):
        return fail(error, as_json=as_json)
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith(NAME):
        # The server's parts are an extra of the distribution.
        missing = f"this needs “{error.name}”, which is not installed: pip install “watchword[server]”"
        return fail_usage(missing, as_json=as_json)
    return fail_internal(error, as_json=as_json)


def main() -> None:
    """The entry point."""
    try:
        code = int(run(sys.argv[1:]))
    except KeyboardInterrupt:  # while a command was about to end: what it had to say is said
        code = int(ExitCode.INTERRUPTED)
    sys.exit(code)
