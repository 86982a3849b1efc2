"""A process of the card service that a test lets die: `python -m tests.card.victim WHAT`, settings on its input.

"day" works on the day's job in chunks of two; "order" sends the next order and dies before the answer is taken.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

from chassis import crash
from chassis.config import Settings
from chassis.database import Database
from chassis.worker import Worker
from services.card.issuers import Answer, Content, NationalIssuer
from services.card.operations import daily, ordering
from services.card.service import open_office


class DyingIssuer(NationalIssuer):
    """Lets the order arrive, and the process die with the answer in its hands."""

    async def issue(self, content: Content) -> Answer:
        """Order a card, and never come back."""
        await super().issue(content)
        os._exit(crash.EXIT_CODE)


async def main(what: str, url: str) -> None:
    """Do it; whoever armed a crash point sees the process end there."""
    database = Database(Settings.model_validate_json(sys.stdin.read()))
    office = open_office(database.settings)
    if what == "order":
        await ordering.work_off_one(database, replace(office, is_national=True), DyingIssuer(url))
    worker = Worker(database, [daily.job(office, size=2)], lease_seconds=0.2)
    while await worker.run_one():
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
