"""What of listen, TLS and proxies is refused before anything listens: by key, with a remedy, all at once."""

import os
import shutil
from pathlib import Path

import pytest
from tests.kits.other_ca import EC, OtherCA

from watchword.core.clock import DAY, SystemClock
from watchword.errors import InvalidConfigError, MalformedError
from watchword.server.config import InvalidSettingsError, find_warnings, load, load_config, parse
from watchword.server.config.tls_files import read_tls_files

ORIGIN = "https://id.example.org"


def problems(tmp_path: Path, **variables: str) -> str:
    environ = {f"WATCHWORD_{name}": value for name, value in variables.items()}
    try:
        load(environ=environ, flags={"data": str(tmp_path / "data")}, serving_at=SystemClock().now())
    except InvalidSettingsError as error:
        return error.detail
    return ""


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"TLS_MODE": "off", "LISTEN": "0.0.0.0:80", "ORIGIN": ORIGIN}, "tls.mode (WATCHWORD_TLS_MODE): is “off”"),
        ({"TLS_MODE": "off"}, "origin: must be given"),
        ({"TLS_MODE": "off", "LISTEN": "unix:/run/w.sock"}, "origin: must be given"),
        ({"LISTEN": "unix:/run/w.sock", "ORIGIN": ORIGIN}, "tls.mode = “off”"),
        ({"TLS_MODE": "files", "ORIGIN": ORIGIN}, "tls.certificate: must be given"),
        ({"TLS_MODE": "files", "ORIGIN": ORIGIN}, "tls.key: must be given"),
        ({"TLS_KEY": "/k.pem"}, "means nothing while tls.mode is “own”"),
        ({"SOCKET_MODE": "600"}, "socket.mode (WATCHWORD_SOCKET_MODE): means nothing"),
        ({"PROXIES": "unix"}, "is not a Unix socket"),
        ({"PROXIES": "10.0.0.1", "TLS_MODE": "off", "LISTEN": "unix:/run/w.sock", "ORIGIN": ORIGIN}, "write “unix”"),
        ({"PROXY_HEADER": "X-Real-IP"}, "believed from nobody"),
        ({"PROXY_PROTOCOL": "proxy-v2"}, "name those who may speak it"),
        (
            {"PROXY_PROTOCOL": "proxy-v2", "PROXIES": "10.0.0.1", "PROXY_HEADER": "Forwarded"},
            "proxy_header (WATCHWORD_PROXY_HEADER): means nothing while proxy_protocol is “proxy-v2”",
        ),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_together_are_refused_by_name(tmp_path, variables, said):
    assert said in problems(tmp_path, **variables)


@pytest.mark.parametrize(
    "value",
    [
        "", "*", "all", "any", "0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/7", "10.0.0.1/8", "localhost",
        "proxy.example.org", "10.0.0.0/33", "::ffff:0:0/96", "::ffff:0:0/97", "10.0.0.1%eth0",
        "10.0.0.1,,10.0.0.2", "unix:/run/x",
    ],
)  # fmt: skip
def test_fault_N5_a_list_of_proxies_that_trusts_everybody_or_nobody_known_is_refused(value):
    with pytest.raises(MalformedError):
        parse.parse_proxies(value)


def test_proxies_are_addresses_networks_and_unix():
    assert parse.parse_proxies("10.0.0.1, 192.168.0.0/16,unix, 2001:DB8::0/32") == (
        "10.0.0.1", "192.168.0.0/16", "unix", "2001:db8::/32",
    )  # fmt: skip
    assert parse.parse_proxies([]) == ()
    assert parse.parse_proxies("::ffff:10.0.0.0/104") == ("10.0.0.0/8",)


def test_who_is_never_banned_is_named_as_callers_are_known():
    assert parse.parse_allowed("::ffff:192.0.2.7, 192.0.2.7/32, 2001:DB8::/32") == (
        "192.0.2.7",
        "2001:db8::/32",
    )
    assert parse.parse_allowed("") == ()


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::/0", "::ffff:0:0/96", "ada", "10.0.0.1/8", "::1%lo"])
def test_to_name_everybody_or_nobody_as_never_banned_is_refused(value):
    with pytest.raises(MalformedError):
        parse.parse_allowed(value)


@pytest.mark.parametrize(
    "text", ["unix:", "unix:relative.sock", "unix:/", "unix:/run/" + "x" * 120, "unix:/run/.."]
)
def test_a_socket_that_cannot_be_is_refused(text):
    with pytest.raises(MalformedError, match=r"whole path|107"):
        parse.parse_listen(text)


@pytest.mark.parametrize("value", ["666", "777", "0660", "66", "abc", "668", True, ["660"]])
def test_fault_N5_a_socket_is_never_open_to_others(value):
    with pytest.raises(MalformedError):
        parse.parse_mode(value)


def test_the_mode_of_a_socket_is_shown_as_it_is_written():
    assert (parse.parse_mode("060"), str(parse.parse_mode("060")), str(parse.parse_mode(660))) == (
        0o060,
        "060",
        "660",
    )


@pytest.mark.parametrize("value", ["", "X Real", "x:y", "-x", "X-" + "a" * 80])
def test_only_the_name_of_a_header_is_taken(value):
    with pytest.raises(MalformedError):
        parse.parse_header(value)


@pytest.mark.parametrize("query", ["password=", "password=changeme", "host=/run&password=PostGres"])
def test_fault_N5_a_default_secret_in_the_query_is_refused_too(query):
    with pytest.raises(MalformedError, match="everybody knows"):
        parse.parse_database(f"postgresql:///d?{query}")


# The certificate in files.


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> OtherCA:
    return OtherCA.make(tmp_path_factory.mktemp("ca"))


def with_files(tmp_path: Path, certificate: Path, key: Path, **more: str) -> str:
    files = {"TLS_MODE": "files", "TLS_CERTIFICATE": str(certificate), "TLS_KEY": str(key)}
    return problems(tmp_path, **{**files, "ORIGIN": ORIGIN, **more})


@pytest.mark.parametrize(
    "hosts", ["DNS:id.example.org", "DNS:*.example.org", "DNS:a.example,DNS:ID.example.org"]
)
def test_a_certificate_that_names_the_host_is_taken(tmp_path, ca, hosts):
    signed = ca.sign(f"good{len(hosts)}", hosts)
    assert with_files(tmp_path, signed.chain, signed.key) == ""


def test_an_address_is_a_name_too(tmp_path, ca):
    signed = ca.sign("address", "IP:192.0.2.7")
    assert with_files(tmp_path, signed.chain, signed.key, ORIGIN="https://192.0.2.7") == ""
    assert "but callers use 192.0.2.8" in with_files(
        tmp_path, signed.chain, signed.key, ORIGIN="https://192.0.2.8"
    )


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (("DNS:other.example.org", EC, "-days 30"), "names other.example.org, but callers use id"),
        (("DNS:*.id.example.org", EC, "-days 30"), "but callers use id.example.org"),
        (("", EC, "-days 30"), "names nothing"),  # the common name is none
        (("DNS:id.example.org", "RSA -pkeyopt rsa_keygen_bits:1024", "-days 30"), "RSA key of 1024 bits"),
        (("DNS:id.example.org", "ED448", "-days 30"), "kind that TLS"),
        (("DNS:id.example.org", EC, "-days 30 -sha1"), "broken hash"),
        (("DNS:id.example.org", EC, "-days -1"), "ended on"),
    ],
)
def test_a_certificate_that_callers_cannot_use_is_refused(tmp_path, ca, made, said):
    hosts, kind, more = made
    signed = ca.sign(f"bad{abs(hash(made))}", hosts, more=more, kind=kind)
    found = with_files(tmp_path, signed.chain, signed.key)
    assert said in found, found
    assert str(signed.chain) in found or str(signed.key) in found


def test_a_chain_out_of_order_is_refused(tmp_path, ca):
    signed, turned = ca.sign("ordered", "DNS:id.example.org"), tmp_path / "turned.pem"
    leaf, intermediate = (ca.folder / f"{name}.pem" for name in ("ordered", "intermediate"))
    turned.write_bytes(intermediate.read_bytes() + leaf.read_bytes())
    assert "the server's own must come first" in with_files(tmp_path, turned, signed.key)
    turned.write_bytes(leaf.read_bytes() + ca.root.read_bytes())
    assert "certificate 2 did not sign certificate 1" in with_files(tmp_path, turned, signed.key)


def test_everything_that_is_wrong_with_the_files_is_told_at_once(tmp_path, ca):
    signed, other = ca.sign("one", "DNS:other.example.org"), ca.sign("two")
    found = with_files(tmp_path, signed.chain, other.key, SHUTDOWN_GRACE_S="x")
    assert "shutdown_grace_s" in found
    assert "but callers use" in found
    assert "does not belong to the certificate" in found


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o644, 0o666])
def test_fault_N5_a_key_that_others_can_use_is_refused(tmp_path, ca, mode):
    signed, key = ca.sign("open", "DNS:id.example.org"), tmp_path / "key.pem"
    shutil.copy(signed.key, key)
    key.chmod(mode)
    assert f"chmod 600 {key}" in with_files(tmp_path, signed.chain, key)
    key.chmod(0o640)
    assert with_files(tmp_path, signed.chain, key) == ""


def test_an_encrypted_key_needs_its_password_in_a_file(tmp_path, ca):
    signed = ca.sign("encrypted", "DNS:id.example.org")
    key, password = ca.encrypt(signed.key, "hunter22"), tmp_path / "password"
    assert "tls.key_password_file" in with_files(tmp_path, signed.chain, key)
    password.write_text("hunter22\nand more\n")
    password.chmod(0o600)
    given = {"TLS_KEY_PASSWORD_FILE": str(password)}
    assert with_files(tmp_path, signed.chain, key, **given) == ""
    assert "is not encrypted" in with_files(tmp_path, signed.chain, signed.key, **given)
    password.write_text("hunter23\n")
    refused = with_files(tmp_path, signed.chain, key, **given)
    assert "does not open it" in refused
    assert "hunter" not in refused
    password.write_text("\n")
    assert "no password on its first line" in with_files(tmp_path, signed.chain, key, **given)


@pytest.mark.parametrize(
    "content", [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_a_certificate_is_refused_without_repeating_it(tmp_path, ca, content):
    signed, chain = ca.sign("without", "DNS:id.example.org"), tmp_path / "chain.pem"
    chain.write_bytes(content)
    assert "holds no certificates" in with_files(tmp_path, chain, signed.key)
    chain.chmod(0o600)
    assert "holds no private key" in with_files(tmp_path, signed.chain, chain)


def test_a_file_that_is_none_holds_nobody_up(tmp_path, ca):
    signed = ca.sign("none", "DNS:id.example.org")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert "is not a file" in with_files(tmp_path, pipe, signed.key)
    assert "Is a directory" in with_files(tmp_path, tmp_path, signed.key)
    assert "cannot be read" in with_files(tmp_path, tmp_path / "absent", signed.key)


def test_an_end_that_comes_soon_and_a_name_that_is_missing_are_warned_of(tmp_path, ca):
    signed = ca.sign("soon", "DNS:id.example.org", more="-days 13")
    environ = {
        "WATCHWORD_ORIGIN": ORIGIN,
        "WATCHWORD_TLS_MODE": "files",
        "WATCHWORD_HOSTS": "b.example.org:8443",
    }
    environ |= {"WATCHWORD_TLS_CERTIFICATE": str(signed.chain), "WATCHWORD_TLS_KEY": str(signed.key)}
    now = SystemClock().now()
    config = load_config(environ=dict(environ), flags={"data": str(tmp_path / "data")})
    said = "\n".join(find_warnings(config, environ, now=now))
    assert "ends in 12 days" in said
    assert "does not name b.example.org" in said
    with pytest.raises(InvalidConfigError, match="ended on"):
        read_tls_files(config, now=type(now)(now + 14 * DAY))
    with pytest.raises(InvalidConfigError, match="is not valid before"):
        read_tls_files(config, now=type(now)(now - 14 * DAY))
