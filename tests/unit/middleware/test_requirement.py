"""What a requirement lets through, at its edges; and in which order it refuses."""

import dataclasses
import itertools
from typing import Any

import pytest
from tests.kits.tokens import NOW, claims

from watchword.core.clock import Instant
from watchword.errors import InvalidConfigError, WatchwordError
from watchword.middleware import (
    Identity,
    InsufficientError,
    Proof,
    Requirement,
    StaleLoginError,
    UnboundError,
    require,
)
from watchword.protocol.tokens import VerifiedClaims


def caller(**changes: Any) -> Identity:
    return Identity.of(VerifiedClaims(**dataclasses.asdict(claims(**changes))), Proof.BEARER)


def refused(requirement: Requirement, who: Identity, now: int = NOW) -> type[WatchwordError] | None:
    try:
        requirement.check(who, Instant(now))
    except WatchwordError as error:
        return type(error)
    return None


def test_the_age_of_a_login_is_half_open():
    who, limit = caller(auth_time=NOW // 1000 - 60), require(max_age=100)
    assert refused(limit, who, NOW + 40_000 - 1) is None
    assert refused(limit, who, NOW + 40_000) is StaleLoginError
    assert refused(limit, caller(auth_time=NOW // 1000 + 30)) is None  # by a clock ahead of ours


def test_levels_are_ordered_and_scopes_are_compared_whole():
    for least, level in itertools.product(range(10), repeat=2):
        assert (refused(require(level=least), caller(level=level)) is None) is (level >= least)
    for held in ((), ("a",), ("ab",), ("A",), ("a.b",), ("a:", "b")):
        assert refused(require(scope="a:b"), caller(scope=held)) is InsufficientError
    assert refused(require(scope="a:b"), caller(scope=("c", "a:b"))) is None
    assert (
        require(scope="a b").scopes
        == require(scopes=["a", "b"]).scopes
        == require(scope="a", scopes="b").scopes
    )


def test_a_caller_without_a_device_is_not_enough_where_one_is_needed():
    nowhere = dataclasses.replace(caller(), device="")
    assert (refused(require(device=True), nowhere), refused(require(), nowhere)) == (InsufficientError, None)


def test_binding_is_compared_first_then_rights_then_age():
    old = caller(auth_time=NOW // 1000 - 1000, level=0)
    everything = require(level=2, max_age=10, bearer_ok=False)
    assert refused(everything, old) is UnboundError
    assert refused(require(level=2, max_age=10), old) is InsufficientError
    assert refused(require(max_age=10), old) is StaleLoginError


@pytest.mark.parametrize("scope", ["a\tb", "a\n", 'a"', "a\\", "\x7f", "é", "a  b", " a", [""], [" "]])
def test_a_scope_that_no_token_can_carry_is_told_at_start(scope):
    with pytest.raises(InvalidConfigError):
        require(scope=scope)
