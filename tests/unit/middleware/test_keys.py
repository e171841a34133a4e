"""The key cache against a real server on loopback that counts what it is asked."""

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from tests.kits.tokens import KEY, WELL_KNOWN, KeyServer, key_set, make_authority

from watchword.core.encoding import decode_json, encode_json
from watchword.crypto.signing import TokenSigningKey
from watchword.errors import (
    InvalidConfigError,
    MalformedError,
    NotTrustedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from watchword.middleware import fetch, waiting
from watchword.middleware.fetch import (
    MAX_SIZE,
    TIMEOUT_SECONDS,
    Fetched,
    Source,
    _hang_up,
    check_origin,
    key_pin,
)
from watchword.middleware.keys import (
    DEFAULT_AGE,
    GRACE,
    MAX_AGE,
    MAX_KEYS,
    MAX_STALE,
    MIN_AGE,
    UNKNOWN_FLOOR,
    KeyCache,
    parse_keys,
)
from watchword.protocol.tokens import Step, TokenError
from watchword.testing import FixedClock
from watchword.testing.counts import count

SHIPPED_WAIT = waiting.WAIT
OTHER = TokenSigningKey.generate()
pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(key_set(KEY)) as running:
        yield running


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


def cache_of(server: KeyServer, clock: FixedClock) -> KeyCache:
    return KeyCache(Source(issuer=server.origin), clock=clock, on_failure=lambda _reason: None)


async def landed(cache: KeyCache) -> None:
    """Wait until the fetch that runs beside us is over."""
    while cache._flight is not None:
        await asyncio.sleep(0.005)


async def unknown(cache: KeyCache, kid: str) -> None:
    with pytest.raises(TokenError) as caught:
        await cache.find(kid)
    assert caught.value.step is Step.KEY


async def test_a_hundred_first_requests_fetch_once(server, clock):
    server.delay = 0.05
    cache = cache_of(server, clock)
    found = await asyncio.gather(*(cache.find(KEY.kid) for _ in range(100)))
    assert len({id(key) for key in found}) == 1
    assert server.requests == [WELL_KNOWN]
    assert cache.current(KEY.kid) is found[0]


async def test_keys_are_kept_for_their_max_age_then_renewed_beside_the_requests(server, clock):
    cache = cache_of(server, clock)
    first = await cache.find(KEY.kid)
    clock.advance(299_999)
    assert cache.current(KEY.kid) is first
    clock.advance(1)
    assert cache.current(KEY.kid) is None
    server.gate.clear()
    assert await cache.find(KEY.kid) is first  # and waits for nothing: no answer has come
    assert cache._flight is not None
    server.gate.set()
    await landed(cache)
    assert len(server.requests) == 2
    assert cache.current(KEY.kid) is first  # an unchanged key stays the same object


async def test_after_a_long_idle_time_a_removed_key_is_refused_at_once(server, clock):
    cache = cache_of(server, clock)
    await cache.find(KEY.kid)
    server.body = key_set(OTHER)
    clock.advance((300 + GRACE) * 1000)
    await unknown(cache, KEY.kid)
    assert (await cache.find(OTHER.kid)).kid == OTHER.kid


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ("max-age=600", 600), ("public, max-age=600, must-revalidate", 600),
        ("Max-Age=600", 600), ("max-age=0", MIN_AGE),
        ("max-age=1", MIN_AGE), ("max-age=999999999", MAX_AGE), ("", DEFAULT_AGE), ("s-max-age=600", DEFAULT_AGE),
        ("max-age=-5", DEFAULT_AGE), ("max-age=9999999999999", DEFAULT_AGE), ("no-store", DEFAULT_AGE),
    ],
)  # fmt: skip
async def test_max_age_is_honoured_within_bounds(server, clock, stated, kept):
    server.headers = {"Cache-Control": stated}
    cache = cache_of(server, clock)
    await cache.find(KEY.kid)
    clock.advance(kept * 1000 - 1)
    assert cache.current(KEY.kid) is not None
    clock.advance(1)
    assert cache.current(KEY.kid) is None


async def test_an_unchanged_set_is_asked_for_by_its_etag(server, clock):
    server.etag = '"one"'
    cache = cache_of(server, clock)
    first = await cache.find(KEY.kid)
    for _ in range(2):
        clock.advance(300_000)
        assert await cache.find(KEY.kid) is first
        await landed(cache)
    assert server.conditional == [None, '"one"', '"one"']
    server.etag, server.body = '"two"', key_set(KEY, OTHER)
    clock.advance(300_000)
    await cache.find(KEY.kid)
    await landed(cache)
    assert (await cache.find(OTHER.kid)).kid == OTHER.kid


async def test_ten_thousand_unknown_key_ids_cause_one_fetch_fault_E8(server, clock):
    cache = cache_of(server, clock)
    await cache.find(KEY.kid)
    started = time.process_time()
    times = count(1000, 10_000)
    for number in range(times):
        await unknown(cache, f"made-up-{number}")
    assert (time.process_time() - started) / times < 0.001
    assert len(server.requests) == 2
    clock.advance(UNKNOWN_FLOOR * 1000 - 1)  # the regular fetch is not due either
    await unknown(cache, "made-up")
    assert len(server.requests) == 2


async def test_an_unknown_key_id_finds_a_key_that_is_new(server, clock):
    cache = cache_of(server, clock)
    await cache.find(KEY.kid)
    server.body = key_set(KEY, OTHER)
    found = await asyncio.gather(*(cache.find(OTHER.kid) for _ in range(20)), return_exceptions=True)
    assert any(not isinstance(one, BaseException) for one in found)
    assert (await cache.find(OTHER.kid)).kid == OTHER.kid
    assert len(server.requests) == 2


async def test_the_floor_between_fetches_for_unknown_ids_is_half_open(server, clock):
    server.headers = {"Cache-Control": "max-age=3600"}
    cache = cache_of(server, clock)
    await unknown(cache, "one")
    assert len(server.requests) == 2  # the first, and the one for this id
    clock.advance(UNKNOWN_FLOOR * 1000 - 1)
    await unknown(cache, "two")
    assert len(server.requests) == 2
    clock.advance(1)
    await unknown(cache, "three")
    assert len(server.requests) == 3


async def test_a_key_that_signs_at_once_is_found_within_half_a_minute_of_a_made_up_id(server, clock):
    cache = cache_of(server, clock)
    await unknown(cache, "spends the early fetch")
    server.body = key_set(OTHER)  # rotated at once: it was not published ahead
    await unknown(cache, OTHER.kid)
    clock.advance(30_000)
    assert (await cache.find(OTHER.kid)).kid == OTHER.kid


async def test_a_key_published_ahead_comes_with_the_regular_fetch_during_a_storm_fault_E8(server, clock):
    cache = cache_of(server, clock)
    await unknown(cache, "spends the early fetch")
    server.body = key_set(KEY, OTHER)
    await unknown(cache, OTHER.kid)
    clock.advance((300 + GRACE) * 1000)
    assert (await cache.find(OTHER.kid)).kid == OTHER.kid


async def test_keys_serve_while_the_server_is_down_for_a_day_and_no_longer(server, clock):
    cache = cache_of(server, clock)
    key = await cache.find(KEY.kid)
    server.stop()
    for _ in range(20):
        clock.advance(300_000)
        assert await cache.find(KEY.kid) is key
        await landed(cache)
    clock.advance(MAX_STALE * 1000 - 20 * 300_000 - 1)
    assert await cache.find(KEY.kid) is key
    await landed(cache)
    clock.advance(60_001)
    with pytest.raises(UnavailableError):
        await cache.find(KEY.kid)


async def test_a_server_that_was_never_reached_is_unavailable_and_asked_with_growing_pauses(clock):
    with KeyServer(key_set(KEY)) as server:
        server.status = 500
        cache = cache_of(server, clock)
        for asked, pause in enumerate((1, 2, 4, 8, 16, 32, 60, 60), start=1):
            for _ in range(5):
                with pytest.raises(UnavailableError) as caught:
                    await cache.find(KEY.kid)
                assert caught.value.retry_after == pause
            assert len(server.requests) == asked
            clock.advance(pause * 1000)
        server.status = 200
        assert (await cache.find(KEY.kid)).kid == KEY.kid


async def test_a_hanging_server_holds_a_request_for_two_seconds_at_most(server, clock, monkeypatch):
    monkeypatch.setattr(waiting, "WAIT", SHIPPED_WAIT)
    server.gate.clear()
    cache = cache_of(server, clock)
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        await cache.find(KEY.kid)
    assert 1.9 < time.monotonic() - started < TIMEOUT_SECONDS - 0.5  # when the fetch itself is given up
    assert cache._flight is not None
    assert len(server.requests) == 1
    assert SHIPPED_WAIT == 2


async def test_one_caller_that_gives_up_takes_nothing_from_the_others(server, clock):
    server.gate.clear()
    cache = cache_of(server, clock)
    impatient = asyncio.create_task(cache.find(KEY.kid))
    patient = asyncio.create_task(cache.find(KEY.kid))
    await asyncio.sleep(0.05)
    impatient.cancel()
    server.gate.set()
    assert (await patient).kid == KEY.kid
    assert impatient.cancelled()
    assert len(server.requests) == 1


def test_the_cache_serves_one_event_loop_after_another(server, clock):
    cache = cache_of(server, clock)
    for _ in range(3):
        assert asyncio.run(cache.find(KEY.kid)).kid == KEY.kid
    assert len(server.requests) == 1


@pytest.mark.parametrize("failure", [RuntimeError("can't start new thread"), MemoryError(), RecursionError()])
async def test_a_fetch_that_fails_in_an_unforeseen_way_is_repeated_after_a_pause_all_the_same(clock, failure):
    asked: list[str | None] = []
    told: list[str] = []

    class Broken:
        def fetch(self, etag: str | None = None) -> Fetched:
            asked.append(etag)
            raise failure

    cache = KeyCache(Broken(), clock=clock, on_failure=told.append)
    for _ in range(5):
        with pytest.raises(UnavailableError) as caught:
            await cache.find(KEY.kid)
        assert caught.value.retry_after == 1
    assert (asked, told) == ([None], [type(failure).__name__])


def test_a_thread_and_an_event_loop_find_the_same_key_by_one_fetch(server, clock):
    cache = cache_of(server, clock)
    assert cache.find_blocking(KEY.kid) is asyncio.run(cache.find(KEY.kid))
    with pytest.raises(TokenError) as caught:
        cache.find_blocking("made-up")
    assert caught.value.step is Step.KEY
    assert len(server.requests) == 2  # the second for the id that nobody knows


async def test_a_fetch_that_died_with_its_thread_is_replaced(server, clock):
    cache = cache_of(server, clock)
    cache._flight, cache._flown_at = Future(), clock.monotonic()
    clock.advance(30_000)
    assert (await cache.find(KEY.kid)).kid == KEY.kid


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(server, clock, status):
    with KeyServer(key_set(KEY)) as elsewhere:
        server.status, server.headers = status, {"Location": elsewhere.origin + WELL_KNOWN}
        with pytest.raises(UnavailableError):
            await cache_of(server, clock).find(KEY.kid)
        assert elsewhere.requests == []
    assert len(server.requests) == 1


def test_a_body_of_a_megabyte_is_refused(server):
    server.body = b"x" * (1 << 20)
    with pytest.raises(TooLargeError):
        Source(issuer=server.origin).fetch()
    server.body = b"x" * MAX_SIZE
    assert Source(issuer=server.origin).fetch().body == server.body
    server.body += b"x"
    with pytest.raises(TooLargeError):
        Source(issuer=server.origin).fetch()


def test_a_compressed_body_is_refused_fault_A8(server):
    server.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(UnreachableError):
        Source(issuer=server.origin).fetch()


@pytest.mark.parametrize("status", [204, 206, 304, 400, 404, 500, 503])
def test_only_200_is_an_answer(server, status):
    server.status = status
    with pytest.raises(UnreachableError):
        Source(issuer=server.origin).fetch()


@pytest.mark.parametrize("tls", [False, True])
def test_a_server_that_drips_is_hung_up_on(tmp_path: Path, monkeypatch, tls):
    """In all, not for each byte; here after one second instead of five."""
    assert TIMEOUT_SECONDS == 5
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 1)
    root, certificate = make_authority(tmp_path)
    with KeyServer(key_set(KEY), cert_file=certificate if tls else None) as server:
        server.drip = True  # all of it takes a tenth of a second for each byte
        started = time.monotonic()
        with pytest.raises(UnreachableError):
            Source(issuer=server.origin, ca_file=str(root)).fetch()
        assert 0.9 < time.monotonic() - started < len(server.body) / 10 - 1


def test_hanging_up_keeps_the_tls_state_so_that_nothing_unverified_is_read(tmp_path: Path):
    root, certificate = make_authority(tmp_path)
    with KeyServer(key_set(KEY), cert_file=certificate) as server:
        connection = Source(issuer=server.origin, ca_file=str(root))._connection()
        connection.connect()
        assert isinstance(connection.sock, ssl.SSLSocket)
        _hang_up(connection.sock)
        assert connection.sock.version() == "TLSv1.3"  # None where the state is gone
        connection.close()


def test_a_proxy_of_the_environment_is_not_used(server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert Source(issuer=server.origin).fetch().body == server.body


def test_tls_is_trusted_by_ca_file_or_pin_and_not_otherwise(tmp_path: Path):
    root, certificate = make_authority(tmp_path)
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    stranger, _ = make_authority(strangers)
    chain = certificate.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    pin = key_pin(ssl.PEM_cert_to_DER_cert(chain))
    with KeyServer(key_set(KEY), cert_file=certificate) as server:
        good = Source(issuer=server.origin, ca_file=str(root))
        assert good.fetch().body == server.body
        assert Source(issuer=server.origin, pin=pin).fetch().body == server.body
        assert len(server.requests) == 2
        by_address = Source(issuer=server.origin.replace("localhost", "[::1]"), ca_file=str(root))
        for bad in (
            Source(issuer=server.origin, ca_file=str(stranger)),
            Source(issuer=server.origin, pin="A" * 43),
            Source(issuer=server.origin),
        ):
            with pytest.raises(NotTrustedError):
                bad.fetch()
        with pytest.raises(UnreachableError):
            by_address.fetch()
        assert len(server.requests) == 2
    with pytest.raises(InvalidConfigError):
        Source(issuer="https://id.example", ca_file=str(tmp_path / "absent.pem")).fetch()


def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path):
    root, certificate = make_authority(tmp_path)
    with KeyServer(key_set(KEY), cert_file=certificate) as server:
        other = server.origin.replace("localhost", "other.localhost")
        with pytest.raises((NotTrustedError, UnreachableError)):
            Source(issuer=other, ca_file=str(root)).fetch()
        assert server.requests == []


def test_without_tls_only_this_machine_is_believed():
    plain, secure = Source(issuer="http://app.localhost:1"), Source(issuer="https://id.example")
    for address in ("127.0.0.1", "127.9.9.9", "::1"):
        plain._check_plain(address)
    for address in ("192.0.2.1", "10.0.0.1", "169.254.169.254", "::", "2001:db8::1"):
        secure._check_plain(address)
        with pytest.raises(NotTrustedError):
            plain._check_plain(address)


@pytest.mark.parametrize("pin", ["", "A" * 42, "A" * 44, "+" * 43])
def test_a_pin_of_another_form_is_refused_at_start(pin):
    with pytest.raises(InvalidConfigError):
        Source(issuer="https://id.example", pin=pin)
    with pytest.raises(InvalidConfigError):
        Source(issuer="https://id.example", pin="A" * 43, ca_file="ca.pem")


@pytest.mark.parametrize(
    "url", ["https://id.example/", "https://ID.example", "http://id.example", "id.example", ""]
)
def test_an_origin_that_is_not_in_its_one_spelling_is_refused_at_start(url):
    with pytest.raises(InvalidConfigError, match="issuer"):
        check_origin(url, field="issuer")


JWK = KEY.public.to_jwk()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'{"keys":null}', b'{"keys":{}}', b'{"keys":[]}', b'{"keys":["x"]}', b"\xff",
        encode_json({"keys": [JWK, JWK]}),
        encode_json({"keys": [JWK] + [JWK | {"kid": f"k{number}"} for number in range(MAX_KEYS)]}),
        b'{"keys":[],"keys":[' + encode_json(JWK) + b"]}",
        encode_json({"keys": [{name: value for name, value in JWK.items() if name != "kid"}]}),
        encode_json({"keys": [JWK | {"d": "A" * 43}]}),
        encode_json({"keys": [{"kty": "oct", "k": "AAAA", "kid": "a", "alg": "HS256"}]}),
        encode_json({"keys": [JWK | {"use": "enc"}]}),
        encode_json({"keys": [JWK | {"x": "A" * 43}]}),
    ],
)  # fmt: skip
def test_a_set_without_a_usable_key_is_void(body):
    with pytest.raises(MalformedError):
        parse_keys(body, {})


def test_keys_for_other_uses_are_passed_over():
    rsa = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa", "alg": "RS256"}
    ed = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "ed"}
    assert list(parse_keys(encode_json({"keys": [rsa, JWK, ed, 1, None]}), {})) == [KEY.kid]
    assert decode_json(key_set(KEY, OTHER))["keys"][1]["kid"] in parse_keys(key_set(KEY, OTHER), {})


def test_another_key_under_a_known_id_replaces_it():
    known = parse_keys(key_set(KEY), {})
    changed = encode_json({"keys": [OTHER.public.to_jwk() | {"kid": KEY.kid}]})
    assert parse_keys(changed, known)[KEY.kid] is not known[KEY.kid]
    assert parse_keys(key_set(KEY, OTHER), known)[KEY.kid] is known[KEY.kid]


async def test_a_void_set_leaves_the_old_one_in_place(server, clock):
    cache = cache_of(server, clock)
    key = await cache.find(KEY.kid)
    server.body = b"{}"
    clock.advance(300_000)
    await cache.find(KEY.kid)
    await landed(cache)
    assert await cache.find(KEY.kid) is key


async def test_no_thread_to_be_had_is_an_outage_and_no_crash(server, clock, monkeypatch):
    def full(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    cache = cache_of(server, clock)
    monkeypatch.setattr(threading.Thread, "start", full)
    with pytest.raises(UnavailableError):
        await cache.find(KEY.kid)
    monkeypatch.undo()
    clock.advance(1000)
    assert (await cache.find(KEY.kid)).kid == KEY.kid
