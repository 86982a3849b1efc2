"""A worker that a test lets die at a crash point: `python -m tests.benefits.paying_victim`, settings on its input."""

from __future__ import annotations

import asyncio
import sys

from chassis.config import Settings
from chassis.database import Database
from chassis.policy import policy_of
from chassis.worker import Worker
from services.benefits.policy import BenefitsPolicy
from tests.benefits.paying_bureau import Bureau

LEASE_SECONDS = 1.5


async def main() -> None:
    """Work on what jobs there are, in chunks of a few benefits."""
    settings = Settings.model_validate_json(sys.stdin.read())
    bureau = Bureau(Database(settings), BenefitsPolicy(policy_of(settings)))
    worker = Worker(bureau.database, bureau.kinds(), lease_seconds=LEASE_SECONDS)
    while await worker.run_one():
        pass


if __name__ == "__main__":
    asyncio.run(main())
