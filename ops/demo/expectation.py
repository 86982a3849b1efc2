"""What the law gives in the story, by a second arithmetic: whole fen and fractions, written apart from the services.

It reads the same policy files, as plain data, and shares no rule with `services/*/domain`. Where both agree to the
fen, a mistake would have to be made twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from kernel.calendar import Month
from ops.demo.people import RAISE_FROM, RAISED_WAGE, RETIREE_BIRTH, RETIREMENT, START

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from ops.demo.people import Employee

HISTORY_FROM, HISTORY_TO = Month(1998, 1), Month(2024, 12)  # 27 paid years of the retiree
DEEMED_FROM, DEEMED_TO = Month(1995, 1), Month(1995, 12)  # and one deemed year before accounts existed
HISTORY_LEVEL = Fraction(4, 5)  # his bases stood at 80 % of the average wage
RETIREE_BALANCE_2024 = 14_832_657  # fen, as delivered by the system before
JOBLESS_FROM, JOBLESS_TO = Month(2020, 1), Month(2024, 12)
JOBLESS_BASE = 650_000  # fen
JOBLESS_BALANCE_2024 = 3_318_244  # fen
INJURY_CLASS = 2  # textiles

YEAR = 12  # months
DECEMBER_2025 = Month(2025, 12)
RETIREE_MONTHS_PRE_1996 = DEEMED_FROM.months_until(DEEMED_TO) + 1


@dataclass(frozen=True)
class Contribution:
    """One person-month in fen."""

    base: int
    pension_employer: int
    pension_employee: int
    unemployment_employer: int
    unemployment_employee: int
    work_injury: int

    @property
    def total(self) -> int:
        """Everything that the bill asks for this person."""
        return (
            self.pension_employer
            + self.pension_employee
            + self.unemployment_employer
            + self.unemployment_employee
            + self.work_injury
        )


@dataclass(frozen=True)
class Pension:
    """The pension of the retiree in fen, item by item."""

    months: int
    basic: int
    account: int
    transitional: int
    total: int


class Law:
    """The parameters of the story's time and place, read as plain data."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, Any] = {}

    def _file(self, name: str) -> Any:
        if name not in self._files:
            self._files[name] = yaml.safe_load((self._directory / f"{name}.yaml").read_text("utf-8"))
        return self._files[name]

    def _on(self, file: str, key: str, day: date) -> Any:
        """The value of a parameter on a day."""
        rows = self._parameter(file, key)["values"]
        return next(row for row in rows if (row["from"] or day) <= day <= (row["to"] or day))["value"]

    def _of_year(self, file: str, key: str, year: int) -> Fraction:
        """The value of a yearly parameter; the newest published one while the year has none."""
        years = self._parameter(file, key)["years"]
        pairs = years.items() if isinstance(years, dict) else ((row["year"], row["value"]) for row in years)
        published = {each: value for each, value in pairs if value is not None}
        return Fraction(published[min(year, max(published))])

    def _parameter(self, file: str, key: str) -> Any:
        return next(entry for entry in self._file(file)["parameters"] if entry["key"] == key)

    def contribution(self, wage: int, month: Month) -> Contribution:
        """Bills of one person-month; every amount rounded half up by itself."""
        day = month.first_day
        limits = self._on("contribution", "base_limits", day)
        base = min(max(wage, _fen(limits["floor"])), _fen(limits["ceiling"]))
        injury = self._on("contribution", "work_injury.industry_rates", day)[INJURY_CLASS - 1]

        def share(key: str) -> int:
            return _half_up(base * Fraction(self._on("contribution", key, day)))

        return Contribution(
            base,
            share("pension.employee.rate.employer"),
            share("pension.employee.rate.employee"),
            share("unemployment.rate.employer"),
            share("unemployment.rate.employee"),
            _half_up(base * Fraction(injury["base"])),  # step 1.00, phase factor 1.0 of the local value file
        )

    def interest(self, year: int) -> Fraction:
        """Yearly interest of the personal account."""
        return self._of_year("personal-account", "interest_rate", year)

    def average_monthly_wage(self, year: int) -> Fraction:
        """A twelfth of the year's index base, in fen."""
        return self._of_year("contribution", "index_base", year) * 100 / YEAR

    def minimum_wage(self, month: Month) -> int:
        """Minimum wage of class 1 in fen."""
        return _fen(self._on("unemployment", "minimum_wage", month.first_day)["class_1"])

    @cache  # noqa: B019 - one law for the life of one story
    def history_base(self, year: int) -> int:
        """The retiree's monthly base in a year of his history, whole yuan."""
        return _half_up(self.average_monthly_wage(year) * HISTORY_LEVEL / 100) * 100

    def end_of_2025(self, employee: Employee, opening: int, last: Month = DECEMBER_2025) -> int:
        """Account balance at the end of 2025; every month is booked as it falls due."""
        booked = [self._credit(employee, month) for month in Month.range(START, last)]
        rate = self.interest(2025)
        weighted = sum(credit * (YEAR - position) for position, credit in enumerate(booked))
        return opening + _half_up(opening * rate) + sum(booked) + _half_up(weighted * rate / YEAR)

    def at_retirement(self, employee: Employee, opening: int) -> int:
        """Account balance at the end of the month of retirement in 2026."""
        opening = self.end_of_2025(employee, opening)
        booked = [self._credit(employee, month) for month in Month.range(Month(2026, 1), RETIREMENT)]
        count, rate = len(booked), self.interest(2026)
        weighted = sum(credit * (count - position) for position, credit in enumerate(booked))
        return opening + sum(booked) + _half_up(opening * rate * count / YEAR) + _half_up(weighted * rate / YEAR)

    def _credit(self, employee: Employee, month: Month) -> int:
        base = self.contribution(wage_in(employee, month), month).base
        return _half_up(
            base * Fraction(self._on("contribution", "pension.employee.account_credit_rate", month.first_day))
        )

    def pension(self, retiree: Employee, other_base: int | None = None) -> Pension:
        """The employee pension of the retiree from August 2026.

        Args:
            retiree: Who.
            other_base: Calculation base (计发基数) in fen that is assumed instead of the published one.
        """
        paid = list(Month.range(HISTORY_FROM, HISTORY_TO))
        index = Fraction(0)
        for month in paid:
            index += Fraction(self.history_base(month.year)) / self.average_monthly_wage(month.year)
        running = list(Month.range(START, RETIREMENT))
        for month in running:
            base = self.contribution(wage_in(retiree, month), month).base
            index += Fraction(base) / self.average_monthly_wage(month.year)
        months = RETIREE_MONTHS_PRE_1996 + len(paid) + len(running)
        average = index / months
        index4 = Fraction(_half_up(average * 10_000), 10_000)
        base = other_base or int(self._of_year("pension-employee", "calculation_base", RETIREMENT.year) * 100)
        basic = _half_up(Fraction(base, 200) * (1 + index4) * Fraction(months, YEAR))
        balance = self.at_retirement(retiree, RETIREE_BALANCE_2024)
        account = _half_up(balance / self._payout_months(retiree))
        transitional = _half_up(Fraction(base) * average * Fraction(RETIREE_MONTHS_PRE_1996, YEAR) * Fraction("0.012"))
        total = -(-(basic + account + transitional) // 10) * 10
        return Pension(months, basic, account, transitional, total)

    def _payout_months(self, retiree: Employee) -> Fraction:
        rows = self._on("payout-months", "whole_year", RETIREMENT.first_day)
        divisor = {row["age"]: Fraction(row["months"]) for row in rows}
        years, rest = divmod(Month.of(retiree.birth).months_until(RETIREMENT), YEAR)
        between = divisor[years] + (divisor[years + 1] - divisor[years]) * rest / YEAR
        return Fraction(_half_up(between * 10), 10)

    def skills_subsidy(self, level: int, day: date) -> int:
        """The skills subsidy for a certificate of a level in fen, without the uplift of urgent occupations."""
        return _fen(self._on("training", f"skill.amount.level_{level}", day))

    def injury_grant(self, hurt: Employee, accident: Month, grade: int) -> int:
        """The one-off grant of a grade in fen: months of the average base before the accident, between its limits."""
        first = max(accident.plus(-YEAR), START)
        bases = [self.contribution(wage_in(hurt, month), month).base for month in Month.range(first, accident.previous)]
        area = self._of_year("work-injury", "area_average_wage", accident.year) * 100
        limits = self._on("work-injury", "own_wage.limits", accident.first_day)
        floor, ceiling = (_half_up(area * Fraction(limits[end])) for end in ("floor", "ceiling"))
        wage = min(max(_half_up(Fraction(sum(bases), len(bases))), floor), ceiling)
        rows = self._on("work-injury", "grades", accident.first_day)
        return wage * next(int(row["one_off_months"]) for row in rows if row["grade"] == grade)

    def survivors(self, dead: Employee, month: Month, last: Month = RETIREMENT) -> tuple[int, int]:
        """What the dead paid in by `last`, and what the survivors are paid once: below five years at most that."""
        income = self._of_year("survivor", "annual_income.jiangsu", month.year - 1)
        base = _half_up(income / YEAR) * 100
        months = self._on("survivor", "funeral_months", month.first_day)
        months += self._on("survivor", "pension_months", month.first_day)["below_5"]
        own = sum(self.contribution(wage_in(dead, each), each).pension_employee for each in Month.range(START, last))
        return own, min(base * months, own)

    def unemployment(self, jobless: Employee, month: Month) -> int:
        """The benefit of one month in fen: 45 % of the last twelve bases, at most the month's minimum wage."""
        last_12 = [JOBLESS_BASE] * 3 + [self.contribution(jobless.wage.fen, START).base] * 9
        return min(_half_up(Fraction(sum(last_12), YEAR) * Fraction("0.45")), self.minimum_wage(month))


def wage_in(employee: Employee, month: Month) -> int:
    """The declared wage of a month in fen; the retiree's is raised in 2026."""
    is_raised = Month.of(employee.birth) == RETIREE_BIRTH and month >= RAISE_FROM
    return RAISED_WAGE.fen if is_raised else employee.wage.fen


def _fen(yuan: str) -> int:
    return int(Fraction(yuan) * 100)


def _half_up(value: Fraction | int) -> int:
    """Round a number that is not negative; halves go up."""
    return (2 * Fraction(value) + 1) // 2
