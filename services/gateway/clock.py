"""The business day of the platform: the real one, or in development and tests the one it was moved to.

The gateway alone holds the test clock and sends the day with every call. In production there is none to move.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chassis import clocks, transaction
from chassis.logs import get_logger
from chassis.principal import Principal
from kernel.errors import DomainError
from services.gateway import store

if TYPE_CHECKING:
    from datetime import date

    from chassis.database import Database

log = get_logger(__name__)

REFRESH_SECONDS = 1.0  # how soon another gateway process follows when the day was moved through this one


class BusinessClock:
    """What day it is to the law."""

    def __init__(self, *, is_prod: bool) -> None:
        self.is_prod = is_prod
        self._moved: date | None = None
        self._moves = 0  # how often it was moved here; a reading that began before a move says nothing about it

    @property
    def today(self) -> date:
        """The business day."""
        return self._moved or clocks.business_day()

    @property
    def real_day(self) -> date:
        """The day that it really is, moved or not."""
        return clocks.business_day()

    @property
    def is_moved(self) -> bool:
        """Whether it differs from the real clock on purpose."""
        return self._moved is not None

    def follow(self, day: date | None) -> None:
        """Go to a day that was stored; None is the real one."""
        if not self.is_prod:
            self._moved = day
            self._moves += 1

    async def read(self, database: Database) -> None:
        """Take the stored day."""
        if self.is_prod:
            return
        moves = self._moves
        day = await transaction.run(
            database, store.moved_day, principal=Principal.system("clock"), today=clocks.business_day(), read_only=True
        )
        if moves == self._moves:
            self.follow(day)

    async def keep_reading(self, database: Database) -> None:
        """Follow other gateway processes for ever."""
        while not self.is_prod:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.read(database)
            except DomainError as error:
                log.debug("test_clock_not_read", reason=error.reason)
