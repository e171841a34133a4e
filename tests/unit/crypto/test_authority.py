import socket
import ssl
import subprocess
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from watchword.core.clock import DAY, HOUR, MINUTE, Instant
from watchword.crypto.authority import ROOT_LIFE, SERVER_LIFE, Authority, Issued
from watchword.errors import DamagedError, InvalidConfigError
from watchword.testing import SeededEntropy
from watchword.testing.counts import count

NOW = Instant(1_800_000_000_000)
YEAR_9999 = Instant(253_402_300_799_000)


@pytest.fixture(scope="module")
def authority():
    return Authority.create(NOW, SeededEntropy(1))


def _root_pem(authority: Authority) -> bytes:
    return authority.root.certificate.public_bytes(Encoding.PEM)


def test_openssl_verifies_the_server_certificate_for_its_names_and_no_other(authority, tmp_path):
    issued = authority.issue_server(["localhost", "127.0.0.1", "::1"], NOW)
    (tmp_path / "root.pem").write_bytes(_root_pem(authority))
    (tmp_path / "chain.pem").write_bytes(issued.chain_pem())

    def verify(*options: str) -> subprocess.CompletedProcess[str]:
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-attime", str(NOW // 1000)]
        files = [
            "-CAfile",
            tmp_path / "root.pem",
            "-untrusted",
            tmp_path / "chain.pem",
            tmp_path / "chain.pem",
        ]
        return subprocess.run([*command, *options, *files], capture_output=True, text=True)

    for options in (
        [],
        ["-verify_hostname", "localhost"],
        ["-verify_ip", "127.0.0.1"],
        ["-verify_ip", "::1"],
    ):
        found = verify(*options)
        assert found.returncode == 0, found.stderr
    assert verify("-verify_hostname", "example.org").returncode != 0
    assert verify("-verify_ip", "127.0.0.2").returncode != 0


def test_openssl_verifies_the_document_signer_under_the_root_alone(authority, tmp_path):
    signer = authority.issue_document_signer(NOW)
    (tmp_path / "root.pem").write_bytes(_root_pem(authority))
    (tmp_path / "signer.pem").write_bytes(signer.chain_pem())
    command = ["openssl", "verify", "-x509_strict", "-attime", str(NOW // 1000), "-CAfile"]
    found = subprocess.run([*command, tmp_path / "root.pem", tmp_path / "signer.pem"], capture_output=True)
    assert found.returncode == 0, found.stderr


def _served_once(issued: Issued, tmp_path: Path) -> tuple[socket.socket, threading.Thread]:
    """A real TLS server on a socket pair; gives the client's end."""
    (tmp_path / "chain.pem").write_bytes(issued.chain_pem())
    (tmp_path / "key.pem").write_bytes(issued.key_pem().reveal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with context.wrap_socket(ours, server_side=True) as connection:
                connection.sendall(b"hello")
        except (ssl.SSLError, OSError):
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return theirs, thread


def _client_context(pem: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _present() -> Instant:
    """Real TLS libraries ask the machine's clock."""
    return Instant(int(time.time()) * 1000)


@pytest.mark.parametrize(("host", "good"), [("localhost", True), ("127.0.0.1", True), ("example.org", False)])
def test_python_tls_trusts_the_server_by_its_names(tmp_path, host, good):
    authority = Authority.create(_present(), SeededEntropy(2))
    theirs, thread = _served_once(authority.issue_server(["localhost", "127.0.0.1"], _present()), tmp_path)
    context = _client_context(_root_pem(authority))
    try:
        if good:
            with context.wrap_socket(theirs, server_hostname=host) as connection:
                assert connection.recv(5) == b"hello"
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(theirs, server_hostname=host)
    finally:
        theirs.close()
        thread.join()


def test_python_tls_refuses_the_server_of_another_authority(tmp_path):
    ours, other = (Authority.create(_present(), SeededEntropy(seed)) for seed in (3, 4))
    theirs, thread = _served_once(other.issue_server(["localhost"], _present()), tmp_path)
    try:
        with pytest.raises(ssl.SSLCertVerificationError):
            _client_context(_root_pem(ours)).wrap_socket(theirs, server_hostname="localhost")
    finally:
        theirs.close()
        thread.join()


def test_certificates_say_what_they_may_do(authority):
    def constraints(issued: Issued) -> x509.Extension[x509.BasicConstraints]:
        return issued.certificate.extensions.get_extension_for_class(x509.BasicConstraints)

    server = authority.issue_server(["localhost"], NOW)
    assert [constraints(issued).value.ca for issued in (authority.root, authority.intermediate, server)] == [
        True,
        True,
        False,
    ]
    assert constraints(authority.root).value.path_length == 1
    assert constraints(authority.intermediate).value.path_length == 0
    assert all(constraints(issued).critical for issued in (authority.root, authority.intermediate, server))
    usage = server.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]
    with pytest.raises(x509.ExtensionNotFound):
        authority.issue_document_signer(NOW).certificate.extensions.get_extension_for_class(
            x509.ExtendedKeyUsage
        )


def test_a_server_certificate_lives_ninety_days_and_starts_a_minute_early(authority):
    issued = authority.issue_server(["localhost"], NOW)
    assert issued.starts_at == NOW - MINUTE
    assert issued.ends_at == NOW + SERVER_LIFE


def test_serial_numbers_are_positive_long_and_distinct(authority):
    serials = [
        authority.issue_server(["localhost"], NOW).certificate.serial_number for _ in range(count(20, 2000))
    ]
    assert len(set(serials)) == len(serials)
    assert all(serial.bit_length() == 159 for serial in serials)


@pytest.mark.parametrize(
    "jump", [-HOUR, HOUR, -DAY, DAY, 3650 * DAY, -3650 * DAY, -NOW, 2_147_483_647_000 - NOW, YEAR_9999 - NOW]
)
def test_fault_M15_no_certificate_ends_before_it_starts_whatever_the_clock_says(authority, jump):
    at = Instant(NOW + jump)
    for issue in (
        partial(authority.issue_server, ["localhost"], at),
        partial(authority.issue_document_signer, at),
    ):
        try:
            issued = issue()
        except InvalidConfigError as error:
            assert "ended at" in error.detail  # noqa: PT017  # either is right: issue a sound one, or say why not
            assert at > authority.intermediate.ends_at
        else:
            assert issued.starts_at < issued.ends_at
            assert issued.ends_at <= authority.root.ends_at
            assert issued.starts_at >= authority.root.starts_at


@pytest.mark.parametrize("at", [0, 1, 999, YEAR_9999 - 1, YEAR_9999, YEAR_9999 + 1, 1 << 62])
def test_fault_M15_an_authority_is_sound_at_the_ends_of_time(at):
    authority = Authority.create(Instant(at), SeededEntropy(5))
    server = authority.issue_server(["localhost"], Instant(at))
    for issued in (authority.root, authority.intermediate, server):
        assert 0 <= issued.starts_at < issued.ends_at <= YEAR_9999


def test_no_leaf_outlives_its_issuer(authority):
    late = Instant(authority.intermediate.ends_at - DAY)
    assert authority.issue_server(["localhost"], late).ends_at == authority.intermediate.ends_at


def test_fault_H16_an_expired_authority_says_so(authority):
    with pytest.raises(InvalidConfigError, match="the certificate authority ended at"):
        authority.check_time(Instant(NOW + ROOT_LIFE))
    authority.check_time(Instant(NOW + ROOT_LIFE - DAY))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "*.example.org",
        "a b",
        "example.org.",
        "-a.org",
        "a-.org",
        "A.org",
        "ex\0ample.org",
        "bücher.de",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "https://example.org",
        "example.org:443",
        "127.0.0.1/8",
        "[::1]",
    ],
)
def test_names_that_are_no_host_are_refused(authority, name):
    with pytest.raises(InvalidConfigError):
        authority.issue_server([name], NOW)


def test_a_certificate_without_names_is_refused(authority):
    with pytest.raises(InvalidConfigError):
        authority.issue_server([], NOW)


def test_what_was_stored_loads_again_and_a_foreign_key_does_not(authority):
    issued = authority.issue_server(["localhost", "::1"], NOW)
    again = Issued.from_der(issued.chain_der(), issued.key)
    assert again.names() == ("::1", "localhost")
    assert again.chain == issued.chain
    with pytest.raises(DamagedError):
        Issued.from_der(issued.chain_der(), authority.root.key)
    with pytest.raises(DamagedError):
        Issued.from_der([b"\x30\x00"], issued.key)
    with pytest.raises(DamagedError):
        Issued.from_der([], issued.key)


def test_renewal_is_due_from_two_thirds_of_life_and_when_the_clock_is_before_the_start(authority):
    issued = authority.issue_server(["localhost"], NOW)
    life = issued.ends_at - issued.starts_at
    assert not issued.needs_renewal(NOW)
    assert not issued.needs_renewal(Instant(issued.starts_at + life * 2 // 3 - 1))
    assert issued.needs_renewal(Instant(issued.starts_at + life * 2 // 3))
    assert issued.needs_renewal(Instant(issued.starts_at - 1))


def test_no_repr_shows_a_private_key(authority):
    issued = authority.issue_server(["localhost"], NOW)
    assert issued.key.reveal().hex() not in repr(issued)
    assert repr(issued.key.reveal())[2:-1] not in repr(issued)
    assert "PRIVATE" not in repr(issued.key_pem())
