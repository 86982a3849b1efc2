"""What enrollment and benefits announced becomes rows of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.training.store import register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.training.heard import EndedBenefit, EndedEmployment, SettledMonth, StartedBenefit, StartedEmployment


async def note_persons(tx: Transaction, person_ids: Sequence[UUID]) -> None:
    """Persons were registered."""
    await register.save_persons(tx, person_ids)


async def note_merged(tx: Transaction, mergers: Sequence[tuple[UUID, UUID]]) -> None:
    """Records went up in others: what is known under either id counts for one person."""
    await register.save_merged(tx, dict(mergers))


async def note_unmerged(tx: Transaction, person_ids: Sequence[UUID]) -> None:
    """Records stand by themselves again."""
    await register.remove_merged(tx, person_ids)


async def note_started(tx: Transaction, started: Sequence[StartedEmployment]) -> None:
    """Employments with unemployment insurance started."""
    if started:
        await register.save_started(tx, started)


async def note_ended(tx: Transaction, ended: Sequence[EndedEmployment]) -> None:
    """Employments with unemployment insurance ended."""
    if ended:
        await register.save_ended(tx, ended)


async def note_settled(tx: Transaction, months: Sequence[SettledMonth]) -> None:
    """Months of unemployment insurance were settled."""
    if months:
        await register.save_settled(tx, months)


async def note_benefits(tx: Transaction, started: Sequence[StartedBenefit]) -> None:
    """Unemployment benefits started."""
    if started:
        await register.save_benefits(tx, started)


async def note_ended_benefits(tx: Transaction, ended: Sequence[EndedBenefit]) -> None:
    """Unemployment benefits ended."""
    if ended:
        await register.save_ended_benefits(tx, ended)
