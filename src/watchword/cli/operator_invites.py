"""`watchword invite` and `watchword invites`."""

from typing import Annotated

import typer

from watchword.cli.operator_call import Place
from watchword.cli.operator_options import ConfigPath, Data, Json
from watchword.cli.output import Table, note, print_json, print_text, when


def invite(
    level: Annotated[int, typer.Option("--level", min=0, max=9, help="The level of the new account.")] = 0,
    hours: Annotated[int, typer.Option("--hours", min=1, max=720, help="How long it is good.")] = 72,
    remark: Annotated[str, typer.Option("--note", help="For whom it is; shown by “invites” only.")] = "",
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Make an invitation: one person may register with it, once.

    It is shown this one time. Hand it over in person or by a private message.

    \b
    watchword invite
    watchword invite --level 2 --hours 24 --note "Ada, new on Monday"
    """
    params = {"level": level, "hours": hours, "note": remark}
    made = Place(data=data, config=config).call("invites.make", params)
    if as_json:
        print_json(made)
        return
    print_text(made["invitation"])
    note(f"good until {when(made['expires_at'])}, once, for an account of level {made['level']}")


def invites(data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """List the invitations that are still good (not their texts, which nobody knows but their holders).

    \b
    watchword invites
    """
    found = Place(data=data, config=config).call("invites.list", {})["invites"]
    if as_json:
        print_json(found)
        return
    columns = ("id", "level", "until", "note")
    rows = [(each["id"], each["level"], when(each["expires_at"]), each["note"]) for each in found]
    Table(columns=columns, rows=rows, empty="No invitation is open.").print()
