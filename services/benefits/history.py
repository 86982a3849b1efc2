"""The contribution history of one person in one scheme (缴费记录), as the calculations read it.

Pure values. A month is paid (已缴), billed and not paid (欠缴), or deemed (视同缴费); a month that nobody mentioned is
not in the history. Which of them count is the question of the rule that reads it.

A history is held by calendar year, as it is stored: a working life is thirty-odd records of twelve places, and what the
rules ask (how many months, which sum) is answered a year at a time. Months are made for those who want to see them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from kernel.calendar import Month
from kernel.money import Money

MONTHS_PER_YEAR = 12
NOTHING = "."  # the letter of a month of which nothing is known


class Scheme(StrEnum):
    """An insurance scheme (险种)."""

    EMPLOYEE_PENSION = "EMPLOYEE_PENSION"
    UNEMPLOYMENT = "UNEMPLOYMENT"
    WORK_INJURY = "WORK_INJURY"
    GOVERNMENT_PENSION = "GOVERNMENT_PENSION"
    OCCUPATIONAL_ANNUITY = "OCCUPATIONAL_ANNUITY"
    RESIDENT_PENSION = "RESIDENT_PENSION"


class Standing(StrEnum):
    """Whether a month counts; the letter with which it is stored."""

    PAID = "P"
    UNPAID = "U"
    DEEMED = "D"


@dataclass(frozen=True, slots=True)
class ContributionMonth:
    """One month of contributions."""

    month: Month
    base: Money
    standing: Standing


PAID_THROUGHOUT = Standing.PAID.value * MONTHS_PER_YEAR  # nearly every year of nearly everybody


@dataclass(frozen=True, slots=True)
class YearRecord:
    """A calendar year as it is stored: twelve bases in fen and twelve letters; without a letter the base is zero."""

    bases_fen: tuple[int, ...]
    states: str

    def __post_init__(self) -> None:
        if not len(self.bases_fen) == len(self.states) == MONTHS_PER_YEAR:
            raise ValueError("a year has twelve months")

    def __len__(self) -> int:
        return MONTHS_PER_YEAR - self.states.count(NOTHING)

    def contributed(self) -> tuple[int, int, int]:
        """Sum of the bases of the paid months in fen, how many these are, and how many are deemed."""
        if self.states == PAID_THROUGHOUT:
            return sum(self.bases_fen), MONTHS_PER_YEAR, 0
        paid = Standing.PAID.value
        bases = [base for base, state in zip(self.bases_fen, self.states, strict=True) if state == paid]
        return sum(bases), len(bases), self.states.count(Standing.DEEMED.value)

    def with_month(self, month: int, base: Money, standing: Standing) -> "YearRecord":
        """The record with one month replaced: a later fact of the same month replaces the earlier one."""
        place = month - 1
        bases = (*self.bases_fen[:place], base.fen, *self.bases_fen[month:])
        return YearRecord(bases, self.states[:place] + standing.value + self.states[month:])

    def joined(self, other: "YearRecord") -> "YearRecord":
        """The record with what another one knows of the months of which this one knows nothing."""
        own = [state != NOTHING for state in self.states]
        bases = zip(own, self.bases_fen, other.bases_fen, strict=True)
        states = zip(own, self.states, other.states, strict=True)
        return YearRecord(
            tuple(mine if is_own else theirs for is_own, mine, theirs in bases),
            "".join(mine if is_own else theirs for is_own, mine, theirs in states),
        )

    def covered_by(self, other: "YearRecord") -> "YearRecord":
        """The record with every month replaced that another one names."""
        if NOTHING not in other.states:
            return other
        pairs = [
            (theirs, letter) if letter != NOTHING else (ours, state)
            for ours, state, theirs, letter in zip(
                self.bases_fen, self.states, other.bases_fen, other.states, strict=True
            )
        ]
        return YearRecord(tuple(base for base, _ in pairs), "".join(state for _, state in pairs))

    def only(self, letters: str) -> "YearRecord":
        """The record with the months of some letters, nothing known of the others."""
        if not self.states.strip(letters + NOTHING):
            return self
        return self._kept([state in letters for state in self.states])

    def between(self, first: int, last: int) -> "YearRecord":
        """The record with the months from one to another, both included, nothing known of the others."""
        return self._kept([first <= month <= last for month in range(1, MONTHS_PER_YEAR + 1)])

    def _kept(self, is_kept: Sequence[bool]) -> "YearRecord":
        return YearRecord(
            tuple([base if kept else 0 for base, kept in zip(self.bases_fen, is_kept, strict=True)]),
            "".join([state if kept else NOTHING for state, kept in zip(self.states, is_kept, strict=True)]),
        )


EMPTY_YEAR = YearRecord((0,) * MONTHS_PER_YEAR, NOTHING * MONTHS_PER_YEAR)


class History:
    """All known months, ascending.

    Args:
        months: What is known; a later entry of the same month replaces the earlier one.
    """

    __slots__ = ("years",)

    years: Mapping[int, YearRecord]  # ascending; only years of which something is known

    def __init__(self, months: Iterable[ContributionMonth] = ()) -> None:
        self.years = _ascending(_with_months({}, months))

    @classmethod
    def of_years(cls, years: Mapping[int, YearRecord]) -> Self:
        """The history that the stored years hold."""
        made = cls.__new__(cls)
        made.years = _ascending(years)
        return made

    @property
    def months(self) -> tuple[ContributionMonth, ...]:
        """Every month by itself; made anew each time."""
        return tuple(_months(self.years))

    @property
    def paid(self) -> "History":
        """Only the months that were paid."""
        return self._only(Standing.PAID)

    @property
    def counted(self) -> "History":
        """The months that count as contribution years (缴费年限): paid and deemed ones."""
        return self._only(Standing.PAID, Standing.DEEMED)

    @property
    def deemed(self) -> "History":
        """Only the deemed months."""
        return self._only(Standing.DEEMED)

    @property
    def last_month(self) -> Month | None:
        """The latest month that is known; None when none is."""
        if not self.years:
            return None
        year = max(self.years)
        return Month(year, len(self.years[year].states.rstrip(NOTHING)))

    @property
    def last_base(self) -> Money | None:
        """The base of the latest paid month; None when no month was paid."""
        paid = self.paid
        last = paid.last_month
        return None if last is None else Money(paid.years[last.year].bases_fen[last.month - 1])

    def until(self, last: Month) -> "History":
        """The months up to and including one."""
        kept = {year: record for year, record in self.years.items() if year <= last.year}
        if last.year in kept:
            kept[last.year] = kept[last.year].between(1, last.month)
        return History.of_years(kept)

    def after(self, month: Month) -> "History":
        """The months after one."""
        kept = {year: record for year, record in self.years.items() if year >= month.year}
        if month.year in kept:
            kept[month.year] = kept[month.year].between(month.month + 1, MONTHS_PER_YEAR)
        return History.of_years(kept)

    def last(self, count: int) -> "History":
        """The latest so many months."""
        return History(self.months[-count:])

    def extended(self, first: Month, last: Month, base: Money) -> "History":
        """The history with paid months assumed from one month to another where none is counted yet."""
        known = {one.month for one in self.counted.months}
        assumed = [
            ContributionMonth(month, base, Standing.PAID) for month in Month.range(first, last) if month not in known
        ]
        return History.of_years(_with_months(self.years, assumed))

    def __len__(self) -> int:
        return sum([len(record) for record in self.years.values()])

    def __bool__(self) -> bool:
        return bool(self.years)

    def __eq__(self, other: object) -> bool:
        return self.years == other.years if isinstance(other, History) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.years.items()))

    def __repr__(self) -> str:
        return f"History({self.to_plain()})"

    def to_plain(self) -> dict[str, Any]:
        """The history by year, as it is stored with a calculation."""
        return {
            str(year): {"bases_fen": list(record.bases_fen), "states": record.states}
            for year, record in self.years.items()
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_plain` wrote."""
        return cls.of_years(
            {int(year): YearRecord(tuple(record["bases_fen"]), record["states"]) for year, record in plain.items()}
        )

    def _only(self, *standings: Standing) -> "History":
        letters = "".join(standings)
        return History.of_years({year: record.only(letters) for year, record in self.years.items()})


def _ascending(years: Mapping[int, YearRecord]) -> dict[int, YearRecord]:
    return {year: years[year] for year in sorted(years) if years[year].states != EMPTY_YEAR.states}


def _with_months(years: Mapping[int, YearRecord], months: Iterable[ContributionMonth]) -> dict[int, YearRecord]:
    found = dict(years)
    for one in months:
        year, month = one.month.year, one.month.month
        found[year] = found.get(year, EMPTY_YEAR).with_month(month, one.base, one.standing)
    return found


def _months(years: Mapping[int, YearRecord]) -> Iterable[ContributionMonth]:
    for year, record in years.items():
        for month, (base_fen, letter) in enumerate(zip(record.bases_fen, record.states, strict=True), start=1):
            if letter != NOTHING:
                yield ContributionMonth(Month(year, month), Money(base_fen), Standing(letter))
