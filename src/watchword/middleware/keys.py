"""The issuer's keys, kept: fetched when needed, by one request for all, and good while the server is away.

| age of what we have | what a lookup does |
|---|---|
| nothing yet | waits for the fetch; fails if that fails |
| younger than its max-age | answers |
| older | answers; a fetch runs beside it |
| older by GRACE, and the last fetch went well | waits for the fetch, then answers whatever came of it |
| older than MAX_STALE | as with nothing yet |

A failed fetch is repeated after 1 s, doubling to 60 s. An unknown key id causes a fetch too, at most one in
UNKNOWN_FLOOR, however many are made up. New keys are published long before they sign, save where a key is rotated at
once: its tokens are refused for as long as that floor, at most.
Ages are measured on the clock that never jumps.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from watchword.core.clock import Clock
from watchword.core.encoding import decode_json
from watchword.crypto.signing import TokenVerifyingKey
from watchword.errors import MalformedError, UnavailableError, WatchwordError
from watchword.middleware.fetch import MAX_SIZE, Fetched
from watchword.middleware.fork import reset_in_children
from watchword.middleware.waiting import Steps, run_async, run_blocking
from watchword.protocol.tokens import Step, TokenError

if TYPE_CHECKING:
    from concurrent.futures import Future

MAX_KEYS: Final = 16
MIN_AGE: Final = 60
"""Seconds, as below. A set is believed at least this long, whatever the server says."""
DEFAULT_AGE: Final = 300
MAX_AGE: Final = 3600
GRACE: Final = 60
MAX_STALE: Final = 24 * 3600
UNKNOWN_FLOOR: Final = 30
_LOST_AFTER: Final = 30  # a fetch without an end after so long died with its thread
_MAX_RETRY: Final = 60


class Fetcher(Protocol):
    def fetch(self, etag: str | None = None) -> Fetched:
        """Ask the server once, blocking. Raise a `WatchwordError`."""
        ...


def parse_keys(data: bytes, known: Mapping[str, TokenVerifyingKey]) -> dict[str, TokenVerifyingKey]:
    """The ES256 keys of a JWK Set (RFC 7517, section 5) by id; keys for other uses are passed over.

    An unchanged key stays the same object as in `known`. Raise `MalformedError` where no key is left, an
    id stands twice, or there are more than MAX_KEYS keys.
    """
    document = decode_json(data, max_size=MAX_SIZE)
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list) or len(jwks) > MAX_KEYS:
        raise MalformedError("not a key set, or one of too many keys")
    keys: dict[str, TokenVerifyingKey] = {}
    for jwk in jwks:
        key = _parse_key(jwk)
        if key is None:
            continue
        if key.kid in keys:
            raise MalformedError("a key id stands twice")
        old = known.get(key.kid)
        keys[key.kid] = old if old is not None and old.to_jwk() == key.to_jwk() else key
    if not keys:
        raise MalformedError("no key that verifies tokens")
    return keys


def _parse_key(jwk: Any) -> TokenVerifyingKey | None:
    if not isinstance(jwk, dict) or "kid" not in jwk:
        return None
    try:
        return TokenVerifyingKey.from_jwk(jwk)
    except MalformedError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One answer of the server, swapped as a whole: the fetching thread writes it, everybody reads it."""

    keys: Mapping[str, TokenVerifyingKey]
    etag: str | None
    fetched_at: float
    max_age: int


class KeyCache:
    """Finds keys by id; see the table above. Serves every event loop and thread of a process, and its forks."""

    def __init__(self, source: Fetcher, *, clock: Clock, on_failure: Callable[[str], None]) -> None:
        self._source = source
        self._clock = clock
        self._on_failure = on_failure
        self._held: _Held | None = None
        self._lock = threading.Lock()
        self._flight: Future[None] | None = None
        self._flown_at = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._unknown_at: float | None = None
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Keys stay; the lock may have been held by a thread that is not here, and no fetch is under way."""
        self._lock = threading.Lock()
        self._flight = None

    def current(self, kid: str) -> TokenVerifyingKey | None:
        """The key, if what we have is fresh; without waiting for anything."""
        held = self._held
        if held is None or self._clock.monotonic() - held.fetched_at >= held.max_age:
            return None
        return held.keys.get(kid)

    async def find(self, kid: str) -> TokenVerifyingKey:
        """The key of this id; raise as `lookup` does."""
        return await run_async(self.lookup(kid))

    def find_blocking(self, kid: str) -> TokenVerifyingKey:
        """As `find`, for a thread that may wait."""
        return run_blocking(self.lookup(kid))

    def lookup(self, kid: str) -> Steps[TokenVerifyingKey]:
        """The key of this id.

        Raises:
            TokenError: (step 10) the issuer publishes no such key.
            UnavailableError: the issuer's keys cannot be had, and there are none that are not too old.
        """
        key = (yield from self._usable()).keys.get(kid)
        if key is None and self._claim_unknown():
            yield self._start()
            key = (yield from self._usable()).keys.get(kid)
        if key is None:
            raise TokenError(Step.KEY)
        return key

    def _usable(self) -> Steps[_Held]:
        held = self._held
        age = self._age(held)
        if held is not None and age < held.max_age:
            return held
        if self._flight is not None or self._clock.monotonic() >= self._retry_at:
            flight = self._start()
            if held is None or age >= MAX_STALE or (self._failures == 0 and age >= held.max_age + GRACE):
                yield flight
        held = self._held
        if held is None or self._age(held) >= MAX_STALE:
            raise UnavailableError(
                "the keys of the issuer cannot be had now", retry_after=self._retry_after()
            )
        return held

    def _age(self, held: _Held | None) -> float:
        return float("inf") if held is None else self._clock.monotonic() - held.fetched_at

    def _retry_after(self) -> int:
        return max(1, round(self._retry_at - self._clock.monotonic()))

    def _claim_unknown(self) -> bool:
        """Whether this unknown key id may cause a fetch; at most one in UNKNOWN_FLOOR seconds does."""
        with self._lock:
            now = self._clock.monotonic()
            if self._unknown_at is not None and now - self._unknown_at < UNKNOWN_FLOOR:
                return False
            self._unknown_at = now
            return True

    def _start(self) -> "Future[None]":
        """The fetch under way, or a new one: many callers, one fetch."""
        from concurrent.futures import Future  # noqa: PLC0415  # loaded at the first fetch

        with self._lock:
            now = self._clock.monotonic()
            if self._flight is not None and now - self._flown_at < _LOST_AFTER:
                return self._flight
            flight: Future[None] = Future()
            flight.set_running_or_notify_cancel()  # from here on no waiter can cancel it for the others
            self._flight, self._flown_at = flight, now
        try:
            threading.Thread(target=self._fly, args=(flight,), name="watchword-keys", daemon=True).start()
        except RuntimeError:  # no thread to be had
            self._failed("no thread")
            self._land(flight)
        return flight

    def _fly(self, flight: "Future[None]") -> None:
        held = self._held
        try:
            self._held = self._renewed(held, self._source.fetch(held.etag if held is not None else None))
            self._failures, self._retry_at = 0, 0.0
        except WatchwordError as error:
            self._failed(f"{error.code}: {error.detail}")
        except Exception as error:  # noqa: BLE001  # no memory, no thread: asked again after a pause all the same
            self._failed(type(error).__name__)
        finally:
            self._land(flight)

    def _renewed(self, held: _Held | None, fetched: Fetched) -> _Held:
        max_age = DEFAULT_AGE if fetched.max_age is None else min(max(fetched.max_age, MIN_AGE), MAX_AGE)
        known = held.keys if held is not None else {}
        keys = known if fetched.body is None else parse_keys(fetched.body, known)
        etag = fetched.etag if fetched.body is not None or held is None else held.etag
        return _Held(keys=keys, etag=etag, fetched_at=self._clock.monotonic(), max_age=max_age)

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._retry_at = self._clock.monotonic() + min(2 ** min(self._failures - 1, 6), _MAX_RETRY)
        self._on_failure(reason)

    def _land(self, flight: "Future[None]") -> None:
        with self._lock:
            if self._flight is flight:
                self._flight = None
        flight.set_result(None)
