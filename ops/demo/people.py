"""The persons and the employer of the story: generated, with valid check digits, in a region where nobody lives.

Every run draws new serial numbers, so that the story can be played again on the same platform.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date

from kernel.calendar import Month
from kernel.identity import TEST_REGION, make_credit_code, make_resident_id
from kernel.money import Money

DIVISION = "320613"  # Chongchuan district: minimum wage of class 1
EMPLOYEES = 20

_FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"
_GIVEN = "一二三四五六七八九十甲乙丙丁戊己庚辛壬癸"
_ORGANISATION = "ABCDEFGHJKLMNPQRTUWXY0123456789"


@dataclass(frozen=True)
class Employee:
    """One employee of the story."""

    name: str
    id_no: str
    birth: date
    male: bool
    post: str
    wage: Money
    account_no: str


@dataclass(frozen=True)
class Cast:
    """Everybody in one run."""

    run: str
    employer_name: str
    credit_code: str
    employees: tuple[Employee, ...]

    @property
    def retiree(self) -> Employee:
        """The man born in March 1966, who brings 28 years and retires in July 2026."""
        return self.employees[0]

    @property
    def jobless(self) -> Employee:
        """The woman who brings five years and loses the job at the end of September 2025."""
        return self.employees[1]


START = Month(2025, 1)
END = Month(2026, 8)
RETIREE_BIRTH = Month(1966, 3)  # nobody else in the story is born before 1970
RETIREMENT = Month(2026, 7)
LAST_JOB_MONTH = Month(2025, 9)
REGISTRATION = date(2025, 10, 13)
RAISE_FROM = Month(2026, 1)
RAISED_WAGE = Money.yuan("9860.00")

# Wages of the others: one below the floor of the base, one above the ceiling, the rest between.
_WAGES = (
    "3000.00",
    "40000.00",
    "4952.00",
    "24762.00",
    "5230.55",
    "6018.30",
    "7777.77",
    "8123.45",
    "8888.00",
    "9500.50",
)


def draw(run: str) -> Cast:
    """Make the cast of a run; the same run name gives the same cast."""
    chance = random.Random(run)  # noqa: S311 - made-up people need no secrecy
    serial = chance.sample(range(1000), EMPLOYEES)

    def employee(position: int, birth: date, wage: str, post: str, *, male: bool) -> Employee:
        sequence = serial[position] // 2 * 2 + (1 if male else 0)  # an odd sequence number is a man's
        return Employee(
            name=_FAMILY[position] + "示例" + _GIVEN[position],
            id_no=make_resident_id(TEST_REGION, birth, sequence),
            birth=birth,
            male=male,
            post=post,
            wage=Money.yuan(wage),
            account_no=f"622{chance.randrange(10**12):012d}8888",
        )

    def someday(year: int) -> date:
        return date(year, chance.randrange(1, 13), chance.randrange(1, 29))

    retiree = employee(
        0,
        date(RETIREE_BIRTH.year, RETIREE_BIRTH.month, chance.randrange(1, 29)),
        "9200.00",
        "POST_PRODUCTION",
        male=True,
    )
    jobless = employee(1, someday(1988), "7000.00", "POST_PRODUCTION", male=False)
    others = (
        employee(
            position,
            someday(1970 + position),
            _WAGES[(position - 2) % len(_WAGES)],
            "POST_MANAGEMENT" if position % 3 else "POST_PRODUCTION",
            male=position % 2 == 0,
        )
        for position in range(2, EMPLOYEES)
    )
    organisation = "MA" + "".join(chance.choices(_ORGANISATION, k=6))
    return Cast(
        run=run,
        employer_name=f"南通示例纺织厂{organisation[2:]}(演示)",
        credit_code=make_credit_code(DIVISION, organisation),
        employees=(retiree, jobless, *others),
    )
