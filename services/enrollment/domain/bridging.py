"""Between the pensions of residents and of employees (城乡养老制度衔接): when, in which direction, and with what.

At the statutory age, with enough employee years the resident account goes up in the employee account and adds no years;
with fewer the employee account may go to the resident scheme, where its years count. Source: 人社部发〔2014〕17号.
"""

from collections.abc import Mapping
from enum import StrEnum

from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.errors import Refused
from kernel.money import Money
from kernel.retirement import TrackRule
from kernel.statement import Line, Statement

SOURCE = ("MOHRSS-2014-17",)
_YEAR = 12


class Direction(StrEnum):
    """Where the account goes."""

    TO_EMPLOYEE = "TO_EMPLOYEE"
    TO_RESIDENT = "TO_RESIDENT"


def check_bridge(
    direction: Direction,
    months: int,
    *,
    of_age: Month,
    today: Month,
    min_years: DatedValue[int],
    age: DatedValue[TrackRule],
) -> None:
    """An account moves at the statutory age, in the direction that the employee years decide.

    Args:
        direction: Where it is to go.
        months: Paid and deemed months of the employee pension.
        of_age: Month of the statutory age.
        today: This month.
        min_years: Employee years from which the resident account goes up in the employee account.
        age: The row of law that the age rests on.

    Raises:
        Refused: BRIDGE_TOO_EARLY with the first month, BRIDGE_DIRECTION_WRONG with years and months.
    """
    if today < of_age:
        raise Refused(
            "BRIDGE_TOO_EARLY",
            "the statutory age is not reached",
            source=(*SOURCE, *age.source),
            earliest=str(of_age),
        )
    right = Direction.TO_EMPLOYEE if months >= min_years.value * _YEAR else Direction.TO_RESIDENT
    if direction is not right:
        raise Refused(
            "BRIDGE_DIRECTION_WRONG",
            "the years of the employee pension decide where the account goes",
            field="direction",
            source=min_years.source,
            years=str(min_years.value),
            months=str(months),
        )


def bridged(
    direction: Direction, opening: Money, monthly: Mapping[int, Money], min_years: DatedValue[int]
) -> Statement:
    """What moves: the balance of the year before, booked in January, and each credit of this year in its month.

    So the year earns what it would have earned had the account always been there (assumed, docs/decisions/0169).
    """
    parts = [("opening", opening), *((f"{month:02d}", amount) for month, amount in sorted(monthly.items()))]
    to = (
        ("职工", "the employee pension") if direction is Direction.TO_EMPLOYEE else ("城乡居民", "the resident pension")
    )
    return Statement(
        tuple(
            Line(
                code=f"bridged.{code}",
                amount=amount,
                title_zh=f"转入{to[0]}养老保险个人账户",
                title_en=f"Moves to the account of {to[1]}",
                formula=str(amount),
                inputs=(("part", code),),
                sources=SOURCE,
                parameters=(min_years.use(),),
            )
            for code, amount in parts
            if amount != Money.ZERO
        )
    )
