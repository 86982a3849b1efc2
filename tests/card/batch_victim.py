"""A worker of the card service that a test kills, forked from a process that has everything loaded.

`python -m tests.card.batch_victim`: each line of standard input is the settings of a worker; the number of its process
is printed, and what it ended with.
"""

from __future__ import annotations

import asyncio
import os
import sys

from chassis.database import Database
from chassis.worker import Worker
from services.card.operations import batch_issuing
from services.card.service import open_office
from services.card.settings import CardSettings

HANDS = 2


async def work(settings: CardSettings) -> None:
    """Work until there is nothing to do."""
    database = Database(settings)
    worker = Worker(database, [batch_issuing.job(open_office(settings))])

    async def one() -> None:
        while await worker.run_one():
            pass

    await asyncio.gather(*(one() for _ in range(HANDS)))
    await one()
    await database.close()


def main() -> None:
    """Fork a worker for each line."""
    for line in sys.stdin:
        settings = CardSettings.model_validate_json(line)
        pid = os.fork()
        if not pid:
            code = 1
            try:
                asyncio.run(work(settings))
                code = 0
            finally:
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
