"""A worker that a test lets die at a crash point: `python -m tests.enrollment.moving_victim`, settings on its input."""

from __future__ import annotations

import asyncio
import sys

from chassis.config import Settings
from chassis.database import Database
from chassis.worker import Worker
from services.enrollment import years_file
from services.enrollment.service import build

LEASE_SECONDS = 1.5


async def main() -> None:
    """Work on what jobs there are, in slices of a few persons."""
    settings = Settings.model_validate_json(sys.stdin.read())
    years_file.SLICE_BYTES = 600
    worker = Worker(Database(settings), build(settings).jobs, lease_seconds=LEASE_SECONDS)
    while await worker.run_one():
        pass


if __name__ == "__main__":
    asyncio.run(main())
