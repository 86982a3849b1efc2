"""Histories and relations that move, in the words of the contract: requests, replies and facts."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from chassis.values import to_month
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.type.v1 import fact_pb2, money_pb2
from kernel.calendar import Month
from services.enrollment.messages.words import SCHEMES
from services.enrollment.moving import COUNTED, Direction, runs_of
from services.enrollment.years_file import YearRow

DIRECTIONS = {Direction.IN: model.TRANSFER_DIRECTION_IN, Direction.OUT: model.TRANSFER_DIRECTION_OUT}
_SCHEMES_OF = [[SCHEMES[scheme] for bit, scheme in COUNTED.items() if bits & bit] for bits in range(8)]


def history_brought_in(person_id: UUID, rows: Iterable[YearRow], source: str) -> events.HistoryBroughtIn.Fact:
    """Years of a person took effect."""
    fact = events.HistoryBroughtIn.Fact(
        header=fact_pb2.FactHeader(aggregate_id=f"per_{person_id.hex}"), source=source
    )
    for row in rows:
        year = fact.years.add(year=row.year, schemes=_SCHEMES_OF[row.schemes])
        for first, count, base, is_deemed in runs_of(row.months, row.deemed, row.bases):
            year.runs.add(
                first_month=first,
                month_count=count,
                base=money_pb2.Money(fen=base),
                state=model.CONTRIBUTION_STATE_DEEMED if is_deemed else model.CONTRIBUTION_STATE_PAID,
            )
    return fact


def relation_transferred(
    person_id: UUID, direction: Direction, other_area: str, through: Month
) -> events.RelationTransferred.Fact:
    """A relation moved."""
    return events.RelationTransferred.Fact(
        header=fact_pb2.FactHeader(aggregate_id=f"per_{person_id.hex}"),
        direction=DIRECTIONS[direction],
        other_area=other_area,
        through_month=to_month(through),
    )
