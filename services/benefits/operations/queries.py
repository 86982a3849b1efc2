"""What is only shown: retirement, estimates, benefits, payments, payrolls. Nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import paging
from kernel.calendar import Month
from kernel.errors import DomainError, NotFound, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.benefits import calculation, entitlement, projection
from services.benefits.calculation import PensionInputs
from services.benefits.history import Scheme
from services.benefits.operations import payrolls as payroll_operations
from services.benefits.operations.determinations import known_person
from services.benefits.operations.payments import PaymentShown
from services.benefits.store import decisions, payrolls, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.commands import AskRetirement, EstimatePension, PageOf, PageOfPayrolls
    from services.benefits.domain.retirement import Retirement, Track
    from services.benefits.entitlement import Spell
    from services.benefits.history import History
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.projection import Projection
    from services.benefits.store.rows import BenefitRow, PayrollRow


@dataclass(frozen=True, slots=True)
class RetirementShown:
    """When a person retires, with what is known of the contributions."""

    retirement: Retirement
    contribution_months: int
    as_of: Month | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate of a pension: not a decision."""

    retirement: RetirementShown
    calculation: Calculation
    assumed_months: int


@dataclass(frozen=True, slots=True)
class Payments:
    """A page of payments."""

    payments: Sequence[PaymentShown]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Payrolls:
    """A page of payrolls."""

    payrolls: Sequence[PayrollRow]
    next_page_token: str


async def retirement(tx: Transaction, command: AskRetirement, policy: BenefitsPolicy) -> RetirementShown:
    """When a person retires and may retire.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: TRACK_INVALID.
        Refused: TRACK_UNKNOWN.
    """
    person = await known_person(tx, command.person_id)
    spells = await register.spells(tx, person.person_id)
    track = entitlement.track_of(person.sex, spells, command.track)
    history = await register.history(tx, person.person_id, Scheme.EMPLOYEE_PENSION)
    return _retirement(track, Month.of(person.birth_date), history, policy)


async def estimate_pension(tx: Transaction, command: EstimatePension, policy: BenefitsPolicy) -> Estimate:
    """What the pension would be if the person went on to a month of retirement; stores nothing.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: TRACK_INVALID.
        Refused: TRACK_UNKNOWN, NO_CONTRIBUTIONS, NOT_APPLICABLE, TOO_EARLY, TOO_LATE, CONTRIBUTION_SHORT,
            POLICY_PARAMETER_MISSING.
    """
    person = await known_person(tx, command.person_id)
    spells = await register.spells(tx, person.person_id)
    track = entitlement.track_of(person.sex, spells, command.track)
    history = await register.history(tx, person.person_id, Scheme.EMPLOYEE_PENSION)
    birth = Month.of(person.birth_date)
    shown = _retirement(track, birth, history, policy)
    month = command.retirement_month or shown.retirement.statutory
    calculation.require_window(track, birth, month, policy)
    base = command.future_base or history.last_base
    if base is None or not history.counted:
        raise Refused("NO_CONTRIBUTIONS", "no contribution month of the employee pension is known")
    known = history.until(month).counted
    assumed = known.extended(_first_assumed(spells, known, Month.of(tx.today)), month, base)
    before = {one.month for one in known.months}
    coming = {one.month: one.base for one in assumed.months if one.month not in before}
    account = await _projected(tx, person.person_id, coming, month, policy)
    inputs = PensionInputs(
        birth=birth,
        track=track,
        retirement_month=month,
        history=assumed,
        balance=account.balance,
        balance_provisional=account.provisional,
    )
    result = calculation.calculate_pension(inputs, policy)
    statement = _with_rates(result.statement, account)
    return Estimate(shown, replace(result, statement=statement), len(coming))


async def benefit(tx: Transaction, benefit_id: UUID) -> BenefitRow:
    """A benefit; that of another person is not found.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
    """
    row = await decisions.benefit(tx, benefit_id)
    if row is None:
        raise _benefit_not_found()
    try:
        tx.principal.require_person(row.person_id)
    except DomainError:
        raise _benefit_not_found() from None
    if tx.principal.is_staff:
        tx.audit(tx.method, person_id=row.person_id)
    return row


async def benefit_calculation(tx: Transaction, benefit_id: UUID) -> Calculation:
    """How the amount of a benefit came about.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
    """
    return await decisions.calculation(tx, (await benefit(tx, benefit_id)).digest)


async def benefits(tx: Transaction, person_id: UUID) -> Sequence[BenefitRow]:
    """The benefits of a person, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    return await decisions.benefits(tx, (await known_person(tx, person_id)).person_id)


async def payments(tx: Transaction, command: PageOf) -> Payments:
    """The payments to a person, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    person = await known_person(tx, command.owner_id)
    page = paging.read(tx, size=command.size, token=command.token, query=person.person_id.hex)
    before = UUID(page.after) if page.after else None
    rows = await payrolls.payments_of_person(tx, person.person_id, before=before, limit=page.size + 1)
    shown = rows[: page.size]
    made = await decisions.calculations(tx, (payment.digest for payment, _ in shown))
    token = paging.following(tx, page, str(shown[-1][0].payment_id)) if len(rows) > page.size else ""
    return Payments([PaymentShown(payment, state, made[payment.digest]) for payment, state in shown], token)


async def payroll(tx: Transaction, payroll_id: UUID) -> PayrollRow:
    """A payroll.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
    """
    row = await payrolls.get(tx, payroll_id)
    if row is None:
        raise payroll_operations.not_found()
    return row


async def list_payrolls(tx: Transaction, command: PageOfPayrolls) -> Payrolls:
    """Payrolls, newest first.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=command.size, token=command.token, query=f"payrolls {command.state or ''}")
    before = UUID(page.after) if page.after else None
    rows = await payrolls.listed(tx, command.state, before=before, limit=page.size + 1)
    shown = rows[: page.size]
    return Payrolls(shown, paging.following(tx, page, str(shown[-1].payroll_id)) if len(rows) > page.size else "")


# Estimating ---------------------------------------------------------------------------------------------------------


def _retirement(track: Track, birth: Month, history: History, policy: BenefitsPolicy) -> RetirementShown:
    return RetirementShown(
        calculation.retirement_of(track, birth, policy), len(history.counted), history.counted.last_month
    )


def _first_assumed(spells: Sequence[Spell], known: History, this_month: Month) -> Month:
    """Who is employed goes on without a gap, also in months that are not settled yet; others from now on."""
    is_employed = any(one.scheme is Scheme.EMPLOYEE_PENSION and one.end_month is None for one in spells)
    last = known.last_month
    if last is None or (not is_employed and last < this_month):
        return this_month
    return last.next


async def _projected(
    tx: Transaction, person_id: UUID, coming: dict[Month, Money], month: Month, policy: BenefitsPolicy
) -> Projection:
    settled = await register.account(tx, person_id)
    if settled and settled.settled_month == month and settled.settled_balance is not None:
        return projection.Projection(settled.settled_balance, (), bool(settled.settled_provisional))
    account = await register.open_account(tx, person_id)
    first = min([*coming, month]).year
    account = account or projection.OpenAccount(first, Money.ZERO, {})
    return projection.project(account, coming, month, policy.projection)


def _with_rates(statement: Statement, account: Projection) -> Statement:
    """The statement with the rates of interest that the projected balance rests on."""
    lines = tuple(
        replace(line, parameters=(*line.parameters, *account.parameters)) if line.code == "account" else line
        for line in statement.lines
    )
    return Statement(lines)


def _benefit_not_found() -> NotFound:
    return NotFound("BENEFIT_NOT_FOUND", "no such benefit")
