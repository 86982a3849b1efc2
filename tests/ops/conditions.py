"""Waiting for a condition with a limit; no test sleeps for a time it guessed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL_SECONDS = 0.01


def until(condition: Callable[[], object], *, seconds: float = 30.0, what: str = "the condition") -> None:
    """Return as soon as the condition holds; fail after the limit."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not hold within {seconds} s"
        time.sleep(INTERVAL_SECONDS)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not collected yet (a zombie) does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
