"""Cover that is bought for work, not for a person: construction projects and orders of platforms.

Pure values and decisions; premiums are in `domain.projects`. Sources: 人社部发〔2014〕103号 and 〔2018〕3号,
人社部发〔2021〕110号.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound
from kernel.money import Money
from kernel.statement import Statement

_PERMIT_NO = re.compile(r"[0-9A-Z-]{6,40}", re.ASCII)
CONTRACT_PRICE_MAX = Money(100_000_000_000_00)
DAY_ORDERS_MAX = 1000
REPORT_ROWS_MAX = 5000


class Branch(StrEnum):
    """Branch of a platform, by the word that the law uses for its fee."""

    RIDE = "出行"
    TAKEAWAY = "外卖"
    DELIVERY = "即时配送"
    FREIGHT = "同城货运"


@dataclass(frozen=True, slots=True)
class Project:
    """A construction project insured as a whole."""

    project_id: UUID
    employer_id: UUID
    permit_no: str
    name: str
    contract_price: Money
    start_date: date
    planned_date: date
    completion_date: date | None
    premium: Money
    statement: Statement
    policy_version: str
    paid_date: date | None = None
    named_count: int = 0

    def covers(self, day: date) -> bool:
        """Whether the work of a day is covered: from the start to the completion."""
        return self.start_date <= day and (self.completion_date is None or day <= self.completion_date)


@dataclass(frozen=True, slots=True)
class ProjectCover:
    """A stretch on the roster of a project."""

    project_id: UUID
    name: str
    from_date: date
    until_date: date | None


@dataclass(frozen=True, slots=True)
class PlatformMonth:
    """A month's orders of a platform in one branch."""

    platform_month_id: UUID
    employer_id: UUID
    month: Month
    branch: Branch
    orders: int
    premium: Money
    statement: Statement
    policy_version: str
    paid_date: date | None = None


@dataclass(frozen=True, slots=True)
class PlatformOrders:
    """Orders of a person with one platform, of a day or of a month."""

    employer_id: UUID
    branch: Branch
    orders: int
    month: Month
    days: int = 1


def check_project_dates(start: date, planned: date) -> None:
    """A project ends after it starts.

    Raises:
        InvalidInput: PROJECT_DATES_INVALID.
    """
    if planned < start:
        raise project_dates_invalid("planned_date", start, None)


def check_permit_no(text: str) -> str:
    """The number of a construction permit.

    Raises:
        InvalidInput: PERMIT_NO_INVALID.
    """
    if not _PERMIT_NO.fullmatch(text):
        raise InvalidInput(
            "PERMIT_NO_INVALID", "a permit number has 6 to 40 digits, capital letters and hyphens", field="permit_no"
        )
    return text


def project_dates_invalid(field: str, earliest: date, latest: date | None) -> InvalidInput:
    """A day of a project that lies outside it."""
    return InvalidInput(
        "PROJECT_DATES_INVALID",
        "the day lies outside the project",
        field=field,
        earliest=str(earliest),
        latest=str(latest or ""),
    )


def project_not_found() -> NotFound:
    """The one text for a project that does not exist and for one that is not the caller's business."""
    return NotFound("PROJECT_NOT_FOUND", "no such project")
