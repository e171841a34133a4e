"""`watchword bans …`."""

import os
import re
import sys
from typing import Annotated, Any, Final

import typer

from watchword.cli.operator_call import Place
from watchword.cli.operator_options import ConfigPath, Data, Json
from watchword.cli.output import Table, print_json, print_text, when
from watchword.errors import ForbiddenError

_PAGE: Final = 500
_FOR_EVER: Final = ("ever", "forever")
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_REASONS: Final = {
    "failures": "too many failures",
    "names": "too many different names",
    "forged": "forged proof",
    "scanner": "asked for what scanners ask for",
    "concurrent": "too many requests at once",
    "limited": "too many requests over a limit",
    "neighbours": "several networks in it were banned",
    "operator": "by an operator",
}
_EVERYBODY: Final = re.compile(r".*/0+")

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Network = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK", help="An address or a network: 192.0.2.7, 192.0.2.0/24, 2001:db8::/48."
    ),
]
Target = Annotated[
    str, typer.Argument(metavar="NETWORK|ID", help="An address, a network, or the id of a ban (ban_…).")
]


def list_bans(data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """List who is banned now, the newest last.

    An IPv6 address is banned with all of its /64, which one customer has. A source is banned for longer each time:
    “doubled” says how often its first ban was doubled.

    \b
    watchword bans list
    watchword bans list --json | jq -r '.[].network'
    """
    bans = _all(Place(data=data, config=config))
    if as_json:
        print_json(bans)
        return
    columns = ("network", "reason", "since", "until", "doubled", "id")
    rows = [
        (
            each["network"],
            _why(each),
            when(each["made_at"]),
            _until(each),
            each["doublings"] or "",
            each["id"],
        )
        for each in bans
    ]
    Table(columns=columns, rows=rows, empty="Nobody is banned.").print()


def _all(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        after = {"after": found[-1]["id"]} if found else {}
        page = place.call("bans.list", {**after, "limit": _PAGE})["bans"]
        found += page
        if len(page) < _PAGE:
            return found


def add(
    network: Network,
    length: Annotated[
        str,
        typer.Option("--for", metavar="LENGTH", help="How long: 90s, 10m, 1h, 7d, or “ever”."),
    ] = "1h",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown by “list”.")] = "",
    yes: Yes = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Ban an address or a network, for an hour unless --for says how long. It takes the place of a ban that is there.

    Whoever is banned gets “429 Too Many Requests”; devices and browsers that are signed in keep working. What
    bans.allow names, and trusted proxies, no ban reaches.

    On a terminal you are asked before you ban everybody, a good part of the internet, this machine, or the address that
    you came from by SSH; a script says --yes.

    \b
    watchword bans add 192.0.2.7
    watchword bans add 198.51.100.0/24 --for 7d --reason "guesses names"
    watchword bans add 2001:db8::/48 --for ever
    """
    from watchword.server.addresses import parse_network
    from watchword.server.bans.networks import dangers  # a server's part

    seconds, own = _parse_length(length), _own_address()
    found = dangers(parse_network(network), own)
    if found and not yes:
        _ask("; ".join(found), "Ban it all the same")
    params = {
        "network": network,
        "seconds": seconds,
        "note": reason,
        "own": own,
        "confirmed": yes or bool(found),
    }
    made = Place(data=data, config=config).call("bans.add", params)
    if as_json:
        print_json(made)
        return
    print_text(
        f"{made['network']} is banned {_how_long(made)}. `watchword bans lift {made['network']}` ends that."
    )


def lift(
    target: Target,
    yes: Yes = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """End a ban. A network lifts every ban of it and in it; 0.0.0.0/0 and ::/0 lift all there are.

    What led to the ban is forgotten, so the next one is a first one again. It counts from the next request on, on every
    node within two seconds.

    \b
    watchword bans lift 192.0.2.7
    watchword bans lift 2001:db8::/48
    watchword bans lift ban_01k8x3s5v6fq2m4nj7t9w0ayze
    """
    if _EVERYBODY.fullmatch(target) and not yes:
        _ask(f"{target} lifts every ban of that kind of address", "Lift them all")
    params = {"target": target, "confirmed": yes or bool(_EVERYBODY.fullmatch(target))}
    lifted = Place(data=data, config=config).call("bans.lift", params)["lifted"]
    if as_json:
        print_json(lifted)
        return
    for each in lifted:
        print_text(f"{each['network']} is let in again.")


def watch(data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """Show bans as they are made, made longer and lifted, until Ctrl-C. A server must be running.

    \b
    watchword bans watch
    watchword bans watch --json | jq -r .ban.network
    """
    show = _print_json_change if as_json else _print_change
    Place(data=data, config=config).call("bans.watch", {}, on_event=show, patient=True, server_only=True)


def _print_json_change(change: str, ban: dict[str, Any]) -> None:
    print_json({"change": change, "ban": ban})


def _print_change(change: str, ban: dict[str, Any]) -> None:
    if change == "lifted":
        print_text(f"{when(ban['made_at'])}  lifted    {ban['network']}")
        return
    print_text(f"{when(ban['made_at'])}  {change:<8}  {ban['network']}  {_how_long(ban)}: {_why(ban)}")


def _why(ban: dict[str, Any]) -> str:
    return str(ban["note"] or _REASONS.get(ban["reason"], ban["reason"]))


def _until(ban: dict[str, Any]) -> str:
    return "for ever" if ban["ends_at"] is None else when(ban["ends_at"])


def _how_long(ban: dict[str, Any]) -> str:
    return "for ever" if ban["ends_at"] is None else f"until {when(ban['ends_at'])}"


def _parse_length(text: str) -> int | None:
    """Seconds; None for ever."""
    if text in _FOR_EVER:
        return None
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"“{text}” is no length: say 90s, 10m, 1h, 7d or ever", param_hint="--for")
    return int(found[1]) * _SECONDS[found[2]]


def _own_address() -> str:
    """Where whoever types this came from by SSH; empty at the machine itself."""
    return os.environ.get("SSH_CONNECTION", "").partition(" ")[0]


def _ask(danger: str, question: str) -> None:
    """Go on only if whoever sits at the terminal says so."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{danger}: say --yes if you mean it", param_hint="--yes")
    sys.stderr.write(f"{danger}.\n{question}? Type “yes”: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        raise ForbiddenError("not done: nothing was changed")


def make_bans() -> typer.Typer:
    bans = typer.Typer(
        no_args_is_help=True, help="See who is banned, ban, and let in again.", rich_markup_mode=None
    )
    bans.command("list")(list_bans)
    bans.command("add")(add)
    bans.command("lift")(lift)
    bans.command("watch")(watch)
    return bans
