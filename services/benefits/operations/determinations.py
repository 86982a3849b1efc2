"""Determinations (核定) as both persons see them: what is shown, what an approval is bound to, what refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.principal import person_not_found
from kernel import ids
from kernel.errors import NotFound
from services.benefits.calculation import canonical
from services.benefits.exclusion import AGAIN, base_of, is_drawn
from services.benefits.lifecycle import EndReason, Kind
from services.benefits.store import decisions, register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.calculation import Calculation
    from services.benefits.store.rows import BenefitRow, DeterminationRow, PayeeRow, PersonRow

APPROVAL_KINDS = {kind: kind.value.lower() for kind in Kind} | {
    Kind.EMPLOYEE_PENSION: "pension",
    Kind.UNEMPLOYMENT: "unemployment_benefit",
}


EXTENDED = "EXTENDED"  # share of an unemployment benefit that goes on to the statutory age


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
        **({"share": row.share} if row.share else {}),
    }
    return canonical(content).encode()


def runs_in(benefit: BenefitRow, month: Month) -> bool:
    """Whether a benefit may still be drawn in a month: one whose last month is over is not, answered or not."""
    return is_drawn(benefit, month)


def last_spell(known: Sequence[BenefitRow]) -> BenefitRow | None:
    """The latest unemployment benefit that stands; one that was revoked never was."""
    return next(
        (one for one in known if one.kind is Kind.UNEMPLOYMENT and one.end_reason is not EndReason.REVOKED), None
    )


def place(known: Sequence[BenefitRow], kind: Kind, share: str, first: Month) -> tuple[str, Month]:
    """The share and the first month of a determination that comes after others of its kind and share.

    Months of an earlier one that stand are not paid again; what was released after its end is overpaid, and the new one
    pays these months anew, under a share of its own (decision 0194).
    """
    before = [one for one in known if one.kind is kind and base_of(one.share) == share]
    stand = [
        min(one.last_month, one.next_month.previous)
        for one in before
        if one.last_month is not None and one.next_month > one.first_month
    ]
    named = f"{share}{AGAIN}{len(before) + 1}" if before else share
    return named, max([first, *(one.next for one in stand)])


def text_id(row: DeterminationRow) -> str:
    """The id of a determination as it is shown."""
    return ids.to_text("det", row.determination_id)


def not_found() -> NotFound:
    """There is no such determination."""
    return NotFound("DETERMINATION_NOT_FOUND", "no such determination")
