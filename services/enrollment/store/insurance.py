"""Everything by which a person is insured, in one statement.

A look at a person is what this service is asked most: five lists that are short or empty, and the months counted. Asked
one after the other they were seven statements, and most of the time went into asking. Each list comes as an array of
rows, in the order in which it is shown.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.cover import Cover, CoverKind, Insurance, Suspension
from services.enrollment.cover_work import Branch, PlatformOrders, ProjectCover
from services.enrollment.register import SCHEMES, Employment, EndReason, Participation, State, Track, Wage
from services.enrollment.store.columns import month_of

# The id of a record that went up in another shows the survivor. Participations are found by way of employments and
# covers, which have an index by person; participations have one of the open ones only.
LOOK = """
    WITH stands AS (SELECT coalesce(merged_into, person_id) AS id FROM person WHERE person_id = $1)
    SELECT stands.id, ARRAY(
        SELECT ROW(one.*) FROM (
            SELECT part.start_month, scheme, participation_id, part.person_id, part.employer_id, state, part.end_month,
                   part.end_reason, part.track, part.cover_id
            FROM employment JOIN participation AS part USING (enrollment_id) WHERE employment.person_id = stands.id
            UNION ALL
            SELECT part.start_month, scheme, participation_id, part.person_id, part.employer_id, state, part.end_month,
                   part.end_reason, part.track, part.cover_id
            FROM cover JOIN participation AS part USING (cover_id) WHERE cover.person_id = stands.id
        ) AS one ORDER BY one.start_month DESC, one.scheme
    ) AS participations, ARRAY(
        SELECT ROW(scheme, count(*) FILTER (WHERE state = 'PAID'), count(*) FILTER (WHERE state = 'DEEMED'))
        FROM contribution_month WHERE person_id = stands.id GROUP BY scheme ORDER BY scheme
    ) AS months, ARRAY(
        SELECT ROW(enrollment_id, employer_id, name, start_month, end_month)
        FROM employment JOIN employer USING (employer_id) WHERE person_id = stands.id ORDER BY start_month DESC
    ) AS employments, ARRAY(
        SELECT ROW(
            cover_id, cover.person_id, participation_id, kind, division, cover.track, cover.start_month,
            cover.end_month, cover.end_reason, state,
            ARRAY(SELECT ROW(from_month, base_fen) FROM cover_base AS base WHERE base.cover_id = cover.cover_id
                  ORDER BY from_month DESC),
            ARRAY(SELECT ROW(from_month, until_month) FROM suspension WHERE relation_id = cover.cover_id
                  ORDER BY from_month DESC)
        )
        FROM cover JOIN participation AS part USING (cover_id) WHERE cover.person_id = stands.id
        ORDER BY cover.start_month DESC, cover_id DESC
    ) AS covers, ARRAY(
        SELECT ROW(project_id, name, from_date, least(until_date, completion_date))
        FROM project_worker JOIN project USING (project_id) WHERE person_id = stands.id
        ORDER BY from_date DESC, project_id
    ) AS projects, ARRAY(
        SELECT ROW(employer_id, branch, sum(day.order_count)::bigint, month, count(DISTINCT day))
        FROM platform_worker_day AS day JOIN platform_month USING (platform_month_id) WHERE person_id = stands.id
        GROUP BY employer_id, branch, month ORDER BY month DESC, employer_id, branch
    ) AS platforms
    FROM stands
"""


async def of_person(tx: Transaction, person_id: UUID) -> Insurance | None:
    """Everything by which a person is insured, each list newest first; None when nobody is known."""
    found = await tx.fetchrow(LOOK, person_id)
    if found is None:
        return None
    return Insurance(
        participations=[_participation(row) for row in found["participations"]],
        months={SCHEMES[scheme]: (paid, deemed) for scheme, paid, deemed in found["months"]},
        employments=[
            Employment(enrollment_id, employer_id, name, month_of(start), _month(end))
            for enrollment_id, employer_id, name, start, end in found["employments"]
        ],
        covers=[_cover(row) for row in found["covers"]],
        projects=[ProjectCover(*row) for row in found["projects"]],
        platforms=[
            PlatformOrders(employer_id, Branch(branch), orders, month_of(month), days)
            for employer_id, branch, orders, month, days in found["platforms"]
        ],
    )


def _participation(row: Sequence[Any]) -> Participation:
    start, scheme, participation_id, person_id, employer_id, state, end, reason, track, cover_id = row
    return Participation(
        participation_id=participation_id,
        person_id=person_id,
        employer_id=employer_id,
        scheme=SCHEMES[scheme],
        state=State(state),
        start_month=month_of(start),
        end_month=_month(end),
        end_reason=EndReason(reason) if reason else None,
        track=Track(track) if track else None,
        cover_id=cover_id,
    )


def _cover(row: Sequence[Any]) -> Cover:
    cover_id, person_id, participation_id, kind, division, track, start, end, reason, state, bases, rests = row
    return Cover(
        cover_id=cover_id,
        person_id=person_id,
        participation_id=participation_id,
        kind=CoverKind(kind),
        division=division,
        track=Track(track) if track else None,
        start_month=month_of(start),
        end_month=_month(end),
        end_reason=EndReason(reason) if reason else None,
        state=State(state),
        bases=[Wage(month_of(month), Money(fen)) for month, fen in bases],
        suspensions=[Suspension(month_of(month), _month(until)) for month, until in rests],
    )


def _month(day: date | None) -> Month | None:
    return None if day is None else month_of(day)
