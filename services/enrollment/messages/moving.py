"""Histories and relations that move, in the words of the contract: requests, replies and facts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from chassis.jobs import Job
from chassis.values import money_of, to_date, to_job, to_money, to_month, to_statement, word_of
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import moving_service_pb2 as pb
from hrss.type.v1 import fact_pb2, money_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from services.enrollment import moving
from services.enrollment.accounting import ContributionState
from services.enrollment.messages.words import CONTRIBUTION_STATES, SCHEMES
from services.enrollment.moving import COUNTED, BringIn, Direction, FileRef, FormYear, Step, Sums, Transfer, runs_of
from services.enrollment.register import check_source_system
from services.enrollment.years_file import YearRow

DIRECTIONS = {Direction.IN: model.TRANSFER_DIRECTION_IN, Direction.OUT: model.TRANSFER_DIRECTION_OUT}
_PAID, _DEEMED = model.CONTRIBUTION_STATE_PAID, model.CONTRIBUTION_STATE_DEEMED
_SCHEMES_OF = [[SCHEMES[scheme] for bit, scheme in COUNTED.items() if bits & bit] for bits in range(8)]


def history_brought_in(person_id: UUID, rows: Iterable[YearRow], source: str) -> events.HistoryBroughtIn.Fact:
    """Years of a person took effect."""
    fact = events.HistoryBroughtIn.Fact(header=fact_pb2.FactHeader(aggregate_id=f"per_{person_id.hex}"), source=source)
    for row in rows:
        runs = fact.years.add(year=row.year, schemes=_SCHEMES_OF[row.schemes]).runs
        for first, count, base, is_deemed in runs_of(row.months, row.deemed, row.bases):
            run = runs.add(first_month=first, month_count=count, state=_DEEMED if is_deemed else _PAID)
            run.base.fen = base
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


# -- requests

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIRECTIONS_ASKED = {number: word for word, number in DIRECTIONS.items()}
_FORM_STATES = {
    model.CONTRIBUTION_STATE_PAID: ContributionState.PAID,
    model.CONTRIBUTION_STATE_DEEMED: ContributionState.DEEMED,
}
_COUNT_MAX = 10**12


def bring_in(request: pb.BringInHistoryRequest) -> BringIn:
    """Read BringInHistory.

    Raises:
        InvalidInput: FILES_INVALID, DIGEST_INVALID, SOURCE_INVALID, MONEY_OUT_OF_RANGE.
    """
    uploads = [one.upload_id for one in request.files]
    if not 1 <= len(uploads) <= moving.FILES_MAX or len(set(uploads)) != len(uploads):
        raise InvalidInput("FILES_INVALID", "a delivery has 1 to 200 files, each once", field="files")
    if not all(_DIGEST.fullmatch(one.digest) for one in request.files):
        raise InvalidInput("DIGEST_INVALID", "a digest has 64 hexadecimal digits", field="files.digest")
    return BringIn(
        files=[FileRef(one.upload_id, one.digest) for one in request.files],
        system=check_source_system(request.source_system),
        stated=_sums(request.sums) if request.HasField("sums") else None,
    )


def direction(number: int) -> Direction:
    """Read a direction.

    Raises:
        InvalidInput: DIRECTION_REQUIRED.
    """
    if number not in _DIRECTIONS_ASKED:
        raise InvalidInput("DIRECTION_REQUIRED", "a relation moves here or away", field="direction")
    return _DIRECTIONS_ASKED[model.TransferDirection.ValueType(number)]


def form(request: pb.ReceiveInformationFormRequest) -> tuple[str, list[FormYear], Money, Money]:
    """Read ReceiveInformationForm: number, years, account and pooled part.

    Raises:
        InvalidInput: DOCUMENT_NO_INVALID, VALUE_REQUIRED, MONEY_OUT_OF_RANGE.
    """
    years = [
        FormYear(
            one.year,
            one.first_month,
            one.month_count,
            money_of(one.base, "years.base"),
            word_of(_FORM_STATES, one.state, "years.state"),
        )
        for one in request.years
    ]
    number = moving.check_document_no(request.form_no, "form_no")
    return number, years, money_of(request.account, "account"), money_of(request.pooled, "pooled")


def _sums(sums: pb.HistorySums) -> Sums:
    counts = (
        sums.row_count, sums.person_count, sums.pension_months, sums.unemployment_months, sums.injury_months,
        sums.bases.fen, sums.balances.fen,
    )  # fmt: skip
    if not all(0 <= one <= _COUNT_MAX * 10**5 for one in counts):
        raise InvalidInput("MONEY_OUT_OF_RANGE", "a sum is negative or absurdly large", field="sums")
    return Sums(*counts)


# -- replies

_DELIVERY_STATES = {
    "CHECKING": pb.HISTORY_DELIVERY_STATE_CHECKING,
    "APPLYING": pb.HISTORY_DELIVERY_STATE_APPLYING,
    "DONE": pb.HISTORY_DELIVERY_STATE_DONE,
    "REFUSED": pb.HISTORY_DELIVERY_STATE_REFUSED,
}
_STEPS = {
    Step.APPLIED: pb.TRANSFER_STATE_APPLIED,
    Step.LETTER: pb.TRANSFER_STATE_LETTER,
    Step.FORM: pb.TRANSFER_STATE_FORM,
    Step.FUNDS: pb.TRANSFER_STATE_FUNDS,
    Step.DONE: pb.TRANSFER_STATE_DONE,
    Step.REFUSED: pb.TRANSFER_STATE_REFUSED,
}


def bringing_in(job: Job) -> pb.BringInHistoryResponse:
    """Answer BringInHistory."""
    return pb.BringInHistoryResponse(job=to_job(job))


def delivery(
    job: Job, state: str, counted: Sums, differences: Sequence[Mapping[str, object]]
) -> pb.GetHistoryDeliveryResponse:
    """Answer GetHistoryDelivery."""
    return pb.GetHistoryDeliveryResponse(
        job=to_job(job),
        state=_DELIVERY_STATES[state],
        counted=pb.HistorySums(
            row_count=counted.row_count,
            person_count=counted.person_count,
            pension_months=counted.pension_months,
            unemployment_months=counted.unemployment_months,
            injury_months=counted.injury_months,
            bases=money_pb2.Money(fen=counted.bases),
            balances=money_pb2.Money(fen=counted.balances),
        ),
        differences=[
            pb.HistoryDifference(
                file=int(str(one["file"])),
                figure=str(one["figure"]),
                stated=str(one["stated"]),
                counted=str(one["counted"]),
            )
            for one in differences
        ],
    )


def transfer(one: Transfer) -> pb.Transfer:
    """A transfer."""
    return pb.Transfer(
        transfer_id=ids.to_text("trf", one.transfer_id),
        person_id=ids.to_text("per", one.person_id),
        direction=DIRECTIONS[one.direction],
        state=_STEPS[one.state],
        other_area=one.other_area,
        temporary=one.temporary,
        steps=[
            pb.TransferStep(state=_STEPS[state], day=to_date(day), document_no=number)
            for state, day, number in one.steps
        ],
        years=[
            pb.TransferYear(
                year=year.year,
                first_month=year.first_month,
                month_count=year.month_count,
                base=to_money(year.base),
                state=CONTRIBUTION_STATES[year.state],
            )
            for year in one.years
        ],
        statement=to_statement(one.statement, one.policy_version) if one.statement else None,
        through_month=to_month(one.through) if one.through else None,
        refusal=one.refusal,
    )
