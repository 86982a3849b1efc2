"""Waiting as long as something moves: a busy machine is slow and measured all the same, a stuck one stands still."""

from __future__ import annotations

import time

STILL_SECONDS = 120.0
LONGEST_SECONDS = 1_800.0


class NotReady(RuntimeError):  # noqa: N818 - read as a sentence
    """Something did not come about; the text says what, and often names its log."""


class Patience:
    """Gives up on what stands still, never on what is only slow.

    Args:
        what: What is waited for.
        still: Seconds after which nothing will come of what did not move.
    """

    def __init__(self, what: str, still: float = STILL_SECONDS) -> None:
        self._what = what
        self._still = still
        self._seen: object = None
        self._begun = self._since = time.monotonic()

    def saw(self, seen: object) -> None:
        """Say how far it is; anything that differs from the last time counts as movement.

        Raises:
            NotReady: Nothing moved for too long, or half an hour has passed.
        """
        now = time.monotonic()
        if seen != self._seen:
            self._seen, self._since = seen, now
        if now - self._since > self._still or now - self._begun > LONGEST_SECONDS:
            raise NotReady(
                f"{self._what}: nothing moved for {now - self._since:.0f} s of {now - self._begun:.0f}: {seen}"
            )
