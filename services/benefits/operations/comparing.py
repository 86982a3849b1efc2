"""What the pension would be, in several scenarios side by side (养老待遇对比测算). Nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.errors import DomainError
from kernel.money import Money
from services.benefits import entitlement
from services.benefits.commands import EstimatePension
from services.benefits.history import Scheme
from services.benefits.kind_commands import EmployeePlan, GovernmentPlan
from services.benefits.kinds.government import GovernmentFacts
from services.benefits.kinds.resident import ResidentFacts
from services.benefits.lifecycle import Kind
from services.benefits.operations import queries
from services.benefits.operations.determinations import known_person
from services.benefits.operations.kinds_pensions import require_government_month, require_resident, resident_start
from services.benefits.operations.kinds_shared import calculated, require_insured
from services.benefits.store import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from kernel.statement import Statement
    from services.benefits.kind_commands import ComparePensions, Plan, ResidentPlan
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import PersonRow


@dataclass(frozen=True, slots=True)
class Result:
    """What a scenario gives, or why it gives nothing."""

    statement: Statement | None
    first_month: Month | None
    assumed_months: int = 0
    refusal: DomainError | None = None
    difference: Money = Money.ZERO


@dataclass(frozen=True, slots=True)
class Compared:
    """The results in the order asked."""

    results: Sequence[Result]
    policy_version: str


async def compare(tx: Transaction, command: ComparePensions, policy: BenefitsPolicy) -> Compared:
    """Every scenario by itself; one that is refused leaves the others standing.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    person = await known_person(tx, command.person_id)
    results = [await _result(tx, person, plan, policy) for plan in command.plans]
    base = next((one.statement.total for one in results if one.statement is not None), Money.ZERO)
    shown = [one if one.statement is None else replace(one, difference=one.statement.total - base) for one in results]
    return Compared(shown, policy.version)


async def _result(tx: Transaction, person: PersonRow, plan: Plan, policy: BenefitsPolicy) -> Result:
    try:
        match plan:
            case EmployeePlan():
                return await _employee(tx, person, plan, policy)
            case GovernmentPlan():
                return await _government(tx, person, plan, policy)
            case _:
                return await _resident(tx, person, plan, policy)
    except DomainError as refusal:
        return Result(None, None, refusal=refusal)


async def _employee(tx: Transaction, person: PersonRow, plan: EmployeePlan, policy: BenefitsPolicy) -> Result:
    asked = EstimatePension(person.person_id, plan.retirement_month, plan.track, plan.future_base)
    made = await queries.estimate_pension(tx, asked, policy)
    month = plan.retirement_month or made.retirement.retirement.statutory
    return Result(made.calculation.statement, month.next, made.assumed_months)


async def _government(tx: Transaction, person: PersonRow, plan: GovernmentPlan, policy: BenefitsPolicy) -> Result:
    """The pension beside the annuity, which is paid by itself; months to come are assumed to be paid."""
    spells = await register.spells(tx, person.person_id)
    require_insured(spells, Scheme.GOVERNMENT_PENSION)
    month = Month.of(plan.retirement_date)
    known = (await register.history(tx, person.person_id, Scheme.GOVERNMENT_PENSION)).until(month).paid
    assumed, base = known, plan.future_base or known.last_base
    if base is not None:
        start = known.last_month.next if known.last_month is not None else Month.of(tx.today)
        assumed = known.extended(start, month, base)
    facts = GovernmentFacts(
        birth=Month.of(person.birth_date),
        track=entitlement.track_of(person.sex, spells, plan.track),
        retirement_date=plan.retirement_date,
        history=assumed,
        balance=plan.balance,
        annuity_balance=plan.annuity_balance,
        joined=plan.joined,
        deemed_months=plan.deemed_months,
        deemed_index=plan.deemed_index,
    )
    require_government_month(facts, policy)
    made = calculated(Kind.GOVERNMENT_PENSION, facts, month.next, policy)
    return Result(made.statement, month.next, len(assumed) - len(known))


async def _resident(tx: Transaction, person: PersonRow, plan: ResidentPlan, policy: BenefitsPolicy) -> Result:
    spell = require_insured(await register.spells(tx, person.person_id), Scheme.RESIDENT_PENSION)
    birth = Month.of(person.birth_date)
    start = plan.first_month or resident_start(birth, Month.of(tx.today), policy)
    facts = ResidentFacts(birth, start, spell.division, plan.balance, plan.full_years)
    require_resident(facts, policy)
    return Result(calculated(Kind.RESIDENT_PENSION, facts, start, policy).statement, start)
