"""Turns: how many verify at once in a lane, and who comes next."""

import asyncio

import pytest

from watchword.server.guessing.model import LaneKey
from watchword.server.guessing.turns import Turns

pytestmark = pytest.mark.anyio
LANE, OTHER = LaneKey(b"a" * 16), LaneKey(b"b" * 16)


def test_no_more_turns_are_given_than_there_are_places() -> None:
    turns = Turns()
    assert [turns.take(LANE, 2) for _ in range(3)] == [True, True, False]
    assert turns.take(OTHER, 1)
    turns.leave(LANE)
    assert turns.take(LANE, 2)
    for lane in (LANE, LANE, OTHER):
        turns.leave(lane)
    assert len(turns) == 0


async def test_whoever_leaves_wakes_who_waited_longest() -> None:
    turns, order = Turns(), []

    async def come(name: str) -> None:
        await turns.wait(LANE, 60, first=name == "again")
        order.append(name)
        assert turns.take(LANE, 1)
        turns.leave(LANE)

    assert turns.take(LANE, 1)
    tasks = [asyncio.create_task(come(name)) for name in ("first", "second", "again")]
    await asyncio.sleep(0)
    turns.leave(LANE)
    await asyncio.gather(*tasks)
    assert order == ["again", "first", "second"]
    assert len(turns) == 0


async def test_who_gave_up_is_not_woken_in_place_of_another() -> None:
    turns = Turns()
    assert turns.take(LANE, 1)
    gone, stays = [asyncio.create_task(turns.wait(LANE, 60, first=False)) for _ in range(2)]
    await asyncio.sleep(0)
    gone.cancel()
    turns.leave(LANE)
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_waiting_ends() -> None:
    turns = Turns()
    assert turns.take(LANE, 1)
    with pytest.raises(TimeoutError):
        await turns.wait(LANE, 0, first=False)
    turns.leave(LANE)
    assert len(turns) == 0


def test_a_change_after_the_mark_is_seen_and_one_before_it_is_not() -> None:
    turns = Turns()
    turns.note_change(LANE)
    mark = turns.mark()
    assert not turns.changed(LANE, mark)
    turns.note_change(OTHER)
    assert not turns.changed(LANE, mark)
    turns.note_change(LANE)
    assert turns.changed(LANE, mark)


def test_what_is_forgotten_may_have_changed() -> None:
    turns = Turns(remembered=2)
    mark = turns.mark()
    for number in range(3):
        turns.note_change(LaneKey(bytes([number])))
    assert turns.changed(LANE, mark)
    assert not turns.changed(LANE, turns.mark())
