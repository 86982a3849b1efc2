"""What an employer is: an enterprise or a government body."""

from uuid import UUID

from chassis.transaction import Transaction
from services.enrollment.cover import EmployerKind


async def kind_of(tx: Transaction, employer_id: UUID) -> EmployerKind:
    """The kind of an employer that exists."""
    row = await tx.fetchrow("SELECT kind FROM employer WHERE employer_id = $1", employer_id)
    assert row is not None
    return EmployerKind(row["kind"])


async def has_employments(tx: Transaction, employer_id: UUID) -> bool:
    """Whether an employer ever enrolled anybody."""
    return await tx.fetchrow("SELECT 1 FROM employment WHERE employer_id = $1 LIMIT 1", employer_id) is not None


async def set_kind(tx: Transaction, employer_id: UUID, kind: EmployerKind) -> None:
    """Note what an employer is."""
    await tx.execute("UPDATE employer SET kind = $2 WHERE employer_id = $1", employer_id, kind.value)
