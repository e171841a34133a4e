"""What every command of a person needs: which server, how it is trusted, where the vault is, and the password."""

import getpass
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import typer

from watchword.cli.output import note
from watchword.core.secret import Secret
from watchword.errors import ErrorCode, InvalidConfigError, MalformedError, NotTrustedError, WatchwordError

if TYPE_CHECKING:
    from watchword.client.client import Client
    from watchword.client.trust import TrustedServer
    from watchword.client.vault import Owner, VaultFile

DEFAULT_SERVER: Final = "https://localhost:8443"
_MAX_LINE: Final = 4096

ServerOption = Annotated[
    str | None, typer.Option("--server", envvar="WATCHWORD_SERVER", help="The server's address.")
]
CAOption = Annotated[
    Path | None,
    typer.Option("--ca", envvar="WATCHWORD_CA", help="PEM file with the server's root (its ca.pem)."),
]
TLSCAOption = Annotated[
    str | None,
    typer.Option(
        "--tls-ca",
        envvar="WATCHWORD_TLS_CA",
        metavar="FILE|system",
        help="Where another authority made the server's TLS certificate: its roots, or this machine's.",
    ),
]
FingerprintOption = Annotated[
    str | None,
    typer.Option("--fingerprint", help="Trust the server whose root has this fingerprint."),
]
TrustOption = Annotated[
    bool,
    typer.Option("--trust-on-first-use", help="Trust whoever answers, this first time, without asking."),
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="WATCHWORD_HOME", help="Folder of the vault.  [~/.config/watchword]"),
]
StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, a line each.")
]
JSONOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class ToldRefusalError(WatchwordError):
    """A refusal with a sentence for the person at this terminal."""

    code: ClassVar[ErrorCode] = ErrorCode.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How the command line says to trust a server."""

    server: str | None
    ca: Path | None = None
    fingerprint: str | None = None
    on_first_use: bool = False
    tls_ca: str | None = None


class Passwords:
    """Reads passwords: from standard input, a line each, when told to; else from the terminal. Never from arguments."""

    def __init__(self, *, from_stdin: bool) -> None:
        self._from_stdin = from_stdin

    @property
    def interactive(self) -> bool:
        return not self._from_stdin

    def read(self, prompt: str) -> str:
        """The text as typed; raises `InvalidConfigError` where nobody can be asked."""
        if self._from_stdin:
            return self._line()
        _require_terminal()
        return getpass.getpass(f"{prompt}: ")

    def read_new(self, prompt: str) -> str:
        """A password that is being chosen: asked twice at a terminal."""
        first = self.read(prompt)
        if self.interactive and self.read(f"{prompt}, again") != first:
            raise ToldRefusalError("the two passwords differ; nothing was sent")
        return first

    @staticmethod
    def _line() -> str:
        raw = sys.stdin.buffer.readline(_MAX_LINE + 1)
        if not raw or len(raw) > _MAX_LINE:
            raise InvalidConfigError("expected a password, one line of at most 4096 bytes, on standard input")
        try:
            return raw.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise MalformedError("the password on standard input is not UTF-8") from None


def prepared(text: str) -> Secret:
    """A password as it is stretched (docs/protocol/login.md, step 2)."""
    from watchword.protocol.passwords import prepare

    return prepare(text)


def home_of(option: Path | None) -> Path:
    if option is not None:
        return option
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "watchword"


def vault_of(home: Path) -> "VaultFile":
    from watchword.client.vault import VaultFile
    from watchword.core.entropy import SystemEntropy

    return VaultFile(home, SystemEntropy())


def device_name() -> str:
    """What this device is called until somebody renames it."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@contextmanager
def new_client(trust: Trust, home: Path) -> "Iterator[Client]":
    """A client without a vault: for registering and the first login."""
    from watchword.client.client import Client
    from watchword.client.opening import ClientSettings

    with Client(find_trust(trust), home, settings=ClientSettings(progress=with_spinner)) as client:
        yield client


@contextmanager
def vault_client(home: Path, server: str | None, ca: Path | None) -> "Iterator[Client]":
    """A client for the person whose vault lies in `home`; the vault is still to be opened.

    Another server or root than the vault's is refused: `--server` and `--ca` choose at registration and first login.
    """
    from watchword.client.client import Client
    from watchword.client.opening import ClientSettings
    from watchword.client.trust import TrustedServer, trust_by_file

    file = vault_of(home)
    if not file.exists():
        raise ToldRefusalError(
            "nobody is signed in here: run `watchword login` or `watchword register` first"
        )
    owner = file.owner()
    _check_server(owner, server)
    trusted = TrustedServer(server=owner.server, root_pem=owner.root)
    given = trust_by_file(owner.server, ca) if ca is not None else trusted
    if given.pin != trusted.pin:  # compare: fingerprints are public
        raise NotTrustedError(f"{ca} holds another root than the one that the vault here has pinned")
    with Client(trusted, home, settings=ClientSettings(progress=with_spinner)) as client:
        yield client


def find_trust(trust: Trust) -> "TrustedServer":
    """The server's root, by the first of: CA file, fingerprint, first use when allowed, a person's yes."""
    from watchword.client.trust import also_under, server_origin

    found = _find_root(trust, server_origin(trust.server or DEFAULT_SERVER, named="--server"))
    return also_under(found, trust.tls_ca) if trust.tls_ca is not None else found


def _find_root(trust: Trust, server: str) -> "TrustedServer":
    from watchword.client import trust as ways

    if trust.ca is not None:
        return ways.trust_by_file(server, trust.ca)
    if trust.fingerprint is not None:
        return ways.trust_by_fingerprint(server, trust.fingerprint)
    return ways.trust_on_first_use(server, _confirm(server, ask=not trust.on_first_use))


def _confirm(server: str, *, ask: bool) -> Callable[[str], bool]:
    def confirm(fingerprint: str) -> bool:
        note(f"{server} shows a root with the fingerprint {fingerprint}")
        if not ask:
            return True
        if not sys.stdin.isatty():
            raise InvalidConfigError(
                "whether to trust this server? Give --ca FILE, --fingerprint, or --trust-on-first-use"
            )
        return typer.confirm("Is that what its operator shows?", default=False, err=True)

    return confirm


def _check_server(owner: "Owner", server: str | None) -> None:
    from watchword.client.trust import server_origin

    if server is not None and server_origin(server, named="--server") not in {owner.server, owner.issuer}:
        raise InvalidConfigError(
            f"the vault here is of {owner.username} at {owner.server}; for another server, use another --home"
        )


def with_spinner(work: Callable[[], Secret]) -> Secret:
    """Run `work`; if it takes a moment and somebody watches, show that it goes on."""
    if not sys.stderr.isatty():
        return work()
    done = threading.Event()
    spinner = threading.Thread(target=_spin, args=(done,), daemon=True)
    spinner.start()
    try:
        return work()
    finally:
        done.set()
        spinner.join()


def _spin(done: threading.Event) -> None:
    """Dots behind a sentence, wiped out at the end."""
    shown = ""
    for turn in range(10_000):
        if done.wait(0.08):
            break
        shown = f"\rstretching the password {'.' * (turn % 4)}{' ' * (3 - turn % 4)}"
        sys.stderr.write(shown)
        sys.stderr.flush()
    if shown:
        sys.stderr.write(f"\r{' ' * len(shown)}\r")
        sys.stderr.flush()


def _require_terminal() -> None:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        if not sys.stdin.isatty():
            raise InvalidConfigError(
                "there is no terminal to ask for the password: use --password-stdin"
            ) from None
