"""Admission: buckets, gates and breakers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kernel.errors import Busy, Unavailable
from services.gateway.edge.limits import Breaker, Gate, Rates

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL: Mapping[str, Mapping[str, tuple[float, int]]] = {"citizen": {"READ": (0.5, 3)}, "partner": {"READ": (1000, 3)}}


def test_a_caller_may_ask_so_often_and_then_hears_when_again() -> None:
    rates = Rates(rates=SMALL)

    left = [rates.take("citizen", "a", "READ").state for _ in range(3)]
    with pytest.raises(Busy) as caught:
        rates.take("citizen", "a", "READ")

    assert left == [b'"read";r=2;t=2', b'"read";r=1;t=4', b'"read";r=0;t=6']
    assert caught.value.reason == "RATE_LIMITED"
    assert 1 < (caught.value.retry_after or 0) <= 2


def test_callers_do_not_use_up_each_others_limit() -> None:
    rates = Rates(rates=SMALL)
    for _ in range(3):
        rates.take("citizen", "a", "READ")

    assert rates.take("citizen", "b", "READ").policy == b'"read";q=3;w=6'


async def test_a_limit_fills_up_again() -> None:
    rates = Rates(rates=SMALL)
    for _ in range(3):
        rates.take("partner", "a", "READ")
    async with asyncio.timeout(20):
        while True:
            try:
                rates.take("partner", "a", "READ")
            except Busy:
                await asyncio.sleep(0)
            else:
                return


async def test_a_full_gate_lets_the_most_important_of_the_newest_in() -> None:
    gate = Gate(at_once=1, wait_seconds=5)
    await gate.enter("partner")
    order: list[str] = []

    async def wait(priority: str, name: str) -> None:
        await gate.enter(priority)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for priority, name in (
            ("partner", "p1"),
            ("partner", "p2"),
            ("citizen", "c1"),
            ("staff", "s1"),
            ("staff", "s2"),
        ):
            group.create_task(wait(priority, name))
            await asyncio.sleep(0)
        for _ in range(5):
            gate.leave()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    assert order == ["s2", "s1", "c1", "p2", "p1"]


async def test_whoever_waits_too_long_is_told_to_come_again() -> None:
    gate = Gate(at_once=1, wait_seconds=0.01)
    await gate.enter("staff")

    with pytest.raises(Busy, match="SERVER_BUSY"):
        await gate.enter("staff")

    gate.leave()
    await gate.enter("staff")


async def test_a_caller_who_goes_away_leaves_no_hole() -> None:
    gate = Gate(at_once=1, wait_seconds=5)
    await gate.enter("staff")
    waiting = asyncio.create_task(gate.enter("staff"))
    await asyncio.sleep(0)
    gate.leave()  # the place goes to the one who waits
    waiting.cancel()  # and who goes away in the same moment
    await asyncio.gather(waiting, return_exceptions=True)

    async with asyncio.timeout(20):
        await gate.enter("staff")


def test_a_breaker_opens_when_half_of_the_calls_find_nobody() -> None:
    breaker = Breaker("benefits")
    for number in range(18):
        breaker.record(answered=number % 2 == 0)
        breaker.check()
    breaker.record(answered=False)
    breaker.record(answered=False)

    with pytest.raises(Unavailable) as caught:
        breaker.check()
    assert caught.value.metadata["service"] == "benefits"
    assert breaker.is_open


def test_a_breaker_stays_closed_while_a_service_answers_no_matter_what() -> None:
    breaker = Breaker("benefits")
    for number in range(100):
        breaker.record(answered=number % 3 != 0)

    assert not breaker.is_open


async def test_an_open_breaker_tries_again_and_closes_with_the_first_answer() -> None:
    breaker = Breaker("benefits")
    for _ in range(20):
        breaker.record(answered=False)
    assert breaker.is_open
    async with asyncio.timeout(20):
        while True:
            try:
                breaker.check()
                break
            except Unavailable:
                await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        breaker.check()  # one probe at a time

    breaker.record(answered=True)

    breaker.check()
    assert not breaker.is_open
