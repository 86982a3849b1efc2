"""Determinations (核定) as both persons see them: what is shown, what an approval is bound to, what refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.principal import person_not_found
from kernel import ids
from kernel.errors import NotFound, Refused
from services.benefits.calculation import canonical
from services.benefits.lifecycle import BenefitState, Kind
from services.benefits.store import decisions, register

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.calculation import Calculation
    from services.benefits.store.rows import BenefitRow, DeterminationRow, PayeeRow, PersonRow

APPROVAL_KINDS = {kind: kind.value.lower() for kind in Kind} | {
    Kind.EMPLOYEE_PENSION: "pension",
    Kind.UNEMPLOYMENT: "unemployment_benefit",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A determination with what is shown beside it."""

    determination: DeterminationRow
    calculation: Calculation
    account_tail: str
    benefit: BenefitRow | None = None


async def show(tx: Transaction, determination_id: UUID) -> Shown:
    """A determination as it is.

    Raises:
        NotFound: DETERMINATION_NOT_FOUND.
    """
    row = await decisions.determination(tx, determination_id)
    if row is None:
        raise not_found()
    if tx.principal.is_staff:
        tx.audit(tx.method, person_id=row.person_id)
    return await shown(tx, row)


async def shown(tx: Transaction, row: DeterminationRow) -> Shown:
    """A determination with its calculation, the end of its account and its benefit."""
    payee = await decisions.payee(tx, row.payee_id)
    result = await decisions.calculation(tx, row.digest)
    return Shown(row, result, payee.account_tail, await decisions.benefit_of(tx, row.determination_id))


async def known_person(tx: Transaction, person_id: UUID) -> PersonRow:
    """A person whom enrollment has announced.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    person = await register.person(tx, person_id)
    if person is None:
        raise person_not_found()
    return person


def payload_of(row: DeterminationRow, payee: PayeeRow) -> bytes:
    """What the second person's approval is bound to: the calculation, the months and the account."""
    content = {
        "determination": text_id(row),
        "person": ids.to_text("per", row.person_id),
        "digest": row.digest.hex(),
        "first_month": str(row.first_month),
        "last_month": str(row.last_month or ""),
        "account": payee.account_index.hex(),
    }
    return canonical(content).encode()


def runs_in(benefit: BenefitRow, month: Month) -> bool:
    """Whether a benefit may still be drawn in a month: one whose last month is over is not, answered or not."""
    if benefit.state is BenefitState.ENDED:
        return False
    return benefit.last_month is None or benefit.last_month >= month


def text_id(row: DeterminationRow) -> str:
    """The id of a determination as it is shown."""
    return ids.to_text("det", row.determination_id)


def not_found() -> NotFound:
    """There is no such determination."""
    return NotFound("DETERMINATION_NOT_FOUND", "no such determination")


def pension_exists() -> Refused:
    """A person gets one pension in a life."""
    return Refused("PENSION_ALREADY_DETERMINED", "a pension of this person was determined before")


def benefit_running() -> Refused:
    """Another benefit excludes this one."""
    return Refused("BENEFIT_ALREADY_RUNNING", "the person draws a benefit that excludes this one", source=("SIL",))
