"""`PasswordChecker`: the same checks whoever asks, renewal of what is old, and damage, outwardly a plain no."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from watchword.core.secret import Secret
from watchword.crypto import verifiers
from watchword.crypto.aead import VersionedKey
from watchword.crypto.passwords import ServerHash
from watchword.crypto.slow_hashes import BcryptCost
from watchword.crypto.verifiers import (
    check_verifier,
    make_verifier,
    nest_verifier,
    pepper_versions_of,
    scheme_of,
)
from watchword.errors import DamagedError, KeyUnknownError, OverloadedError
from watchword.server.accounts import passwords
from watchword.server.accounts.passwords import PasswordChecker
from watchword.testing import SeededEntropy

pytestmark = pytest.mark.anyio
RIGHT, WRONG = Secret(b"r" * 32), Secret(b"w" * 32)
PEPPERS = {1: Secret(b"1" * 32), 2: Secret(b"2" * 32)}
HMAC, ARGON2ID, BCRYPT = ServerHash.HMAC, ServerHash.ARGON2ID, ServerHash.BCRYPT


class Pool:
    """Runs slow work at once, and counts it; full when told so."""

    def __init__(self) -> None:
        self.runs = 0
        self.full = False

    async def run(self, work: Callable[[], bool]) -> bool:
        if self.full:
            raise OverloadedError
        self.runs += 1
        return work()


def find_pepper(version: int) -> Secret:
    if version not in PEPPERS:
        raise KeyUnknownError
    return PEPPERS[version]


def make(
    scheme: ServerHash = HMAC, *in_use: ServerHash, version: int = 1, pool: Pool | None = None
) -> PasswordChecker:
    return PasswordChecker(
        scheme=scheme,
        in_use=set(in_use),
        pepper=lambda: VersionedKey(version=version, key=PEPPERS[version]),
        find_pepper=find_pepper,
        entropy=SeededEntropy(scheme.value),
        run_slow=(pool or Pool()).run,
    )


@dataclass(frozen=True, slots=True)
class CheapBcrypt(BcryptCost):
    rounds: int = 10


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which hashes run is looked at here, and not how long they take."""
    monkeypatch.setitem(verifiers._COSTS, BCRYPT, CheapBcrypt)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """By which scheme each verifier was that has been checked to the end; "damaged" for one that was not."""
    seen: list[str] = []

    def watched(verifier: bytes, login_secret: Secret, *, peppers: Callable[[int], Secret]) -> bool:
        try:
            good = check_verifier(verifier, login_secret, peppers=peppers)
        except DamagedError:
            seen.append("damaged")
            raise
        seen.append(scheme_of(verifier).value)
        return good

    monkeypatch.setattr(passwords, "check_verifier", watched)
    return seen


@pytest.mark.parametrize("scheme", list(ServerHash))
async def test_a_verifier_is_good_for_its_own_secret_alone(scheme: ServerHash) -> None:
    checker = make(scheme)
    verifier = await checker.make(RIGHT)
    assert scheme_of(verifier) is scheme
    assert await checker.check(verifier, RIGHT)
    assert not await checker.check(verifier, WRONG)
    assert not await checker.check(None, RIGHT)


async def test_the_all_zero_secret_of_nobody_is_refused() -> None:
    """A dummy is checked for a name that nobody has; whatever that says, the answer is no."""
    assert not await make().check(None, Secret(bytes(32)))


@pytest.mark.parametrize("asked", ["known", "unknown", "wrong", "damaged", "pepper gone"])
async def test_every_scheme_in_use_is_paid_for_once_whoever_asks(checked: list[str], asked: str) -> None:
    checker = make(ARGON2ID, HMAC, BCRYPT)
    verifier = await make(BCRYPT).make(RIGHT)
    gone = verifier[:2] + (9).to_bytes(4, "big") + verifier[6:]
    stored = {"unknown": None, "damaged": b"\xff" * 38, "pepper gone": gone}.get(asked, verifier)
    good = await checker.check(stored, WRONG if asked == "wrong" else RIGHT)
    assert good is (asked == "known")
    assert sorted(one for one in checked if one != "damaged") == sorted(ServerHash)
    assert checked.count("damaged") == int(asked in {"damaged", "pepper gone"})


async def test_hmac_alone_needs_no_pool_and_everything_else_does() -> None:
    pool = Pool()
    fast = make(pool=pool)
    assert await fast.check(await fast.make(RIGHT), RIGHT)
    assert pool.runs == 0
    slow = make(BCRYPT, pool=pool)
    verifier = await slow.make(RIGHT)
    assert await slow.check(verifier, RIGHT)
    assert pool.runs == 2
    mixed = make(HMAC, BCRYPT, pool=pool)
    assert not await mixed.check(None, RIGHT)
    assert pool.runs == 3


async def test_a_full_pool_refuses_whoever_asks_alike() -> None:
    pool = Pool()
    checker = make(BCRYPT, pool=pool)
    verifier = await checker.make(RIGHT)
    pool.full = True
    for stored in (verifier, None):
        with pytest.raises(OverloadedError):
            await checker.check(stored, RIGHT)


async def test_another_scheme_or_an_older_or_nested_pepper_is_outdated() -> None:
    checker = make(HMAC, version=2)
    assert not checker.outdated(await checker.make(RIGHT))
    assert checker.outdated(await make(ARGON2ID, version=2).make(RIGHT))
    old = await make(HMAC, version=1).make(RIGHT)
    assert checker.outdated(old)
    nested = nest_verifier(old, pepper=VersionedKey(version=2, key=PEPPERS[2]))
    assert pepper_versions_of(nested) == (1, 2)
    assert checker.outdated(nested)
    assert await checker.check(old, RIGHT)  # good all the same, until it is renewed


async def test_the_pepper_is_not_the_data_key_itself() -> None:
    raw = make_verifier(HMAC, RIGHT, pepper=VersionedKey(version=1, key=PEPPERS[1]), entropy=SeededEntropy(1))
    assert raw != await make().make(RIGHT)
    assert not await make().check(raw, RIGHT)


@pytest.mark.parametrize("scheme", [HMAC, BCRYPT])
async def test_a_damaged_verifier_is_a_no_and_an_alarm(
    scheme: ServerHash, caplog: pytest.LogCaptureFixture
) -> None:
    good = await make().make(RIGHT)
    gone = good[:2] + (9).to_bytes(4, "big") + good[6:]  # of a pepper that is gone
    damaged = [b"", b"\0", good[:-1], good + b"\0", b"\x09" + good[1:], gone]
    for verifier in damaged:
        caplog.clear()
        assert not await make(scheme, HMAC).check(verifier, RIGHT), verifier
        assert "verifier_damaged" in caplog.text
        assert good.hex() not in caplog.text
