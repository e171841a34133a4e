"""`watchword accounts …`."""

import sys
from typing import Annotated, Any, Final

import typer

from watchword.cli.operator_call import Place
from watchword.cli.operator_options import ConfigPath, Data, Json
from watchword.cli.output import Table, print_json, print_text, when
from watchword.errors import ForbiddenError

_PAGE: Final = 500
Name = Annotated[str, typer.Argument(metavar="NAME", help="A user name, an e-mail address or an account id.")]


def list_accounts(data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """List all accounts, the oldest first.

    \b
    watchword accounts list
    watchword accounts list --json | jq -r '.[].username'
    """
    accounts = _all(Place(data=data, config=config))
    if as_json:
        print_json(accounts)
        return
    columns = ("username", "level", "state", "e-mail", "since", "id")
    rows = [
        (each["username"], each["level"], each["state"], each["email"], when(each["created_at"]), each["id"])
        for each in accounts
    ]
    Table(columns=columns, rows=rows, empty="There are no accounts yet.").print()


def _all(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        after = {"after": found[-1]["id"]} if found else {}
        page = place.call("accounts.list", {**after, "limit": _PAGE})["accounts"]
        found += page
        if len(page) < _PAGE:
            return found


def show(name: Name, data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """Show one account, its devices and live sessions.

    \b
    watchword accounts show ada
    """
    found = Place(data=data, config=config).call("accounts.show", {"name": name})
    if as_json:
        print_json(found)
        return
    _print_account(found)
    print_text(f"devices:  {found['devices']}")
    print_text(f"sessions: {len(found['sessions'])}")
    if found["sessions"]:
        columns = ("session", "device", "address", "since", "until")
        rows = [
            (
                each["id"],
                each["device_name"],
                each["address"],
                when(each["created_at"]),
                when(each["expires_at"]),
            )
            for each in found["sessions"]
        ]
        Table(columns=columns, rows=rows).print()


def set_level(
    name: Name,
    level: Annotated[int, typer.Argument(metavar="LEVEL", min=0, max=9, help="0 to 9.")],
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Set the security level of an account: what its owner may reach.

    \b
    watchword accounts set-level ada 3
    """
    found = Place(data=data, config=config).call("accounts.set-level", {"name": name, "level": level})
    _done(found, f"{found['username']} has level {found['level']} now.", as_json=as_json)


def suspend(name: Name, data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """Suspend an account: all its sessions end, and it cannot log in.

    Access tokens that were handed out before end within 10 minutes.

    \b
    watchword accounts suspend mallory
    """
    found = Place(data=data, config=config).call("accounts.suspend", {"name": name})
    _done(
        found,
        f"{found['username']} is suspended, and signed out everywhere. `watchword accounts resume` ends that.",
        as_json=as_json,
    )


def resume(name: Name, data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """End a suspension. Sessions do not come back: the owner logs in again.

    It also lets new devices sign in where too many wrong passwords have shut them out.

    \b
    watchword accounts resume mallory
    """
    found = Place(data=data, config=config).call("accounts.resume", {"name": name})
    _done(found, f"{found['username']} may log in again.", as_json=as_json)


def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Delete an account with its devices, sessions and keys, for ever.

    The audit trail keeps what it says of it. On a terminal you are asked first; a script says --yes.

    \b
    watchword accounts delete mallory --yes
    """
    place = Place(data=data, config=config)
    if not yes:
        _ask(place.call("accounts.show", {"name": name}))
    deleted = place.call("accounts.delete", {"name": name})
    _done(deleted, f"{name} is deleted.", as_json=as_json)


def _ask(account: dict[str, Any]) -> None:
    """Go on only if whoever sits at the terminal types the name."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("deleting cannot be undone: say --yes", param_hint="--yes")
    _print_account(account)
    sys.stderr.write("This cannot be undone. Type the user name to delete it: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != account["username"]:
        raise ForbiddenError("not deleted: that is another name")


def _print_account(found: dict[str, Any]) -> None:
    print_text(f"username: {found['username']}")
    print_text(f"id:       {found['id']}")
    print_text(f"level:    {found['level']}")
    print_text(f"state:    {found['state']}")
    if found["display_name"]:
        print_text(f"name:     {found['display_name']}")
    if found["email"]:
        print_text(f"e-mail:   {found['email']}")
    print_text(f"since:    {when(found['created_at'])}")


def _done(found: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print_text(sentence)


def make_accounts() -> typer.Typer:
    accounts = typer.Typer(no_args_is_help=True, help="See and change accounts.", rich_markup_mode=None)
    accounts.command("list")(list_accounts)
    accounts.command("show")(show)
    accounts.command("set-level")(set_level)
    accounts.command("suspend")(suspend)
    accounts.command("resume")(resume)
    accounts.command("delete")(delete)
    return accounts
