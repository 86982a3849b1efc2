"""A worker on the daily jobs that a test lets die: `python -m tests.benefits.upkeep_victim`, settings on its input."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from chassis.config import Settings
from chassis.database import Database
from chassis.policy import policy_of
from chassis.worker import Worker
from services.benefits.operations import upkeep_allowances, upkeep_reminders, upkeep_residents
from services.benefits.policy import BenefitsPolicy

LEASE_SECONDS = 1.0
PATIENCE_SECONDS = 20.0
JOBS_LEFT = "SELECT count(*) FROM job WHERE state IN ('QUEUED', 'RUNNING')"


async def main() -> None:
    """One benefit a chunk, until nothing is left."""
    settings = Settings.model_validate_json(sys.stdin.read())
    policy, database = BenefitsPolicy(policy_of(settings)), Database(settings)
    kinds = [one.job(policy, size=1) for one in (upkeep_residents, upkeep_allowances, upkeep_reminders)]
    worker = Worker(database, kinds, lease_seconds=LEASE_SECONDS)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):  # the lease of whoever was killed before runs out first
            while True:
                if not await worker.run_one():
                    async with database.connection() as connection:
                        if not await connection.fetchval(JOBS_LEFT):
                            return
                    await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
