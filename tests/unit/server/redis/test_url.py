"""Whether the way to Redis is safe, as its URL says."""

import pytest

from watchword.server.redis.url import has_unknown_options, weakness


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://127.0.0.1:6379/3",
        "redis://[::1]/0",
        "unix:///run/redis/redis.sock?db=2",
        "rediss://redis.example.org:6380/0?ssl_ca_certs=/etc/redis/ca.pem",
        "rediss://redis.example.org?ssl_cert_reqs=required&ssl_check_hostname=true",
    ],
)
def test_a_way_that_nobody_shares_or_that_is_checked_has_no_weakness(url):
    assert weakness(url) == ""


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("redis://redis.example.org", "rediss://"),
        ("redis://192.0.2.7/0", "rediss://"),
        ("redis://:secret@redis/0", "rediss://"),
        ("rediss://redis.example.org?ssl_cert_reqs=none", "ssl_cert_reqs"),
        ("rediss://redis.example.org?ssl_cert_reqs=optional", "ssl_cert_reqs"),
        ("rediss://redis.example.org?ssl_cert_reqs=", "ssl_cert_reqs"),
        ("rediss://redis.example.org?ssl_check_hostname=False", "ssl_check_hostname"),
    ],
)
def test_a_way_on_which_somebody_can_stand_is_told_without_its_secret(url, named):
    assert named in weakness(url)
    assert "secret" not in weakness(url)


def test_options_that_would_change_how_we_ask_mean_nothing_here():
    assert not has_unknown_options("rediss://localhost/0?password=x&db=1&ssl_ca_certs=ca.pem")
    for name in ("max_connections", "retry_on_timeout", "socket_timeout", "protocol", "x"):
        assert has_unknown_options(f"redis://localhost/0?db=1&{name}=1")
    assert has_unknown_options("redis://localhost/0?protocol")
