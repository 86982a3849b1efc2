"""Letters: what the relay hands to the broker and a consumer takes from it, one event or several small ones of a type.

A message costs the broker, the relay and each consumer about the same whatever is in it, so events that wait together
travel together. The body is that of one event with all their facts (events have one repeated field, so their bytes
joined are such an event); the header `Hrss-Events` says whose bytes are whose: id, length and trace of each. Every
event keeps its id, its place in the inbox and its own fate; the letter is acknowledged when all of them are answered
for. An event whose trace is recorded, or that is large by itself, goes alone and has no such header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis.telemetry import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EVENTS = "Hrss-Events"
ROWS_MAX = 32  # their part of the header stays at 3 KiB
KEYS_MAX = 100  # aggregates: a consumer applies some letters in one transaction
BYTES_MAX = 64 * 1024
_EVENT = re.compile(r"([0-9a-f-]{36}):([0-9]{1,7}):([0-9a-f-]{0,55})", re.ASCII)


@dataclass(slots=True)
class Letter:
    """Rows of the outbox that travel together, in their order."""

    rows: list[Any] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    size: int = 0

    @property
    def body(self) -> bytes:
        """What travels."""
        return b"".join(row["payload"] for row in self.rows)

    def headers(self) -> dict[str, str]:
        """What a letter of several events has; the same events are the same message, so that the broker knows it."""
        first, last = self.rows[0], self.rows[-1]
        return {
            "Nats-Msg-Id": f"{first['event_id']}/{len(self.rows)}/{last['event_id']}",
            "Hrss-Epoch": str(first["epoch"]),
            EVENTS: ",".join(f"{row['event_id']}:{len(row['payload'])}:{row['traceparent']}" for row in self.rows),
        }


def gathered(rows: Iterable[Any]) -> list[Letter]:
    """Put rows into letters, so that what shares an aggregate stays in order over them."""
    made: list[Letter] = []
    open_letter: dict[tuple[str, int], int] = {}  # where the letter of a type stands that still takes rows
    last_letter: dict[str, int] = {}  # where an aggregate was put last
    for row in rows:
        kind, size = (row["subject"], row["epoch"]), len(row["payload"])
        at = open_letter.get(kind, -1)
        is_alone = len(row["keys"]) * 2 > KEYS_MAX or parse(row["traceparent"]).trace_flags.sampled
        if is_alone or at < max((last_letter.get(key, 0) for key in row["keys"]), default=0) or _is_full(made[at], row):
            at = len(made)
            made.append(Letter())
            if not is_alone:
                open_letter[kind] = at
        letter = made[at]
        letter.rows.append(row)
        letter.keys.update(row["keys"])
        letter.size += size
        last_letter.update(dict.fromkeys(row["keys"], at))
    return made


def parted(body: bytes, headers: Mapping[str, str]) -> Sequence[tuple[bytes, Mapping[str, str]]]:
    """The events of a letter, each with the headers that it would have alone.

    Raises:
        ValueError: The header does not fit the body.
    """
    said = headers.get(EVENTS)
    if said is None:
        return [(body, headers)]
    parts = [_EVENT.fullmatch(part) for part in said.split(",")]
    found = [(part[1], int(part[2]), part[3]) for part in parts if part is not None]
    if len(found) != len(parts) or sum(size for _, size, _ in found) != len(body):
        raise ValueError("the header of a letter does not fit its body")
    made: list[tuple[bytes, Mapping[str, str]]] = []
    start = 0
    for event_id, size, trace in found:
        made.append((body[start : start + size], {"Nats-Msg-Id": event_id, "traceparent": trace}))
        start += size
    return made


def _is_full(letter: Letter, row: Any) -> bool:
    return (
        len(letter.rows) >= ROWS_MAX
        or len(letter.keys) + len(row["keys"]) > KEYS_MAX
        or letter.size + len(row["payload"]) > BYTES_MAX
    )
