"""Lanes: single file for what shares a key, side by side for the rest."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import lanes

ITEMS = st.lists(st.frozensets(st.integers(0, 8), max_size=3), max_size=25)


@given(ITEMS)
def test_items_with_a_common_key_are_in_one_lane_in_their_order(keys: list[frozenset[int]]) -> None:
    items = list(enumerate(keys))

    found = lanes.lanes(items, lambda item: item[1])

    assert sorted(item for lane in found for item in lane) == items
    assert all(lane == sorted(lane, key=lambda item: item[0]) for lane in found)
    taken = Counter(key for lane in found for key in set().union(*(item[1] for item in lane)))
    assert all(count == 1 for count in taken.values())


@given(ITEMS, st.integers(1, 4))
def test_no_two_items_with_a_common_key_are_ever_at_work_together(keys: list[frozenset[int]], width: int) -> None:
    busy: Counter[int] = Counter()
    most = 0

    async def step(item: tuple[int, frozenset[int]]) -> bool:
        nonlocal most
        busy.update(item[1])
        assert all(busy[key] == 1 for key in item[1])
        busy[-1] += 1
        most = max(most, busy[-1])
        await asyncio.sleep(0)
        busy.subtract(item[1])
        busy[-1] -= 1
        return True

    asyncio.run(lanes.go(list(enumerate(keys)), lambda item: item[1], step, side_by_side=width))

    assert most <= width


async def test_a_step_that_says_no_ends_its_lane_only() -> None:
    done: list[str] = []

    async def step(item: str) -> bool:
        done.append(item)
        return item != "a1"

    await lanes.go(["a1", "b1", "a2", "b2"], lambda item: item[0], step, side_by_side=2)

    assert sorted(done) == ["a1", "b1", "b2"]


async def test_the_first_failure_is_raised_as_it_is() -> None:
    async def step(item: str) -> bool:
        raise KeyError(item)

    with pytest.raises(KeyError):
        await lanes.go(["a", "b"], lambda item: item, step, side_by_side=2)
