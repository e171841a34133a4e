"""`watchword audit …`."""

import sys
from typing import Annotated, Any

import typer

from watchword.cli.exit_codes import ExitCode
from watchword.cli.operator_call import Place
from watchword.cli.operator_options import ConfigPath, Data, Json
from watchword.cli.output import note, print_json, print_text


def verify(data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """Check the whole audit trail: every entry, and every signed checkpoint.

    It finds entries that were changed, removed, put elsewhere or cut off at the end. Exit code 1 when it did.

    \b
    watchword audit verify
    """
    show = sys.stderr.isatty() and not as_json
    report = Place(data=data, config=config).call(
        "audit.verify", {}, on_event=_progress if show else None, patient=True
    )
    if show:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    if not report["ok"]:
        raise typer.Exit(ExitCode.REFUSED)


def _progress(_event: str, params: dict[str, Any]) -> None:
    sys.stderr.write(f"\r{int(params['entries']):,} entries checked")
    sys.stderr.flush()


def _print_report(report: dict[str, Any]) -> None:
    for problem in report["problems"]:
        print_text(f"{problem['kind']}: {problem['text']}")
    for remark in report["notes"]:
        print_text(f"restored: {remark}")
    if report["more_problems"]:
        print_text(f"and {report['more_problems']} more")
    verdict = "the trail is whole" if report["ok"] else "THE TRAIL IS DAMAGED"
    erased = f", {report['erased']} with erased personal values" if report["erased"] else ""
    print_text(f"{report['entries']} entries{erased}, {report['checkpoints']} checkpoints: {verdict}")


def tail(
    number: Annotated[
        int, typer.Option("-n", "--lines", min=0, max=1000, help="How many of the newest.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new ones, until Ctrl-C.")
    ] = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Show the newest entries of the audit trail, the oldest of them first.

    \b
    watchword audit tail -n 50
    watchword audit tail --follow --json | jq .tag
    """
    show = _print_json_entry if as_json else _print_entry
    params = {"limit": number, "follow": follow}
    Place(data=data, config=config).call(
        "audit.tail", params, on_event=show, patient=True, server_only=follow
    )


def show(
    request: Annotated[
        str, typer.Argument(metavar="REQUEST", help="The id, as in x-request-id, in errors and in the log.")
    ],
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Show what the audit trail says of one request. It reads the whole trail: seconds, where it is long.

    \b
    watchword audit show req_01k8x3s5v6fq2m4nj7t9w0ayze
    """
    found = Place(data=data, config=config).call("audit.show", {"request": request}, patient=True)["entries"]
    if as_json:
        print_json(found)
        return
    for entry in found:
        _print_entry("", entry)
    if not found:
        note("the audit trail has nothing of this request: it changed nothing, or was never made here")


def _print_json_entry(_event: str, entry: dict[str, Any]) -> None:
    print_json(entry)


def _print_entry(_event: str, entry: dict[str, Any]) -> None:
    words = [f"{entry['time']}  {entry['tag']}"]
    words += _members(entry["facts"])
    words += _members({name: _value(pair) for name, pair in _object(entry["personal"]).items()})
    print_text("  ".join(words))


def _members(members: Any) -> list[str]:
    return [f"{name}={value}" for name, value in _object(members).items()]


def _object(value: Any) -> dict[str, Any]:
    """What is damaged comes as text, and is shown as such."""
    if isinstance(value, dict):
        return value
    return {} if value is None else {"damaged": value}


def _value(pair: Any) -> Any:
    """Personal values stand beside their salts."""
    is_pair = isinstance(pair, list) and len(pair) == 2  # noqa: PLR2004  # salt and value
    return pair[1] if is_pair else pair


def make_audit() -> typer.Typer:
    audit = typer.Typer(no_args_is_help=True, help="Read and verify the audit trail.", rich_markup_mode=None)
    audit.command("verify")(verify)
    audit.command("tail")(tail)
    audit.command("show")(show)
    return audit
