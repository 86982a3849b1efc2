"""The contribution history of one person in one scheme (缴费记录), as the calculations read it.

Pure values. A month is paid (已缴), billed and not paid (欠缴), or deemed (视同缴费); a month that nobody mentioned is
not in the history. Which of them count is the question of the rule that reads it.
"""

from collections.abc import Iterable, Mapping
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


@dataclass(frozen=True, slots=True)
class YearRecord:
    """A calendar year as it is stored: twelve bases in fen and twelve letters."""

    bases_fen: tuple[int, ...]
    states: str

    def with_month(self, month: int, base: Money, standing: Standing) -> "YearRecord":
        """The record with one month replaced: a later fact of the same month replaces the earlier one."""
        place = month - 1
        bases = (*self.bases_fen[:place], base.fen, *self.bases_fen[month:])
        return YearRecord(bases, self.states[:place] + standing.value + self.states[month:])


EMPTY_YEAR = YearRecord((0,) * MONTHS_PER_YEAR, NOTHING * MONTHS_PER_YEAR)


@dataclass(frozen=True, slots=True)
class History:
    """All known months, ascending."""

    months: tuple[ContributionMonth, ...] = ()

    @classmethod
    def of_years(cls, years: Mapping[int, YearRecord]) -> Self:
        """The history that the stored years hold."""
        return cls(tuple(_months(years)))

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
        return self.months[-1].month if self.months else None

    @property
    def last_base(self) -> Money | None:
        """The base of the latest paid month; None when no month was paid."""
        paid = self.paid.months
        return paid[-1].base if paid else None

    def until(self, last: Month) -> "History":
        """The months up to and including one."""
        return History(tuple(one for one in self.months if one.month <= last))

    def after(self, month: Month) -> "History":
        """The months after one."""
        return History(tuple(one for one in self.months if one.month > month))

    def last(self, count: int) -> "History":
        """The latest so many months."""
        return History(self.months[-count:])

    def extended(self, first: Month, last: Month, base: Money) -> "History":
        """The history with paid months assumed from one month to another where none is counted yet."""
        known = {one.month for one in self.counted.months}
        assumed = [
            ContributionMonth(month, base, Standing.PAID) for month in Month.range(first, last) if month not in known
        ]
        replaced = {one.month for one in assumed}
        kept = [one for one in self.months if one.month not in replaced]
        return History(tuple(sorted((*kept, *assumed), key=lambda one: one.month)))

    def __len__(self) -> int:
        return len(self.months)

    def to_plain(self) -> dict[str, Any]:
        """The history by year, as it is stored with a calculation."""
        years: dict[int, tuple[list[int], list[str]]] = {}
        for one in self.months:
            bases_fen, letters = years.setdefault(one.month.year, ([0] * MONTHS_PER_YEAR, [NOTHING] * MONTHS_PER_YEAR))
            bases_fen[one.month.month - 1] = one.base.fen
            letters[one.month.month - 1] = one.standing.value
        return {
            str(year): {"bases_fen": bases_fen, "states": "".join(letters)}
            for year, (bases_fen, letters) in sorted(years.items())
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_plain` wrote."""
        return cls.of_years(
            {int(year): YearRecord(tuple(record["bases_fen"]), record["states"]) for year, record in plain.items()}
        )

    def _only(self, *standings: Standing) -> "History":
        return History(tuple([one for one in self.months if one.standing in standings]))


def _months(years: Mapping[int, YearRecord]) -> Iterable[ContributionMonth]:
    for year, record in sorted(years.items()):
        for month, (base_fen, letter) in enumerate(zip(record.bases_fen, record.states, strict=True), start=1):
            if letter != NOTHING:
                yield ContributionMonth(Month(year, month), Money(base_fen), Standing(letter))
