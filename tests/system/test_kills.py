"""kill -9 of every process in the middle of the story: it goes on, and every total is what it would have been."""

from __future__ import annotations

import asyncio
import io
import random
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from rich.console import Console

from ops.demo.stage import Stage
from ops.demo.story import play
from tests.system.oracle import differences
from tests.system.running import SMALL, running, settled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.running import Running

SEED = 20261123
VICTIMS = (
    "enrollment", "benefits", "training", "card", "gateway", "nats", "postgres", "simulators", "idp", "traces",
)  # fmt: skip
BACK_SECONDS = 60.0


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_process_is_killed_and_no_total_changes(server_home: Path) -> None:
    with running(server_home / "kills") as platform:
        console = Console(file=io.StringIO(), width=140)
        async with httpx.AsyncClient(timeout=10) as http:
            stage = Stage(platform.platform, "kills", http, console)
            story = asyncio.create_task(play(stage, SMALL))
            killer = asyncio.create_task(_kill_each(platform, story))
            life = await story
            await killer
        wrong = [check for check in stage.checks if not check.holds]

        await settled(platform)

        assert wrong == []
        assert life.pension_id
        assert [name for name in VICTIMS if platform.restarts(name) == 0] == []
        assert await differences(platform.owner_url, platform.home) == []


async def _kill_each(platform: Running, story: asyncio.Task[object]) -> None:
    """Kill one after the other, each when the one before stands again."""
    order = random.Random(SEED).sample(VICTIMS, len(VICTIMS))  # a seed can be repeated
    for name in order:
        await asyncio.sleep(0.3)  # not a wait for anything: it spreads the kills over the story
        assert not story.done(), f"the story was over before {name} was killed"
        before = platform.pid(name)
        platform.kill(name)
        limit = time.monotonic() + BACK_SECONDS
        while platform.pid(name) in {0, before} or platform.state["processes"][name]["state"] != "ready":
            assert time.monotonic() < limit, f"{name} did not come back"
            await asyncio.sleep(0.05)
