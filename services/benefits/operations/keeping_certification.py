"""Certification of entitlement (待遇资格认证): at the counter, by a face check, by a file of matched data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import paging
from kernel.errors import Forbidden, InvalidInput
from services.benefits.domain import certification as law
from services.benefits.keeping import check_evidence
from services.benefits.lifecycle import Kind
from services.benefits.operations import queries
from services.benefits.operations.determinations import known_person
from services.benefits.operations.keeping_suspending import release
from services.benefits.store import decisions, keeping_certified, keeping_overdue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from asyncpg import Record

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.domain.certification import Certification
    from services.benefits.keeping import Certify
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.keeping_overdue import Due
    from services.benefits.store.rows import BenefitRow

LAST = 20  # certifications of a person that are shown
LISTS = ("REMINDED", "OVERDUE", "SUSPENDED")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a benefit stands."""

    benefit_id: UUID
    kind: Kind
    last_date: date
    is_certified: bool
    state: str
    suspend_reason: str
    certification: Certification


@dataclass(frozen=True, slots=True)
class PersonCertified:
    """Every benefit of a person that needs a certification, and the last ones made."""

    person_id: UUID
    standings: Sequence[Standing]
    certifications: Sequence[Record]
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class DuePage:
    """A page of who is due."""

    rows: Sequence[Due]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How the certification of the city goes."""

    by_kind: Sequence[Record]
    by_source: Sequence[Record]


async def certify(tx: Transaction, command: Certify, policy: BenefitsPolicy) -> PersonCertified:
    """One success, with what it rests on; a benefit held back for want of it is paid again.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: EVIDENCE_REQUIRED, CERTIFIED_IN_FUTURE.
        Forbidden: FACE_CHECK_SIMULATED: a simulated face check in production.
    """
    check_evidence(command.evidence, "evidence_ref")
    if command.simulated and tx.database.settings.is_prod:
        raise Forbidden("FACE_CHECK_SIMULATED", "a simulated face check is nothing in production")
    if command.certified_date > tx.today:
        raise InvalidInput("CERTIFIED_IN_FUTURE", "nobody is certified on a day to come", field="certified_date")
    await known_person(tx, command.person_id)
    new, _ = await record(tx, [command], policy)
    shown = await standing(tx, command.person_id, policy)
    return PersonCertified(shown.person_id, shown.standings, shown.certifications, is_new=bool(new))


async def face_check(tx: Transaction, command: Certify, policy: BenefitsPolicy, *, passed: bool) -> PersonCertified:
    """The answer of a face check; one that was not passed changes nothing and is kept in the audit.

    Raises:
        DomainError: As `certify`.
    """
    if passed:
        return await certify(tx, command, policy)
    check_evidence(command.evidence, "evidence_ref")
    tx.audit("face_check_failed", person_id=command.person_id, detail={"evidence": command.evidence})
    return await standing(tx, command.person_id, policy)


async def record(tx: Transaction, made: Sequence[Certify], policy: BenefitsPolicy) -> tuple[int, int]:
    """Write successes of known persons; how many were new, and how many benefits are paid again because of them.

    The benefits are locked first, as the sweep locks them: of the two whoever comes second sees the other.
    """
    persons = await keeping_certified.same_persons(tx, (one.person_id for one in made))
    await decisions.lock_running(tx, persons)
    by = tx.principal.known_person or tx.principal.subject
    new = await keeping_certified.add_certifications(tx, made, by)
    cycle = policy.certification.terms(tx.today)
    held = await keeping_overdue.suspended_overdue(tx, persons, law.good_from(tx.today, cycle))
    resumed = await release(tx, held) if held else 0
    for one in made:
        if (one.person_id, one.share) in new:
            detail = {"source": one.source.value, "evidence": one.evidence, "date": one.certified_date.isoformat()}
            tx.audit("certified", person_id=one.person_id, detail=detail)
    return len(new), resumed


async def standing(tx: Transaction, person_id: UUID, policy: BenefitsPolicy) -> PersonCertified:
    """When a person's certifications are due.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    await known_person(tx, person_id)
    if tx.principal.is_staff:
        tx.audit(tx.method, person_id=person_id)
    rows = await keeping_certified.standing(tx, person_id, policy.certification.schemes.on(tx.today).value)
    return PersonCertified(
        person_id,
        [_standing(row, tx.today, policy) for row in rows],
        await keeping_certified.certifications(tx, person_id, LAST),
    )


async def benefit_with_due(tx: Transaction, benefit_id: UUID, policy: BenefitsPolicy) -> tuple[BenefitRow, date | None]:
    """A benefit, and the last day on which its certification holds; none where the kind needs none, or it ended.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
    """
    row = await queries.benefit(tx, benefit_id)
    rows = await keeping_certified.standing(tx, row.person_id, policy.certification.schemes.on(tx.today).value)
    found = next((one for one in rows if one["benefit_id"] == benefit_id), None)
    return row, _standing(found, tx.today, policy).certification.due_by if found else None


async def list_due(tx: Transaction, which: str, policy: BenefitsPolicy, *, size: int, token: str) -> DuePage:
    """Who is reminded, overdue or held back: benefits and their persons by id, nothing about who they are.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"certifications {which}")
    schemes, terms = policy.certification.schemes.on(tx.today).value, policy.certification.terms(tx.today)
    after = UUID(page.after) if page.after else None
    rows = await keeping_overdue.due_page(tx, schemes, terms, tx.today, which, after=after, limit=page.size + 1)
    shown = rows[: page.size]
    if tx.principal.is_staff:
        tx.audit(tx.method, detail={"list": which, "count": str(len(shown))})
    return DuePage(shown, paging.following(tx, page, str(shown[-1].benefit_id)) if len(rows) > page.size else "")


async def figures(tx: Transaction, month: Month, policy: BenefitsPolicy) -> Figures:
    """How many are certified, due, overdue and held back now, and what each source brought in a month."""
    schemes, terms = policy.certification.schemes.on(tx.today).value, policy.certification.terms(tx.today)
    return Figures(
        await keeping_overdue.figures(tx, schemes, terms, tx.today),
        await keeping_overdue.figures_by_source(tx, month.first_day, month.last_day),
    )


def _standing(row: Record, today: date, policy: BenefitsPolicy) -> Standing:
    last = min(row["last_date"], today)  # a payment that starts in a month to come
    terms = policy.certification.terms(today)
    return Standing(
        benefit_id=row["benefit_id"],
        kind=Kind(row["kind"]),
        last_date=row["last_date"],
        is_certified=row["is_certified"],
        state=row["state"],
        suspend_reason=row["suspend_reason"] or "",
        certification=law.assess(last, today, terms),
    )
