"""What enrolment counts for the plan's indicators."""

from collections.abc import Mapping

from chassis.operations import Period
from chassis.transaction import Transaction
from kernel.calendar import Month
from services.enrollment.domain.contributions import Scheme
from services.enrollment.store import figures

KEYS = {
    "employee_pension_insured": Scheme.EMPLOYEE_PENSION,
    "unemployment_insured": Scheme.UNEMPLOYMENT,
    "work_injury_insured": Scheme.WORK_INJURY,
}


async def count(tx: Transaction, _period: Period) -> Mapping[str, int]:
    """Persons with a participation in the month of the business day, by scheme (参保人数)."""
    insured = await figures.insured(tx, Month.of(tx.today))
    return {key: insured.get(scheme, 0) for key, scheme in KEYS.items()}
