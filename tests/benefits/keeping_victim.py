"""A worker that a test lets die at a crash point: `python -m tests.benefits.keeping_victim`, settings on its input."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from chassis.config import Settings
from chassis.database import Database
from chassis.policy import policy_of
from chassis.worker import Worker
from services.benefits.operations import keeping_sweep
from services.benefits.policy import BenefitsPolicy

LEASE_SECONDS = 1.5
PATIENCE_SECONDS = 10.0
RUN = 2  # benefits of a chunk


async def main() -> None:
    """Hold benefits back in small runs."""
    settings = Settings.model_validate_json(sys.stdin.read())
    kinds = [keeping_sweep.job(BenefitsPolicy(policy_of(settings)), size=RUN)]
    worker = Worker(Database(settings), kinds, lease_seconds=LEASE_SECONDS)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):  # the lease of whoever was killed before runs out first
            while True:
                if not await worker.run_one():
                    await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
