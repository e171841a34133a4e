"""The link over TLS: a Redis that cannot prove its name is not believed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kits.ports import kept_port
from tests.kits.redis_links import linked

from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.crypto.authority import Authority
from watchword.server.redis.script import Script
from watchword.testing.redis import create

pytestmark = pytest.mark.anyio


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port of a Redis with a certificate for `localhost`, and the CA of that."""
    now, entropy = SystemClock().now(), SystemEntropy()
    authority = Authority.create(now, entropy)
    issued = authority.issue_server(["localhost"], now)
    for name, content in (
        ("ca.pem", authority.root.chain_pem()),
        ("other.pem", Authority.create(now, entropy).root.chain_pem()),
        ("chain.pem", issued.chain_pem()),
        ("key.pem", issued.key_pem().reveal()),
    ):
        (tmp_path / name).write_bytes(content)
    server = create()
    with kept_port() as port:
        server.options += [
            "--bind", "127.0.0.1", "--tls-port", str(port), "--tls-auth-clients", "no", "--tls-cert-file",
            str(tmp_path / "chain.pem"), "--tls-key-file", str(tmp_path / "key.pem"), "--tls-ca-cert-file",
            str(tmp_path / "ca.pem"),
        ]  # fmt: skip
        try:
            server.start()
            yield port, tmp_path
        finally:
            server.remove()


@pytest.mark.parametrize(
    ("host", "ca", "up"),
    [("localhost", "ca.pem", True), ("localhost", "other.pem", False), ("127.0.0.1", "ca.pem", False)],
)
async def test_only_the_named_redis_of_the_ca_is_believed(served, host, ca, up, caplog):
    port, folder = served
    async with linked(f"rediss://{host}:{port}/0?ssl_ca_certs={folder / ca}") as link:
        assert link.up is up
        told = [record.watchword_fields for record in caplog.records if record.levelname == "WARNING"]
        assert told == ([] if up else [{"why": "certificate"}])
        if up:
            assert await link.run(Script("return {ARGV[1]}"), [], ["x"]) == [b"x"]
