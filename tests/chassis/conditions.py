"""Waiting for conditions, with a limit."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_SECONDS = 20.0


async def until(condition: Callable[[], Any], *, seconds: float = LIMIT_SECONDS) -> Any:
    """The first true answer of a (possibly awaitable) condition; fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.01)
