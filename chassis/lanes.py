"""Lanes: work that shares a key goes in single file, work that shares none goes side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence

T = TypeVar("T")


def lanes(items: Sequence[T], keys_of: Callable[[T], Collection[Hashable]]) -> list[list[T]]:
    """Split items into lanes: two items with a common key, also through others, are in one lane, in their order."""
    leader: dict[Hashable, Hashable] = {}

    def find(key: Hashable) -> Hashable:
        while (up := leader.setdefault(key, key)) != key:
            leader[key] = leader[up]  # halves the path, so that long chains stay short
            key = leader[key]
        return key

    for item in items:
        first, *others = keys_of(item) or (object(),)
        for other in others:
            leader[find(other)] = find(first)
    found: dict[Hashable, list[T]] = {}
    for item in items:
        keys = keys_of(item)
        found.setdefault(find(next(iter(keys))) if keys else id(item), []).append(item)
    return list(found.values())


async def go(
    items: Sequence[T],
    keys_of: Callable[[T], Collection[Hashable]],
    step: Callable[[T], Awaitable[bool]],
    *,
    side_by_side: int,
) -> None:
    """Run `step` over all items, at most so many lanes at once; a step that returns False ends its lane.

    Raises:
        Exception: What a step raised; the other lanes are stopped.
    """
    free = asyncio.Semaphore(side_by_side)

    async def walk(lane: list[T]) -> None:
        async with free:
            for item in lane:
                if not await step(item):
                    return

    try:
        async with asyncio.TaskGroup() as group:
            for lane in lanes(items, keys_of):
                group.create_task(walk(lane))
    except BaseExceptionGroup as failed:  # the first failure stops the others and says enough
        raise failed.exceptions[0] from None
