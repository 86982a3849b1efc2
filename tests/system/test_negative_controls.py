"""Negative controls: with a protection switched off, the same short suite must turn red, else it protects nothing."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from rich.console import Console

from ops import children
from ops.demo.arriving import bring_history, register
from ops.demo.expectation import Law
from ops.demo.life import Life
from ops.demo.people import draw
from ops.demo.stage import Stage
from ops.home import ROOT
from tests.system.oracle import differences
from tests.system.running import SMALL, running, settled
from tests.system.twice import TwiceGateway

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.running import Running


pytestmark = pytest.mark.slow  # each brings up a platform of its own


async def short_suite(platform: Running) -> list[str]:
    """Two acts with every request sent twice, NATS killed meanwhile, everything published again; what is wrong."""
    async with httpx.AsyncClient(timeout=15) as http:
        stage = Stage(platform.platform, "control", http, Console(file=io.StringIO()), gateway_type=TwiceGateway)
        life = Life(draw("control", SMALL), Law(stage.platform.policy_dir))
        try:
            platform.kill("nats")
            await register(stage, life)
            await bring_history(stage, life)
            republish(platform)
            await settled(platform)
        except AssertionError as wrong:
            return [str(wrong)]
    return [str(check) for check in stage.checks if not check.holds] + await differences(platform.owner_url)


def republish(platform: Running) -> None:
    """Say every event once more, as after the loss of a stream."""
    for service in ("enrollment", "benefits"):
        command = [sys.executable, "-m", "ops.cli", "events", "republish", service, "--since", "2020-01-01T00:00:00Z"]
        assert children.start(command, env=platform.environ, cwd=ROOT).wait(60) == 0


async def test_with_everything_on_the_suite_is_green(server_home: Path) -> None:
    with running(server_home / "control", HRSS_ENV="test") as platform:
        assert await short_suite(platform) == []


@pytest.mark.parametrize(
    ("protection", "violation"),
    [
        ("inbox", "events of enrollment not heard"),
        ("once", "the repetition was not recognised"),
        ("outbox", "aggregates with versions and no event"),
    ],
)
async def test_without_a_protection_the_suite_names_what_is_broken(
    server_home: Path, protection: str, violation: str
) -> None:
    with running(server_home / f"no-{protection}", HRSS_ENV="test", HRSS_TEST_OFF=protection) as platform:
        wrong = await short_suite(platform)

    assert any(violation in text for text in wrong), wrong
