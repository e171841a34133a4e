"""Where a PostgreSQL URL leads, and that a far one says how TLS is checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.errors import InvalidConfigError
from watchword.server.db.open import open_database
from watchword.server.db.postgres_url import check_transport, far_hosts, ssl_mode

NEAR = [
    "postgresql:///watchword",
    "postgresql://localhost/watchword",
    "postgresql://user@localhost:5433/watchword",
    "postgresql://user@127.0.0.2/watchword",
    "postgresql://user@[::1]:5432/watchword",
    "postgresql://user@/watchword?host=/run/postgresql",
    "postgresql://user@%2Frun%2Fpostgresql/watchword",
    "postgres://user@127.0.0.1,localhost/watchword",
]
FAR = {
    "postgresql://user:secret@db.example.org/watchword": ["db.example.org"],
    "postgresql://db.example.org:5433/watchword": ["db.example.org"],
    "postgresql://user@192.0.2.1/watchword": ["192.0.2.1"],
    "postgresql://user@[2001:db8::1]:5432/watchword": ["2001:db8::1"],
    "postgresql://user@localhost,db.example.org:5433/watchword": ["db.example.org"],
    "postgresql://user@/watchword?host=db.example.org": ["db.example.org"],
    "postgresql://user@/watchword?host=/run/postgresql,db.example.org": ["db.example.org"],
    "postgresql://user@/watchword?host=/run&host=db.example.org": ["db.example.org"],
    "postgresql://user@db.example.org/watchword?host=/run/postgresql": ["db.example.org"],
    "postgresql://user@/watchword?service=main": ["a service file"],
    "postgresql://user:p@localhost@db.example.org/watchword": ["localhost@db.example.org"],
    "postgresql://user@localhost%3A1/watchword": ["localhost:1"],
    "postgresql://user@:5432/watchword": [""],
}


@pytest.mark.parametrize("url", NEAR)
def test_a_database_on_this_machine_needs_no_tls(url: str):
    assert list(far_hosts(url, {})) == []
    check_transport(url, {})


@pytest.mark.parametrize("url", FAR)
def test_a_database_far_away_needs_an_explicit_sslmode(url: str):
    assert list(far_hosts(url, {})) == FAR[url]
    with pytest.raises(InvalidConfigError, match=r"database: .*sslmode=verify-full") as refused:
        check_transport(url, {})
    assert "secret" not in str(refused.value)
    said = url + ("&" if "?" in url else "?") + "sslmode=require"
    check_transport(said, {})
    assert ssl_mode(said) == "require"


def test_hosts_of_the_environment_count_where_the_url_names_none():
    for variable in ("PGHOST", "PGSERVICE"):
        with pytest.raises(InvalidConfigError):
            check_transport("postgresql:///watchword", {variable: "db.example.org"})
        check_transport("postgresql://localhost/watchword", {variable: "db.example.org"})
    check_transport("postgresql:///watchword", {"PGHOST": "/run/postgresql"})


@pytest.mark.anyio
async def test_no_connection_is_tried_without_it():
    with pytest.raises(InvalidConfigError, match="sslmode"):
        await open_database(
            "postgresql://user@192.0.2.1/watchword", clock=SystemClock(), entropy=SystemEntropy()
        )


HOSTS = st.sampled_from(["", "localhost", "127.0.0.1", "db.example.org", "%2Frun", "[::1]", "a:1"])
QUERIES = st.sampled_from(["", "?host=/run", "?host=db.example.org", "?host=localhost,192.0.2.7", "?user=x"])


@given(
    st.lists(HOSTS, min_size=1, max_size=3).filter(lambda hosts: hosts == [""] or "" not in hosts), QUERIES
)
def test_it_reads_a_url_as_the_driver_does(hosts: list[str], query: str):
    utils = pytest.importorskip("asyncpg.connect_utils")
    url = f"postgresql://user@{','.join(hosts)}/watchword{query}"
    addresses, _parameters = utils._parse_connect_dsn_and_args(
        dsn=url, host=None, port=None, user=None, password=None, passfile=None, database=None, ssl=None,
        service=None, servicefile=None, direct_tls=None, server_settings=None, target_session_attrs=None,
        krbsrvname=None, gsslib=None,
    )  # fmt: skip
    tried = [address[0] for address in addresses if not isinstance(address, str)]
    assert list(far_hosts(url, {})) == [
        each for each in tried if each not in {"localhost", "127.0.0.1", "::1"}
    ]
