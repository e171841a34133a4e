"""A walk through everything that exists, with a real server in a throw-away directory.

    python -m tools.tour

Each step says what it is about to do, shows the command, and checks what came of it. The exit code is 0 only if every
step did what it says; the first that does not ends the tour with what was seen.
"""

import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import sync_playwright
from tests.kits.browser import PATIENCE_MS, chromium_path, key_hash, launch
from tests.kits.commands import Finished, Shell
from tests.kits.process import PROGRAM, RunningServer, clean_environment

ROOT: Final = Path(__file__).resolve().parents[1]
ANNA: Final = "violet kangaroo plays chess"
ANNA_NEW: Final = "seven purple lanterns at dusk"
GUESS: Final = "the name of her dog"
BORIS: Final = "a boat of nine quiet herons"
WIDTH: Final = 100
OK: Final = 200
TOO_MANY: Final = 429


class StopError(Exception):
    """A step did not do what it says."""


def say(text: str) -> None:
    print(f"\n{textwrap.fill(text, WIDTH)}", flush=True)


def check(happened: bool, what: str, seen: object = "") -> None:  # noqa: FBT001  # reads as a sentence
    if not happened:
        raise StopError(f"expected: {what}\nseen: {seen}")
    print(f"    ✓ {what}", flush=True)


@dataclass
class Tour:
    """The places of the tour: a server, and a home for each person."""

    folder: Path
    server: RunningServer
    shells: dict[str, Shell] = field(default_factory=dict)

    @property
    def copy(self) -> Path:
        """Where the backup goes."""
        return self.folder / "monday.wwb"

    def run(self, who: str, *arguments: str, lines: tuple[str, ...] = (), code: int = 0) -> Finished:
        """Show a command of `who`, run it, and check its exit code. `lines` go to its standard input, unseen."""
        shell = self.shells.setdefault(who, Shell.at(self.server, self.folder / f"{who}-home"))
        shown = " ".join(f"'{word}'" if " " in word else word for word in arguments)
        print(f"    {who}$ watchword {shown}", flush=True)
        done = shell.run(*arguments, stdin="".join(f"{line}\n" for line in lines))
        for line in (done.out + done.err).splitlines()[:12]:
            print(f"      {line[:WIDTH]}", flush=True)
        if done.code != code:
            raise StopError(f"exit code {done.code}, and {code} was expected\n{done.err}")
        return done

    def ask(self, who: str, *arguments: str, password: str, code: int = 0) -> Finished:
        """`run` with a password on standard input."""
        return self.run(who, *arguments, "--password-stdin", lines=tuple(password.split("\n")), code=code)


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="watchword-tour-") as name:
        folder = Path(name)
        try:
            walk(folder)
        except StopError as stop:
            print(f"\nThe tour ends here: a step did not do what it says.\n{stop}", file=sys.stderr)
            return 1
    say(
        f"That was everything there is. All steps did what they say, in {time.monotonic() - began:.0f} seconds."
    )
    return 0


def walk(folder: Path) -> None:
    say(
        "This is Watchword: people and their devices are enrolled, log in, and every app knows who is calling."
    )
    say("First a server is started, with nothing configured, in a directory that is thrown away afterwards.")
    print(f"    operator$ watchword serve --data {folder / 'data'} --listen 127.0.0.1:0", flush=True)
    with RunningServer.start(folder / "data") as server:
        tour = Tour(folder, server)
        check((folder / "data/root.key").stat().st_mode & 0o77 == 0, "keys, a CA and a database were made")
        check(server.address in (folder / "data/address").read_text(), f"it listens at {server.origin}")
        for step in (
            meet_anna,
            show_the_app,
            look_at_sessions,
            open_the_pages,
            invite_boris,
            govern,
            turn_keys,
            keep_a_scanner_out,
            read_the_trail,
            watch,
            keep_a_copy,
        ):
            step(tour)
        stop(tour)
    look_without_a_server(tour)
    lose_everything(tour)


def meet_anna(tour: Tour) -> None:
    say(
        "Anna registers. Her password is stretched on her side and never sent; this machine becomes her device."
    )
    made = tour.ask("anna", "register", "anna", "--email", "anna@example.org", password=ANNA)
    check("recovery key" in made.out, "she was shown a recovery key, once")
    me = tour.ask("anna", "whoami", password=ANNA)
    check(me.out.startswith("anna, level 0"), "the server knows her")
    say("Somebody who guesses her password is refused, with the same words as for a name that nobody has.")
    wrong = tour.ask("mallory", "login", "anna", password=GUESS, code=1)
    unknown = tour.ask("mallory", "login", "nobody-here", password=GUESS, code=1)
    words = [re.sub(r"req_\w+", "req_…", each.err) for each in (wrong, unknown)]
    check(words[0] == words[1], "both answers read the same, but for the id of the request", words)


def show_the_app(tour: Tour) -> None:
    say(
        "An app of somebody else trusts this server: examples/fastapi, three lines of which are our middleware."
    )
    with running_app(tour) as app:
        check(fetch(app)[0] == 401, "without a token it answers 401")
        token = tour.ask("anna", "token", "--for", app, password=ANNA).out.strip()
        print(f'    anna$ curl -H "Authorization: Bearer $(watchword token --for {app})" {app}/', flush=True)
        status, body = fetch(app, token)
        check(status == 200 and body["hello"] == "anna", "with her token, it greets her by name", body)
        other = tour.ask("anna", "token", "--for", "http://localhost:9", password=ANNA).out.strip()
        check(fetch(app, other)[0] == 401, "a token for another app is refused")
        broken = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
        check(fetch(app, broken)[0] == 401, "a token with another signature is refused")
        check(fetch(f"{app}/moderation", token)[0] == 403, "what asks for level 2 is not for her: 403")


@contextmanager
def running_app(tour: Tour) -> Iterator[str]:
    """The example app on a free port of loopback; gives its origin."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    origin = f"http://localhost:{port}"
    environ = {
        "WATCHWORD_ORIGIN": tour.server.origin,
        "WATCHWORD_CA": str(tour.server.ca),
        "APP_ORIGIN": origin,
    }
    command = ["uvicorn", "--app-dir", "examples/fastapi", "app:app", "--port", str(port)]
    print(f"    developer$ {' '.join(command)}", flush=True)
    with (tour.folder / "app.log").open("wb") as log:
        app = subprocess.Popen(
            [str(PROGRAM.with_name("uvicorn")), *command[1:]],
            cwd=ROOT,
            env=clean_environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        await_app(origin, app, tour.folder / "app.log")
        yield origin
    finally:
        app.terminate()
        app.wait(20)


def await_app(origin: str, app: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        try:
            if fetch(f"{origin}/health")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
        if app.poll() is not None:
            break
    raise StopError(f"the example app did not start: {log.read_text()[-2000:]}")


def fetch(url: str, token: str | None = None) -> tuple[int, Any]:
    """Status and JSON body of a GET, as any HTTP client would see it."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310  # our own URL
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  # our own URL
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None


def look_at_sessions(tour: Tour) -> None:
    say("Anna logs in from a second machine, looks where she is signed in, and changes her password.")
    tour.ask("anna-laptop", "login", "anna@example.org", password=ANNA)
    listed = json.loads(tour.ask("anna", "sessions", "--json", password=ANNA).out)["sessions"]
    check(len(listed) == 2, "she is signed in twice", listed)
    tour.ask("anna", "passwd", password=f"{ANNA}\n{ANNA_NEW}")
    tour.ask("anna-laptop", "whoami", password=ANNA, code=1)
    check(True, "the session of the other machine has ended")
    tour.ask("anna", "logout", password=ANNA_NEW)
    tour.ask("anna", "whoami", password=ANNA_NEW, code=1)
    tour.ask("anna", "login", password=ANNA_NEW)
    check(True, "logged out, refused, and logged in again on the same device")


def open_the_pages(tour: Tour) -> None:
    say(
        "All of this is in the browser as well. Signed out, every path leads to the login page, existing or not."
    )
    for path in ("/dashboard", "/nothing-here"):
        check(fetch_page(tour, path) == f"/login?return={path}", f"{path} leads to the login page")
    program = chromium_path()
    if program is None:
        say("There is no Chromium here to show the pages with; any browser of yours will.")
        return
    origin = tour.server.origin
    with sync_playwright() as playwright:
        browser = launch(playwright, program, [key_hash(origin, tour.server.data / "ca.pem")])
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{origin}/dashboard")
        page.get_by_label("Username or e-mail address").fill("anna")
        page.get_by_label("Password", exact=True).fill(ANNA_NEW)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{origin}/dashboard")
        check("anna" in page.get_by_role("heading", level=1).inner_text(), "Anna signed in, and is greeted")
        check(page.get_by_text("This browser", exact=True).count() == 1, "her browser is among her sessions")
        browser.close()


def fetch_page(tour: Tour, path: str) -> str:
    """Where a browser that nobody is signed in with is sent from `path`."""
    context = ssl.create_default_context(cafile=str(tour.server.data / "ca.pem"))
    host, port = tour.server.origin.removeprefix("https://").split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
    connection.request("GET", path, headers={"Accept": "text/html"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.getheader("Location") or ""


def invite_boris(tour: Tour) -> None:
    say("The operator invites Boris at level 2. An invitation is good for one person, once.")
    made = json.loads(tour.run("operator", "invite", "--level", "2", "--note", "for Boris", "--json").out)
    boris = ("register", "boris", "--invited")
    invited = f"{made['invitation']}\n{BORIS}"
    tour.ask("boris", *boris, password=invited)
    me = tour.ask("boris", "whoami", password=BORIS)
    check(me.out.startswith("boris, level 2"), "Boris has level 2")
    tour.ask("mallory", "register", "mallory", "--invited", password=invited, code=1)
    check(True, "the invitation does not work again")


def govern(tour: Tour) -> None:
    say("The operator sees all accounts, gives Anna level 3, suspends Boris, lets him back, and deletes him.")
    names = {one["username"] for one in json.loads(tour.run("operator", "accounts", "list", "--json").out)}
    check(names == {"anna", "boris"}, "two accounts", names)
    tour.run("operator", "accounts", "set-level", "anna", "3")
    tour.ask("anna", "login", password=ANNA_NEW)
    check("level 3" in tour.ask("anna", "whoami", password=ANNA_NEW).out, "Anna has level 3")
    tour.run("operator", "accounts", "suspend", "boris")
    tour.ask("boris", "login", password=BORIS, code=1)
    tour.run("operator", "accounts", "resume", "boris")
    tour.ask("boris", "login", password=BORIS)
    tour.run("operator", "accounts", "delete", "boris", "--yes")
    tour.ask("boris", "whoami", password=BORIS, code=1)
    check(True, "suspended, back, and gone")


def turn_keys(tour: Tour) -> None:
    say("Keys are rotated with overlap, and nobody notices.")
    tour.run("operator", "keys", "status")
    tour.run("operator", "keys", "rotate", "signing")
    tour.run("operator", "keys", "rotate", "sealing")
    tour.ask("anna", "login", password=ANNA_NEW)
    check(True, "Anna logs in as before")


def keep_a_scanner_out(tour: Tour) -> None:
    say(
        "A program at 127.1.0.1 looks for other people's mistakes: twenty tries, and nobody answers it any more."
    )
    seen = [_ask_from("127.1.0.1", tour, path) for path in ("/.env", "/wp-login.php") * 10]
    check(set(seen) == {404}, "it found nothing", seen)
    check(_ask_from("127.1.0.1", tour, "/register") == TOO_MANY, "and is banned for ten minutes")
    check(_ask_from("127.0.0.1", tour, "/login") == OK, "everybody else is served as before")
    (ban,) = json.loads(tour.run("operator", "bans", "list", "--json").out)
    check(ban["network"] == "127.1.0.1", "the operator sees it", ban)
    tour.run("operator", "bans", "lift", "127.1.0.1")
    check(_ask_from("127.1.0.1", tour, "/register") == OK, "and lets it in again")


def _ask_from(source: str, tour: Tour, path: str) -> int:
    """The status that somebody at `source` is answered with."""
    context = ssl.create_default_context(cafile=str(tour.server.data / "ca.pem"))
    host, port = tour.server.origin.removeprefix("https://").split(":")
    connection = http.client.HTTPSConnection(
        "127.0.0.1", int(port), context=context, timeout=20, source_address=(source, 0)
    )
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    status = connection.getresponse().status
    connection.close()
    return status


def read_the_trail(tour: Tour) -> None:
    say("All of that stands in the audit trail, in which nothing can be changed, removed or cut off unseen.")
    tour.run("operator", "audit", "tail", "-n", "5")
    tour.run("operator", "audit", "verify")
    check(True, "the trail is whole")
    tour.run("operator", "check-config")


def watch(tour: Tour) -> None:
    say(
        "Monitoring asks for the server's health and its metrics, over the socket that only its user may open."
    )
    tour.run("operator", "health")
    told = tour.run("operator", "metrics").out
    check("watchword_logins_total" in told, "logins are counted, by what came of them")
    check("anna" not in told and "boris" not in told, "and no metric names anybody")


def keep_a_copy(tour: Tour) -> None:
    say(
        "A backup is made while the server runs, sealed to a key that lies elsewhere, with the root key inside."
    )
    tour.run("operator", "backup-key", "new", str(tour.folder / "offline.key"))
    recipient = str(tour.folder / "offline.key.pub")
    tour.run("operator", "backup", str(tour.copy), "--to", recipient, "--with-root-key")
    sealed = tour.copy.read_bytes()
    check(
        b"anna" not in sealed and b"example.org" not in sealed, "nothing in it can be read without that key"
    )
    tour.run("operator", "restore", str(tour.copy), "--check", code=2)
    tour.run("operator", "restore", str(tour.copy), "--check", "--key", str(tour.folder / "offline.key"))


def stop(tour: Tour) -> None:
    say("Ctrl-C stops the server, after it has finished what is in flight.")
    check(tour.server.stop() == 0, "it ended cleanly")
    check(not re.search("Traceback", tour.server.log_text()), "its log shows no traceback")
    secrets = (ANNA, ANNA_NEW, BORIS)
    check(not any(one in tour.server.log_text() for one in secrets), "no password stands in its log")


def look_without_a_server(tour: Tour) -> None:
    say("With no server running, a person is told so, and the operator's commands work on the data itself.")
    tour.ask("mallory", "login", "anna", password=ANNA, code=3)
    tour.run("operator", "audit", "verify")
    check(True, "the trail is still whole")


def lose_everything(tour: Tour) -> None:
    say(
        "Now the machine is lost. The backup becomes a server in a new place, and every proof of before ends."
    )
    data = tour.folder / "restored"
    operator = tour.shells["operator"]
    tour.shells["operator"] = Shell(environ={**operator.environ, "WATCHWORD_DATA": str(data)})
    tour.run("operator", "restore", str(tour.copy), "--key", str(tour.folder / "offline.key"))
    tour.run("operator", "after-restore")
    settings = {"listen": tour.server.address, "origin": tour.server.origin}
    with RunningServer.start(data, settings=settings) as server:
        tour.ask("anna", "whoami", password=ANNA_NEW, code=1)
        tour.ask("anna", "login", password=ANNA_NEW)
        me = tour.ask("anna", "whoami", password=ANNA_NEW)
        check("level 3" in me.out, "Anna logs in on her old device, and is who she was")
        tour.run("operator", "audit", "verify")
        check(server.stop() == 0, "and its trail tells of the restore, and is whole")


if __name__ == "__main__":
    sys.exit(main())
