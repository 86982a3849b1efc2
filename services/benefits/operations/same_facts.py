"""What the first person calculated with must still be what is known when the second one approves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.errors import Refused
from kernel.money import Money
from services.benefits.calculation import PensionInputs, UnemploymentInputs
from services.benefits.exclusion import base_of
from services.benefits.history import Scheme
from services.benefits.kinds.disability import DisabilityFacts
from services.benefits.kinds.government import GovernmentFacts
from services.benefits.kinds.injury import InjuryFacts, TerminationFacts
from services.benefits.kinds.survivors import SurvivorFacts
from services.benefits.kinds.unemployment import LumpSumFacts
from services.benefits.kinds.work_death import WorkDeathFacts
from services.benefits.lifecycle import AFTER_DEATH, PENSIONS, BenefitState, EndReason, Kind
from services.benefits.operations.determinations import EXTENDED, last_spell
from services.benefits.store import register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.history import History
    from services.benefits.store.rows import BenefitRow, DeterminationRow, PersonRow

MONTHS_BEFORE = 12  # 本人工资: the 12 months before the accident or the diagnosis


async def require_same_facts(
    tx: Transaction, row: DeterminationRow, made: Calculation, known: Sequence[BenefitRow]
) -> None:
    """Refuse an approval when the register says something else now: a later fact asks for a new determination.

    Raises:
        Refused: STATEMENT_CHANGED.
    """
    person = await register.person(tx, row.person_id)
    is_same = person is not None and _is_same_person(row, made, person)
    if is_same and row.kind in AFTER_DEATH:
        is_same = await died_month(tx, row.person_id) == _death_of(made)
    if not is_same or not await _is_same(tx, row, made, known):
        raise Refused("STATEMENT_CHANGED", "what the register knows changed since the determination was prepared")


async def months_before(tx: Transaction, person_id: UUID, event: date) -> History:
    """The paid months of the work-injury insurance in the twelve months before an event."""
    month = Month.of(event)
    history = await register.history(tx, person_id, Scheme.WORK_INJURY)
    return history.until(month.previous).after(month.plus(-MONTHS_BEFORE - 1)).paid


async def died_month(tx: Transaction, person_id: UUID) -> Month | None:
    """The month of death, as the register or any participation says it."""
    person = await register.person(tx, person_id)
    if person is not None and person.died_month is not None:
        return person.died_month
    spells = await register.spells(tx, person_id)
    return next((one.end_month for one in spells if one.end_reason == EndReason.DIED), None)


def running_pension(known: Sequence[BenefitRow]) -> BenefitRow | None:
    """The pension that a person draws."""
    return next((one for one in known if one.kind in PENSIONS and one.state is not BenefitState.ENDED), None)


def drawn_months(known: Sequence[BenefitRow], died: Month) -> int | None:
    """Months of employee pension drawn up to a death; None when none was determined here."""
    pension = next(
        (one for one in known if one.kind is Kind.EMPLOYEE_PENSION and one.end_reason is not EndReason.REVOKED), None
    )
    return None if pension is None else max(0, pension.first_month.months_until(died) + 1)


def drew_unemployment(known: Sequence[BenefitRow], died: Month) -> bool:
    """Whether a person drew unemployment benefit in the month of death."""
    return any(
        one.kind is Kind.UNEMPLOYMENT
        and one.end_reason is not EndReason.REVOKED
        and one.first_month <= died
        and one.last_month is not None
        and one.last_month >= died
        for one in known
    )


def _is_same_person(row: DeterminationRow, made: Calculation, person: PersonRow) -> bool:
    """Births are corrected."""
    birth = made.inputs.get("birth")
    return birth is None or row.kind is Kind.EMPLOYEE_PENSION or birth == str(Month.of(person.birth_date))


def _death_of(made: Calculation) -> Month | None:
    """The month of death that a calculation rests on; None of a missing person."""
    day = made.inputs.get("death_date") or made.inputs["event_date"]
    return None if made.inputs.get("missing") else Month.parse(day[:7])


async def _is_same(tx: Transaction, row: DeterminationRow, made: Calculation, known: Sequence[BenefitRow]) -> bool:
    found = True
    match row.kind:
        case Kind.EMPLOYEE_PENSION:
            pension = PensionInputs.from_plain(made.inputs)
            history = await register.history(tx, row.person_id, Scheme.EMPLOYEE_PENSION)
            account = await register.account(tx, row.person_id)
            found = history.until(row.event_month).counted == pension.history
            found = found and account is not None and account.settled_balance == pension.balance
        case Kind.UNEMPLOYMENT | Kind.UNEMPLOYMENT_LUMP_SUM | Kind.UNEMPLOYMENT_FUNERAL | Kind.UNEMPLOYMENT_GRANT:
            found = await _is_same_claim(tx, row, made, known)
        case Kind.GOVERNMENT_PENSION:
            government = GovernmentFacts.from_plain(made.inputs)
            history = await register.history(tx, row.person_id, Scheme.GOVERNMENT_PENSION)
            found = history.until(government.month).paid == government.history
        case Kind.DISABILITY_ALLOWANCE:
            disability = DisabilityFacts.from_plain(made.inputs)
            history = await register.history(tx, row.person_id, Scheme.EMPLOYEE_PENSION)
            account = await register.account(tx, row.person_id)
            found = history.until(disability.claim_month).counted == disability.history
            found = found and (account.balance if account else Money.ZERO) == disability.balance
        case Kind.INJURY_GRANT | Kind.INJURY_ALLOWANCE | Kind.INJURY_NURSING:
            injury = InjuryFacts.from_plain(made.inputs)
            drawn = running_pension(known)
            found = await months_before(tx, row.person_id, injury.event_date) == injury.history
            is_beside = row.kind is not Kind.INJURY_ALLOWANCE  # of the three only the allowance stops for a pension
            found = found and (is_beside or (drawn.monthly if drawn else None) == injury.pension)
        case Kind.INJURY_MEDICAL_GRANT:
            is_retired = running_pension(known) is not None
            found = TerminationFacts.from_plain(made.inputs).retired == is_retired
        case Kind.INJURY_FUNERAL | Kind.INJURY_DEATH_GRANT | Kind.INJURY_DEPENDANT:
            death = WorkDeathFacts.from_plain(made.inputs)
            found = await months_before(tx, row.person_id, death.injured) == death.history
        case Kind.SURVIVOR_FUNERAL | Kind.SURVIVOR_GRANT:
            survivor = SurvivorFacts.from_plain(made.inputs)
            died = Month.of(survivor.death_date)
            history = (await register.history(tx, row.person_id, Scheme.EMPLOYEE_PENSION)).until(died).counted
            drawn_here = drawn_months(known, died)
            found = len(history) == survivor.contribution_months
            found = found and (drawn_here is None or drawn_here == survivor.drawn_months)
        case _:
            pass  # residents and annuities: what documents say
    return found


async def _is_same_claim(
    tx: Transaction, row: DeterminationRow, made: Calculation, known: Sequence[BenefitRow]
) -> bool:
    """The same for what the fund of unemployment pays."""
    claim = last_spell(known)
    match row.kind:
        case Kind.UNEMPLOYMENT_LUMP_SUM:
            left = LumpSumFacts.from_plain(made.inputs)
            last = left.first_month.plus(left.months - 1)
            is_drawn = claim is not None and claim.state is BenefitState.ACTIVE
            return is_drawn and claim is not None and (claim.next_month, claim.last_month) == (left.first_month, last)
        case Kind.UNEMPLOYMENT_FUNERAL | Kind.UNEMPLOYMENT_GRANT:
            survivor = SurvivorFacts.from_plain(made.inputs)
            died = Month.of(survivor.death_date)
            pension = (await register.history(tx, row.person_id, Scheme.EMPLOYEE_PENSION)).until(died).counted
            return len(pension) == survivor.contribution_months and drew_unemployment(known, died)
        case _ if base_of(row.share) == EXTENDED:  # the months of the claim were looked at when it began
            return claim is not None and claim.event_month == row.event_month
        case _:
            history = (await register.history(tx, row.person_id, Scheme.UNEMPLOYMENT)).until(row.event_month).paid
            history = history.after(claim.event_month) if claim else history
            return history == UnemploymentInputs.from_plain(made.inputs).history
