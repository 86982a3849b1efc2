"""Ids: UUID version 7 inside, a type prefix at the edge (``per_0197…``).

They sort by creation and carry no personal data. Whatever strangers see (verification codes) is random instead and
not made here.
"""

import re
import secrets
import threading
import time
from uuid import UUID

from kernel.errors import InvalidInput

_PREFIX = re.compile(r"[a-z]{3}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{32}", re.ASCII)
_RANDOM_BITS = 74  # 12 bits beside the version, 62 beside the variant
_STEP_BITS = 32  # the step within a millisecond is random, so the next id cannot be guessed


class _Sequence:
    """The last id given out by this process, so that the next one is always greater."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._random = 0

    def advance(self) -> tuple[int, int]:
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._millisecond:
                self._millisecond = now
                self._random = secrets.randbits(_RANDOM_BITS - 1)  # the top bit is room to step
            else:  # the same millisecond, or the clock was set back
                self._random += 1 + secrets.randbits(_STEP_BITS)
                if self._random >> _RANDOM_BITS:
                    self._millisecond += 1
                    self._random = secrets.randbits(_RANDOM_BITS - 1)
            return self._millisecond, self._random


_sequence = _Sequence()


def new_id() -> UUID:
    """A new UUID version 7, greater than every one this process made before."""
    millisecond, random = _sequence.advance()
    high = random >> 62
    low = random & ((1 << 62) - 1)
    return UUID(int=(millisecond << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)


def to_text(prefix: str, value: UUID) -> str:
    """An id as the edge shows it: ``to_text("per", id)`` → ``per_`` and 32 hexadecimal digits."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("an id prefix is three lower-case letters")
    return f"{prefix}_{value.hex}"


def parse(prefix: str, text: str, *, field: str = "") -> UUID:
    """Read an id of one type.

    Raises:
        InvalidInput: ID_MALFORMED; another type's prefix is malformed too.
    """
    kind, _, digits = text.partition("_")
    if kind != prefix or not _HEX.fullmatch(digits):
        raise InvalidInput("ID_MALFORMED", f"an id of this type is {prefix}_ and 32 hexadecimal digits", field=field)
    return UUID(hex=digits)
