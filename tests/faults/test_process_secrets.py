"""N1, N2, N6 through the whole server and the command line: what is secret is written down nowhere."""

import asyncio
import base64
import gc
import json
import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from tests.kits.browser_session import open_browser
from tests.kits.canaries import Canaries, ProcessWatch, forms, record_payloads, secret_texts
from tests.kits.collector import Collector, collecting
from tests.kits.commands import Finished, Shell
from tests.kits.mixed_load import Line, Person, enrol, log_in
from tests.kits.process import RunningServer
from tests.kits.sealed import sign_in
from tests.kits.unready import serve
from tests.kits.world import make_config, open_world

from watchword.cli.main import make_app
from watchword.client.flows import account, api
from watchword.client.flows.account import DeviceKeys, NewAccount
from watchword.client.vault import VaultFile
from watchword.core.clock import SystemClock
from watchword.core.encoding import decode_json, encode_b64u
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.crypto.keyring import DataKeyPurpose
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import Purpose, seal_envelope
from watchword.protocol.messages import EnrolAnswer, EnrolPayload, SealedRequest
from watchword.protocol.passwords import prepare
from watchword.protocol.wire import encode_message
from watchword.server.core import open_core

FIRST, SECOND, WRONG = (
    "canary-first-tremolo-basalt",
    "canary-second-quixotic-ferry",
    "canary-wrong-umbrella-glass",
)
USERNAME = "nobodys-secret"
PERSONAL = re.compile(rf"{USERNAME}|byhand|canary|acc_|dev_|(?<!gues)ses_|127\.0\.0\.1")
"""Names, ids and addresses: no secrets, and nothing for whoever looks at metrics and traces."""


def use_the_command_line(server: RunningServer, home: Path, canaries: Canaries) -> list[Finished]:
    """Every command, those that fail too; what they are given and what they show once are canaries."""
    shell, ran = Shell.at(server, home), []
    canaries.add("password", FIRST, SECOND, WRONG)

    def run(*arguments: str, stdin: str | None = None) -> Finished:
        extra = [] if stdin is None else ["--password-stdin"]
        ran.append(shell.run(*arguments, *extra, stdin=stdin or ""))
        return ran[-1]

    invited = run("invite", "--level", "2", "--json").json
    canaries.add("invitation", invited["invitation"])
    made = run("register", USERNAME, "--email", "canary@example.org", "--json", stdin=f"{FIRST}\n")
    canaries.add("recovery key", made.json["recovery_key"])
    read_vault(server, home, FIRST, canaries)
    run("register", USERNAME, "--json", stdin=f"{WRONG}\n")
    run("login", USERNAME, stdin=f"{WRONG}\n")
    run("login", USERNAME, stdin=f"{FIRST}\n")
    read_vault(server, home, FIRST, canaries)
    for command in ("whoami", "sessions"):
        run(command, "--json", stdin=f"{FIRST}\n")
        run(command, stdin=f"{WRONG}\n")
    token = run("token", "--for", "https://app.example", "--json", stdin=f"{FIRST}\n")
    canaries.add("access token", *re.findall(r"ey[\w-]+\.[\w-]+\.[\w-]+", token.out))
    run("token", "--for", "nonsense", stdin=f"{FIRST}\n")
    run("passwd", stdin=f"{WRONG}\n{SECOND}\n")
    run("passwd", stdin=f"{FIRST}\n{SECOND}\n")
    read_vault(server, home, SECOND, canaries)
    run("logout", stdin=f"{SECOND}\n")
    for operators in (
        ("accounts", "list"),
        ("accounts", "show", USERNAME),
        ("accounts", "show", "nobody"),
        ("accounts", "set-level", USERNAME, "3"),
        ("accounts", "suspend", USERNAME),
        ("accounts", "resume", USERNAME),
        ("invites",),
        ("keys", "status"),
        ("keys", "rotate", "signing"),
        ("keys", "rotate", "nonsense"),
        ("audit", "verify"),
        ("audit", "tail", "-n", "100"),
        ("check-config",),
    ):
        run(*operators, "--json")
    return ran


def read_vault(server: RunningServer, home: Path, password: str, canaries: Canaries) -> None:
    vault = VaultFile(home, SystemEntropy()).open(prepare(password))
    for name in ("SIGNING_KEY", "MESSAGE_SIGNING_KEY", "SEALING_KEY", "CLIENT_KEY"):
        canaries.add_text(name.lower(), vault.get(f"WATCHWORD_{name}"))
    for name in ("SIGN_IN_TOKEN", "ACCESS_TOKEN"):
        canaries.add(name.lower().replace("_", " "), vault.get(f"WATCHWORD_{name}"))


def use_the_protocol(server: RunningServer, canaries: Canaries) -> None:
    """The same by hand, to see what the client seals and what only passes through it."""
    entropy, password = SystemEntropy(), prepare("violet kangaroo plays chess")
    recovery = RecoveryKey.generate(entropy)
    canaries.add("recovery key", recovery.secret().reveal())
    with closing(Line(server)) as line:
        to = line.recipient()
        new = NewAccount(username="byhand", password=password)
        made = line.run(account.register(new, recovery, to=to, entropy=entropy))
        person = Person(username="byhand", temporary=made.temporary_token)
        canaries.add("temporary token", made.temporary_token)
        person.enrolled = line.run(enrol(person, to))
        for grant in (person.enrolled.grant, line.run(log_in(person, 0, to)).answer.grant):
            assert grant is not None
            canaries.add("tokens", *secret_texts(grant))
        canaries.add("device key", person.keys.signing.seed().reveal(), person.keys.sealing.seed().reveal())
        token = Secret.from_text(person.enrolled.grant.access_token)
        line.try_run(api.who_am_i(token))
        line.send("GET", f"/api/me?token={token.reveal().decode()}", token=token)
        line.send("POST", "/api/login", token.reveal(), token)
        use_a_cookie(server, line, person, canaries)


def use_a_cookie(server: RunningServer, line: Line, person: Person, canaries: Canaries) -> None:
    """Enrol the same device again, as a browser, and send its cookie where one is read and where none is."""
    assert person.temporary is not None
    keys = person.keys
    payload = EnrolPayload(
        credential=person.temporary,
        device_name="a browser",
        keys=keys.public(),
        reply_key=encode_b64u(SystemEntropy().bytes(32)),
        browser=True,
    )
    envelope = seal_envelope(encode_message(payload), line.recipient(), Purpose.ENROL)
    proof = prove_device(keys.signing, envelope.digest)
    body = msgspec.json.encode(SealedRequest(envelope=envelope.text, signature=proof))
    status, _, headers = line.send("POST", "/api/devices", body)
    assert status == 201
    cookie = headers["set-cookie"].partition(";")[0]
    canaries.add_text("cookie", cookie.partition("wbs_")[2])
    for path in ("/nowhere", "/api/me", "/api/nowhere"):
        head = f"GET {path} HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\nCookie: {cookie}"
        send_raw(server, f"{head}\r\n\r\n".encode())
        send_raw(server, f"{head}; {cookie}\r\nCookie: x\r\n\r\n".encode())


def server_keys(data: Path, canaries: Canaries) -> None:
    """The keys that the server itself made, read from its data as only it can."""

    async def read() -> None:
        config = make_config(data, origin="https://localhost")
        entropy = SystemEntropy()
        async with open_core(config, origin=None, clock=SystemClock(), entropy=entropy) as core:
            for purpose in DataKeyPurpose:
                for version in core.keys.data.versions(purpose):
                    canaries.add("data key", core.keys.data.get(purpose, version).reveal())
            canaries.add("signing key", core.keys.signing_key.to_private_bytes().reveal()[-64:])
            for each in core.keys._live.sealing.values():
                canaries.add("server's sealing key", each.key.seed().reveal())

    asyncio.run(read())
    root = (data / "root.key").read_text().strip()
    canaries.add_text("root key", root)


@dataclass(frozen=True, kw_only=True)
class Used:
    """All that a server and its commands left behind."""

    canaries: Canaries
    ran: list[Finished]
    watch: ProcessWatch
    files: list[tuple[Path, bytes]]
    logs: bytes
    home: bytes
    metrics: str
    traces: Collector


def use_everything(place: Path) -> Used:
    canaries = Canaries()
    data, home = place / "data", place / "home"
    with pytest.MonkeyPatch.context() as patch, ProcessWatch() as watch, collecting() as collector:
        record_payloads(patch, canaries)
        told = {"log.level": "debug", "traces.endpoint": collector.endpoint, "traces.ratio": "1"}
        with RunningServer.start(data, settings=told) as server:
            ran = use_the_command_line(server, home, canaries)
            use_the_protocol(server, canaries)
            metrics = Shell.at(server, home).run("metrics").out
            files = read_all(data)
            assert server.stop() == 0
    server_keys(data, canaries)
    return Used(
        canaries=canaries,
        ran=ran,
        watch=watch,
        files=files + read_all(data),
        logs=server.log_text().encode() + server.output().encode(),
        home=b"".join(content for _, content in read_all(home)),
        metrics=metrics,
        traces=collector,
    )


def read_all(place: Path) -> list[tuple[Path, bytes]]:
    return [(path, path.read_bytes()) for path in place.rglob("*") if path.is_file()]


def the_search_finds_what_is_there(used: Used) -> None:
    """Or it would prove nothing: enough kinds of secrets, in each form, and each place is really searched."""
    assert len(used.canaries.found) >= 15
    for secrets in used.canaries.found.values():
        for secret in secrets:
            assert all(used.canaries.hits(b"x" + form + b"y") for form in forms(secret))
    everything = b"".join(content for path, content in used.files if path.suffix == ".db")
    assert USERNAME.encode() in everything
    assert b"http.request" in used.logs
    assert sum(b"watchword" in name for name in used.watch.names) > 10
    assert sum(done.code == 0 for done in used.ran) >= 15
    assert sum(done.code != 0 for done in used.ran) >= 6


def no_secret_is_in_the_servers_log(used: Used) -> None:
    assert used.canaries.hits(used.logs) == []


def no_secret_is_in_a_file_of_the_server(used: Used) -> None:
    for path, content in used.files:
        allowed = ("root key",) if path.name == "root.key" else ()
        assert used.canaries.hits(content, but=allowed) == [], path.name


def nobody_is_in_the_metrics(used: Used) -> None:
    assert used.canaries.hits(used.metrics.encode()) == []
    assert 'watchword_logins_total{outcome="session",reason=""} ' in used.metrics
    assert not PERSONAL.search(used.metrics)


def nobody_is_in_the_traces(used: Used) -> None:
    sent = b"".join(used.traces.bodies)
    assert used.canaries.hits(sent) == []
    assert not PERSONAL.search(sent.decode("latin-1"))
    spans = used.traces.spans()
    names = {span.name for span in spans}
    assert {"POST /api/login", "POST /api/tokens", "open", "verify", "commit", "sign"} <= names
    known = {span.span_id: span for span in spans}
    for span in spans:
        if span.parent_id:
            assert known[span.parent_id].trace_id == span.trace_id
        else:
            assert span.attributes["watchword.request_id"].encode() in used.logs
            assert span.trace_id.encode() in used.logs


def no_secret_is_in_an_argument_or_an_environment(used: Used) -> None:
    assert used.canaries.hits(used.watch.text) == []


def no_secret_is_in_the_vaults_file(used: Used) -> None:
    assert used.canaries.hits(used.home) == []


def commands_show_a_secret_only_where_it_is_what_was_asked_for(used: Used) -> None:
    asked_for = {"recovery_key": "recovery key", "invitation": "invitation", "access_token": "access token"}
    for done in used.ran:
        assert used.canaries.hits(done.err.encode()) == []
        shown = tuple(name for key, name in asked_for.items() if f'"{key}"' in done.out)
        assert used.canaries.hits(done.out.encode(), but=shown) == []


@pytest.mark.slow
def test_fault_N1_what_is_secret_is_written_down_nowhere(tmp_path: Path) -> None:
    used = use_everything(tmp_path)
    for check in (
        the_search_finds_what_is_there,
        no_secret_is_in_the_servers_log,
        no_secret_is_in_a_file_of_the_server,
        nobody_is_in_the_metrics,
        nobody_is_in_the_traces,
        no_secret_is_in_an_argument_or_an_environment,
        no_secret_is_in_the_vaults_file,
        commands_show_a_secret_only_where_it_is_what_was_asked_for,
    ):
        check(used)


def test_fault_N1_objects_do_not_print_their_secrets(tmp_path: Path) -> None:
    """Everything of ours that a server keeps between requests."""
    canaries = Canaries()

    async def run() -> list[str]:
        async with open_world(tmp_path / "data") as world:
            person = await world.register("anna", FIRST)
            await world.log_in("anna", FIRST, prover=person.prover)
            browser = await sign_in(world, "browser")
            opened = await open_browser(world, browser)
            canaries.add_text("cookie", opened.cookie.partition("wbs_")[2])
            await world.call("GET", "/nowhere", headers=opened.headers)
            canaries.add("password", FIRST)
            canaries.add("tokens", *secret_texts(person.enrolled.grant))
            keys = world.core.keys
            canaries.add_text("root key", (tmp_path / "data" / "root.key").read_text().strip())
            canaries.add("signing key", keys.signing_key.to_private_bytes().reveal()[-64:])
            for purpose in DataKeyPurpose:
                canaries.add("data key", keys.data.current(purpose).key.reveal())
            del person, browser, opened
            world.seen.clear()
            return printed()

    for text in asyncio.run(run()):
        assert canaries.hits(text.encode()) == [], text[:60]


def printed() -> list[str]:
    gc.collect()
    found = []
    for each in gc.get_objects():
        kind = type(each)
        if str(kind.__module__).startswith("watchword.") and not isinstance(each, type):
            found.append(f"{kind.__qualname__} {each!r} {each}")
    assert len(found) > 100
    return found


TELLING = re.compile(
    r"pass(word|wd|phrase)|secret|token|key|seed|recovery|credential|invit|code", re.IGNORECASE
)


def test_fault_N6_no_command_takes_a_secret_as_an_argument() -> None:
    found, walked = set(), list[str]()

    def walk(command: Any, path: str) -> None:
        for parameter in command.params:
            for name in parameter.opts:
                takes_text = not getattr(parameter, "is_flag", False) and parameter.type.name != "path"
                if TELLING.search(name) and takes_text:
                    found.add((path, name))
        for name, each in getattr(command, "commands", {}).items():
            walked.append(name)
            walk(each, f"{path} {name}".strip())

    walk(typer.main.get_command(make_app()), "")
    assert found == set()
    assert {"register", "serve", "invite", "rotate"} <= set(walked)


def test_fault_N6_a_password_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path) -> None:
    shell = Shell(environ={"WATCHWORD_HOME": str(tmp_path), "WATCHWORD_SERVER": "https://localhost:1"})
    for arguments in (
        ("login", "anna", f"--password={WRONG}"),
        ("login", "anna", "--password", WRONG),
        ("serve", f"--root-key={WRONG}"),
    ):
        done = shell.run(*arguments)
        assert done.code == 2
        assert WRONG not in done.out + done.err


def test_fault_N6_the_root_key_leaves_the_environment(tmp_path: Path) -> None:
    """Also what the kernel shows of the process, and so what children and debuggers of the same user could read."""
    raw = os.urandom(32)
    key = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    data = tmp_path / "data"
    with RunningServer.start(data, environ={"WATCHWORD_ROOT_KEY": key}) as server:
        shown = Path(f"/proc/{server.pid}/environ").read_bytes()
        assert b"WATCHWORD_DATA=" in shown
        assert key.encode() not in shown
        assert not (data / "root.key").exists()
        assert server.stop() == 0
    assert key not in server.log_text() + server.output()
    for path, content in read_all(data):
        assert not any(form in content for form in forms(raw)), path
    done = serve(data, environ={"WATCHWORD_ROOT_KEY": key[:-4] + "!!!!"})
    assert done.code == 2
    assert key[:-4] not in done.err


NASTY = 'a\r\nb\u2028c\x1b[31md\x00e{"level":"error"}\u202e'


def test_fault_N2_nothing_that_is_sent_breaks_a_line_of_the_log(tmp_path: Path) -> None:
    with RunningServer.start(tmp_path / "data", settings={"log.level": "debug"}) as server:
        with closing(Line(server)) as line:
            person = nasty_person(line)
            send_raw(
                server, b"GET /api/me HTTP/1.1\r\nHost: %s\r\nUser-Agent: a\x1b[31mb\xe2\x80\xa8c\xff\r\n\r\n"
            )
            send_raw(
                server, b"GET /api/me HTTP/1.1\r\nHost: %s\r\nUser-Agent: " + b"u" * 30_000 + b"\r\n\r\n"
            )
            send_raw(server, b"GET /\x1b[31m\xe2\x80\xa8 HTTP/1.1\r\nHost: %s\r\n\r\n")
            token = Secret.from_text(person.grant.access_token)
            named = line.run(api.who_am_i(token)).device_name
        tail = Shell(environ={"WATCHWORD_DATA": str(server.data)}).run("audit", "tail", "-n", "50")
        assert server.stop() == 0
    assert named.isprintable()
    for text in server.log_text().split("\n")[:-1]:
        assert isinstance(json.loads(text), dict)
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 8192
    assert tail.code == 0
    assert all(each.isprintable() for each in tail.out.split("\n"))


def nasty_person(line: Line) -> EnrolAnswer:
    """Names as nasty as the server takes them: it refuses the worst, and cleans a device's."""
    entropy, to, password = SystemEntropy(), line.recipient(), prepare(FIRST)

    def register(name: str, shown: str | None) -> Any:
        new = NewAccount(username=name, password=password, display_name=shown)
        flow = account.register(new, RecoveryKey.generate(entropy), to=to, entropy=entropy)
        return line.try_run(flow)

    for name, shown in ((NASTY, None), ("anna", NASTY), ("x" * 100_000, None), ("anna", "x" * 1_000_000)):
        assert register(name, shown)[1] is not None
    made, error = register("anna", 'Anna {} "quoted"')
    assert made is not None, error
    flow = account.enrol(made.temporary_token, NASTY, DeviceKeys.generate(entropy), to=to, entropy=entropy)
    return line.run(flow)


def send_raw(server: RunningServer, request: bytes) -> None:
    """One request as no client library would write it; whatever is answered."""
    context = ssl.create_default_context(cadata=server.ca.read_text())
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(request.replace(b"%s", server.origin.removeprefix("https://").encode()))
        assert connection.recv(4096).startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    "path",
    ["/debug", "/docs", "/redoc", "/.git/config", "/metrics", "/openapi.json", "/server-status", "/.env", "/root.key"],
)  # fmt: skip
def test_fault_N4_nothing_is_served_that_was_not_asked_to_be(server: RunningServer, path: str) -> None:
    with closing(Line(server)) as line:
        status, body, headers = line.send("GET", path)
    assert status == 404
    assert decode_json(body)["code"] == "not_found"
    assert "server" not in headers
    assert b"uvicorn" not in body.lower()
    assert not any("python" in value.lower() or "uvicorn" in value.lower() for value in headers.values())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer.start(tmp_path_factory.mktemp("server") / "data") as running:
        yield running
