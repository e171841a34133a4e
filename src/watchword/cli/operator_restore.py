"""`restore` and `after-restore`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchword.cli.backup_shown import Progress, describe, name_authority, summarise
from watchword.cli.entry import loading
from watchword.cli.operator_options import ConfigPath, Data, Json, given
from watchword.cli.output import note, print_json, print_text, when

if TYPE_CHECKING:
    from watchword.crypto.hpke import SealingPrivateKey
    from watchword.crypto.keyring import RootKey
    from watchword.server.backup.after_restore import Ended
    from watchword.server.backup.records import Manifest
    from watchword.server.backup.restore import Checked, FindRootKey, Restored
    from watchword.server.config import Config

_NEXT = "Nothing serves this data yet. Run “watchword after-restore” next: it ends every proof newer than the backup."


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
    fingerprint: Annotated[
        str | None,
        typer.Option(
            "--fingerprint",
            metavar="SHA256:…",
            help="Refuse it unless the certificate authority in it has this fingerprint, which the server showed.",
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

    Anyone with the public key can make a sealed backup, with keys and accounts of their own. Compare the fingerprint of
    the certificate authority in it with the one that the server showed at its start and at every backup, or give that
    one with --fingerprint.

    Afterwards run “watchword after-restore”; until then no server starts on the data.

    \b
    watchword restore monday.wwb --check --key offline.key
    watchword restore monday.wwb --data /var/lib/watchword --key offline.key --fingerprint SHA256:…
    watchword after-restore --data /var/lib/watchword
    """
    with loading():
        from watchword.server.backup.keys import read_key_file

    opener = read_key_file(key) if key is not None else None
    expected = _parse(fingerprint) if fingerprint is not None else None
    if check:
        seen = _check(file, opener, expected, quiet=as_json)
        _report(
            seen.manifest, seen.fingerprint, f"{file}: whole; {summarise(seen.manifest)}", as_json=as_json
        )
        return
    done = _restore(file, opener, root_key, expected, data, config, quiet=as_json)
    _report(
        done.manifest,
        done.fingerprint,
        f"restored: {summarise(done.manifest)}",
        as_json=as_json,
        migrated=list(done.pending),
    )
    if not as_json:
        if done.pending:
            print_text(f"brought up to this version: {', '.join(done.pending)}")
        print_text(_NEXT)


def _parse(fingerprint: str) -> str:
    """As people type it, into the one form."""
    from watchword.crypto.certificates import format_fingerprint, parse_fingerprint
    from watchword.errors import InvalidConfigError, MalformedError

    try:
        return format_fingerprint(parse_fingerprint(fingerprint))
    except MalformedError as error:
        raise InvalidConfigError(f"--fingerprint: {error.detail}") from None


def _check(
    file: Path, opener: "SealingPrivateKey | None", fingerprint: str | None, *, quiet: bool
) -> "Checked":
    from watchword.server.backup.output import open_to_read
    from watchword.server.backup.restore import check_backup

    with open_to_read(file) as source, Progress("rows checked", quiet=quiet) as progress:
        return check_backup(source, opener, progress.show, fingerprint=fingerprint)


def _restore(  # the options of one command
    file: Path,
    opener: "SealingPrivateKey | None",
    root_key: Path | None,
    fingerprint: str | None,
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
    with open_to_read(file) as source, Progress("rows", quiet=quiet) as progress:
        return asyncio.run(
            restore_backup(
                open_backup(source, opener),
                found,
                find(found),
                keep_root_key=root_key is not None,
                clock=SystemClock(),
                entropy=SystemEntropy(),
                progress=progress.show,
                fingerprint=fingerprint,
            )
        )


def _root_key_finder(named: Path | None, entropy: Any) -> "Callable[[Config], FindRootKey]":
    """Takes WATCHWORD_ROOT_KEY out of the environment before anything else happens."""
    from watchword.errors import InvalidConfigError
    from watchword.server.config.environment import wipe
    from watchword.server.keys.root_file import VARIABLE, RootKeys

    if named is not None and not os.path.exists(named):  # noqa: PTH110  # answers False for any text at all
        # Somebody may have given the key in place of its file: it is not repeated.
        raise InvalidConfigError("there is no such root key file as --root-key names")
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
    were deleted or suspended since, bans that were made or lifted since, and how often passwords were guessed at. Look
    after those by hand.

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
    print_text(name_authority(ended.fingerprint))
    note(
        f"suspensions, deletions and password changes since {when(ended.mark.taken_at)} are not in this data"
    )
    note(
        "bans, and the counts of guesses at passwords, are those of that time too: see “watchword bans list”"
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


def _report(
    manifest: "Manifest", fingerprint: str | None, sentence: str, *, as_json: bool, **more: Any
) -> None:
    if as_json:
        print_json({**describe(manifest, fingerprint), **more})
    else:
        print_text(sentence)
        print_text(name_authority(fingerprint))


def _ended(ended: "Ended", *, kept: bool) -> dict[str, Any]:
    return {
        "backup": ended.mark.backup,
        "fingerprint": ended.fingerprint,
        "taken_at": ended.mark.taken_at,
        "sessions": ended.sessions,
        "sessions_kept": kept,
        "credentials": ended.credentials,
        "invites": ended.invites,
        "signing_key": ended.signing_key,
        "document_number": ended.document_number,
    }
