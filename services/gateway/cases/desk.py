"""What the work on cases needs beside the rows: the published list, the calendar, and how to wake the worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from services.gateway.cases.domain.clock import Calendar
    from services.gateway.cases.policy import CasePolicy


@dataclass(slots=True)
class Desk:
    """Shared by the RPCs and the worker of one process."""

    policy: CasePolicy
    calendar: Calendar
    work_added: asyncio.Event = field(default_factory=asyncio.Event)
    _watched: dict[UUID, list[asyncio.Event]] = field(default_factory=dict)

    def watch(self, case_id: UUID) -> asyncio.Event:
        """An event that is set whenever the worker of this process has moved the case."""
        event = asyncio.Event()
        self._watched.setdefault(case_id, []).append(event)
        return event

    def unwatch(self, case_id: UUID, event: asyncio.Event) -> None:
        """Watch no longer."""
        watching = self._watched[case_id]
        watching.remove(event)
        if not watching:
            del self._watched[case_id]

    def moved(self, case_id: UUID) -> None:
        """Tell whoever watches."""
        for event in self._watched.get(case_id, ()):
            event.set()
