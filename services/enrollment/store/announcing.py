"""Participations as they stand, a run at a time, for whoever announces them again."""

from collections.abc import Sequence
from uuid import UUID

from chassis.transaction import Transaction
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import SCHEME_CODES, SCHEMES, EndReason, Participation, State, Track
from services.enrollment.store.columns import month_of


async def locked(
    tx: Transaction, schemes: Sequence[Scheme], after: UUID, limit: int
) -> Sequence[tuple[Participation, str]]:
    """Participations of some schemes after an id, with their divisions; nobody ends one before this commits."""
    rows = await tx.fetch(
        """
        SELECT part.*, coalesce(employer.division, cover.division) AS division FROM participation AS part
        LEFT JOIN employer ON employer.employer_id = part.employer_id LEFT JOIN cover ON cover.cover_id = part.cover_id
        WHERE part.scheme = ANY ($1::smallint[]) AND part.participation_id > $2
        ORDER BY part.participation_id LIMIT $3 FOR SHARE OF part
        """,
        [SCHEME_CODES[one] for one in schemes],
        after,
        limit,
    )
    return [
        (
            Participation(
                participation_id=row["participation_id"],
                person_id=row["person_id"],
                employer_id=row["employer_id"],
                scheme=SCHEMES[row["scheme"]],
                state=State(row["state"]),
                start_month=month_of(row["start_month"]),
                end_month=month_of(row["end_month"]) if row["end_month"] else None,
                end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
                track=Track(row["track"]) if row["track"] else None,
                cover_id=row["cover_id"],
            ),
            row["division"],
        )
        for row in rows
    ]
