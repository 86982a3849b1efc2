"""What changed between two laws: by parameter and days, and whether a value was published or a known one replaced."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from chassis.policy import PolicyStore
from kernel.dated import Dated, DatedValue

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter on some days, as it was known and as it is known now; ``None`` is not known."""

    file: str
    key: str
    from_: date
    to: date | None
    old: DatedValue[Any] | None
    new: DatedValue[Any] | None

    @property
    def is_published(self) -> bool:
        """Whether the law waited for it: nothing was known of these days, or a provisional value."""
        return self.old is None or self.old.value is None or self.old.provisional


def changes(before: PolicyStore, after: PolicyStore) -> list[Change]:
    """Where two laws differ in what they say, by file, key and day; days of a row that only moved its end are equal."""
    found = []
    for place in sorted({*before.parameters(), *after.parameters()}):
        for first, last, old, new in _pieces(before.parameters().get(place), after.parameters().get(place)):
            if _said(old) != _said(new):
                found.append(Change(*place, first, last, old, new))
    return found


def published(before: PolicyStore, after: PolicyStore) -> PolicyStore:
    """The law as it was known, with what was published since and nothing else that changed."""
    mixed = []
    for place in sorted({*before.parameters(), *after.parameters()}):
        pieces = list(_pieces(before.parameters().get(place), after.parameters().get(place)))
        # A value that is not known, or provisional, gives way; whatever was known stays as it was.
        kept = [
            (row, first, last)
            for first, last, old, new in pieces
            if (row := new if Change(*place, first, last, old, new).is_published else old) is not None
        ]
        mixed.append(Dated(*place, tuple(_joined(kept))))
    version = hashlib.sha256(f"published|{before.version}|{after.version}".encode()).hexdigest()
    return before.with_rows(mixed, version)


def _pieces(
    before: Dated[Any] | None, after: Dated[Any] | None
) -> Iterator[tuple[date, date | None, DatedValue[Any] | None, DatedValue[Any] | None]]:
    """The days cut where a row of either begins or ends, with the row of each."""
    sides = [() if one is None else one.rows for one in (before, after)]
    starts = {row.from_ for rows in sides for row in rows}
    starts |= {row.to + _DAY for rows in sides for row in rows if row.to is not None and row.to < date.max}
    ordered = sorted(starts)
    for place, first in enumerate(ordered):
        last = ordered[place + 1] - _DAY if place + 1 < len(ordered) else None
        old, new = (_row(rows, first) for rows in sides)
        if old is not None or new is not None:
            yield first, last, old, new


def _row(rows: tuple[DatedValue[Any], ...], day: date) -> DatedValue[Any] | None:
    return next((row for row in rows if row.from_ <= day and (row.to is None or day <= row.to)), None)


def _said(row: DatedValue[Any] | None) -> tuple[Any, ...]:
    return () if row is None else (row.value, row.confidence, row.source, row.provisional)


def _joined(parts: list[tuple[DatedValue[Any], date, date | None]]) -> Iterator[DatedValue[Any]]:
    """Pieces that follow each other in one row are one row again; whole, it says the same days as ever."""
    for _, group in groupby(parts, key=lambda part: id(part[0])):
        pieces = list(group)
        row, first, last = pieces[0][0], pieces[0][1], pieces[-1][2]
        yield row if (first, last) == (row.from_, row.to) else replace(row, from_=first, to=last)
