"""`backup`, `backup-key`, `restore` and `after-restore`."""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from watchword.cli.entry import loading
from watchword.cli.operator_options import ConfigPath, Data, Json, given
from watchword.cli.output import note, print_json, print_text, when

if TYPE_CHECKING:
    from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey
    from watchword.crypto.keyring import RootKey
    from watchword.server.backup.after_restore import Ended
    from watchword.server.backup.make import Made
    from watchword.server.backup.records import Manifest
    from watchword.server.backup.restore import FindRootKey, Restored
    from watchword.server.config import Config

_IN_CLEAR = (
    "this backup is in the clear: it holds names, e-mail addresses, password verifiers, keys sealed under the root key,"
    " and the audit trail with addresses. Keep it as you keep the data, or seal it with --to"
)
_NO_ROOT_KEY = "the root key is not in it: keep root.key elsewhere, or nobody opens what is in this backup"
_NEXT = "Nothing serves this data yet. Run “watchword after-restore” next: it ends every proof newer than the backup."


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
            {**_shown(made.manifest), "file": str(file), "size": made.size, "sealed": recipient is not None}
        )
        return
    print_text(f"{file}: {_summary(made.manifest)}, {made.size:,} bytes")
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
    with _alone(config) if instance is None else nullcontext(), _Progress("rows", quiet=quiet) as progress:
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


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The private key that a sealed backup was sealed to."),
    ] = None,
    root_key: Annotated[
        Path | None,
        typer.Option(
            "--root-key", metavar="FILE", help="The root key of the data, if the backup does not hold it."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Read and check all of it; write nothing.")] = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Put a backup into a new, empty data directory (or, with `database` set, a new PostgreSQL database).

    Nothing is overwritten, and nothing appears before the whole backup was checked and the root key has opened what is
    in it. A backup of SQLite may be restored to PostgreSQL, and back. Older data is brought up to this version.

    The root key comes from --root-key, WATCHWORD_ROOT_KEY, DATA/root.key, or the backup itself, in this order.
    Afterwards run “watchword after-restore”; until then no server starts on the data.

    \b
    watchword restore monday.wwb --check --key offline.key
    watchword restore monday.wwb --data /var/lib/watchword --key offline.key --root-key root.key
    watchword after-restore --data /var/lib/watchword
    """
    with loading():
        from watchword.server.backup.keys import read_key_file

    opener = read_key_file(key) if key is not None else None
    if check:
        manifest = _check(file, opener, quiet=as_json)
        _report(manifest, f"{file}: whole; {_summary(manifest)}", as_json=as_json)
        return
    done = _restore(file, opener, root_key, data, config, quiet=as_json)
    _report(
        done.manifest, f"restored: {_summary(done.manifest)}", as_json=as_json, migrated=list(done.pending)
    )
    if not as_json:
        if done.pending:
            print_text(f"brought up to this version: {', '.join(done.pending)}")
        print_text(_NEXT)


def _check(file: Path, opener: "SealingPrivateKey | None", *, quiet: bool) -> "Manifest":
    from watchword.server.backup.output import open_to_read
    from watchword.server.backup.restore import check_backup

    with open_to_read(file) as source, _Progress("rows checked", quiet=quiet) as progress:
        return check_backup(source, opener, progress.show)


def _restore(  # the options of one command
    file: Path,
    opener: "SealingPrivateKey | None",
    root_key: Path | None,
    data: str | None,
    config: Path | None,
    *,
    quiet: bool,
) -> "Restored":
    import asyncio

    from watchword.core.clock import SystemClock
    from watchword.core.entropy import SystemEntropy
    from watchword.server.backup.output import open_to_read
    from watchword.server.backup.restore import open_backup, restore_backup
    from watchword.server.config import load_config

    find = _root_key_finder(root_key, SystemEntropy())
    found = load_config(flags=given(data=data), file=config)
    with open_to_read(file) as source, _Progress("rows", quiet=quiet) as progress:
        return asyncio.run(
            restore_backup(
                open_backup(source, opener),
                found,
                find(found),
                keep_root_key=root_key is not None,
                clock=SystemClock(),
                entropy=SystemEntropy(),
                progress=progress.show,
            )
        )


def _root_key_finder(named: Path | None, entropy: Any) -> "Callable[[Config], FindRootKey]":
    """Takes WATCHWORD_ROOT_KEY out of the environment before anything else happens."""
    from watchword.errors import InvalidConfigError
    from watchword.server.config.environment import wipe
    from watchword.server.keys.root_file import VARIABLE, RootKeys

    if named is not None and not named.exists():
        raise InvalidConfigError(f"there is no root key file {named}")
    wipe(os.environ, VARIABLE)
    in_environment = RootKeys.find(Path(), os.environ, entropy) if VARIABLE in os.environ else None

    def for_config(config: "Config") -> "FindRootKey":
        def find(check: bytes) -> "RootKey | None":
            keys: RootKeys | None = in_environment
            if named is not None:
                keys = RootKeys(path=named, fixed=None, entropy=entropy)
            elif keys is None and config.root_key_file.exists():
                keys = RootKeys(path=config.root_key_file, fixed=None, entropy=entropy)
            return None if keys is None else keys.choose(check)

        return find

    return for_config


def after_restore(
    keep_sessions: Annotated[
        bool,
        typer.Option(
            "--keep-sessions",
            help="Let sessions of before the backup live on, also those that were ended since: nobody knows which.",
        ),
    ] = False,
    data: Data = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """End every proof that may be newer than the backup, so that the server may start on restored data.

    Restored data knows nothing of what came after the backup: logouts, suspensions, credentials that were used. So all
    sessions end (people log in again), all temporary tokens and open invitations end, a new signing key takes over at
    once (no access token verifies any more; apps learn of it within 5 minutes), and the number of the key document
    moves beyond whatever clients have seen. What cannot be known stays lost: passwords that were changed, accounts that
    were deleted or suspended since. Look after those by hand.

    \b
    watchword after-restore --data /var/lib/watchword
    """
    with loading():
        import asyncio

        from watchword.server.config import load_config
        from watchword.server.logs import configure_logs

    found = load_config(flags=given(data=data), file=config)
    configure_logs(level="error")
    ended = asyncio.run(_end(found, keep_sessions=keep_sessions))
    if as_json:
        print_json(_ended(ended, kept=keep_sessions))
        return
    print_text(f"the backup was taken at {when(ended.mark.taken_at)}; ended:")
    print_text("  sessions: " + ("kept, as you said" if keep_sessions else str(ended.sessions)))
    print_text(f"  temporary tokens: {ended.credentials}")
    print_text(f"  invitations: {ended.invites}")
    print_text(f"  access tokens: all; {ended.signing_key} signs from now on")
    print_text(f"the key document has number {ended.document_number} now, and the server may start")
    note(
        f"suspensions, deletions and password changes since {when(ended.mark.taken_at)} are not in this data"
    )


async def _end(config: "Config", *, keep_sessions: bool) -> "Ended":
    from watchword.core.clock import SystemClock
    from watchword.core.entropy import SystemEntropy
    from watchword.server.backup.after_restore import end_proofs
    from watchword.server.core import open_core
    from watchword.server.data_directory import check_data_directory
    from watchword.server.operator import LocalOperator

    check_data_directory(config.data)
    async with open_core(
        config, origin=None, clock=SystemClock(), entropy=SystemEntropy(), restored=True
    ) as core:
        core.checkpointer.start(fresh=core.fresh)
        ended = await end_proofs(core, LocalOperator(os.geteuid()), keep_sessions=keep_sessions)
        core.checkpointer.tick()
        return ended


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


class _Progress:
    """A line on a terminal, at most once a per cent."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self._what = what
        self._shows = not quiet and sys.stderr.isatty()
        self._shown = -1

    def show(self, done: int, total: int) -> None:
        share = 100 * done // max(total, 1)
        if self._shows and share != self._shown:
            self._shown = share
            sys.stderr.write(f"\r{share:3} %  {done:,} of {total:,} {self._what}")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown >= 0:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def _summary(manifest: "Manifest") -> str:
    root = ", with the root key" if manifest.root_key else ""
    return (
        f"{manifest.origin} as of {when(manifest.taken_at)}, {manifest.accounts:,} accounts, {manifest.rows:,} rows,"
        f" schema {manifest.schema}{root}"
    )


def _shown(manifest: "Manifest") -> dict[str, Any]:
    return {
        "id": manifest.id,
        "taken_at": manifest.taken_at,
        "origin": manifest.origin,
        "engine": manifest.engine,
        "accounts": manifest.accounts,
        "rows": manifest.rows,
        "schema": manifest.schema,
        "root_key": manifest.root_key,
        "made_by": manifest.made_by,
    }


def _report(manifest: "Manifest", sentence: str, *, as_json: bool, **more: Any) -> None:
    if as_json:
        print_json({**_shown(manifest), **more})
    else:
        print_text(sentence)


def _ended(ended: "Ended", *, kept: bool) -> dict[str, Any]:
    return {
        "backup": ended.mark.backup,
        "taken_at": ended.mark.taken_at,
        "sessions": ended.sessions,
        "sessions_kept": kept,
        "credentials": ended.credentials,
        "invites": ended.invites,
        "signing_key": ended.signing_key,
        "document_number": ended.document_number,
    }
