"""The persons and the employer of the story: generated, with valid check digits, in a region where nobody lives.

Every run draws new serial numbers, so that the story can be played again on the same platform.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from kernel.calendar import Month
from kernel.identity import TEST_REGION, make_credit_code, make_resident_id
from kernel.money import Money

DIVISION = "320613"  # Chongchuan district: minimum wage of class 1
EMPLOYEES = 200
SIZE_MAX = 400  # names and sequence numbers last for so many
AT_COUNTER = 8  # enrolled one by one; the others come with the employer's roster

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
    def at_counter(self) -> tuple[Employee, ...]:
        """Those who are enrolled one by one."""
        return self.employees[:AT_COUNTER]

    @property
    def on_roster(self) -> tuple[Employee, ...]:
        """Those whom the employer's roster brings."""
        return self.employees[AT_COUNTER:]

    @property
    def retiree(self) -> Employee:
        """The man born in March 1966, who brings 28 years and retires in July 2026."""
        return self.employees[0]

    @property
    def jobless(self) -> Employee:
        """The woman who brings five years and loses the job at the end of September 2025."""
        return self.employees[1]

    @property
    def deceased(self) -> Employee:
        """The man who dies in service in September 2026."""
        return self.employees[2]

    @property
    def injured(self) -> Employee:
        """The one who has an accident at work."""
        return self.employees[5]

    @property
    def colleague(self) -> Employee:
        """The one whose account stands for everybody's who only pays."""
        return self.employees[3]

    @property
    def holder(self) -> Employee:
        """The man who uses the electronic card."""
        return self.employees[4]

    @property
    def learner(self) -> Employee:
        """The woman who earns a certificate."""
        return self.employees[7]


START = Month(2025, 1)
END = Month(2026, 8)
RETIREE_BIRTH = Month(1966, 3)
# Of the others: 26 years of birthdays, so that nobody else reaches a retirement age in the story.
FIRST_BIRTH, BIRTH_DAYS = date(1979, 1, 1), 26 * 365
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


def draw(run: str, size: int = EMPLOYEES) -> Cast:
    """Make the cast of a run; the same run name gives the same cast.

    Args:
        run: Name of the run.
        size: How many employees, more than stand at the counter and at most SIZE_MAX.
    """
    chance = random.Random(run)  # noqa: S311 - made-up people need no secrecy
    first_day = chance.randrange(BIRTH_DAYS)

    def employee(position: int, birth: date, sequence: int, wage: str, post: str, *, male: bool) -> Employee:
        return Employee(
            name=_FAMILY[position % len(_FAMILY)] + "示例" + _GIVEN[position // len(_FAMILY)] + _GIVEN[position % 7],
            # An odd sequence number is a man's.
            id_no=make_resident_id(TEST_REGION, birth, sequence // 2 * 2 + (1 if male else 0)),
            birth=birth,
            male=male,
            post=post,
            wage=Money.yuan(wage),
            account_no=f"622{chance.randrange(10**12):012d}8888",
        )

    def someday(position: int) -> date:
        """A birthday; with the sequence number, it is another run's only when both runs drew the same first day."""
        return FIRST_BIRTH + timedelta(days=(first_day + 47 * position) % BIRTH_DAYS)

    retiree = employee(
        0,
        date(RETIREE_BIRTH.year, RETIREE_BIRTH.month, chance.randrange(1, 29)),
        chance.randrange(1000),
        "9200.00",
        "POST_PRODUCTION",
        male=True,
    )
    jobless = employee(1, someday(1), chance.randrange(2 * SIZE_MAX, 1000), "7000.00", "POST_PRODUCTION", male=False)
    others = (
        employee(
            position,
            someday(position),
            2 * position,
            _WAGES[(position - 2) % len(_WAGES)],
            "POST_MANAGEMENT" if position % 3 else "POST_PRODUCTION",
            male=position % 2 == 0,
        )
        for position in range(2, size)
    )
    organisation = "MA" + "".join(chance.choices(_ORGANISATION, k=6))
    return Cast(
        run=run,
        employer_name=f"南通示例纺织厂{organisation[2:]}(演示)",
        credit_code=make_credit_code(DIVISION, organisation),
        employees=(retiree, jobless, *others),
    )


def roster_of(employees: tuple[Employee, ...], start: Month, *, spoilt: Employee | None = None) -> bytes:
    """The employer's roster (docs/how-to/import-roster.md), as a spreadsheet saves it.

    Args:
        employees: Whom it lists.
        start: First insured month.
        spoilt: Whose number the spreadsheet turned into scientific notation.
    """
    rows = ["\ufeff姓名,公民身份号码,起始月份,月工资,岗位"]
    for each in employees:
        id_no = f"{int(each.id_no[:17]) * 10:.3E}" if each is spoilt else each.id_no
        rows.append(f"{each.name},{id_no},{start},{each.wage},{each.post.removeprefix('POST_').lower()}")
    return "\r\n".join([*rows, ""]).encode()
