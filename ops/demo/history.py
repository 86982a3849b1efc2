"""The file of years before that the story imports, in the format of docs/how-to/import-history.md.

The retiree brings one deemed year and 27 paid ones, the woman who will lose the job five; each an account balance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.money import Money
from ops.demo import expectation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.demo.expectation import Law
    from ops.demo.people import Cast, Employee

HEAD = ("#hrss-history,1", "kind,id_no,name,scheme,month,base,state,employer_code,year,balance")
PENSION, UNEMPLOYMENT = "110", "210"
LAST_YEAR = 2024


def file_of(cast: Cast, law: Law) -> bytes:
    """The file as the system before would deliver it, with its control totals."""
    months = [*_retiree_months(cast.retiree, law), *_jobless_months(cast.jobless)]
    balances = [
        (cast.retiree, expectation.RETIREE_BALANCE_2024),
        (cast.jobless, expectation.JOBLESS_BALANCE_2024),
    ]
    rows = [
        f"month,{who.id_no},{who.name},{scheme},{month},{Money(base)},{state},,,"
        for who, scheme, month, base, state in months
    ]
    rows += [f"account,{who.id_no},{who.name},,,,,,{LAST_YEAR},{Money(balance)}" for who, balance in balances]
    bases, total = Money(sum(row[3] for row in months)), Money(sum(balance for _, balance in balances))
    return "\n".join((*HEAD, *rows, f"#totals,{len(rows)},{bases},{total}", "")).encode()


def _retiree_months(retiree: Employee, law: Law) -> Iterator[tuple[Employee, str, Month, int, str]]:
    for month in Month.range(expectation.DEEMED_FROM, expectation.DEEMED_TO):
        yield retiree, PENSION, month, 0, "deemed"
    for month in Month.range(expectation.HISTORY_FROM, expectation.HISTORY_TO):
        yield retiree, PENSION, month, law.history_base(month.year), "paid"


def _jobless_months(jobless: Employee) -> Iterator[tuple[Employee, str, Month, int, str]]:
    for month in Month.range(expectation.JOBLESS_FROM, expectation.JOBLESS_TO):
        for scheme in (PENSION, UNEMPLOYMENT):
            yield jobless, scheme, month, expectation.JOBLESS_BASE, "paid"
