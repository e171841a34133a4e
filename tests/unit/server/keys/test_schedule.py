"""State by time, over schedules that nobody would think of."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.core.clock import DAY, HOUR, MINUTE, SECOND, Instant
from watchword.errors import ConflictError
from watchword.server.keys import schedule
from watchword.server.keys.model import (
    MAX_KEYS_PER_LANE,
    SEALING_LANES,
    TOKEN_LIFE,
    TOKEN_SKEW,
    KeyState,
    Lane,
    Policy,
    ServerKey,
)
from watchword.testing.counts import count

NOW = Instant(1_800_000_000_000)
POLICY = Policy()
LANES = list(Lane)


def _key(
    kid: str,
    lane: Lane = Lane.SIGNING,
    state: KeyState = KeyState.NEXT,
    changes_at: Instant | None = None,
) -> ServerKey:
    return ServerKey(kid=kid, lane=lane, state=state, sealed=b"", created_at=NOW, changes_at=changes_at)


FIRST: tuple[ServerKey, ...] = (_key("a", state=KeyState.CURRENT),)


def _states(keys: Sequence[ServerKey]) -> dict[str, str]:
    return {key.kid: key.state.value for key in keys}


def test_a_signing_key_is_published_before_it_signs():
    keys = schedule.introduce(FIRST, _key("b"), NOW, POLICY, at_once=False)
    assert _states(keys) == {"a": "current", "b": "next"}
    just_before = schedule.advance(keys, Instant(NOW + 10 * MINUTE - 1), POLICY)
    assert _states(just_before) == {"a": "current", "b": "next"}
    after = schedule.advance(keys, Instant(NOW + 10 * MINUTE), POLICY)
    assert _states(after) == {"a": "retiring", "b": "current"}


def test_the_old_signing_key_goes_when_its_last_token_has_expired_everywhere():
    at = Instant(NOW + 10 * MINUTE)
    keys = schedule.advance(schedule.introduce(FIRST, _key("b"), NOW, POLICY, at_once=False), at, POLICY)
    last = at + TOKEN_LIFE + TOKEN_SKEW
    assert "a" in _states(schedule.advance(keys, Instant(last), POLICY))
    ended = schedule.advance(keys, Instant(at + POLICY.signing_overlap), POLICY)
    assert _states(ended) == {"a": "retired", "b": "current"}
    assert schedule.advance(ended, Instant(at + DAY), POLICY) == ended


def test_overlap_counts_from_the_moment_of_the_switch_and_not_from_the_plan():
    late = Instant(NOW + DAY)
    keys = schedule.advance(schedule.introduce(FIRST, _key("b"), NOW, POLICY, at_once=False), late, POLICY)
    (old,) = [key for key in keys if key.kid == "a"]
    assert old.changes_at == late + POLICY.signing_overlap


def test_a_signing_key_rotated_at_once_ends_the_current_and_the_retiring_keys():
    keys = (*FIRST, _key("old", state=KeyState.RETIRING, changes_at=Instant(NOW + MINUTE)))
    keys = schedule.introduce(keys, _key("b"), NOW, POLICY, at_once=True)
    assert _states(keys) == {"a": "retired", "old": "retired", "b": "current"}
    assert {key.changes_at for key in keys} == {None}
    assert schedule.advance(keys, Instant(NOW + DAY), POLICY) == keys


def test_a_waiting_key_can_be_hastened_and_a_second_is_refused():
    keys = schedule.introduce(FIRST, _key("b"), NOW, POLICY, at_once=False)
    with pytest.raises(ConflictError, match="published already"):
        schedule.introduce(keys, _key("c"), NOW, POLICY, at_once=False)
    keys = (*keys, _key("old", state=KeyState.RETIRING, changes_at=Instant(NOW + MINUTE)))
    hastened = schedule.hasten(keys, Lane.SIGNING)
    assert _states(hastened) == {"a": "retired", "b": "current", "old": "retired"}
    assert {key.changes_at for key in hastened} == {None}
    assert schedule.hasten(FIRST, Lane.SIGNING) == FIRST


@pytest.mark.parametrize("lane", SEALING_LANES)
def test_sealing_keys_have_a_grace_to_the_millisecond(lane):
    first = (_key("a", lane, KeyState.CURRENT),)
    keys = schedule.introduce(first, _key("b", lane), NOW, POLICY, at_once=False)
    assert _states(keys) == {"a": "retiring", "b": "current"}
    assert "a" in _states(schedule.advance(keys, Instant(NOW + DAY - 1), POLICY))
    assert _states(schedule.advance(keys, Instant(NOW + DAY), POLICY)) == {"b": "current"}


def test_a_sealing_key_rotated_at_once_has_no_grace_and_other_lanes_keep_theirs():
    others = (_key("o", Lane.SEALING_X25519, KeyState.RETIRING, Instant(NOW + HOUR)),)
    first = (_key("a", Lane.SEALING_HYBRID, KeyState.CURRENT), *others)
    keys = schedule.introduce(first, _key("b", Lane.SEALING_HYBRID), NOW, POLICY, at_once=True)
    assert _states(keys) == {"o": "retiring", "b": "current"}


def test_lanes_do_not_touch_each_other():
    keys = tuple(_key(f"{lane}", lane, KeyState.CURRENT) for lane in LANES)
    rotated = schedule.introduce(keys, _key("b", Lane.SEALING_HYBRID), NOW, POLICY, at_once=False)
    assert [key for key in rotated if key.lane is not Lane.SEALING_HYBRID] == [
        key for key in keys if key.lane is not Lane.SEALING_HYBRID
    ]


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_has_a_bound_that_does_not_stand_in_the_way_of_an_emergency(lane):
    retiring = [
        _key(f"n{number}", lane, KeyState.RETIRING, Instant(NOW + MINUTE))
        for number in range(MAX_KEYS_PER_LANE - 1)
    ]
    keys = (_key("a", lane, KeyState.CURRENT), *retiring)
    with pytest.raises(ConflictError, match="wait until the oldest"):
        schedule.introduce(keys, _key("more", lane), NOW, POLICY, at_once=False)
    emergency = schedule.introduce(keys, _key("more", lane), NOW, POLICY, at_once=True)
    assert [key.kid for key in emergency if key.state is not KeyState.RETIRED] == ["more"]


def test_fault_M15_a_clock_that_was_far_ahead_does_not_leave_keys_waiting_for_years():
    wrong = Instant(NOW + 3650 * DAY)
    keys = schedule.introduce(FIRST, _key("b"), wrong, POLICY, at_once=False)
    corrected = schedule.advance(keys, NOW, POLICY)
    again = schedule.advance(corrected, Instant(NOW + 2 * DAY), POLICY)
    assert _states(again)["b"] == "current"


def test_a_clock_corrected_by_seconds_changes_no_plan():
    keys = schedule.introduce(FIRST, _key("b"), NOW, POLICY, at_once=False)
    assert schedule.advance(keys, Instant(NOW - 5 * SECOND), POLICY) == keys


STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3 * MINUTE), st.integers(0, 20 * MINUTE), st.integers(0, 2 * DAY)),
        st.sampled_from(["tick", "tick", "tick", "rotate", "rotate at once"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=count(100, 5000), deadline=None)
@given(STEPS)
def test_published_keys_verify_each_token_until_it_ends_or_an_emergency_ends_its_key(steps):
    """Whatever is signed, by a node up to the lag behind, verifies until it expires, skew included.

    After a rotation at once nothing does that was signed before: no older key is in use from that moment on.
    """
    keys, now, made = FIRST, NOW, 0
    believed = [(NOW, "a")]  # from when on a node signs with which key
    published = [(NOW, {"a"})]
    first_published = {"a": NOW}
    hastened = {"a"}
    ended: dict[str, Instant] = {}  # by an emergency
    for delay, action in steps:
        now = Instant(now + delay)
        keys = schedule.advance(keys, now, POLICY)
        in_use = _in_use(keys)
        at_once = action == "rotate at once"
        if at_once or (action != "tick" and len(in_use) < MAX_KEYS_PER_LANE):
            coming = schedule.waiting(keys, Lane.SIGNING)
            if coming is None:
                made += 1
                keys = schedule.introduce(keys, _key(f"k{made}"), now, POLICY, at_once=at_once)
                hastened |= {f"k{made}"} if at_once else set()
            elif at_once:
                keys = schedule.hasten(keys, Lane.SIGNING)
                hastened.add(coming.kid)
        signer = schedule.current(keys, Lane.SIGNING)
        assert signer is not None
        assert sum(key.state is KeyState.CURRENT for key in keys) == 1
        if at_once:
            assert _in_use(keys) == {signer.kid}
            ended |= dict.fromkeys(in_use - {signer.kid}, now)
        assert not _in_use(keys) & set(ended)
        believed.append((now, signer.kid))
        published.append((now, _in_use(keys)))
        for key in keys:
            first_published.setdefault(key.kid, now)
    ends = [*(at for at, _ in believed[1:]), now]
    for place, ((begins, kid), ends_at) in enumerate(zip(believed, ends, strict=True)):
        lasts = ends_at + TOKEN_LIFE + TOKEN_SKEW  # the last token is signed just before the next change
        for at, kids in published[place:]:
            good_until = min(lasts, ended.get(kid, lasts))
            assert kid in kids or at >= good_until, f"{kid} missing {at - begins} ms after"
        if kid not in hastened:
            assert begins - first_published[kid] >= POLICY.publish_ahead


def _in_use(keys: Sequence[ServerKey]) -> set[str]:
    return {key.kid for key in keys if key.state is not KeyState.RETIRED}


def test_policy_of_zero_moves_at_once():
    policy = Policy(publish_ahead=0, signing_overlap=0, sealing_grace=0)
    keys = schedule.introduce(FIRST, _key("b"), NOW, policy, at_once=False)
    keys = schedule.advance(schedule.advance(keys, NOW, policy), NOW, policy)
    assert _states(keys) == {"a": "retired", "b": "current"}
    assert {key.changes_at for key in keys} == {None}
