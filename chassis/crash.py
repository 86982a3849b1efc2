"""Crash points: named steps between which a test can kill this process as if by `kill -9`.

`HRSS_TEST_CRASH=after_commit` ends the process the first time it gets there, `after_commit:3` the third time. The steps
are armed only in a test environment; elsewhere a point costs one look into an empty dictionary.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chassis.config import Settings

POINTS = frozenset(
    {
        "before_commit",  # of any transaction: everything is written, nothing is committed
        "after_commit",  # committed, and nobody knows yet
        "after_publish_before_mark",  # the relay: the broker has the rows, the outbox does not know
        "after_effect_before_ack",  # the consumer: the effect is committed, the broker does not know
        "chunk_taken",  # the job worker: the lease is had, nothing is done
        "chunk_before_done",  # the chunk is written and not yet marked done
        "timetable_booked",  # the timetable: the start is booked, its job is not there yet
        "timetable_started",  # the job is there too, nothing is committed
        "audit_sealed",  # the sealer: rows are chained, nothing is committed or signed
        "audit_signed",  # the checkpoint is committed and stands nowhere outside
        "message_taken",  # a message to a holder is noted as sent, nothing has left
        "message_sent",  # the messages platform has answered, nothing of it is written down
        "case_step_taken",  # the case worker: the lease is had, the service is not called
        "case_step_called",  # the service has answered, nothing of it is written down
        "case_step_done",  # the step is written down, the next one is not begun
    }
)
EXIT_CODE = 137  # what a shell reports of a process killed by signal 9

_armed: dict[str, int] = {}


def arm(settings: Settings) -> None:
    """Set the points that the settings name; a set-up without any disarms all."""
    _armed.clear()
    if settings.env != "test":
        return
    for part in filter(None, (text.strip() for text in settings.test_crash.split(","))):
        name, _, count = part.partition(":")
        if name not in POINTS:
            raise ValueError(f"HRSS_TEST_CRASH: no such point: {name}")  # a misspelt point would never fire
        _armed[name] = int(count or 1)


def at(name: str) -> None:
    """End the process here, without any clean-up, when this point is armed and its turn has come."""
    if name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] <= 0:
        os._exit(EXIT_CODE)
