"""The first person: prepares what follows an unemployment benefit.

A claim that ended less than a year before the statutory age goes on to it (U08); who starts a business draws the months
that are left in one sum (U07). Source: policy/unemployment.yaml, rules unemployment.other and unemployment.near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.errors import Refused
from services.benefits import calculation, entitlement, exclusion
from services.benefits.calculation import UnemploymentInputs
from services.benefits.exclusion import Wanted, base_of
from services.benefits.kinds.unemployment import LumpSumFacts
from services.benefits.lifecycle import BenefitState, EndReason, Kind
from services.benefits.operations.determinations import EXTENDED, last_spell, place
from services.benefits.operations.kinds_shared import calculated, living
from services.benefits.operations.preparing import write
from services.benefits.store import decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.benefits.kind_commands import PrepareMoreUnemployment
    from services.benefits.operations.determinations import Shown
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import BenefitRow


async def prepare_extension(
    tx: Transaction, command: PrepareMoreUnemployment, policy: BenefitsPolicy
) -> Sequence[Shown]:
    """Determine that a claim goes on to the statutory age (延长至法定退休年龄).

    The amounts are those of the claim, each month with its own cap; the statutory month is the last one.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Conflict: EMPLOYMENT_NOT_ENDED.
        Refused: PERSON_DIED, NO_UNEMPLOYMENT_BENEFIT, EXTENSION_NOT_DUE, EXTENSION_NOT_NEAR, BENEFIT_ALREADY_RUNNING,
            TRACK_UNKNOWN, POLICY_PARAMETER_MISSING.
    """
    person, known, spells = await living(tx, command.person_id)
    before = last_spell(known)
    if before is None or before.last_month is None:
        raise _none()
    if base_of(before.share) == EXTENDED:
        raise exclusion.taken(Kind.UNEMPLOYMENT)
    last = before.last_month
    if before.end_reason not in {None, EndReason.EXHAUSTED} or last >= Month.of(tx.today) or _has_sum(known, before):
        raise Refused("EXTENSION_NOT_DUE", "the months of the claim are not over", last_month=str(last))
    if entitlement.lost_employment(spells).last_month != before.event_month:
        raise Refused("EXTENSION_NOT_DUE", "the person has worked since", last_month=str(last))
    track = entitlement.track_of(person.sex, spells, None)
    statutory = calculation.retirement_of(track, Month.of(person.birth_date), policy).statutory
    if not policy.unemployment.extends(last, statutory):
        raise Refused(
            "EXTENSION_NOT_NEAR",
            "less than a year must be left to the statutory age",
            source=policy.unemployment.extension_months.on(last.first_day).source,
            statutory=str(statutory),
        )
    inputs = (await decisions.calculation(tx, before.digest)).inputs
    result = calculation.recompute(Kind.UNEMPLOYMENT, inputs, last.next, policy)
    exclusion.require_free(Wanted(Kind.UNEMPLOYMENT, EXTENDED, last.next, before.event_month), known)
    share, first = place(known, Kind.UNEMPLOYMENT, EXTENDED, last.next)
    notes = [f"document {command.document}", f"claim ended with {last}, statutory month {statutory}"]
    return [
        await write(
            tx,
            person,
            result,
            command.payee,
            first_month=first,
            last_month=statutory,
            event_month=before.event_month,
            division=before.division,
            share=share,
            notes=notes,
        )
    ]


async def prepare_lump_sum(
    tx: Transaction, command: PrepareMoreUnemployment, policy: BenefitsPolicy
) -> Sequence[Shown]:
    """Determine the months that are left in one sum (一次性领取), for who starts a business.

    Months that stand in no payroll count, each at the benefit of this month; approved, the claim ends before them.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: PERSON_DIED, NO_UNEMPLOYMENT_BENEFIT, BENEFIT_NOT_ACTIVE, BENEFIT_ALREADY_DETERMINED,
            POLICY_PARAMETER_MISSING.
    """
    person, known, _ = await living(tx, command.person_id)
    running = last_spell(known)
    if running is None or running.state is BenefitState.ENDED or base_of(running.share) == EXTENDED:
        raise _none()
    if running.state is not BenefitState.ACTIVE:
        raise Refused("BENEFIT_NOT_ACTIVE", "the benefit is held back", state=running.state.value)
    left = months_left(running)
    if not left:
        raise _none()
    inputs = UnemploymentInputs.from_plain((await decisions.calculation(tx, running.digest)).inputs)
    today = Month.of(tx.today)
    facts = LumpSumFacts(
        history=inputs.history,
        registration_date=inputs.registration_date,
        division=inputs.division,
        decided_month=today,
        first_month=running.next_month,
        months=left,
    )
    claim = str(running.event_month)  # one sum for each claim
    exclusion.require_free(Wanted(Kind.UNEMPLOYMENT_LUMP_SUM, claim, today, running.event_month), known)
    share, _ = place(known, Kind.UNEMPLOYMENT_LUMP_SUM, claim, today)
    notes = [f"document {command.document}", f"months left: {left}, from {running.next_month}"]
    return [
        await write(
            tx,
            person,
            calculated(Kind.UNEMPLOYMENT_LUMP_SUM, facts, today, policy),
            command.payee,
            first_month=today,
            last_month=today,
            event_month=running.event_month,
            division=running.division,
            share=share,
            notes=notes,
        )
    ]


def months_left(running: BenefitRow) -> int:
    """Months of a claim that stand in no payroll."""
    assert running.last_month is not None
    return max(0, running.next_month.months_until(running.last_month) + 1)


def _has_sum(known: Sequence[BenefitRow], claim: BenefitRow) -> bool:
    """Whether the last months of a claim were drawn in one sum."""
    return any(
        one.kind is Kind.UNEMPLOYMENT_LUMP_SUM
        and one.event_month == claim.event_month
        and one.end_reason is not EndReason.REVOKED
        for one in known
    )


def _none() -> Refused:
    return Refused("NO_UNEMPLOYMENT_BENEFIT", "no unemployment benefit of this person is there to go on from")
