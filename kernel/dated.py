"""Values of law with their days in force, confidence and sources.

A parameter is asked for the day the rule names. A day without a row, or a row whose value is not known, refuses with
:class:`~kernel.errors.PolicyParameterMissing`; the only way around is a rule that itself allows the latest published
value, and then the result says that it is provisional.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Generic, TypeVar

from kernel.errors import PolicyParameterMissing
from kernel.statement import ParameterUse

T = TypeVar("T")
S = TypeVar("S")


class Confidence(StrEnum):
    """How sure we are of a value."""

    CERTAIN = "certain"  # legal text, or several agreeing sources
    LIKELY = "likely"  # one secondary source, or an official award table
    ASSUMED = "assumed"  # working assumption


@dataclass(frozen=True, slots=True)
class DatedValue(Generic[T]):
    """One value in force from a day to a day, both included; ``to=None`` is open."""

    value: T
    from_: date
    to: date | None
    confidence: Confidence
    source: tuple[str, ...]
    key: str
    file: str
    provisional: bool = False
    # What `use` answered: one row of law is used by every statement of a day, and always says the same.
    _use: ParameterUse | None = field(default=None, init=False, repr=False, compare=False)
    _standing_in: "DatedValue[T] | None" = field(default=None, init=False, repr=False, compare=False)

    @property
    def effective(self) -> str:
        """The days in force as text: ``2025-01-01..2025-12-31``, an open beginning or end left empty."""
        return f"{'' if self.from_ == date.min else self.from_}..{self.to or ''}"

    def use(self, shown: str | None = None) -> ParameterUse:
        """This row as a statement records it; ``shown`` replaces the text of a value that has several parts."""
        if shown is None and self._use is not None:
            return self._use
        use = ParameterUse(
            file=self.file,
            key=self.key,
            value=str(self.value) if shown is None else shown,
            effective=self.effective,
            confidence=self.confidence.value,
            sources=self.source,
            provisional=self.provisional,
        )
        if shown is None:
            object.__setattr__(self, "_use", use)
        return use

    def standing_in(self) -> "DatedValue[T]":
        """This row where it stands in for one that is not published yet: provisional."""
        if self._standing_in is None:
            object.__setattr__(self, "_standing_in", replace(self, provisional=True))
        assert self._standing_in is not None
        return self._standing_in

    def map(self, convert: Callable[[T], S]) -> "DatedValue[S]":
        """The same row with its value converted."""
        return DatedValue(
            convert(self.value),
            self.from_,
            self.to,
            self.confidence,
            self.source,
            self.key,
            self.file,
            self.provisional,
        )


def given(name: str, value: T, day: date) -> DatedValue[T]:
    """A value that the caller states for one day instead of asking the law, like a rate in an example."""
    return DatedValue(value, day, day, Confidence.CERTAIN, (), name, "given")


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """The history of one parameter: rows in order of their days, never overlapping; ``None`` means not known."""

    file: str
    key: str
    rows: tuple[DatedValue[T | None], ...]
    _starts: tuple[date, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple(row.from_ for row in self.rows))

    def on(self, day: date) -> DatedValue[T]:
        """The value in force on a day.

        Raises:
            PolicyParameterMissing: No row covers the day, or its value is not known.
        """
        row = self._row(day)
        if row is None or row.value is None:
            raise PolicyParameterMissing(self.file, self.key, day)
        return _published(row)

    def covers(self, day: date) -> bool:
        """Whether a known value is in force on a day, for rules that apply in some periods only."""
        row = self._row(day)
        return row is not None and row.value is not None

    def provisionally_on(self, day: date) -> DatedValue[T]:
        """The value in force on a day or, while that is not published, the latest published before it, provisional.

        Raises:
            PolicyParameterMissing: Nothing was ever published up to that day.
        """
        row = self._row(day)
        if row is not None and row.value is not None:
            return row  # type: ignore[return-value] # as in `_published`; asked for every year of a working life
        published = [row for row in self.rows if row.value is not None and row.from_ <= day]
        if not published:
            raise PolicyParameterMissing(self.file, self.key, day)
        return _published(published[-1]).standing_in()

    def map(self, convert: Callable[[T], S]) -> "Dated[S]":
        """The same history with every known value converted."""
        return Dated(
            self.file,
            self.key,
            tuple(row.map(lambda value: None if value is None else convert(value)) for row in self.rows),
        )

    def _row(self, day: date) -> DatedValue[T | None] | None:
        place = bisect_right(self._starts, day)
        if place == 0:
            return None
        row = self.rows[place - 1]
        return row if row.to is None or day <= row.to else None


def _published(row: DatedValue[T | None]) -> DatedValue[T]:
    """A row whose value is known, as the type says it then."""
    if row.value is None:
        raise AssertionError("asked for a value that is not known")
    return row  # type: ignore[return-value] # mypy narrows the value and not the row that holds it
