"""Claims (申领): submitted by the claimant or at the counter, and shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chassis import paging
from chassis.principal import person_not_found
from kernel import ids
from kernel.errors import AlreadyExists, DomainError, NotFound, Refused
from services.training.domain import skill_subsidy
from services.training.lifecycle import ClaimState
from services.training.messages import facts
from services.training.operations.checking import certificate_of, facts_of
from services.training.store import certificates, claims, register
from services.training.store.rows import CertificateRow, ClaimRow, OrderRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.training.calculation import Calculation
    from services.training.commands import PageOfClaims, SubmitClaim
    from services.training.domain.skill_subsidy import Assessment
    from services.training.policy import TrainingPolicy


@dataclass(frozen=True, slots=True)
class Shown:
    """A claim with what is shown beside it."""

    claim: ClaimRow
    certificate: CertificateRow
    account_tail: str
    calculation: Calculation | None
    order: OrderRow | None


@dataclass(frozen=True, slots=True)
class Claims:
    """A page of claims."""

    claims: Sequence[Shown]
    next_page_token: str


async def submit(tx: Transaction, command: SubmitClaim, policy: TrainingPolicy) -> Shown:
    """Submit a claim; today is the day of the application, from which window and year are counted for good.

    A claim that the rules do not allow is taken as well: what is missing may still be on its way, and a no is for two
    persons to say. Only the certificate must be there.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: CERTIFICATE_NOT_FOUND, SUBSIDY_ALREADY_GRANTED, POLICY_PARAMETER_MISSING.
        AlreadyExists: CLAIM_OPEN.
    """
    if not await register.lock_person(tx, command.person_id):
        raise person_not_found()
    certificate = await certificate_of(tx, command.person_id, command.key)
    if certificate is None:
        source = policy.skill.rules["skill.certificate"]
        raise Refused("CERTIFICATE_NOT_FOUND", "no such certificate of this person is recorded", source=source)
    standing = await claims.standing_claim(tx, certificate.certificate_id)
    if standing is not None and standing.state is ClaimState.APPROVED:
        source = policy.skill.rules["skill.once"]
        raise Refused("SUBSIDY_ALREADY_GRANTED", "the subsidy of this certificate was granted", source=source)
    if standing is not None:
        raise AlreadyExists("CLAIM_OPEN", "a claim of this certificate is open")
    known = await facts_of(tx, command.person_id, certificate, tx.today, policy)
    assessment = skill_subsidy.assess(known, policy.skill)
    payee = claims.add_payee(tx, command.person_id, command.payee)
    await tx.session.flush()
    row = ClaimRow(
        claim_id=ids.new_id(),
        person_id=command.person_id,
        certificate_id=certificate.certificate_id,
        state=ClaimState.SUBMITTED,
        apply_date=tx.today,
        submitter=tx.principal.acting_person,
        payee_id=payee.payee_id,
        failures=plain_failures(assessment),
        insured_months=known.insured_months,
        urgent=known.is_urgent,
    )
    tx.session.add(row)
    tx.emit(facts.claim_submitted(row))
    audit(tx, "claim_submitted", row)
    return Shown(row, certificate, payee.account_tail, None, None)


async def show(tx: Transaction, claim_id: UUID) -> Shown:
    """A claim as it is; that of another person is not found.

    Raises:
        NotFound: CLAIM_NOT_FOUND.
    """
    row = await claims.claim(tx, claim_id)
    if row is None:
        raise not_found()
    try:
        tx.principal.require_person(row.person_id)
    except DomainError:
        raise not_found() from None
    if tx.principal.is_staff:
        audit(tx, tx.method, row)
    (shown,) = await with_details(tx, [row])
    return shown


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[Shown]:
    """The claims of a person, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    if not await register.is_known(tx, person_id):
        raise person_not_found()
    return await with_details(tx, await claims.claims_of(tx, person_id))


async def listed(tx: Transaction, command: PageOfClaims) -> Claims:
    """Claims that wait for staff, or those in one state, oldest first.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    query = f"claims {command.state or ''}"
    page = paging.read(tx, size=command.page.size, token=command.page.token, query=query)
    after = UUID(page.after) if page.after else None
    rows = await claims.listed(tx, command.state, after=after, limit=page.size + 1)
    shown = rows[: page.size]
    for row in shown:
        audit(tx, tx.method, row)
    token = paging.following(tx, page, str(shown[-1].claim_id)) if len(rows) > page.size else ""
    return Claims(await with_details(tx, shown), token)


async def with_details(tx: Transaction, rows: Sequence[ClaimRow]) -> list[Shown]:
    """Claims with their certificates, the ends of their accounts, calculations and orders."""
    papers = await certificates.by_id(tx, (row.certificate_id for row in rows))
    payees = await claims.payees(tx, (row.payee_id for row in rows))
    made = await claims.calculations(tx, (row.digest for row in rows if row.digest))
    orders = await claims.orders_of(tx, (row.claim_id for row in rows))
    return [
        Shown(
            row,
            papers[row.certificate_id],
            payees[row.payee_id].account_tail,
            made[row.digest] if row.digest else None,
            orders.get(row.claim_id),
        )
        for row in rows
    ]


def plain_failures(assessment: Assessment) -> list[dict[str, Any]]:
    """The conditions that are not met, as they are stored and shown."""
    return [{**asdict(failure), "source": list(failure.source)} for failure in assessment.failures]


def audit(tx: Transaction, action: str, row: ClaimRow) -> None:
    """Write down who did what with a claim."""
    tx.audit(action, person_id=row.person_id, detail={"claim_id": ids.to_text("clm", row.claim_id)})


def not_found() -> NotFound:
    """There is no such claim."""
    return NotFound("CLAIM_NOT_FOUND", "no such claim")
