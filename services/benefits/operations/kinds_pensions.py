"""The first person: prepares government pension, occupational annuity, resident pension and disability allowance.

Facts that no event carries (accounts of these schemes, appraisals) come from the clerk's document, whose number stands
in the notes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.errors import Refused
from kernel.money import Money
from services.benefits import calculation, entitlement, exclusion
from services.benefits.domain.government import Group
from services.benefits.exclusion import Wanted
from services.benefits.history import Scheme
from services.benefits.kinds.disability import DisabilityFacts
from services.benefits.kinds.government import AnnuityFacts, GovernmentFacts
from services.benefits.kinds.resident import ResidentFacts
from services.benefits.lifecycle import Kind
from services.benefits.operations.determinations import place
from services.benefits.operations.kinds_shared import calculated, living, require_insured, require_order
from services.benefits.operations.preparing import write
from services.benefits.store import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.benefits.kind_commands import (
        PrepareDisabilityAllowance,
        PrepareGovernmentPension,
        PrepareResidentPension,
    )
    from services.benefits.operations.determinations import Shown
    from services.benefits.policy import BenefitsPolicy


async def prepare_government_pension(
    tx: Transaction, command: PrepareGovernmentPension, policy: BenefitsPolicy
) -> Sequence[Shown]:
    """Determine a government pension, and the occupational annuity that is paid beside it.

    Before 2025 the month of retirement is asked to be no earlier than the original age; from then on the window of
    flexible retirement holds (assumed: decision 0190).

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: TRACK_INVALID, OLD_AMOUNT_MISSING, DEEMED_INDEX_MISSING, RETIRED_BEFORE_JOINING.
        Refused: PERSON_DIED, TRACK_UNKNOWN, PENSION_ALREADY_DETERMINED, NO_PARTICIPATION, RETIREMENT_NOT_REACHED,
            NOT_APPLICABLE, TOO_EARLY, TOO_LATE, CONTRIBUTION_SHORT, NOTHING_TO_PAY, POLICY_PARAMETER_MISSING.
    """
    person, known, spells = await living(tx, command.person_id)
    month = Month.of(command.retirement_date)
    exclusion.require_free(Wanted(Kind.GOVERNMENT_PENSION, "", month.next, month), known)
    require_insured(spells, Scheme.GOVERNMENT_PENSION)
    track = entitlement.track_of(person.sex, spells, command.track)
    birth = Month.of(person.birth_date)
    if command.retirement_date > tx.today:
        raise Refused("RETIREMENT_NOT_REACHED", "the day of retirement lies ahead", month=str(month))
    history = (await register.history(tx, person.person_id, Scheme.GOVERNMENT_PENSION)).until(month).paid
    facts = GovernmentFacts(
        birth=birth,
        track=track,
        retirement_date=command.retirement_date,
        history=history,
        balance=command.balance,
        annuity_balance=command.annuity_balance,
        joined=command.joined,
        deemed_months=command.deemed_months,
        deemed_index=command.deemed_index,
        old=command.old,
        old_parts=command.old_parts,
        new_total=command.new_total,
    )
    if command.early_by_service:
        require_early_service(facts, policy)
    else:
        require_government_month(facts, policy)
    notes = [
        f"document {command.document}",
        f"group {facts.group(policy).value}, retired {command.retirement_date}",
        f"paid months: {len(history)}, deemed: {command.deemed_months}",
        *(["retired early by years of service"] if command.early_by_service else []),
    ]
    result = calculated(Kind.GOVERNMENT_PENSION, facts, month.next, policy)
    share, first = place(known, Kind.GOVERNMENT_PENSION, "", month.next)
    prepared = [
        await write(
            tx,
            person,
            result,
            command.payee,
            first_month=first,
            last_month=None,
            event_month=month,
            notes=notes,
            share=share,
        )
    ]
    annuity = AnnuityFacts(birth, month, command.annuity_balance)
    count = annuity.annuity(policy).month_count if command.annuity_balance > Money.ZERO else 0
    if count and facts.group(policy) is not Group.OLD:
        exclusion.require_free(Wanted(Kind.OCCUPATIONAL_ANNUITY, "", month.next, month), known)
        share, first = place(known, Kind.OCCUPATIONAL_ANNUITY, "", month.next)
        prepared.append(
            await write(
                tx,
                person,
                calculated(Kind.OCCUPATIONAL_ANNUITY, annuity, first, policy),
                command.payee,
                first_month=first,
                share=share,
                last_month=month.plus(count),
                event_month=month,
                notes=[*notes, f"paid for {count} months, until the balance is used up"],
            )
        )
    return prepared


def require_government_month(facts: GovernmentFacts, policy: BenefitsPolicy) -> None:
    """Refuse a month of retirement that the law does not allow.

    Raises:
        Refused: NOT_APPLICABLE, TOO_EARLY, TOO_LATE, CONTRIBUTION_SHORT.
    """
    person = calculation.retirement_of(facts.track, facts.birth, policy)
    if person.flexible:
        calculation.require_window(facts.track, facts.birth, facts.month, policy)
    elif facts.month < person.original:
        raise Refused("TOO_EARLY", "the month lies before the age of retirement", statutory=str(person.statutory))
    minimum = policy.retirement.minimum_months.on(min(facts.month, person.statutory).first_day)
    counted = len(facts.history) + facts.deemed_months
    if facts.old is None and facts.old_parts is None and counted < minimum.value:
        raise Refused(
            "CONTRIBUTION_SHORT",
            "paid and deemed months are fewer than the minimum",
            source=("NPC-2024-DELAY",),
            required_months=str(minimum.value),
            statutory=str(person.statutory),
        )


def require_early_service(facts: GovernmentFacts, policy: BenefitsPolicy) -> None:
    """Refuse an early retirement by years of service (提前退休) without those years.

    Raises:
        Refused: TOO_EARLY, NOT_APPLICABLE: the month lies in no time before the statutory one.
        PolicyParameterMissing: The bureau has not said how many years are asked for.
    """
    terms = policy.government.early_service.on(facts.retirement_date)
    person = calculation.retirement_of(facts.track, facts.birth, policy)
    left = facts.month.months_until(person.statutory)
    if left <= 0:
        raise Refused("NOT_APPLICABLE", "the statutory age is reached", statutory=str(person.statutory))
    service = len(facts.history) + facts.deemed_months
    if not terms.value.allows(service, left):
        raise Refused(
            "TOO_EARLY",
            "the years of service are fewer than early retirement asks for",
            source=terms.source,
            statutory=str(person.statutory),
            required_months=str(terms.value.service_months),
        )


async def prepare_resident_pension(
    tx: Transaction, command: PrepareResidentPension, policy: BenefitsPolicy
) -> Sequence[Shown]:
    """Determine a resident pension by the law of its first month.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: RESIDENT_FACTS_NEGATIVE.
        Refused: PERSON_DIED, PENSION_ALREADY_DETERMINED, NO_PARTICIPATION, RETIREMENT_NOT_REACHED, CONTRIBUTION_SHORT,
            NOTHING_TO_PAY, POLICY_PARAMETER_MISSING.
    """
    person, known, spells = await living(tx, command.person_id)
    birth = Month.of(person.birth_date)
    start = command.first_month or resident_start(birth, Month.of(tx.today), policy)
    exclusion.require_free(Wanted(Kind.RESIDENT_PENSION, "", start, start.previous), known)
    spell = require_insured(spells, Scheme.RESIDENT_PENSION)
    facts = ResidentFacts(birth, start, spell.division, command.balance, command.full_years, command.was_60_at_start)
    require_resident(facts, policy)
    if start > Month.of(tx.today).next:
        raise Refused("RETIREMENT_NOT_REACHED", "the first month lies ahead", month=str(start))
    notes = [
        f"document {command.document}",
        f"full years paid: {command.full_years}, account: {command.balance}",
        f"division {spell.division}",
    ]
    result = calculated(Kind.RESIDENT_PENSION, facts, start, policy)
    share, first = place(known, Kind.RESIDENT_PENSION, "", start)
    return [
        await write(
            tx,
            person,
            result,
            command.payee,
            first_month=first,
            share=share,
            last_month=None,
            event_month=start.previous,
            division=spell.division,
            notes=notes,
        )
    ]


def resident_start(birth: Month, today: Month, policy: BenefitsPolicy) -> Month:
    """The month after the one in which a resident reaches the age."""
    return birth.plus(policy.resident.eligibility.on(today.first_day).value.age_months).next


def require_resident(facts: ResidentFacts, policy: BenefitsPolicy) -> None:
    """Refuse who is not 60, or has too few years.

    Raises:
        Refused: RETIREMENT_NOT_REACHED, CONTRIBUTION_SHORT.
    """
    assessed = facts.assess(policy)
    if "AGE" in assessed.failures:
        raise Refused(
            "RETIREMENT_NOT_REACHED", "the age is not reached", source=("GF-2014-8",), month=str(assessed.first_month)
        )
    if assessed.failures:
        minimum = facts.full_years + assessed.missing_years
        raise Refused(
            "CONTRIBUTION_SHORT",
            "the full years paid are fewer than the minimum",
            source=("GF-2014-8",),
            required_months=str(minimum * 12),
            statutory=str(assessed.first_month),
        )


async def prepare_disability_allowance(
    tx: Transaction, command: PrepareDisabilityAllowance, policy: BenefitsPolicy
) -> Sequence[Shown]:
    """Determine a disability allowance (病残津贴), paid from the month after the claim.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: TRACK_INVALID, DATES_OUT_OF_ORDER.
        Refused: PERSON_DIED, TRACK_UNKNOWN, PENSION_ALREADY_DETERMINED, BENEFIT_ALREADY_RUNNING, CAPACITY_NOT_LOST,
            NO_PARTICIPATION, STATUTORY_AGE_REACHED, NO_CONTRIBUTIONS, POLICY_PARAMETER_MISSING.
    """
    person, known, spells = await living(tx, command.person_id)
    require_order(command.claim_date, tx.today, field="claim_date")
    month = Month.of(command.claim_date)
    exclusion.require_free(Wanted(Kind.DISABILITY_ALLOWANCE, "", month.next, month), known)
    require_insured(spells, Scheme.EMPLOYEE_PENSION)
    history = (await register.history(tx, person.person_id, Scheme.EMPLOYEE_PENSION)).until(month).counted
    if not history:
        raise Refused("NO_CONTRIBUTIONS", "no contribution month of the employee pension is known")
    account = await register.account(tx, person.person_id)
    facts = DisabilityFacts(
        birth=Month.of(person.birth_date),
        track=entitlement.track_of(person.sex, spells, command.track),
        claim_month=month,
        history=history,
        balance=account.balance if account else Money.ZERO,
        capacity_lost=command.capacity_lost,
        old_transitional=command.old_transitional,
    )
    terms = facts.terms(policy)
    for reason in terms.failures:
        raise Refused(reason, "a condition of the allowance is not met", source=("MOHRSS-2024-72",))
    notes = [
        f"document {command.document}",
        f"pension months: {len(history)}, months to the statutory age: {terms.months_to_statutory}",
        f"determined as {terms.branch}",
    ]
    if terms.recompute_in is not None:
        notes.append(f"claim again in {terms.recompute_in}: from then on it is determined as the pension")
    result = calculated(Kind.DISABILITY_ALLOWANCE, facts, month.next, policy)
    share, first = place(known, Kind.DISABILITY_ALLOWANCE, "", month.next)
    return [
        await write(
            tx,
            person,
            result,
            command.payee,
            first_month=first,
            share=share,
            last_month=facts.last_month(policy),
            event_month=month,
            notes=notes,
        )
    ]
