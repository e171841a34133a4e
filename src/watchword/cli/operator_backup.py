"""`backup` and `backup-key`."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchword.cli.backup_shown import Progress, describe, name_authority, summarise
from watchword.cli.entry import loading
from watchword.cli.operator_options import ConfigPath, Data, Json, given
from watchword.cli.output import note, print_json, print_text

if TYPE_CHECKING:
    from watchword.crypto.hpke import SealingPublicKey
    from watchword.server.backup.make import Made
    from watchword.server.config import Config

_IN_CLEAR = (
    "this backup is in the clear: it holds names, e-mail addresses, password verifiers, keys sealed under the root key,"
    " and the audit trail with addresses. Keep it as you keep the data, or seal it with --to"
)
_NO_ROOT_KEY = "the root key is not in it: keep root.key elsewhere, or nobody opens what is in this backup"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; nothing may stand there.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="KEY",
            help="Seal it to this public key: the file that `backup-key new` made, or its text"
            " [config: backup.recipient].",
        ),
    ] = None,
    with_root_key: Annotated[
        bool, typer.Option("--with-root-key", help="Put the root key into it. Only into a sealed backup.")
    ] = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Write all data into one file, while the server runs or not.

    Everything that was acknowledged before it began is in it, and nothing half done. The server goes on meanwhile. The
    file is made by this command, for its user alone (mode 0600), and stands there only when it is whole.

    Without the root key (DATA/root.key, or WATCHWORD_ROOT_KEY) nobody opens what is in a backup: keep it elsewhere.

    \b
    watchword backup-key new offline.key                     # once, on another machine
    watchword backup /backup/monday.wwb --to offline.key.pub
    watchword restore /backup/monday.wwb --check --key offline.key
    """
    with loading():
        from watchword.server.backup.keys import find_recipient
        from watchword.server.config import load_config

    found = load_config(flags=given(data=data), file=config)
    named = to or (str(found.backup.recipient) if found.backup.recipient else None)
    recipient = find_recipient(named) if named else None
    made = _make(found, file, recipient, with_root_key=with_root_key, quiet=as_json)
    if as_json:
        print_json(
            {
                **describe(made.manifest, made.fingerprint),
                "file": str(file),
                "size": made.size,
                "sealed": recipient is not None,
            }
        )
        return
    print_text(f"{file}: {summarise(made.manifest)}, {made.size:,} bytes")
    print_text(name_authority(made.fingerprint))
    if recipient is None:
        note(_IN_CLEAR)
    if not with_root_key:
        note(_NO_ROOT_KEY)


def _make(
    config: "Config", file: Path, recipient: "SealingPublicKey | None", *, with_root_key: bool, quiet: bool
) -> "Made":
    import asyncio

    from watchword.core.clock import SystemClock
    from watchword.core.entropy import SystemEntropy
    from watchword.server.backup.make import BackupJob, make_backup

    instance = _tell_server(config, sealed=recipient is not None, root_key=with_root_key)
    job = BackupJob(config=config, recipient=recipient, with_root_key=with_root_key, instance=instance)
    with _alone(config) if instance is None else nullcontext(), Progress("rows", quiet=quiet) as progress:
        return asyncio.run(
            make_backup(job, file, clock=SystemClock(), entropy=SystemEntropy(), progress=progress.show)
        )


def _tell_server(config: "Config", *, sealed: bool, root_key: bool) -> str | None:
    """The running server notes it in its trail, and says which database it has; None when none runs."""
    from watchword.server.control.client import ControlClient, NoServerError

    try:
        client = ControlClient.connect(config.control_socket)
    except NoServerError:
        return None
    with client:
        answer: dict[str, str] = client.call("backup.begin", {"sealed": sealed, "root_key": root_key})
        return answer["instance"]


def _alone(config: "Config") -> AbstractContextManager[None]:
    """Without a server: under the lock that one would take."""
    from watchword.core.entropy import SystemEntropy
    from watchword.errors import UnreachableError
    from watchword.server.core import hold_data
    from watchword.server.data_directory import check_data_directory

    if not config.data.is_dir():
        raise UnreachableError(
            f"there is no data directory {config.data}: name one with --data, or WATCHWORD_DATA"
        )
    check_data_directory(config.data)
    return hold_data(config, SystemEntropy())


def new_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file for the private key.")],
    as_json: Json = False,
) -> None:
    """Make a key pair that backups are sealed to.

    The private key goes into FILE, for you alone: keep it away from the server, on paper or another machine. The public
    key goes into FILE.pub and is shown; it may be known to everybody. Who loses the private key loses every backup that
    was sealed to it.

    \b
    watchword backup-key new offline.key
    """
    from watchword.core.entropy import SystemEntropy
    from watchword.server.backup.keys import encode_recipient, make_key_file, recipient_id
    from watchword.server.backup.output import write_new

    public_file = file.with_name(f"{file.name}.pub")
    public = make_key_file(file, SystemEntropy())
    text = encode_recipient(public)
    write_new(public_file, f"{text}\n".encode())
    if as_json:
        print_json(
            {"id": recipient_id(public), "public": text, "file": str(file), "public_file": str(public_file)}
        )
        return
    print_text(text)
    note(f"{file} opens what is sealed to it; {public_file} is for `watchword backup --to`")


def make_backup_key() -> typer.Typer:
    keys = typer.Typer(
        no_args_is_help=True, help="Make keys that backups are sealed to.", rich_markup_mode=None
    )
    keys.callback()(lambda: None)
    keys.command("new")(new_key)
    return keys
