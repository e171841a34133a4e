"""Trust in a server, against a real one over TLS: by file, by fingerprint, on first use; and what breaks it."""

import dataclasses
import datetime as dt
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.kits.real_server import real_server

from watchword.client.client import Client
from watchword.client.effects import Flow
from watchword.client.flows.account import NewAccount
from watchword.client.line import Line
from watchword.client.settings import Retries, Timeouts
from watchword.client.steps import SessionFlow, Sleep
from watchword.client.transport import Transport
from watchword.client.trust import (
    TrustedServer,
    fetch_key_document,
    trust_by_file,
    trust_by_fingerprint,
    trust_on_first_use,
)
from watchword.core.clock import SystemClock
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.passwords import stretch
from watchword.errors import (
    InvalidConfigError,
    KeyUnknownError,
    NotTrustedError,
    UnreachableError,
    WrongPasswordError,
)
from watchword.protocol.keydocument import KeyDocument, PublishedSealingKey, format_fingerprint
from watchword.protocol.passwords import prepare
from watchword.testing import SeededEntropy

PASSWORD = prepare("violet kangaroo plays chess")


@dataclasses.dataclass(frozen=True)
class Running:
    url: str
    ca: Path
    trusted: TrustedServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("server") / "data"
    with real_server(data) as caller:
        url = f"https://localhost:{caller.port}"
        yield Running(url, data / "ca.pem", trust_by_file(url, data / "ca.pem"))


def other_root() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
    certificate = (
        builder.serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def test_the_three_ways_lead_to_the_same_root(server: Running) -> None:
    fingerprint = format_fingerprint(server.trusted.pin)
    shown: list[str] = []

    def confirm(text: str) -> bool:
        shown.append(text)
        return True

    assert trust_by_fingerprint(server.url, fingerprint).pin == server.trusted.pin
    assert trust_by_fingerprint(server.url, server.trusted.pin.hex()).pin == server.trusted.pin
    assert trust_on_first_use(server.url, confirm).pin == server.trusted.pin
    assert shown == [fingerprint]


def test_a_no_on_first_use_trusts_nobody(server: Running) -> None:
    with pytest.raises(NotTrustedError, match="nothing was sent"):
        trust_on_first_use(server.url, lambda _: False)


def test_another_fingerprint_is_not_trusted_and_the_real_one_is_shown(server: Running) -> None:
    with pytest.raises(NotTrustedError) as refused:
        trust_by_fingerprint(server.url, bytes(32).hex())
    assert format_fingerprint(server.trusted.pin) in refused.value.detail
    with pytest.raises(InvalidConfigError):
        trust_by_fingerprint(server.url, "SHA256:what")


@pytest.mark.parametrize("content", [None, b"", b"not a certificate", b"\xff" * 100])
def test_a_ca_file_that_is_none_says_so(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidConfigError, match=r"ca\.pem"):
        trust_by_file("https://localhost:1", path)


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"https://localhost:{free.getsockname()[1]}"
        with pytest.raises(UnreachableError):
            trust_on_first_use(url, lambda _: True)


@contextmanager
def speaks(answer: bytes) -> Iterator[str]:
    """A server that answers one request, over TLS under a certificate of nobody's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
    certificate = (
        builder.serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yield from _serve_once(answer, context, certificate, key)


def _serve_once(answer: bytes, context: ssl.SSLContext, certificate: Any, key: Any) -> Iterator[str]:
    with tempfile.NamedTemporaryFile() as file:  # the ssl module reads certificates from files alone
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        file.flush()
        context.load_cert_chain(file.name)
    listen = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        plain, _ = listen.accept()
        with plain, context.wrap_socket(plain, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(answer) + answer
            )

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield f"https://localhost:{listen.getsockname()[1]}"
    finally:
        thread.join(60)
        listen.close()


@pytest.mark.parametrize("answer", [b"", b"hello", b"a.b.c", b"\xff\xfe", b"A" * 70_000])
def test_what_is_no_watchword_server_is_not_trusted(answer: bytes) -> None:
    with speaks(answer) as url, pytest.raises(NotTrustedError):
        trust_on_first_use(url, lambda _: True)


def over(trusted: TrustedServer, flow: Flow[KeyDocument]) -> KeyDocument:
    """What `flow` gives over TLS to this server."""
    line = Line(
        trusted=trusted, retries=Retries(), entropy=SeededEntropy(), clock=SystemClock(), stretch=stretch
    )
    transport = Transport(timeouts=Timeouts(), clock=SystemClock())
    try:
        return transport.run(line.run(flow))
    finally:
        transport.close()


def test_tls_must_lead_to_the_pinned_root(server: Running) -> None:
    trusted = TrustedServer(server=server.url, root_pem=other_root())
    with pytest.raises(NotTrustedError, match="pinned"):
        over(trusted, fetch_key_document(trusted, clock=SystemClock(), at_least=1))


def test_a_key_document_under_another_root_or_older_than_the_last_is_refused(server: Running) -> None:
    mine = server.trusted
    document = over(mine, fetch_key_document(mine, clock=SystemClock(), at_least=1))
    with pytest.raises(NotTrustedError, match="older"):
        over(mine, fetch_key_document(mine, clock=SystemClock(), at_least=document.number + 1))
    other = TrustedServer(server=server.url, root_pem=other_root())
    with pytest.raises(NotTrustedError):
        over(mine, fetch_key_document(other, clock=SystemClock(), at_least=1))


def stale(document: KeyDocument) -> KeyDocument:
    """The same document with a sealing key that the server does not have (any more)."""
    gone = SealingPrivateKey.generate(Suite.HYBRID, SeededEntropy("gone")).public
    return dataclasses.replace(
        document, sealing=(PublishedSealingKey(kid="gone", key=gone, is_current=True),)
    )


@pytest.fixture(scope="module")
def home(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A device of Anna's."""
    folder = tmp_path_factory.mktemp("home")
    with Client(server.trusted, folder) as client:
        client.register(NewAccount(username="anna", password=PASSWORD), device_name="laptop")
    return folder


def test_a_key_that_is_gone_is_fetched_anew_once(server: Running, home: Path) -> None:
    with Client(server.trusted, home) as client:
        client.open_vault(PASSWORD)
        client._session._peer._document = stale(client.key_document())
        assert client.log_in("anna", PASSWORD, device_name="laptop").username == "anna"
        assert client._session._peer._document is not None
        assert client._session._peer._document.sealing[0].kid != "gone"


def test_a_key_that_stays_unknown_is_an_error(
    server: Running, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(server.trusted, home) as client:
        client.open_vault(PASSWORD)
        wrong = stale(client.key_document())
        fetched: list[int] = []

        def fetch() -> SessionFlow[KeyDocument]:
            fetched.append(1)
            yield Sleep(seconds=0)
            return wrong

        monkeypatch.setattr(client._session._peer, "keys", fetch)
        with pytest.raises(KeyUnknownError):
            client.log_in("anna", PASSWORD, device_name="laptop")
        assert len(fetched) == 2


def test_a_server_under_another_name_is_not_trusted_with_the_password(server: Running, home: Path) -> None:
    with Client(server.trusted, home) as client:
        vault = client.open_vault(PASSWORD)
        vault.owner = dataclasses.replace(vault.owner, issuer="https://id.example")
        with pytest.raises(NotTrustedError, match="calls itself"):
            client.log_in("anna", PASSWORD, device_name="laptop")


def test_an_older_key_document_than_the_vault_knows_is_refused(server: Running, home: Path) -> None:
    with Client(server.trusted, home) as client:
        client.open_vault(PASSWORD).put({"WATCHWORD_KEY_DOCUMENT_NUMBER": "1000000"})
        with pytest.raises(NotTrustedError, match="older"):
            client.log_in("anna", PASSWORD, device_name="laptop")


def test_the_vault_follows_a_new_password(server: Running, tmp_path: Path) -> None:
    text = "seven purple lanterns at dusk"
    new = prepare(text)
    with Client(server.trusted, tmp_path) as client:
        client.register(NewAccount(username="bert", password=PASSWORD), device_name="laptop")
        client.change_password(text, password=PASSWORD)
        assert client.who_am_i().account.username == "bert"
    with Client(server.trusted, tmp_path) as client:
        with pytest.raises(WrongPasswordError):
            client.open_vault(PASSWORD)
        assert client.open_vault(new).owner.password_version == 2
