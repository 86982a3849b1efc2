"""`python -m services.enrollment.announce`: announces participations of the late schemes again, run by run, and ends.

Each run commits by itself; what was announced twice after a kill is heard twice and changes nothing. The relay of the
running service sends the facts. How many were announced is written as one line.
"""

import asyncio
import sys
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from chassis import transaction
from chassis.config import Settings, load
from chassis.database import Database
from chassis.principal import Principal
from kernel.calendar import shanghai_day
from services.enrollment.operations import announcing


async def announce(settings: Settings) -> int:
    """Announce all of them; how many runs there were."""
    database = Database(settings)
    after, runs = UUID(int=0), 0
    try:
        while True:
            last: UUID | None = await transaction.run(
                database,
                partial(announcing.announce, after=after),
                principal=Principal.system("announce"),
                today=shanghai_day(datetime.now(UTC)),
                bulk=True,
            )
            if last is None:
                return runs
            after, runs = last, runs + 1
    finally:
        await database.close()


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(announce(load(Settings, service='enrollment')))}\n")
