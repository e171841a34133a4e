"""The lanes of names that nobody has."""

from watchword.core.ids import ID_SIZE
from watchword.core.secret import Secret
from watchword.server.guessing.nobody import NobodysLanes
from watchword.testing.counts import count

LANES = NobodysLanes(Secret(bytes(32)))


def test_a_name_has_one_lane_for_ever_and_under_another_key_another() -> None:
    assert LANES.of("u:anna") == NobodysLanes(Secret(bytes(32))).of("u:anna")
    assert LANES.of("u:anna") != NobodysLanes(Secret(bytes(31) + b"\x01")).of("u:anna")


def test_fault_D13_many_names_have_lanes_apart_in_a_bounded_table() -> None:
    many = count(5_000, 1_000_000)
    lanes = [LANES.of(f"u:name-{number}") for number in range(many)]
    assert len({lane.tag for lane in lanes}) == many
    places = {lane.owner for lane in lanes}
    assert {len(place) for place in places} == {3}, "16,777,216 rows at most, and no account has one of them"
    assert len(places) > 0.95 * many
    assert ID_SIZE == 16
