"""What a person does: register, log in, see who they are, get tokens, change the password, log out."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from watchword.cli.output import Table, note, print_json, print_text
from watchword.cli.person_context import (
    CAOption,
    FingerprintOption,
    HomeOption,
    JSONOption,
    Passwords,
    ServerOption,
    StdinOption,
    TLSCAOption,
    ToldRefusalError,
    Trust,
    TrustOption,
    device_name,
    home_of,
    new_client,
    prepared,
    vault_client,
    vault_of,
)
from watchword.errors import (
    InvalidConfigError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
    WrongPasswordError,
)

if TYPE_CHECKING:
    from watchword.client.client import Client
    from watchword.client.vault import Owner
    from watchword.core.secret import Secret
    from watchword.protocol.messages import AccountBody

T = TypeVar("T")


def add_commands(app: typer.Typer) -> None:
    app.command()(register)
    app.command()(login)
    app.command()(whoami)
    app.command()(token)
    app.command()(sessions)
    app.command()(passwd)
    app.command()(logout)


def register(
    username: Annotated[str | None, typer.Argument(help="2 to 64 characters; asked for if left out.")] = None,
    email: Annotated[
        str | None, typer.Option("--email", help="Logs in as well as the name; not proof of a mailbox.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="How others see you.")] = None,
    invited: Annotated[
        bool,
        typer.Option(
            "--invited",
            help="Ask for the invitation's code; with --password-stdin it is the first line, the password the second.",
        ),
    ] = False,
    server: ServerOption = None,
    ca: CAOption = None,
    tls_ca: TLSCAOption = None,
    fingerprint: FingerprintOption = None,
    trust_on_first_use: TrustOption = False,
    home: HomeOption = None,
    password_stdin: StdinOption = False,
    as_json: JSONOption = False,
) -> None:
    """Make an account, and enrol this client as its first device.

    The password is stretched here and never sent. The recovery key is shown once: write it down.

    \b
    Examples:
      watchword register anna
      printf '%s\\n' "$PASSWORD" | watchword register anna --password-stdin --json
    """
    from watchword.client.flows.account import NewAccount
    from watchword.protocol.names import parse_display_name, parse_email, parse_username
    from watchword.protocol.passwords import check_new

    folder = home_of(home)
    _require_empty(folder)
    passwords = Passwords(from_stdin=password_stdin)
    invitation = passwords.read("Invitation").strip() if invited else None
    chosen = parse_username(username or _ask("Username")).text
    address = parse_email(email).text if email else None
    shown = parse_display_name(name or "") or None
    trust = Trust(
        server=server, ca=ca, fingerprint=fingerprint, on_first_use=trust_on_first_use, tls_ca=tls_ca
    )
    with new_client(trust, folder) as client:
        password = check_new(
            passwords.read_new("Password"), username=chosen, email=address, service="watchword"
        )
        new = NewAccount(
            username=chosen, password=password, email=address, display_name=shown, invitation=invitation
        )
        try:
            made = client.register(new, device_name=device_name())
        except RefusedError:
            raise ToldRefusalError(
                "the server refused: the name may be taken or too like another, or an invitation is needed"
            ) from None
    recovery = made.recovery_key.text()
    if as_json:
        print_json({"account": _plain(made.account), "recovery_key": recovery})
        return
    print_text(f"Welcome, {made.account.username}. This device is enrolled and signed in.")
    print_text()
    print_text(f"  recovery key   {recovery}")
    print_text()
    print_text("Write it down and keep it where only you find it. It is shown this once. It is for")
    print_text("the day when the password is lost; the command that uses it comes with a later version.")
    if passwords.interactive and sys.stdin.isatty():
        _confirm_written(recovery)


def login(
    identifier: Annotated[
        str | None, typer.Argument(help="Username or e-mail; the vault's owner if left out.")
    ] = None,
    new_device: Annotated[
        bool, typer.Option("--new-device", help="Forget the device in the vault here, and enrol a new one.")
    ] = False,
    server: ServerOption = None,
    ca: CAOption = None,
    tls_ca: TLSCAOption = None,
    fingerprint: FingerprintOption = None,
    trust_on_first_use: TrustOption = False,
    home: HomeOption = None,
    password_stdin: StdinOption = False,
    as_json: JSONOption = False,
) -> None:
    """Log in with username or e-mail. Where no device is enrolled yet, this one is.

    \b
    Examples:
      watchword login anna
      watchword login                 the person whose vault lies here
    """
    folder = home_of(home)
    passwords = Passwords(from_stdin=password_stdin)
    try:
        if vault_of(folder).exists() and not new_device:
            account = _log_in_again(identifier, folder, passwords, server, ca)
        else:
            trust = Trust(
                server=server,
                ca=ca,
                fingerprint=fingerprint,
                on_first_use=trust_on_first_use,
                tls_ca=tls_ca,
            )
            chosen = identifier or _ask("Username or e-mail")
            with new_client(trust, folder) as client:
                password = prepared(passwords.read(f"Password of {chosen}"))
                account = client.log_in(chosen, password, device_name=device_name(), new_device=True)
    except RefusedError:
        raise ToldRefusalError("name or password not accepted") from None
    if as_json:
        print_json({"account": _plain(account)})
    else:
        print_text(f"Signed in as {account.username}.")


def whoami(
    server: ServerOption = None,
    ca: CAOption = None,
    home: HomeOption = None,
    password_stdin: StdinOption = False,
    as_json: JSONOption = False,
) -> None:
    """Show who the server says you are.

    \b
    Example:
      watchword whoami --json
    """
    with _signed_in(home, password_stdin, server, ca) as session:
        answer = session.run(lambda client: client.who_am_i())
    if as_json:
        print_json(_plain(answer))
        return
    print_text(f"{answer.account.username}, level {answer.account.level}")
    print_text(f"  account  {answer.account.id}")
    if answer.account.email:
        print_text(f"  e-mail   {answer.account.email}")
    print_text(f"  device   {answer.device_name} ({answer.device})")
    print_text(f"  session  {answer.session}, until {_time(answer.expires_at)}")


def token(
    url: Annotated[str, typer.Option("--for", metavar="URL", help="The app that the token is for.")],
    bearer: Annotated[
        bool,
        typer.Option(
            "--bearer", help="Ask for a token that works for whoever holds it (so far the only kind)."
        ),
    ] = True,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="What the token may be used for; may be given again."),
    ] = None,
    server: ServerOption = None,
    ca: CAOption = None,
    home: HomeOption = None,
    password_stdin: StdinOption = False,
    as_json: JSONOption = False,
) -> None:
    """Print an access token for an app: ten minutes, this one audience.

    A scope narrows what the token may be used for; it gives no rights. What scopes there are, the app says.

    \b
    Examples:
      curl -H "Authorization: Bearer $(watchword token --for http://localhost:8000)" http://localhost:8000/
      watchword token --for https://notes.example.org --scope reports:read
    """
    del bearer  # scripts may say it today; once tokens are bound to devices, it chooses
    with _signed_in(home, password_stdin, server, ca) as session:
        answer = session.run(lambda client: client.token(url, scopes=scope or ()))
    if as_json:
        print_json(_plain(answer))
    else:
        print_text(answer.access_token)


def sessions(
    server: ServerOption = None,
    ca: CAOption = None,
    home: HomeOption = None,
    password_stdin: StdinOption = False,
    as_json: JSONOption = False,
) -> None:
    """List where the account is signed in.

    \b
    Example:
      watchword sessions
    """
    with _signed_in(home, password_stdin, server, ca) as session:
        answer = session.run(lambda client: client.list_sessions())
    if as_json:
        print_json(_plain(answer))
        return
    Table(
        columns=("session", "device", "address", "since", "until", ""),
        rows=[
            (
                one.id,
                one.device_name,
                _place(one.address),
                _time(one.created_at),
                _time(min(one.expires_at, one.ends_at)),
                "this one" if one.current else "",
            )
            for one in answer.sessions
        ],
    ).print()


def passwd(
    server: ServerOption = None,
    ca: CAOption = None,
    home: HomeOption = None,
    password_stdin: StdinOption = False,
    as_json: JSONOption = False,
) -> None:
    """Change the password: the current one, then the new one. Every other session ends.

    With --password-stdin the current password is the first line, the new one the second.

    \b
    Example:
      watchword passwd
    """
    with _signed_in(home, password_stdin, server, ca) as session:
        new = session.passwords.read_new("New password")
        session.run(lambda client: client.change_password(new))
    if as_json:
        print_json({"changed": True})
    else:
        print_text("The password is changed. Every other session has ended.")


def logout(
    everywhere: Annotated[bool, typer.Option("--all", help="End every session of the account.")] = False,
    session_id: Annotated[
        str | None,
        typer.Option("--session", metavar="ID", help="End this session, from `watchword sessions`."),
    ] = None,
    server: ServerOption = None,
    ca: CAOption = None,
    home: HomeOption = None,
    password_stdin: StdinOption = False,
    as_json: JSONOption = False,
) -> None:
    """End this session, another one, or all. The device stays enrolled.

    \b
    Example:
      watchword logout --all
    """
    if everywhere and session_id is not None:
        raise InvalidConfigError("--all and --session do not go together")
    with _signed_in(home, password_stdin, server, ca) as session:
        session.run(lambda client: client.log_out(everywhere=everywhere, session=session_id))
    if as_json:
        print_json({"ended": "all" if everywhere else session_id or "this"})
    else:
        print_text("Signed out everywhere." if everywhere else "Signed out.")


def _plain(message: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(message)


def _place(address: str) -> str:
    """As the server keeps it; a keyed form tells a person nothing."""
    return "not kept" if address.startswith("keyed:") else address


def _time(milliseconds: int) -> str:
    from watchword.core.clock import Instant, iso

    return iso(Instant(milliseconds))[:16].replace("T", " ") + " UTC"


def _ask(what: str) -> str:
    """A line from the terminal."""
    if not sys.stdin.isatty():
        raise InvalidConfigError(f"{what}? Give it as an argument")
    return str(typer.prompt(what, err=True))


def _require_empty(home: Path) -> None:
    """A vault holds keys that nothing else has: it is never overwritten."""
    file = vault_of(home)
    if file.exists():
        owner = file.owner()
        raise ToldRefusalError(
            f"{owner.username} at {owner.server} already lives in {home}: use another --home for another account"
        )


def _confirm_written(recovery: str) -> None:
    """Ask for the end of the recovery key: what was written down wrongly is noticed today."""
    end = recovery.rpartition("-")[2]
    for _ in range(3):
        typed = str(typer.prompt("To check it, type its last four characters", err=True))
        if typed.strip().upper() == end:
            return
        note("that is not what it says above")


def _log_in_again(
    identifier: str | None, home: Path, passwords: Passwords, server: str | None, ca: Path | None
) -> "AccountBody":
    """Log in on the device whose vault lies here, also when the vault still has the previous password."""
    owner = vault_of(home).owner()
    chosen = identifier or owner.username
    _require_same_account(chosen, owner.username)
    with vault_client(home, server, ca) as client:
        password = prepared(passwords.read(f"Password of {chosen}"))
        try:
            client.open_vault(password)
        except WrongPasswordError:
            client.open_vault(_previous_password(passwords))
        return client.log_in(chosen, password, device_name=device_name())


def _previous_password(passwords: Passwords) -> "Secret":
    """What opens a vault whose account has got a new password elsewhere."""
    note("this password does not open the vault here: it may still have the one before the last change")
    try:
        return prepared(passwords.read("Previous password, which opens the vault"))
    except InvalidConfigError:
        raise WrongPasswordError(
            "this password does not open the vault here; give the vault's own as a second line"
        ) from None


def _require_same_account(identifier: str, owner: str) -> None:
    from watchword.protocol.names import parse_identifier

    if "@" not in identifier and parse_identifier(identifier).key != parse_identifier(owner).key:
        raise ToldRefusalError(
            f"the vault here is {owner}'s: use another --home for another account, or --new-device"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _SignedIn:
    """An opened vault, and how to use it."""

    client: "Client"
    owner: "Owner"
    passwords: Passwords

    def run(self, work: Callable[["Client"], T]) -> T:
        """Run a call; say in words what a refusal means here."""
        try:
            return work(self.client)
        except UnauthenticatedError:
            raise ToldRefusalError("you are not signed in (any more): run `watchword login`") from None
        except NotFoundError:
            raise ToldRefusalError("there is no such session") from None
        except RefusedError:
            raise ToldRefusalError("the server did not accept the password") from None


@contextmanager
def _signed_in(
    home: Path | None, password_stdin: bool, server: str | None, ca: Path | None
) -> Iterator[_SignedIn]:
    folder, passwords = home_of(home), Passwords(from_stdin=password_stdin)
    with vault_client(folder, server, ca) as client:
        owner = client.file.owner()
        password = prepared(passwords.read(f"Password of {owner.username}"))
        client.open_vault(password)
        yield _SignedIn(client=client, owner=owner, passwords=passwords)
