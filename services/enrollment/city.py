"""The run over the whole city: what every employer of a class and step pays in a month, and what a run came to.

Pure values; amounts of law are in `domain.contributions`, one bill is in `billing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import AlreadyExists, NotFound
from kernel.money import Money
from services.enrollment.billing import EMPLOYEE_SCHEMES, PARTS, BillKind, Terms, explain
from services.enrollment.domain.contributions import (
    BaseLimits,
    ContributionLaw,
    EmployerTerms,
    Scheme,
    Side,
    contribution_rates,
)

CHUNK_PERSONS = 20_000  # half a second of work: what a kill can cost, and how long an employer's changes may wait


@dataclass(frozen=True, slots=True)
class Tariff:
    """The exact rates that every employer of an industry class and float step pays in a month (费率)."""

    terms: Terms
    rates: Mapping[tuple[Scheme, Side], Decimal]
    account_rate: Decimal
    limits: BaseLimits
    provisional: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A range of employers, both ends included, and how many persons they insured when it was planned."""

    first: UUID
    last: UUID
    person_count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What was billed: bills, persons on them, and the amounts by name of `PARTS` of their kind."""

    bill_count: int
    person_count: int
    charges: Mapping[str, Money]
    kind: BillKind = BillKind.EMPLOYER

    @property
    def total(self) -> Money:
        """Everything together."""
        return Money.total(self.charges.values())

    def side(self, scheme: Scheme, side: Side) -> Money:
        """Total of one scheme and side; what a flexible worker pays is the side of the employee."""
        sides = (side, Side.FLEXIBLE) if side is Side.EMPLOYEE else (side,)
        names = PARTS[self.kind].items()
        return Money.total(self.charges[name] for name, (one, of) in names if one is scheme and of in sides)


@dataclass(frozen=True, slots=True)
class BillRun:
    """The monthly bill run of the city (月度批量核定)."""

    run_id: UUID
    month: Month
    job_id: UUID
    assess_date: date
    policy_version: str
    totals: Totals


def tariff(month: Month, law: ContributionLaw, employer: EmployerTerms) -> Tariff:
    """The rates of a class and step in a month.

    Raises:
        InvalidInput: INDUSTRY_CLASS_UNKNOWN, FLOAT_STEP_UNKNOWN.
        PolicyParameterMissing: A limit or rate is not known for the month.
    """
    terms, day = Terms(month, law, employer), month.first_day
    limits = law.limits.on(day).value
    return Tariff(
        terms=terms,
        rates=contribution_rates(month, EMPLOYEE_SCHEMES, law, employer),
        account_rate=law.account_credit.on(day).value,
        limits=limits,
        provisional=explain(limits.floor, terms).provisional,
    )


def bill_run_exists(run_id: str, month: Month) -> AlreadyExists:
    """The month has its run; names it."""
    return AlreadyExists("BILL_RUN_EXISTS", "the month has a bill run", run=run_id, month=str(month))


def bill_run_not_found(month: Month) -> NotFound:
    """No run was started for the month."""
    return NotFound("BILL_RUN_NOT_FOUND", "no bill run was started for the month", month=str(month))
