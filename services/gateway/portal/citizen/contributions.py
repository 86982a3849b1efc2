"""My contributions: a year month by month, and all years with their totals, unpaid months and missing ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.gateway.portal.citizen.records import SCHEMES
from services.gateway.portal.downloads import as_csv, attachment
from services.gateway.portal.page import CITIZEN, Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

FIRST_YEAR = 1992  # the personal account begins in Jiangsu; nothing older is kept by month
PAGE = 200  # rows of an answer: 12 a year for each scheme and employer
_RECENT_YEARS = 5
UNPAID = "CONTRIBUTION_STATE_UNPAID"


async def contributions(visit: Visit) -> Response:
    """A year of contributions."""
    this_year = visit.today().year
    asked = visit.query.get("year", "")
    year = int(asked) if asked.isdecimal() and FIRST_YEAR <= int(asked[:4]) <= this_year else this_year
    rows = await rows_of(visit, year)
    if not rows and not asked:  # nothing this year yet: the year before says more
        year -= 1
        rows = await rows_of(visit, year)
    return visit.render(
        "citizen/contributions.html",
        year=year,
        recent=range(this_year, this_year - _RECENT_YEARS, -1),
        years=range(this_year, FIRST_YEAR - 1, -1),
        months=by_month(rows),
        schemes=[scheme for scheme in SCHEMES if any(row["scheme"] == scheme for row in rows)],
        employee=_sum(row["employee"] for row in rows if row["state"] != UNPAID),
        employer=_sum(row["employer"] for row in rows if row["state"] != UNPAID),
    )


async def all_years(visit: Visit) -> Response:
    """Every year with its months by scheme, what was paid, and what was not."""
    rows = await rows_of(visit)
    years = by_year(rows)
    return visit.render(
        "citizen/contribution_years.html",
        years=years,
        schemes=[scheme for scheme in SCHEMES if any(row["scheme"] == scheme for row in rows)],
        counts={scheme: sum(one.counts.get(scheme, 0) for one in years) for scheme in SCHEMES},
        employee=_sum(one.employee for one in years),
        employer=_sum(one.employer for one in years),
        unpaid=sum(len(one.unpaid) for one in years),
    )


async def all_years_csv(visit: Visit) -> Response:
    """Every month and scheme as a file; the sums of the page are its sums."""
    rows = await rows_of(visit)
    t = visit.t
    heads = [
        t("contributions.month"),
        t("insurance.scheme"),
        t("contributions.base"),
        t("contributions.mine"),
        t("contributions.employers"),
        t("contributions.arrival"),
    ]
    return attachment(
        "all-contributions.csv",
        as_csv(
            heads,
            (
                (
                    row["month"],
                    t.word(row["scheme"]),
                    row["base"],
                    row["employee"],
                    row["employer"],
                    t.word(row["state"]),
                )
                for row in rows
            ),
        ),
    )


async def rows_of(visit: Visit, year: int = 0) -> list[dict[str, Any]]:
    """The months of a year, or of all; 30 years are six answers."""
    path = f"/v1/persons/{await visit.person_id()}/contributions"
    rows: list[dict[str, Any]] = []
    token = ""
    while True:
        found = await visit.get(path, year=year or None, page_size=PAGE, page_token=token)
        rows += found["months"]
        token = found["next_page_token"]
        if not token:
            return rows


@dataclass(slots=True)
class Year:
    """A year of contributions.

    Attributes:
        counts: Paid or deemed months by scheme.
        unpaid: Months that were billed and not paid.
        missing: Months between the first and the last one of all years in which there is nothing at all.
    """

    year: int
    counts: dict[str, int] = field(default_factory=dict)
    employee: Decimal = Decimal()
    employer: Decimal = Decimal()
    unpaid: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @staticmethod
    def runs(months: list[str]) -> str:
        """Months of a year as people write them: "2, 5–9"."""
        found: list[list[int]] = []
        for number in (int(month[5:]) for month in months):
            if found and found[-1][-1] + 1 == number:
                found[-1].append(number)
            else:
                found.append([number])
        return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in found)

    @property
    def sums(self) -> tuple[str, str]:
        """What was paid by the person and by employers, as amounts of the contract."""
        return f"{self.employee:.2f}", f"{self.employer:.2f}"


def by_year(rows: Iterable[dict[str, Any]]) -> list[Year]:
    """The years, newest first; a year in the middle without a month is there too."""
    found: dict[int, Year] = {}
    seen: set[str] = set()
    counted: set[tuple[str, str]] = set()
    for row in rows:
        month = row["month"]
        one = found.setdefault(int(month[:4]), Year(int(month[:4])))
        seen.add(month)
        if row["state"] == UNPAID:
            if month not in one.unpaid:
                one.unpaid.append(month)
            continue
        one.employee += Decimal(row["employee"])
        one.employer += Decimal(row["employer"])
        if (month, row["scheme"]) not in counted:  # two employers in a month are one month
            counted.add((month, row["scheme"]))
            one.counts[row["scheme"]] = one.counts.get(row["scheme"], 0) + 1
    if not seen:
        return []
    first, last = min(seen), max(seen)
    for year in range(int(first[:4]), int(last[:4]) + 1):
        one = found.setdefault(year, Year(year))
        months = (f"{year}-{number:02}" for number in range(1, 13))
        one.missing = [month for month in months if first < month < last and month not in seen]
        one.unpaid.sort()
    return sorted(found.values(), key=lambda one: one.year, reverse=True)


def by_month(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each month and base, newest first, with its schemes inside."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        month = found.setdefault(
            (row["month"], row["base"]),
            {"month": row["month"], "base": row["base"], "schemes": {}, "state": row["state"], "imported": True},
        )
        month["schemes"][row["scheme"]] = row
        month["imported"] = month["imported"] and row["source"].startswith("import:")
        if row["state"] == UNPAID:
            month["state"] = row["state"]
    for month in found.values():
        month["employee"] = _sum(row["employee"] for row in month["schemes"].values())
        month["employer"] = _sum(row["employer"] for row in month["schemes"].values())
    return sorted(found.values(), key=lambda month: str(month["month"]), reverse=True)


def _sum(amounts: Iterable[Any]) -> str:
    """Amounts of the contract added up, exactly."""
    return f"{sum((Decimal(amount) for amount in amounts), Decimal()):.2f}"


PAGES = (
    Page("/contributions", contributions, roles=CITIZEN, acr=2),
    Page("/contributions/all", all_years, roles=CITIZEN, acr=2),
    Page("/contributions/all.csv", all_years_csv, roles=CITIZEN, acr=2),
)
