"""A worker on every run of benefits, to be killed: `python -m tests.benefits.runs_victim`, settings on its input."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from chassis.config import Settings
from chassis.database import Database
from chassis.policy import policy_of
from chassis.worker import Worker
from services.benefits.operations import adjusting_annual, adjusting_recompute, keeping_import, keeping_sweep
from services.benefits.policy import BenefitsPolicy
from tests.benefits.paying_bureau import Bureau

LEASE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0


async def main() -> None:
    """Work until somebody kills it, one benefit a chunk where a run allows it."""
    settings = Settings.model_validate_json(sys.stdin.read())
    policy = BenefitsPolicy(policy_of(settings))
    bureau = Bureau(Database(settings), policy, size=1)
    kinds = [
        *bureau.kinds(),
        keeping_import.job(keeping_import.Matched(bureau.files), policy),
        keeping_sweep.job(policy, size=1),
        *adjusting_annual.job_kinds(size=1),
        *adjusting_recompute.job_kinds(policy, size=1),
    ]
    worker = Worker(bureau.database, kinds, lease_seconds=LEASE_SECONDS)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if not await worker.run_one():
                    await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main())
