"""Which limit a request counts against, and what it takes."""

import dataclasses

import pytest
from tests.unit.server.door.test_offences import LOGIN, READ, handler, request_for

from watchword.core.ids import DeviceId
from watchword.server.door.classes import class_of
from watchword.server.door.demands import Demands, too_many
from watchword.server.http.endpoint import Request, Route
from watchword.server.limits.model import LIMIT_CLASSES, Exceeded, Rate

ME = Route("GET", "/api/me", handler, auth=True)
POST = Route("POST", "/api/note", handler)
PROBE = Route("GET", "/health/live", handler, limit="free")
DEMANDS = Demands({name: Rate(10, 60_000) for name in LIMIT_CLASSES}, 64)


def at(address: str, device: DeviceId | None = None) -> Request:
    request = request_for("/")
    context = dataclasses.replace(request.context, address=address, proven_device=device)
    return dataclasses.replace(request, context=context)


@pytest.mark.parametrize(
    ("route", "known", "name"),
    [
        (READ, False, "read"),
        (READ, True, "account"),
        (POST, False, "other"),
        (ME, False, "other"),
        (ME, True, "account"),
        (None, False, "other"),
        (None, True, "account"),
        (LOGIN, False, "sign_in"),
        (LOGIN, True, "sign_in"),
        (PROBE, False, "free"),
    ],
)
def test_the_class_of_a_request(route: Route | None, known: bool, name: str):
    assert class_of(route, known=known) == name


def keys(request: Request, route: Route | None, account: str = "", *, exempt: bool = False) -> list[str]:
    return [bucket.key for bucket in DEMANDS.of(request, route, account, exempt=exempt).buckets]


def test_a_source_is_an_address_or_a_64_and_a_48_has_more_together():
    assert keys(at("192.0.2.7"), READ) == ["read|192.0.2.7"]
    assert keys(at("2001:db8:1:2::7"), READ) == ["read|2001:db8:1:2::/64", "read|2001:db8:1::/48"]
    demand = DEMANDS.of(at("2001:db8:1:2::7"), READ, "", exempt=False)
    assert [bucket.rate.burst for bucket in demand.buckets] == [10, 80]
    demand = DEMANDS.of(at("2001:db8:1:2::7"), LOGIN, "", exempt=False)
    assert [bucket.rate.burst for bucket in demand.buckets] == [10, 40]
    demand = DEMANDS.of(at("2001:db8:1:2::7"), None, "", exempt=False)
    assert [(bucket.key, bucket.rate.burst) for bucket in demand.buckets] == [
        ("other|2001:db8:1:2::/64", 10),
        ("other|2001:db8:1::/48", 40),
    ]


def test_an_account_counts_for_itself_and_holds_its_own_places():
    demand = DEMANDS.of(at("192.0.2.7"), ME, "acc_1", exempt=False)
    assert [bucket.key for bucket in demand.buckets] == ["account|acc_1"]
    assert demand.slots == ("concurrent|acc_1", 64)
    assert DEMANDS.of(at("192.0.2.7"), READ, "", exempt=False).slots == ("concurrent|192.0.2.7", 64)


def test_who_is_exempt_takes_nothing_for_its_source():
    assert keys(at("127.0.0.1"), READ, exempt=True) == []
    demand = DEMANDS.of(at("127.0.0.1"), ME, "acc_1", exempt=True)
    assert ([bucket.key for bucket in demand.buckets], demand.slots) == (["account|acc_1"], None)


def test_a_proven_device_has_a_bucket_of_its_own():
    device = DeviceId(bytes(16))
    assert keys(at("2001:db8:1:2::7", device), LOGIN) == [f"sign_in|{device}"]
    demand = DEMANDS.of(at("2001:db8:1:2::7", device), LOGIN, "", exempt=False)
    assert demand.slots == (f"concurrent|{device}", 64)


def test_what_may_be_refused_before_it_is_known_who_asks():
    closable = [DEMANDS.closable(at("192.0.2.7"), route) for route in (READ, LOGIN, None, ME, PROBE)]
    assert [each and each.key for each in closable] == [
        "read|192.0.2.7",
        "sign_in|192.0.2.7",
        "other|192.0.2.7",
        None,
        None,
    ]


def test_a_refusal_says_when_to_come_back_in_whole_seconds_that_are_enough():
    held = too_many(Exceeded("read", Rate(300, 60_000), 1_001))
    assert (held.retry_after, held.reason) == (2, "rate_read")
    assert held.quota is not None
    assert (held.quota.name, held.quota.limit, held.quota.window_s) == ("read", 300, 60)
    crowded = too_many(Exceeded("concurrent", None, 1_000))
    assert (crowded.retry_after, crowded.reason, crowded.quota) == (1, "concurrent", None)
