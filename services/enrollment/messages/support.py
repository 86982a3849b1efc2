"""SupportService in the contract: requests read, replies written."""

from collections.abc import Sequence
from uuid import UUID

from chassis.jobs import Job
from chassis.values import date_of, money_of, to_date, to_job, to_money, to_statement
from hrss.enrollment.v1 import support_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput
from kernel.money import Money
from services.enrollment.commands import SingleReceipt
from services.enrollment.messages.requests import person_id
from services.enrollment.register import check_division, check_receipt_no
from services.enrollment.support import (
    FARMERS_MAX,
    PARTS_MAX,
    Aid,
    AidGroup,
    AidRun,
    LandBatch,
    LandFund,
    check_notice_no,
)

_GROUPS = {
    pb.AID_GROUP_SUBSISTENCE: AidGroup.SUBSISTENCE,
    pb.AID_GROUP_EXTREME_POVERTY: AidGroup.EXTREME_POVERTY,
    pb.AID_GROUP_SEVERE_DISABILITY: AidGroup.SEVERE_DISABILITY,
}
_GROUP_NUMBERS = {group: number for number, group in _GROUPS.items()}
NOBODY = UUID(int=0)  # subject of a receipt that is named by its year


def granted(request: pb.GrantPremiumAidRequest) -> tuple[UUID, AidGroup, tuple[int, int | None], str]:
    """Read GrantPremiumAid.

    Raises:
        InvalidInput: PREMIUM_AID_GROUP_REQUIRED.
    """
    group = _GROUPS.get(request.group)
    if group is None:
        raise InvalidInput("PREMIUM_AID_GROUP_REQUIRED", "a group is needed", field="group")
    return person_id(request.person_id), group, (request.from_year, request.until_year or None), request.document_ref


def aid_id(text: str) -> UUID:
    """Read the id of an entitlement."""
    return ids.parse("pma", text, field="premium_aid_id")


def batch_id(text: str) -> UUID:
    """Read the id of a list."""
    return ids.parse("lbt", text, field="land_batch_id")


def batch(request: pb.RegisterLandBatchRequest) -> LandBatch:
    """Read RegisterLandBatch.

    Raises:
        InvalidInput: DOCUMENT_INVALID, DIVISION_INVALID, HEADCOUNT_INVALID, DATE_IMPOSSIBLE.
    """
    part = request.part_no or 1
    if not 1 <= request.headcount <= FARMERS_MAX or not 1 <= part <= PARTS_MAX:
        raise InvalidInput("HEADCOUNT_INVALID", "a list has 1 to 1,000 people, a notice 99 parts", field="headcount")
    if not request.HasField("notice_date"):
        raise InvalidInput("DATE_IMPOSSIBLE", "a notice has a day", field="notice_date")
    return LandBatch(
        batch_id=ids.new_id(),
        notice_no=check_notice_no(request.notice_no),
        part_no=part,
        division=check_division(request.division),
        notice_date=date_of(request.notice_date, "notice_date"),
        headcount=request.headcount,
    )


def receipt(request: pb.RecordPremiumAidReceiptRequest | pb.RecordLandReceiptRequest) -> SingleReceipt:
    """Read a receipt in one sum.

    Raises:
        InvalidInput: RECEIPT_NO_INVALID, RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
    """
    if request.amount.fen <= 0:
        raise InvalidInput("RECEIPT_AMOUNT_INVALID", "a receipt is for more than nothing", field="amount")
    if not request.HasField("paid_date"):
        raise InvalidInput("PAID_DATE_INVALID", "a receipt has a day", field="paid_date")
    return SingleReceipt(
        subject_id=batch_id(request.land_batch_id) if isinstance(request, pb.RecordLandReceiptRequest) else NOBODY,
        receipt_no=check_receipt_no(request.receipt_no),
        amount=Money(request.amount.fen),
        paid_date=date_of(request.paid_date, "paid_date"),
        simulated=request.simulated,
    )


def used(request: pb.UseLandFundRequest) -> tuple[UUID, str, Money | None]:
    """Read UseLandFund."""
    amount = money_of(request.amount, "amount") if request.HasField("amount") else None
    return person_id(request.person_id), request.target, amount


def aid_granted(one: Aid) -> pb.GrantPremiumAidResponse:
    """Answer GrantPremiumAid."""
    return pb.GrantPremiumAidResponse(premium_aid=_aid(one))


def aid_ended(one: Aid) -> pb.EndPremiumAidResponse:
    """Answer EndPremiumAid."""
    return pb.EndPremiumAidResponse(premium_aid=_aid(one))


def aids(found: Sequence[Aid]) -> pb.ListPremiumAidsResponse:
    """Answer ListPremiumAids."""
    return pb.ListPremiumAidsResponse(premium_aids=[_aid(one) for one in found])


def run_started(result: tuple[AidRun, Job]) -> pb.StartPremiumAidRunResponse:
    """Answer StartPremiumAidRun."""
    return pb.StartPremiumAidRunResponse(premium_aid_run=_run(*result))


def run_shown(result: tuple[AidRun, Job]) -> pb.GetPremiumAidRunResponse:
    """Answer GetPremiumAidRun."""
    return pb.GetPremiumAidRunResponse(premium_aid_run=_run(*result))


def run_paid(result: tuple[AidRun, Job]) -> pb.RecordPremiumAidReceiptResponse:
    """Answer RecordPremiumAidReceipt."""
    return pb.RecordPremiumAidReceiptResponse(premium_aid_run=_run(*result))


def batch_registered(one: LandBatch) -> pb.RegisterLandBatchResponse:
    """Answer RegisterLandBatch."""
    return pb.RegisterLandBatchResponse(land_batch=_batch(one))


def batch_shown(one: LandBatch) -> pb.GetLandBatchResponse:
    """Answer GetLandBatch."""
    return pb.GetLandBatchResponse(land_batch=_batch(one))


def farmer_added(one: LandBatch) -> pb.AddLandFarmerResponse:
    """Answer AddLandFarmer."""
    return pb.AddLandFarmerResponse(land_batch=_batch(one))


def batch_paid(one: LandBatch) -> pb.RecordLandReceiptResponse:
    """Answer RecordLandReceipt."""
    return pb.RecordLandReceiptResponse(land_batch=_batch(one))


def fund_shown(one: LandFund) -> pb.GetLandFundResponse:
    """Answer GetLandFund."""
    return pb.GetLandFundResponse(land_fund=_fund(one))


def fund_used(one: LandFund) -> pb.UseLandFundResponse:
    """Answer UseLandFund."""
    return pb.UseLandFundResponse(land_fund=_fund(one))


def _aid(one: Aid) -> pb.PremiumAid:
    return pb.PremiumAid(
        premium_aid_id=ids.to_text("pma", one.aid_id),
        person_id=ids.to_text("per", one.person_id),
        group=_GROUP_NUMBERS[one.group],
        from_year=one.from_year,
        until_year=one.until_year or 0,
        document_ref=one.document_ref,
    )


def _run(run: AidRun, job: Job) -> pb.PremiumAidRun:
    return pb.PremiumAidRun(
        premium_aid_run_id=ids.to_text("pmr", run.run_id),
        year=run.year,
        job=to_job(job),
        person_count=run.persons,
        credited_count=run.credited,
        total=to_money(run.total),
        statement=to_statement(run.statement, run.policy_version),
        paid=run.paid_date is not None,
    )


def _batch(one: LandBatch) -> pb.LandBatch:
    return pb.LandBatch(
        land_batch_id=ids.to_text("lbt", one.batch_id),
        notice_no=one.notice_no,
        part_no=one.part_no,
        division=one.division,
        notice_date=to_date(one.notice_date),
        headcount=one.headcount,
        listed_count=one.listed,
        insured_count=one.insured,
        owed=to_money(one.owed),
        paid=one.paid_date is not None,
    )


def _fund(one: LandFund) -> pb.LandFund:
    return pb.LandFund(
        person_id=ids.to_text("per", one.person_id),
        balance=to_money(one.balance),
        entries=[
            pb.LandEntry(
                source=entry.source,
                target=entry.target,
                amount=to_money(entry.amount),
                booked_date=to_date(entry.booked_date),
            )
            for entry in one.entries
        ],
    )
