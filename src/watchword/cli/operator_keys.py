"""`watchword keys …`."""

from typing import Annotated

import typer

from watchword.cli.operator_call import Place
from watchword.cli.operator_options import ConfigPath, Data, Json
from watchword.cli.output import Table, print_json, print_text, when


def status(data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """Show every key: its use, id, state, and when it changes. Never a key itself.

    \b
    watchword keys status
    """
    found = Place(data=data, config=config).call("keys.status", {})["keys"]
    if as_json:
        print_json(found)
        return
    columns = ("use", "key", "state", "since", "changes")
    rows = [
        (each["use"], each["key"], each["state"], when(each["created_at"]), when(each["changes_at"]))
        for each in found
    ]
    Table(columns=columns, rows=rows).print()


def rotate(
    use: Annotated[
        str,
        typer.Argument(
            metavar="USE", help="signing, sealing, data:PURPOSE, root or tls (see “keys status”)."
        ),
    ],
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once",
            help="Without overlap: for a key that somebody else may know. The old keys end now.",
        ),
    ] = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Make a new key, and let it take over with overlap: nobody notices.

    With --at-once the old keys of that use end in the same moment. What they signed is refused by the server at once,
    and by apps when they next fetch the keys (5 minutes at most): people who hold such a token log in again. A signing
    key that waits already takes over: if it may be known too, rotate once more.

    \b
    watchword keys rotate signing
    watchword keys rotate sealing --at-once
    """
    done = Place(data=data, config=config).call("keys.rotate", {"use": use, "at_once": at_once})
    if as_json:
        print_json(done)
    else:
        print_text(f"{use}: a new key is there; see “watchword keys status”.")


def make_keys() -> typer.Typer:
    keys = typer.Typer(no_args_is_help=True, help="See and rotate the server's keys.", rich_markup_mode=None)
    keys.command("status")(status)
    keys.command("rotate")(rotate)
    return keys
