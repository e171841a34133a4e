"""FAULTS C6: time does not tell an unknown user from a wrong password, measured over TLS from outside."""

import random
import statistics
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.kits.real_server import Caller, real_server, refusal_without_id
from tests.kits.sealed import PATHS, Payload, fresh, seal_with_header, split

from watchword.core.encoding import encode_b64u, encode_json
from watchword.core.entropy import Entropy
from watchword.protocol.chest import Chest, RecoveryKey, new_chest_key
from watchword.protocol.envelope import Purpose
from watchword.testing.counts import count, soaking

MEDIAN_BOUND = 0.000_250
INTERVAL_BOUND = 0.000_500
AUC_BOUND = 0.03
PRECISION = 0.000_060
"""Seconds: pairs are added until the median's standard error is this small, or there are three times as many."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of paired times: unknown user less wrong password."""

    pairs: int
    median: float
    low: float
    high: float
    auc: float

    @property
    def auc_bound(self) -> float:
        """At full counts as FAULTS says; at quick ones the area's own standard error, 3.3 times, is added."""
        error = ((2 * self.pairs + 1) / (12 * self.pairs**2)) ** 0.5
        return AUC_BOUND if soaking() else AUC_BOUND + 3.3 * error

    @property
    def same(self) -> bool:
        return (
            abs(self.median) <= MEDIAN_BOUND
            and -INTERVAL_BOUND < self.low <= self.high < INTERVAL_BOUND
            and abs(self.auc - 0.5) <= self.auc_bound
        )

    def __str__(self) -> str:
        return (
            f"{self.pairs} pairs: median difference {self.median * 1e6:+.0f} µs,"
            f" 99 % interval [{self.low * 1e6:+.0f}, {self.high * 1e6:+.0f}] µs, AUC {self.auc:.3f}"
        )


def compare(unknown: list[float], wrong: list[float]) -> Comparison:
    differences = [one - other for one, other in zip(unknown, wrong, strict=True)]
    chance = random.Random(6)
    resampled = sorted(
        statistics.median(chance.choices(differences, k=len(differences))) for _ in range(1000)
    )
    ranked = sorted([(value, 1) for value in unknown] + [(value, 0) for value in wrong])
    rank_sum = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which)
    pairs = len(differences)
    return Comparison(
        pairs=pairs,
        median=statistics.median(differences),
        low=resampled[4],
        high=resampled[-5],
        auc=(rank_sum - pairs * (pairs + 1) / 2) / pairs**2,
    )


def standard_error(differences: list[float]) -> float:
    """Of their median, from the median absolute deviation."""
    middle = statistics.median(differences)
    spread = 1.4826 * statistics.median(abs(one - middle) for one in differences)
    return float(1.2533 * spread / len(differences) ** 0.5)


def header(caller: Caller, purpose: Purpose, key: str) -> dict[str, object]:
    to = caller.recipient()
    return {
        "v": 1,
        "suite": to.key.suite.value,
        "kid": to.kid,
        "purpose": purpose.value,
        "iss": to.issuer,
        "sk": key,
    }


def sealed(caller: Caller, purpose: Purpose, payload: Payload, name: str) -> str:
    key = caller.short_key(name, purpose)
    return seal_with_header(header(caller, purpose, key), encode_json(payload), caller.recipient())


def login(caller: Caller, name: str, secret: str | None = None) -> str:
    payload = {
        "identifier": name,
        "login_secret": secret or fresh(caller.entropy),
        "reply_key": fresh(caller.entropy),
    }
    return sealed(caller, Purpose.LOGIN, payload, name)


def new_account(entropy: Entropy, name: str) -> Payload:
    recovery = RecoveryKey.generate(entropy)
    chest = Chest.create(recovery, entropy).seal(new_chest_key(entropy), entropy)
    return {
        "username": name,
        "logins": [split(entropy)],
        "chest": msgspec.to_builtins(chest),
        "recovery_secret": encode_b64u(recovery.secret().reveal()),
        "reply_key": fresh(entropy),
    }


def register(caller: Caller, name: str) -> str:
    """Make the account; its login secret."""
    payload = new_account(caller.entropy, name)
    status, body, _ = caller.post("/api/register", sealed(caller, Purpose.REGISTER, payload, name))
    assert status == 201, body
    return str(payload["logins"][0]["login_secret"])


def measure(caller: Caller) -> Comparison:
    names = [f"member{number:03}" for number in range(20)]
    for name in names:
        register(caller, name)
    chance = random.Random(66)
    unknown: list[float] = []
    wrong: list[float] = []
    wanted = count(300, 2000)
    while len(unknown) < wanted or (
        len(unknown) < 3 * wanted
        and standard_error([one - other for one, other in zip(unknown, wrong, strict=True)]) > PRECISION
    ):
        pair = [(unknown, f"nobody{chance.randrange(1000):03}"), (wrong, chance.choice(names))]
        chance.shuffle(pair)
        for times, name in pair:
            status, body, seconds = caller.post(PATHS[Purpose.LOGIN], login(caller, name))
            assert status == 403, body
            times.append(seconds)
    return compare(unknown, wrong)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fault_C6_time_does_not_tell_an_unknown_user_from_a_wrong_password(tmp_path: Path) -> None:
    with real_server(tmp_path / "honest") as caller:
        honest = measure(caller)
    with real_server(tmp_path / "leaky", leak=True) as caller:
        leaky = measure(caller)
    print(f"C6 as it is:            {honest}")
    print(f"C6 with a planted leak: {leaky}")
    assert not leaky.same, "a planted leak of 1 ms was not seen: this run says nothing"
    assert honest.same, str(honest)


def test_fault_C15_a_replay_on_the_same_connection_is_refused(tmp_path: Path) -> None:
    with real_server(tmp_path / "data") as caller:
        secret = register(caller, "anna")
        envelope = login(caller, "anna", secret)
        assert caller.post("/api/login", envelope)[0] == 200
        status, replayed, _ = caller.post("/api/login", envelope)
        assert status == 403
        _, wrong, _ = caller.post("/api/login", login(caller, "anna"))
        assert refusal_without_id(replayed) == refusal_without_id(wrong)
        again = Caller(caller.port, caller.root_pem)
        assert again.post("/api/login", envelope)[0] == 403
        again.close()
