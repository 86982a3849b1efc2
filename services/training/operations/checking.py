"""What the rules say of a claim: its facts gathered from what is known, and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.principal import person_not_found
from kernel.calendar import Month
from services.training.calculation import Calculation, calculate
from services.training.domain import skill_subsidy
from services.training.domain.skill_subsidy import Assessment, Facts, PersonStatus
from services.training.store import certificates, claims, register

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.training.commands import CertificateKey, CheckClaim
    from services.training.policy import TrainingPolicy
    from services.training.store.rows import CertificateRow


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim as the rules see it; the calculation only when every condition is met."""

    facts: Facts
    assessment: Assessment
    calculation: Calculation | None


async def check(tx: Transaction, command: CheckClaim, policy: TrainingPolicy) -> Checked:
    """What the rules would say today; stores nothing.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: POLICY_PARAMETER_MISSING.
    """
    if not await register.is_known(tx, command.person_id):
        raise person_not_found()
    certificate = await certificate_of(tx, command.person_id, command.key)
    facts = await facts_of(tx, command.person_id, certificate, tx.today, policy)
    assessment = skill_subsidy.assess(facts, policy.skill)
    return Checked(facts, assessment, calculate(facts, policy) if assessment.eligible else None)


async def certificate_of(tx: Transaction, person_id: UUID, key: CertificateKey) -> CertificateRow | None:
    """The certificate of a number, when it is this person's; that of somebody else is not found."""
    row = await certificates.find(tx, key)
    return row if row is not None and row.person_id == person_id else None


async def facts_of(
    tx: Transaction, person_id: UUID, certificate: CertificateRow | None, apply_date: date, policy: TrainingPolicy
) -> Facts:
    """Everything the rules ask, as it is known now."""
    skill = None if certificate is None else certificates.skill_of(certificate)
    counted_until = Month.of(apply_date if skill is None else skill.issue_date)
    return Facts(
        skill=skill,
        status=await _status(tx, person_id, Month.of(apply_date)),
        apply_date=apply_date,
        insured_months=await register.insured_months(tx, person_id, counted_until),
        grants=await claims.grants(tx, person_id),
        is_subsidised_elsewhere=certificate is not None and certificate.subsidised_elsewhere,
        is_urgent=skill is not None and policy.skill.is_urgent(skill.occupation, apply_date),
    )


async def _status(tx: Transaction, person_id: UUID, month: Month) -> PersonStatus:
    if await register.is_employed(tx, person_id, month):
        return PersonStatus.EMPLOYED
    if await register.is_drawing(tx, person_id, month):
        return PersonStatus.DRAWING
    return PersonStatus.OTHER
