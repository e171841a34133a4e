"""The session of both clients over a real server: signing in, renewing, ending, and staying whole when cut off."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kits.clients import KINDS, make, note_sleeps, opened

from watchword.client import AsyncClient, Client, ClientSettings, Retries, Timeouts
from watchword.client.opening import find_server
from watchword.client.password_source import PasswordSource, read_password
from watchword.client.trust import TrustedServer
from watchword.client.vault import VaultFile
from watchword.core.clock import MINUTE
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.errors import (
    ConflictError,
    InvalidConfigError,
    MalformedError,
    NotTrustedError,
    RefusedError,
    SignInNeededError,
    UnreachableError,
    WrongPasswordError,
)
from watchword.protocol.keydocument import format_fingerprint
from watchword.testing.server import PASSWORD, RunningServer, TestAccount, running_server

NEW = "seven purple lanterns at dusk"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as made:
        yield made


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def ada(server: RunningServer) -> TestAccount:
    return server.register("ada")


def settings(server: RunningServer, **more: Any) -> ClientSettings:
    return ClientSettings(clock=server.clock, **more)


class Asking:
    """A password source that counts how often it is asked, and by which thread."""

    def __init__(self, password: str = PASSWORD) -> None:
        self.password = password
        self.threads: list[threading.Thread] = []

    def __call__(self) -> str:
        self.threads.append(threading.current_thread())
        return self.password


# The same methods


def public(kind: type) -> dict[str, Any]:
    return {name: found for name, found in inspect.getmembers(kind) if not name.startswith("_")}


def test_both_clients_have_the_same_methods_with_the_same_parameters():
    blocking, asynchronous = public(Client), public(AsyncClient)
    assert blocking.keys() == asynchronous.keys()
    for name, method in blocking.items():
        if not callable(method):
            continue
        signature = str(inspect.signature(method))
        assert str(inspect.signature(asynchronous[name])) == signature, name
        assert inspect.iscoroutinefunction(asynchronous[name]) == (name != "open"), name
    assert str(inspect.signature(Client)) == str(inspect.signature(AsyncClient))


# Signing in


def test_the_first_opening_enrols_this_device_and_the_second_uses_it(
    server: RunningServer, ada: TestAccount, kind: str, tmp_path: Path
):
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    first = {
        "home": tmp_path / "home",
        "password": file,
        "server": server.url,
        "ca_file": server.ca_file,
        "username": "ada",
    }
    with opened(kind, **first, settings=settings(server, device_name="robot")) as client:
        me = client.who_am_i()
    assert (me.account.id, me.device_name) == (ada.id, "robot")
    with opened(kind, home=tmp_path / "home", password=Secret.from_text(PASSWORD)) as client:
        assert client.who_am_i().device == me.device
    with pytest.raises(WrongPasswordError), opened(kind, home=tmp_path / "home", password=lambda: NEW):
        pass


def test_opening_says_what_is_missing(server: RunningServer, ada: TestAccount, kind: str, tmp_path: Path):
    with opened(kind, home=tmp_path, password=lambda: PASSWORD) as client:
        with pytest.raises(SignInNeededError, match="register or log in first"):
            client.who_am_i()
        with pytest.raises(InvalidConfigError, match="which server"):
            client.key_document()
    for missing, words in (
        ({"server": server.url}, "how to trust"),
        ({"server": "http://localhost", "ca_file": server.ca_file}, "https"),
    ):
        with pytest.raises(InvalidConfigError, match=words):
            find_server(tmp_path, **missing)
    with pytest.raises(InvalidConfigError, match="is of ada"):
        find_server(ada.home, server="https://other.example", ca_file=None, fingerprint=None)


def test_what_contradicts_the_vault_is_refused_and_not_passed_over(
    server: RunningServer, ada: TestAccount, kind: str, tmp_path: Path
):
    fingerprint = format_fingerprint(server.trusted.pin)
    found = find_server(ada.home, server=server.url, ca_file=server.ca_file, fingerprint=fingerprint)
    assert found == server.trusted
    with running_server() as other:
        for contradiction in (
            {"ca_file": other.ca_file},
            {"fingerprint": format_fingerprint(other.trusted.pin)},
            {"ca_file": server.ca_file, "fingerprint": format_fingerprint(other.trusted.pin)},
        ):
            client = opened(kind, home=ada.home, password=ada.password, **contradiction)
            with pytest.raises(NotTrustedError, match="has pinned"), client as using:
                using.key_document()
        for roots in ("system", other.ca_file):
            with pytest.raises(InvalidConfigError, match="tls_ca"):
                find_server(ada.home, tls_ca=roots)
        with opened(
            kind,
            home=tmp_path,
            password=ada.password,
            username="ada",
            server=server.url,
            ca_file=server.ca_file,
            tls_ca=other.ca_file,
        ):
            pass
        kept = find_server(tmp_path, tls_ca=str(other.ca_file), ca_file=server.ca_file)
        assert kept == find_server(tmp_path)
        with pytest.raises(InvalidConfigError, match="tls_ca"):
            find_server(tmp_path, tls_ca="system")
    with pytest.raises(InvalidConfigError, match="not a fingerprint"):
        find_server(ada.home, fingerprint="nonsense")


def test_a_refused_login_carries_the_request_id(server: RunningServer, kind: str, tmp_path: Path):
    with make(kind, server.trusted, tmp_path) as client:
        with pytest.raises(RefusedError) as refused:
            client.log_in("nobody", Secret.from_text(NEW))
        assert (refused.value.request_id or "").startswith("req_")
        with pytest.raises(SignInNeededError, match="whose account"):
            client.log_in(password=Secret.from_text(NEW))


@pytest.mark.parametrize(
    "source", [Secret.from_text(PASSWORD), lambda: PASSWORD, lambda: Secret.from_text(PASSWORD)]
)
def test_a_password_comes_from_a_secret_or_a_function(source: PasswordSource):
    assert read_password(source) == Secret.from_text(PASSWORD)


def test_a_password_file_gives_its_first_line(tmp_path: Path):
    file = tmp_path / "password"
    with pytest.raises(InvalidConfigError, match="cannot read"):
        read_password(file)
    for content, good in ((b"word one\r\nword two\n", b"word one"), (b"word", b"word")):
        file.write_bytes(content)
        assert read_password(file).reveal() == good
    for content in (b"", b"\n", b"x" * 5000):
        file.write_bytes(content)
        with pytest.raises(InvalidConfigError, match="no password"):
            read_password(file)
    with pytest.raises(MalformedError):
        read_password(Secret(b"\xff"))


def test_another_accounts_login_does_not_overwrite_a_vault_unless_told_to(server: RunningServer, kind: str):
    mine = server.register(f"mine-{kind}")
    other = server.register(f"other-{kind}")
    before = mine.client.file.path.read_bytes()
    with make(kind, server.trusted, mine.home, password=mine.password) as client:
        client.open_vault()
        with pytest.raises(RefusedError):  # the server: this device is not theirs
            client.log_in(other.username, other.password)
        with pytest.raises(RefusedError):
            client.log_in(other.username, Secret.from_text(NEW), new_device=True)
        assert mine.client.file.path.read_bytes() == before
        assert client.who_am_i().account.id == mine.id
        client.log_in(other.username, other.password, new_device=True)
        assert client.who_am_i().account.id == other.id


# Renewing


def test_an_access_token_that_ends_is_renewed_by_the_password_source(
    server: RunningServer, ada: TestAccount, kind: str
):
    asking = Asking()
    with make(kind, server.trusted, ada.home, password=asking, settings=settings(server)) as client:
        before = client.who_am_i().session
        asked = len(asking.threads)
        client.who_am_i()
        assert len(asking.threads) == asked
        server.clock.advance(11 * MINUTE)
        assert client.who_am_i().session != before
        assert len(asking.threads) == asked + 1


def test_without_a_source_the_error_says_what_to_do(server: RunningServer, ada: TestAccount, kind: str):
    with make(kind, server.trusted, ada.home, settings=settings(server)) as client:
        with pytest.raises(SignInNeededError, match="give it `password`"):
            client.who_am_i()
        client.log_in("ada", ada.password)
        assert client.who_am_i().account.username == "ada"
        server.clock.advance(11 * MINUTE)
        with pytest.raises(SignInNeededError, match="give it `password`"):
            client.token("https://app.example")


def test_a_session_ended_elsewhere_is_told_and_not_begun_again_unasked(server: RunningServer, kind: str):
    account = server.register(f"ended-{kind}")
    options = {"password": account.password, "settings": settings(server)}
    with make(kind, server.trusted, account.home, **options) as client:
        session = client.who_am_i().session
        server.run(lambda services: services.operator.suspend(account.username, _operator()))
        with pytest.raises(SignInNeededError, match="has ended") as ended:
            client.token("https://app.example")
        assert (ended.value.request_id or "").startswith("req_")
        server.run(lambda services: services.operator.resume(account.username, _operator()))
        with pytest.raises(SignInNeededError, match="nobody is signed in"):
            client.who_am_i()
        client.log_in()
        assert client.who_am_i().session != session


def test_a_refused_renewal_is_not_tried_again(server: RunningServer, kind: str):
    account, asking = server.register(f"changed-{kind}"), Asking()
    with make(kind, server.trusted, account.home, password=asking, settings=settings(server)) as client:
        client.who_am_i()
        asking.password = NEW
        server.clock.advance(11 * MINUTE)
        with pytest.raises(RefusedError):
            client.who_am_i()
        asked = len(asking.threads)
        with pytest.raises(SignInNeededError):
            client.who_am_i()
        assert len(asking.threads) == asked


def test_a_changed_password_is_the_one_for_renewals_and_for_the_vault(server: RunningServer, kind: str):
    account = server.register(f"careful-{kind}")
    options = {"password": account.password, "settings": settings(server)}
    with make(kind, server.trusted, account.home, **options) as client:
        client.change_password(NEW)
        server.clock.advance(11 * MINUTE)
        assert client.who_am_i().account.username == account.username
    with make(kind, server.trusted, account.home, password=lambda: NEW, settings=settings(server)) as client:
        assert len(client.list_sessions().sessions) == 1
        client.log_out()
        with pytest.raises(SignInNeededError):
            client.who_am_i()


# Two processes with one vault


def test_a_password_change_is_not_undone_by_another_process_with_the_vault(server: RunningServer, kind: str):
    account = server.register(f"undone-{kind}")
    changing, asking = account.client, Asking()
    options = {"settings": settings(server)}
    with (
        make(kind, server.trusted, account.home, password=account.password, **options) as old,
        make(kind, server.trusted, account.home, password=asking, **options) as knowing,
        make(kind, server.trusted, account.home, **options) as without,
    ):
        for client in (old, knowing):
            client.who_am_i()
        without.open_vault(lambda: PASSWORD)
        without._session._source = None  # as where the password was given to `open_vault` of long ago
        changing.change_password(NEW)
        session, asking.password = changing.who_am_i().session, NEW
        before = account.home.joinpath("vault").read_bytes()
        with pytest.raises(WrongPasswordError):
            old.who_am_i()
        with pytest.raises(ConflictError, match="another process"):
            without.who_am_i()
        with pytest.raises(SignInNeededError, match="give it `password`"):
            without.who_am_i()
        assert knowing.who_am_i().session == session
        assert account.home.joinpath("vault").read_bytes() == before
    file = VaultFile(account.home, SystemEntropy())
    with pytest.raises(WrongPasswordError):
        file.open(account.password)
    assert file.open(Secret.from_text(NEW)).get("WATCHWORD_SESSION") == session


def test_another_process_has_renewed_the_session_and_its_session_is_used(server: RunningServer, kind: str):
    account = server.register(f"shared-{kind}")
    options = {"password": account.password, "settings": settings(server)}
    with (
        make(kind, server.trusted, account.home, **options) as one,
        make(kind, server.trusted, account.home, **options) as two,
    ):
        assert one.who_am_i().session == two.who_am_i().session
        server.clock.advance(11 * MINUTE)
        session = one.who_am_i().session
        assert two.who_am_i().session == session  # renewed no second time
        two.log_in()
        newer = two.who_am_i().session
        assert newer != session
        assert one.token("https://app.example").access_token  # refused at first: its session has ended
        assert one.who_am_i().session == newer


def test_a_session_that_ended_is_dropped_from_a_vault_that_another_process_has_saved(
    server: RunningServer, kind: str
):
    account = server.register(f"saved-{kind}")
    options = {"password": account.password, "settings": settings(server)}
    with make(kind, server.trusted, account.home, **options) as client:
        client.who_am_i()
        file = VaultFile(account.home, SystemEntropy())
        file.save(file.open(account.password))
        server.suspend(account.username)
        with pytest.raises(SignInNeededError, match="has ended"):
            client.who_am_i()
        assert "WATCHWORD_SESSION" not in file.open(account.password).entries


# No answer


def test_a_server_that_has_gone_is_told_and_asked_again_only_where_that_is_harmless(
    kind: str, tmp_path: Path
):
    with running_server() as gone:
        account = gone.register("ada")
        home = tmp_path / "home"
        account.home.rename(home)
        trusted = gone.trusted
    with make(kind, trusted, home, password=account.password) as client:
        slept = note_sleeps(client)
        with pytest.raises(UnreachableError, match="nothing listens there"):
            client.who_am_i()
        assert len(slept) == Retries().attempts - 1
        slept.clear()
        with pytest.raises(UnreachableError):
            client.token("https://app.example")
        assert slept == []


def test_another_servers_root_is_not_trusted(
    server: RunningServer, ada: TestAccount, kind: str, tmp_path: Path
):
    with running_server() as other:
        wrong = TrustedServer(server=server.url, root_pem=other.trusted.root_pem)
        with make(kind, wrong, tmp_path) as client:
            slept = note_sleeps(client)
            with pytest.raises(NotTrustedError, match=r"pinned for it.*ca\.pem"):
                client.log_in("ada", ada.password)
            assert slept == []


# Several


def in_threads(*works: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # told below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_clients_of_several_servers_and_accounts_in_threads_do_not_mix(server: RunningServer):
    with running_server() as other:
        accounts = [server.register("one"), server.register("two"), other.register("one")]

        def use(account: TestAccount) -> Callable[[], None]:
            def work() -> None:
                for _ in range(5):
                    assert account.client.who_am_i().account.id == account.id
                    account.client.token("https://app.example")

            return work

        in_threads(*map(use, accounts))
        tokens = {account.client.token("https://app.example").access_token for account in accounts}
        assert len(tokens) == 3


# The asynchronous client alone


def test_many_tasks_share_one_renewal_and_no_stretch_holds_the_loop(server: RunningServer):
    account, asking = server.register("many"), Asking()

    async def run() -> None:
        client = AsyncClient(server.trusted, account.home, password=asking, settings=settings(server))
        async with client:
            await client.who_am_i()
            server.clock.advance(11 * MINUTE)
            asking.threads.clear()
            found = await asyncio.gather(*(client.who_am_i() for _ in range(20)))
            assert len({each.session for each in found}) == 1
            kept = await asyncio.gather(*(client.token("https://app.example") for _ in range(20)))
            assert len({each.access_token for each in kept}) == 1

    asyncio.run(run())
    assert len(asking.threads) == 1
    assert asking.threads[0] is not threading.main_thread()


@pytest.mark.parametrize("steps", [2, 20])
def test_a_cancelled_call_leaves_vault_and_session_whole(server: RunningServer, tmp_path: Path, steps: int):
    account = server.register(f"cut-{steps}")
    began = threading.Event()

    def progress(work: Callable[[], Secret]) -> Secret:
        began.set()
        return work()

    async def run() -> None:
        chosen = settings(server, progress=progress)
        client = AsyncClient(server.trusted, account.home, password=account.password, settings=chosen)
        async with client:
            server.clock.advance(11 * MINUTE)
            call = asyncio.create_task(client.who_am_i())
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert (await client.who_am_i()).account.id == account.id

    asyncio.run(run())
    assert began.is_set()
    with make("blocking", server.trusted, account.home, settings=settings(server)) as client:
        client.open_vault(account.password)
        assert client.who_am_i().account.id == account.id  # with the session that the cancelled call got


def test_leaving_the_block_waits_for_what_a_cancelled_call_has_begun(server: RunningServer):
    account = server.register("leaving")

    async def run() -> None:
        chosen = settings(server)
        client = AsyncClient(server.trusted, account.home, password=account.password, settings=chosen)
        async with client:
            call = asyncio.create_task(client.change_password(NEW))
            for _ in range(5):
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(run())
    with make("blocking", server.trusted, account.home, settings=settings(server)) as client:
        client.open_vault(Secret.from_text(NEW))
        assert client.who_am_i().account.id == account.id


def test_timeouts_are_positive():
    with pytest.raises(ValueError, match="positive"):
        Timeouts(read=0)


def test_waits_double_are_jittered_and_bounded():
    retries = Retries(attempts=9, first_wait=1, longest_wait=4)
    waits = [retries.wait_after(n, asked=0, entropy=SystemEntropy()) for n in range(1, 10)]
    assert waits[-1] is None
    for wait, longest in zip(waits, [1, 2, 4, 4, 4, 4, 4, 4], strict=False):
        assert wait is not None
        assert longest / 2 <= wait <= longest
    assert retries.wait_after(1, asked=3, entropy=SystemEntropy()) == 3
    assert retries.wait_after(1, asked=4.5, entropy=SystemEntropy()) is None


def _operator() -> Any:
    from watchword.server.operator.model import LocalOperator  # noqa: PLC0415  # one use

    return LocalOperator(uid=0)
