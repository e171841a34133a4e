"""What each kind of value may be; what is refused says what to write instead."""

from pathlib import Path

import pytest

from watchword.errors import MalformedError
from watchword.server.config import parse
from watchword.server.config.model import DatabaseURL, Listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8443", "127.0.0.1", 8443),
        ("0.0.0.0:0", "0.0.0.0", 0),  # noqa: S104  # an address to parse
        ("[::1]:65535", "::1", 65535),
        ("[0:0::1]:1", "::1", 1),
        ("localhost:443", "localhost", 443),
    ],
)
def test_an_address_to_listen_on_is_an_ip_address_or_localhost_and_a_port(text, host, port):
    found = parse.parse_listen(text)
    assert found == Listen(host, port)
    assert parse.parse_listen(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "", "8443", ":8443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:8443x",
        "127.0.0.1:٣", "::1:8443", "[127.0.0.1]:1", "[::1]", "id.example.org:443", "*:443", "127.1:443",
        "127.0.0.1 :1", "[fe80::1%eth0]:1", "127.0.0.1:1\n", 8443, True, ["127.0.0.1:1"], {"host": 1}, 1.5,
    ],
)  # fmt: skip
def test_any_other_address_to_listen_on_is_refused(text):
    with pytest.raises(MalformedError):
        parse.parse_listen(text)


@pytest.mark.parametrize(("host", "loopback"), [("127.9.9.9", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("::", "10.0.0.1", "192.0.2.1")])  # fmt: skip
def test_only_loopback_is_loopback(host, loopback):
    assert Listen(host, 1).is_loopback is loopback


@pytest.mark.parametrize(
    "text",
    [
        "https://id.example.org",
        "https://localhost:8443",
        "https://[::1]:8443",
        "https://192.0.2.1",
        "https://xn--bcher-kva.example",
    ],
)
def test_an_origin_stays_as_browsers_write_it(text):
    assert parse.parse_origin(text) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("http://id.example.org", "plain http"),
        ("HTTP://id.example.org", "plain http"),
        ("HTTPS://id.example.org", "lower case"),
        ("id.example.org", "https://host"),
        ("https://ID.example.org", "write id.example.org"),
        ("https://id.example.org/", "“/” at the end"),
        ("https://id.example.org/path", "without user, path"),
        ("https://user@id.example.org", "without user"),
        ("https://id.example.org?x", "without user, path"),
        ("https://id.example.org:443", "leave “:443” away"),
        ("https://id.example.org:0", "1 to 65535"),
        ("https://id.example.org:0444", "1 to 65535"),
        ("https://id.example.org:99999", "0 to 65535"),
        ("https://bücher.example", "xn--"),
        ("https://-a.example", "host name"),
        ("https://a..example", "host name"),
        ("https://id.example.org.", "host name"),
        ("https://1.2.3", "IP address"),
        ("https://[0::1]", "write [::1]"),
        ("https://[::g]", "without user"),
        ("https://[1]", "IP address"),
        ("https://", "a host"),
        ("", "empty"),
        (7, "a number"),
    ],
)
def test_fault_N5_an_origin_that_is_not_canonical_https_is_refused(text, hint):
    with pytest.raises(MalformedError) as refused:
        parse.parse_origin(text)
    assert hint in refused.value.detail


@pytest.mark.parametrize(
    "text",
    ["mysql://h/d", "sqlite:///x", "postgresql", "", "postgresql://h:port/d", 5, "postgresql://[::1/d"],
)
def test_another_database_is_refused_without_repeating_the_text(text):
    with pytest.raises(MalformedError) as refused:
        parse.parse_database(text)
    assert str(text) not in refused.value.detail or text in {"postgresql", "", 5}


@pytest.mark.parametrize("password", ["", "password", "PostGres", "changeme", "%70assword", "secret"])
def test_fault_N5_a_default_secret_is_refused(password):
    with pytest.raises(MalformedError, match="everybody knows"):
        parse.parse_database(f"postgresql://u:{password}@h/d")


@pytest.mark.parametrize("password", ["${PASSWORD}", "$(cat x)", "<your password>", "{{ secret }}"])
def test_fault_N5_an_unset_secret_is_refused(password):
    with pytest.raises(MalformedError, match="placeholder"):
        parse.parse_database(f"postgresql://u:{password}@h/d")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:hunter22@h:5432/d", "postgresql://u:…@h:5432/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql:///d?password=hunter22&host=/run", "postgresql:///d?…"),
        ("postgresql://u:a%40hunter22@h/d", "postgresql://u:…@h/d"),
    ],
)
def test_the_password_of_a_database_is_never_shown(text, shown):
    found = parse.parse_database(text)
    assert str(found) == shown
    assert "hunter22" not in f"{found!r} {found}"
    assert found.reveal() == text
    assert found.holds_secret is ("hunter22" in text)
    assert isinstance(found, DatabaseURL)


def test_numbers_are_whole_and_in_their_range():
    read = parse.parse_whole(1, 10)
    assert (read(1), read("10")) == (1, 10)
    for bad in (0, 11, "0", "-1", "1.0", "x", "", True, 1.0, [1], "٣"):
        with pytest.raises(MalformedError):
            read(bad)


def test_hosts_are_a_list_in_a_file_and_separated_by_commas_in_a_variable():
    assert parse.parse_hosts("a.example, b.example:1") == ("a.example", "b.example:1")
    assert parse.parse_hosts(["a.example"]) == ("a.example",)
    assert parse.parse_hosts([]) == ()
    for bad in ("", "a,,b", [""], [1], 1, "*", "https://a.example", ["A.example"]):
        with pytest.raises(MalformedError):
            parse.parse_hosts(bad)


def test_a_path_is_text_that_prints():
    assert parse.parse_path("/srv/w") == Path("/srv/w")
    for bad in ("", "  ", "a\x00b", "a\x1b[2J", 7, "x" * 5000):
        with pytest.raises(MalformedError):
            parse.parse_path(bad)


@pytest.mark.parametrize("good", ["http://127.0.0.1:4318/v1/traces", "https://traces.example.org/v1/traces"])
def test_a_collector_is_a_plain_url(good: str) -> None:
    assert parse.parse_collector(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        "",
        7,
        "127.0.0.1:4318",
        "ftp://h/",
        "http://",
        "http://h:99999/",
        "http://u:p@h/",
        "http://h/?key=1",
        "http://h/#x",
    ],
)
def test_a_collector_of_another_form_is_refused_and_not_repeated(bad: object) -> None:
    with pytest.raises(MalformedError) as refused:
        parse.parse_collector(bad)
    assert "u:p" not in refused.value.detail


@pytest.mark.parametrize(("given", "ratio"), [(0, 0.0), (1, 1.0), (0.25, 0.25), ("0.01", 0.01), ("1", 1.0)])
def test_a_ratio_is_a_number_from_0_to_1(given: object, ratio: float) -> None:
    assert parse.parse_ratio(given) == ratio


@pytest.mark.parametrize(
    "bad", [-0.1, 1.01, "1.5", "nan", "1e-3", "", True, None, float("nan"), float("inf")]
)
def test_what_is_no_ratio_is_refused(bad: object) -> None:
    with pytest.raises(MalformedError, match="from 0 to 1"):
        parse.parse_ratio(bad)


@pytest.mark.parametrize("bad", ["unix:/run/metrics.sock", "9464", "example.org:9464"])
def test_metrics_listen_on_an_address_of_the_network(bad: str) -> None:
    with pytest.raises(MalformedError):
        parse.parse_host_port(bad)


def test_the_list_of_who_is_never_banned_is_bounded():
    places = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(10_001)]
    assert len(parse.parse_allowed(places[1:])) == 10_000
    with pytest.raises(MalformedError, match="10,000 at most"):
        parse.parse_allowed(places)
