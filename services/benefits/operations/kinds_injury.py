"""The first person: prepares what a work injury brings the living.

Grade, nursing and the day of the event come from the clerk's document, whose number stands in the notes. An injury is
told apart from others of the person by the day of its event.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.errors import NotFound, Refused
from kernel.money import Money
from services.benefits import entitlement, exclusion
from services.benefits.exclusion import Wanted, base_of
from services.benefits.history import Scheme
from services.benefits.kinds.injury import InjuryFacts, TerminationFacts
from services.benefits.lifecycle import EndReason, Kind
from services.benefits.operations.determinations import place
from services.benefits.operations.kinds_shared import (
    calculated,
    insured_in,
    living,
    not_insured,
    require_order,
)
from services.benefits.operations.preparing import write
from services.benefits.operations.same_facts import months_before, running_pension
from services.benefits.store import decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.benefits.kind_commands import PrepareInjury, PrepareInjuryMedicalGrant, PrepareInjuryTopUp
    from services.benefits.operations.determinations import Shown
    from services.benefits.policy import BenefitsPolicy


async def prepare_injury(tx: Transaction, command: PrepareInjury, policy: BenefitsPolicy) -> Sequence[Shown]:
    """Determine what a grade brings: the grant once, allowance (1 to 4) and nursing from the month after the appraisal.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: INJURY_GRADE_INVALID, NO_CONTRIBUTION_MONTHS, DATES_OUT_OF_ORDER.
        Refused: PERSON_DIED, NO_PARTICIPATION, BENEFIT_ALREADY_DETERMINED, BENEFIT_ALREADY_RUNNING,
            POLICY_PARAMETER_MISSING.
    """
    person, known, spells = await living(tx, command.person_id)
    require_order(command.event_date, command.appraisal_date, tx.today, field="appraisal_date")
    event, appraised = Month.of(command.event_date), Month.of(command.appraisal_date)
    spell = insured_in(spells, Scheme.WORK_INJURY, event)
    if spell is None and command.average_base is None:
        raise not_insured(Scheme.WORK_INJURY)
    pension = running_pension(known)
    facts = InjuryFacts(
        event_date=command.event_date,
        grade=command.grade,
        history=await months_before(tx, person.person_id, command.event_date),
        stated_average=command.average_base,
        nursing=command.nursing,
        suitable_work=command.suitable_work,
        division=spell.division if spell else person.division,
        first_month=appraised.next,
        pension=None if pension is None else pension.monthly,
    )
    share = command.event_date.isoformat()
    notes = [
        f"document {command.document}",
        f"injured {command.event_date}, appraised {command.appraisal_date}, grade {command.grade}",
        f"months before the event: {len(facts.history)}",
    ]
    prepared = []
    for kind in (Kind.INJURY_GRANT, Kind.INJURY_ALLOWANCE, Kind.INJURY_NURSING):
        is_once = kind is Kind.INJURY_GRANT
        result = calculated(kind, facts, appraised.next, policy)
        if not is_once and result.statement.total <= Money.ZERO:
            continue
        named, first = place(known, kind, share, Month.of(tx.today) if is_once else appraised.next)
        exclusion.require_free(Wanted(kind, share, first, event), known)
        prepared.append(
            await write(
                tx,
                person,
                result,
                command.payee,
                first_month=first,
                last_month=first if is_once else None,
                event_month=event,
                division=facts.division,
                notes=notes,
                share=named,
            )
        )
    return prepared


async def prepare_injury_top_up(
    tx: Transaction, command: PrepareInjuryTopUp, policy: BenefitsPolicy
) -> Sequence[Shown]:
    """Determine what the fund adds to a pension that is lower than the allowance it ended (工伤保险条例 art. 35).

    Raises:
        NotFound: BENEFIT_NOT_FOUND: no allowance that a pension ended.
        Refused: PERSON_DIED, PENSION_NOT_DETERMINED, BENEFIT_ALREADY_RUNNING, NOTHING_TO_PAY.
    """
    before = await decisions.benefit(tx, command.benefit_id)
    if before is None or before.kind is not Kind.INJURY_ALLOWANCE or before.end_reason is not EndReason.RETIRED:
        raise NotFound("BENEFIT_NOT_FOUND", "no such allowance, or no pension ended it")
    person, known, _ = await living(tx, before.person_id)
    pension = running_pension(known)
    if pension is None:
        raise Refused("PENSION_NOT_DETERMINED", "the person draws no pension", source=("WII",))
    exclusion.require_free(Wanted(before.kind, before.share, pension.first_month, before.event_month), known)
    determined = InjuryFacts.from_plain((await decisions.calculation(tx, before.digest)).inputs)
    facts = replace(determined, pension=pension.monthly, allowance=before.monthly)
    share, first = place(known, before.kind, base_of(before.share), pension.first_month)
    result = calculated(Kind.INJURY_ALLOWANCE, facts, first, policy)
    notes = [f"document {command.document}", f"allowance {before.monthly} until {before.last_month}"]
    return [
        await write(
            tx,
            person,
            result,
            command.payee,
            first_month=first,
            last_month=None,
            event_month=before.event_month,
            division=before.division,
            notes=notes,
            share=share,
        )
    ]


async def prepare_injury_medical_grant(
    tx: Transaction, command: PrepareInjuryMedicalGrant, policy: BenefitsPolicy
) -> Sequence[Shown]:
    """Determine the medical grant at the end of an injured worker's employment.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: TRACK_INVALID, TERMINATION_GRADE_INVALID, DATES_OUT_OF_ORDER.
        Refused: PERSON_DIED, TRACK_UNKNOWN, BENEFIT_ALREADY_DETERMINED, NOTHING_TO_PAY.
    """
    person, known, spells = await living(tx, command.person_id)
    require_order(command.event_date, command.end_date, tx.today, field="end_date")
    share, today = command.event_date.isoformat(), Month.of(tx.today)
    exclusion.require_free(Wanted(Kind.INJURY_MEDICAL_GRANT, share, today, today), known)
    facts = TerminationFacts(
        birth=Month.of(person.birth_date),
        track=entitlement.track_of(person.sex, spells, command.track),
        end_date=command.end_date,
        grade=command.grade,
        own_request=command.own_request,
        employer_fault=command.employer_fault,
        occupational_disease=command.occupational_disease,
        retired=running_pension(known) is not None,
    )
    named, first = place(known, Kind.INJURY_MEDICAL_GRANT, share, today)
    result = calculated(Kind.INJURY_MEDICAL_GRANT, facts, first, policy)
    notes = [
        f"document {command.document}",
        f"injured {command.event_date}, employment ended {command.end_date}, grade {command.grade}",
        f"the employer pays: {dict(result.statement.line('employer.employment').inputs)['employer_pays']}",
    ]
    return [
        await write(
            tx,
            person,
            result,
            command.payee,
            first_month=first,
            last_month=first,
            event_month=Month.of(command.end_date),
            notes=notes,
            share=named,
        )
    ]
