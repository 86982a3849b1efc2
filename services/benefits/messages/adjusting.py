"""Changes of many amounts: requests as commands, and answers."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from chassis.values import date_of, money_of, to_date, to_job, to_money, to_month, to_rate, to_statement, word_of
from hrss.benefits.v1 import adjusting_service_pb2 as pb
from kernel import ids
from kernel.calendar import parse_date
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Statement
from services.benefits.adjusting import AmountsSource, Facts, Purpose, RunState, Terms, statement_of
from services.benefits.adjusting_commands import (
    CreateAdjustment,
    CreateRecomputation,
    CreateWhatIf,
    Discard,
    PageOfRuns,
    Reverse,
)
from services.benefits.commands import Approve, PageOf
from services.benefits.domain.adjustment import DEMO_KEY, Amounts, TiltBand, YearBand
from services.benefits.lifecycle import Kind
from services.benefits.messages.states import AMOUNT_CAUSES, BENEFIT_KINDS

if TYPE_CHECKING:
    from uuid import UUID

    from hrss.type.v1 import money_pb2
    from services.benefits.domain.impact import Impact, Sample
    from services.benefits.operations.adjusting_queries import AmountShown, Overpayments, Runs, Shown

KINDS = {number: kind for kind, number in BENEFIT_KINDS.items()}
PURPOSES = {purpose: pb.AdjustmentPurpose.Value(f"ADJUSTMENT_PURPOSE_{purpose.value}") for purpose in Purpose}
STATES = {state: pb.AdjustmentState.Value(f"ADJUSTMENT_STATE_{state.value}") for state in RunState}
SOURCES = {source: pb.AdjustmentSource.Value(f"ADJUSTMENT_SOURCE_{source.value}") for source in AmountsSource}
_SOURCE_OF = {number: source for source, number in SOURCES.items()}
_PURPOSE_OF = {number: purpose for purpose, number in PURPOSES.items()} | {pb.ADJUSTMENT_PURPOSE_UNSPECIFIED: None}
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_REASON_LEAST, _REASON_MOST = 2, 200
_DOCUMENT_MOST, _VALUE_MOST = 100, 4000
_YEARS = range(1990, 2201)


# Requests -----------------------------------------------------------------------------------------------------------


def create(request: pb.CreateAdjustmentRequest) -> CreateAdjustment:
    """Make the adjustment of a year."""
    if request.year not in _YEARS:
        raise InvalidInput("ADJUSTMENT_YEAR_INVALID", "an adjustment is of a calendar year", field="year")
    if request.source not in _SOURCE_OF:
        raise InvalidInput("ADJUSTMENT_SOURCE_REQUIRED", "say where the amounts come from", field="source")
    if len(request.notice_no) > _DOCUMENT_MOST:
        raise InvalidInput("ADJUSTMENT_DOCUMENT_REQUIRED", "the number of a notice is short", field="notice_no")
    return CreateAdjustment(
        year=request.year,
        source=_SOURCE_OF[request.source],
        kinds=tuple(word_of(KINDS, kind, "kinds") for kind in request.kinds),
        amounts=_amounts(request.amounts) if request.HasField("amounts") else None,
        document=request.notice_no.strip(),
    )


def recompute(request: pb.CreateRecomputationRequest) -> CreateRecomputation:
    """Compute provisional benefits again."""
    one = ids.parse("ben", request.benefit_id, field="benefit_id") if request.benefit_id else None
    return CreateRecomputation(one)


def what_if(request: pb.CreateWhatIfRequest) -> CreateWhatIf:
    """Look at another value of a parameter."""
    change = request.change
    if len(change.value) > _VALUE_MOST:
        raise InvalidInput("POLICY_VALUE_INVALID", "the value is too long", field="change.value")
    return CreateWhatIf(
        file=change.file,
        key=change.key,
        from_=date_of(change.from_date, "change.from_date"),
        to=date_of(change.to_date, "change.to_date") if change.HasField("to_date") else None,
        value=change.value,
        sample=request.sample_size,
        person_id=ids.parse("per", request.person_id, field="person_id") if request.person_id else None,
    )


def run_id(text: str) -> UUID:
    """The id of a run."""
    return ids.parse("adj", text, field="adjustment_id")


def approve(request: pb.ApproveAdjustmentRequest) -> Approve:
    """Approve what a dry run found."""
    return Approve(run_id(request.adjustment_id), _digest(request.digest))


def reverse(request: pb.ReverseAdjustmentRequest) -> Reverse:
    """Ask for a reversal, or confirm it."""
    reason = request.reason.strip()
    if not _REASON_LEAST <= len(reason) <= _REASON_MOST:
        raise InvalidInput("REJECTION_REASON_REQUIRED", "a reason has 2 to 200 characters", field="reason")
    return Reverse(run_id(request.adjustment_id), _digest(request.digest), reason)


def discard(request: pb.DiscardAdjustmentRequest) -> Discard:
    """Put a run away."""
    return Discard(run_id(request.adjustment_id))


def page_of_runs(request: pb.ListAdjustmentsRequest) -> PageOfRuns:
    """A page of runs."""
    return PageOfRuns(_PURPOSE_OF[request.purpose], request.page_size, request.page_token)


def page_of_overpayments(request: pb.ListAdjustmentOverpaymentsRequest) -> PageOf:
    """A page of what a run left overpaid."""
    return PageOf(run_id(request.adjustment_id), request.page_size, request.page_token)


def _amounts(message: pb.AdjustmentAmounts) -> Amounts:
    return Amounts(
        flat=_money(message.flat, "amounts.flat"),
        per_year=tuple(
            YearBand(
                band.upto_years if band.HasField("upto_years") else None,
                _rate(band.amount.decimal, "amounts.per_year"),
            )
            for band in message.per_year
        ),
        percent=_rate(message.percent.decimal or "0", "amounts.percent"),
        tilt=tuple(
            TiltBand(
                band.age_from, band.age_to if band.HasField("age_to") else None, _money(band.amount, "amounts.tilt")
            )
            for band in message.tilt
        ),
        per_year_minimum=_floor(message, "per_year_minimum"),
        increase_minimum=_floor(message, "increase_minimum"),
    )


def _floor(message: pb.AdjustmentAmounts, field: str) -> Money | None:
    return _money(getattr(message, field), f"amounts.{field}") if message.HasField(field) else None  # type: ignore[arg-type]  # one of two names


def _money(message: money_pb2.Money, field: str) -> Money:
    if message.fen < 0:
        raise InvalidInput("ADJUSTMENT_AMOUNT_NEGATIVE", "an adjustment never lowers a pension", field=field)
    return money_of(message, field)


def _rate(text: str, field: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise InvalidInput("ADJUSTMENT_AMOUNT_ABSURD", "a number is digits with a point", field=field) from None
    if value < 0:
        raise InvalidInput("ADJUSTMENT_AMOUNT_NEGATIVE", "an adjustment never lowers a pension", field=field)
    return value


def _digest(text: str) -> bytes:
    """A digest; text of another form is the digest of nothing and differs from every one."""
    return bytes.fromhex(text) if _DIGEST.fullmatch(text) else b"digest"


# Answers ------------------------------------------------------------------------------------------------------------


def created(shown: Shown) -> pb.CreateAdjustmentResponse:
    """A new adjustment."""
    return pb.CreateAdjustmentResponse(adjustment=_adjustment(shown))


def recomputation_created(shown: Shown) -> pb.CreateRecomputationResponse:
    """A new recomputation, being looked at."""
    return pb.CreateRecomputationResponse(adjustment=_adjustment(shown))


def what_if_created(shown: Shown) -> pb.CreateWhatIfResponse:
    """A new what-if, being looked at."""
    return pb.CreateWhatIfResponse(adjustment=_adjustment(shown))


def dry_run_started(shown: Shown) -> pb.DryRunAdjustmentResponse:
    """A run that is being looked at."""
    return pb.DryRunAdjustmentResponse(adjustment=_adjustment(shown))


def approved(shown: Shown) -> pb.ApproveAdjustmentResponse:
    """An approved run."""
    return pb.ApproveAdjustmentResponse(adjustment=_adjustment(shown))


def started(shown: Shown) -> pb.StartAdjustmentResponse:
    """A run at work."""
    return pb.StartAdjustmentResponse(adjustment=_adjustment(shown))


def reversal(shown: Shown) -> pb.ReverseAdjustmentResponse:
    """A run whose reversal was asked for or begun."""
    return pb.ReverseAdjustmentResponse(adjustment=_adjustment(shown))


def discarded(shown: Shown) -> pb.DiscardAdjustmentResponse:
    """A run that was put away."""
    return pb.DiscardAdjustmentResponse(adjustment=_adjustment(shown))


def adjustment(shown: Shown) -> pb.GetAdjustmentResponse:
    """A run with its impact."""
    return pb.GetAdjustmentResponse(adjustment=_adjustment(shown))


def adjustments(page: Runs) -> pb.ListAdjustmentsResponse:
    """A page of runs, without impacts."""
    return pb.ListAdjustmentsResponse(
        adjustments=[_adjustment(one, with_impact=False) for one in page.runs], next_page_token=page.next_page_token
    )


def overpayments(page: Overpayments) -> pb.ListAdjustmentOverpaymentsResponse:
    """A page of what was paid too much."""
    return pb.ListAdjustmentOverpaymentsResponse(
        overpayments=[
            pb.AdjustmentOverpayment(
                benefit_id=ids.to_text("ben", one.benefit_id),
                person_id=ids.to_text("per", one.person_id),
                first_month=to_month(one.first_month),
                last_month=to_month(one.last_month),
                amount=to_money(one.amount),
            )
            for one in page.overpaid
        ],
        next_page_token=page.next_page_token,
    )


def amounts(shown: list[AmountShown]) -> pb.ListBenefitAmountsResponse:
    """Every amount of a benefit, with its lines."""
    return pb.ListBenefitAmountsResponse(
        amounts=[
            pb.BenefitAmount(
                number=one.number,
                from_month=to_month(one.from_month),
                amount=to_money(one.amount),
                cause=AMOUNT_CAUSES[one.cause],
                adjustment_id=ids.to_text("adj", one.cause_id) if one.cause_id else "",
                business_date=to_date(one.business_date),
                in_force=one.in_force,
                statement=to_statement(one.calculation.statement, one.calculation.policy_version),
                statement_digest=one.calculation.digest.hex(),
            )
            for one in shown
        ]
    )


def _adjustment(shown: Shown, *, with_impact: bool = True) -> pb.Adjustment:
    run = shown.run
    message = pb.Adjustment(
        adjustment_id=run.text_id,
        purpose=PURPOSES[run.purpose],
        state=STATES[run.state],
        year=run.year or 0,
        kinds=[BENEFIT_KINDS[kind] for kind in run.kinds],
        source=SOURCES[run.source],
        digest=run.digest.hex() if run.digest else "",
        policy_version=run.policy_version,
        create_date=to_date(run.create_date),
        reversal_reason=run.reversal_reason,
    )
    terms: Terms | None = None
    match run.purpose:
        case Purpose.ANNUAL:
            terms = Terms.from_plain(run.terms)
            message.amounts.CopyFrom(_to_amounts(terms.law.value))
            message.sources.extend(terms.law.source)
            message.is_demonstration = terms.law.key == DEMO_KEY
        case Purpose.WHAT_IF:
            change = run.terms
            message.change.file, message.change.key, message.change.value = (
                change["file"],
                change["key"],
                change["value"],
            )
            message.change.from_date.CopyFrom(to_date(parse_date(change["from"])))
            if change["to"]:
                message.change.to_date.CopyFrom(to_date(parse_date(change["to"])))
        case Purpose.RECOMPUTATION:
            one = run.terms["benefit_id"]
            message.benefit_id = f"ben_{one.replace('-', '')}" if one else ""
    if shown.job is not None:
        message.job.CopyFrom(to_job(shown.job))
    if with_impact and run.impact is not None:
        message.impact.CopyFrom(_impact(run.impact, terms, run.policy_version))
    if with_impact and run.result is not None:
        message.result.CopyFrom(_impact(run.result, terms, run.policy_version))
    return message


def _impact(impact: Impact, terms: Terms | None, version: str) -> pb.AdjustmentImpact:
    message = pb.AdjustmentImpact(
        person_count=impact.total.persons,
        gaining_count=impact.gaining,
        losing_count=impact.losing,
        monthly=_fen(impact.total.monthly_fen),
        back_pay=_fen(impact.total.back_fen),
        overpaid=_fen(impact.total.over_fen),
        bands=[
            pb.AdjustmentBand(
                dimension=dimension,
                band=band,
                person_count=one.persons,
                monthly=_fen(one.monthly_fen),
                back_pay=_fen(one.back_fen),
                overpaid=_fen(one.over_fen),
            )
            for dimension, bands in impact.by.items()
            for band, one in bands.items()
        ],
        left_out=[pb.AdjustmentLeftOut(reason=reason, person_count=count) for reason, count in impact.refused.items()],
        samples=[_sample(one, terms, version) for one in impact.samples],
    )
    if impact.least is not None and impact.most is not None:
        message.least.CopyFrom(_fen(impact.least))
        message.most.CopyFrom(_fen(impact.most))
    return message


def _sample(sample: Sample, terms: Terms | None, version: str) -> pb.AdjustmentSample:
    message = pb.AdjustmentSample(
        kind=BENEFIT_KINDS[Kind(sample.kind)], before=_fen(sample.before_fen), after=_fen(sample.after_fen)
    )
    if terms is not None:
        statement = statement_of(Facts(**sample.facts), terms)
        message.statement_after.CopyFrom(to_statement(statement, version))
        return message
    for name in ("before", "after"):
        if name in sample.facts:
            statement = Statement.from_plain(sample.facts[name])
            getattr(message, f"statement_{name}").CopyFrom(to_statement(statement, version))
    return message


def _to_amounts(amounts: Amounts) -> pb.AdjustmentAmounts:
    message = pb.AdjustmentAmounts(
        flat=to_money(amounts.flat),
        per_year=[
            pb.AdjustmentYearBand(upto_years=band.upto_years, amount=to_rate(band.amount)) for band in amounts.per_year
        ],
        percent=to_rate(amounts.percent),
        tilt=[
            pb.AdjustmentAgeBand(age_from=band.age_from, age_to=band.age_to, amount=to_money(band.amount))
            for band in amounts.tilt
        ],
    )
    if amounts.per_year_minimum is not None:
        message.per_year_minimum.CopyFrom(to_money(amounts.per_year_minimum))
    if amounts.increase_minimum is not None:
        message.increase_minimum.CopyFrom(to_money(amounts.increase_minimum))
    return message


def _fen(fen: int) -> money_pb2.Money:
    return to_money(Money(fen))
