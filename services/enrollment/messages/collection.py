"""Collection in the contract: requests read, replies written."""

import re
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from asyncpg import Record

from chassis.jobs import Job
from chassis.values import date_of, money_of, month_of, to_date, to_job, to_money, to_month, to_statement, word_of
from hrss.enrollment.v1 import collection_service_pb2 as pb
from hrss.type.v1 import money_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.arrears import Arrear, Demand, DemandKind, Instalment, Plan, PlanState, filled
from services.enrollment.billing import state_after
from services.enrollment.collection import (
    Difference,
    Refund,
    RefundKind,
    RefundState,
    Suspense,
    SuspenseReason,
    SuspenseState,
)
from services.enrollment.domain.contributions import Scheme
from services.enrollment.messages.replies import BILL_STATES
from services.enrollment.messages.words import SCHEMES
from services.enrollment.receipts_file import TEXTS

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_VERDICTS = {
    "ACCEPTED": pb.ROW_VERDICT_ACCEPTED,
    "REPEATED": pb.ROW_VERDICT_REPEATED,
    "SUSPENSE": pb.ROW_VERDICT_SUSPENSE,
    "REFUSED": pb.ROW_VERDICT_REFUSED,
}
_SUSPENSE_STATES = {
    SuspenseState.OPEN: pb.SUSPENSE_STATE_OPEN,
    SuspenseState.MATCHED: pb.SUSPENSE_STATE_MATCHED,
    SuspenseState.RETURNED: pb.SUSPENSE_STATE_RETURNED,
}
_REASONS = {
    SuspenseReason.OVERPAID: pb.SUSPENSE_REASON_OVERPAID,
    SuspenseReason.BILL_UNKNOWN: pb.SUSPENSE_REASON_BILL_UNKNOWN,
    SuspenseReason.PAYER_UNKNOWN: pb.SUSPENSE_REASON_PAYER_UNKNOWN,
    SuspenseReason.PAYER_DIFFERS: pb.SUSPENSE_REASON_PAYER_DIFFERS,
    SuspenseReason.PAID_EARLY: pb.SUSPENSE_REASON_PAID_EARLY,
    SuspenseReason.PLAN: pb.SUSPENSE_REASON_PLAN,
    SuspenseReason.DIFFERENCE: pb.SUSPENSE_REASON_DIFFERENCE,
}
_DEMANDS = {DemandKind.LATE_FEE: pb.DEMAND_KIND_LATE_FEE, DemandKind.DIFFERENCE: pb.DEMAND_KIND_DIFFERENCE}
_REFUNDS = {RefundKind.SUSPENSE: pb.REFUND_KIND_SUSPENSE, RefundKind.WITHHELD: pb.REFUND_KIND_WITHHELD}
_REFUND_STATES = {
    RefundState.PREPARED: pb.REFUND_STATE_PREPARED,
    RefundState.ORDERED: pb.REFUND_STATE_ORDERED,
    RefundState.REJECTED: pb.REFUND_STATE_REJECTED,
    RefundState.CONFIRMED: pb.REFUND_STATE_CONFIRMED,
    RefundState.RETURNED: pb.REFUND_STATE_RETURNED,
}
_PLAN_STATES = {
    PlanState.PREPARED: pb.PLAN_STATE_PREPARED,
    PlanState.AGREED: pb.PLAN_STATE_AGREED,
    PlanState.REJECTED: pb.PLAN_STATE_REJECTED,
}
_OUTCOMES = {pb.REFUND_OUTCOME_CONFIRMED: True, pb.REFUND_OUTCOME_RETURNED: False}

# -- requests


def upload(request: pb.ImportReceiptsRequest | pb.CompareReceiptsRequest) -> tuple[str, str]:
    """Read which file is meant.

    Raises:
        InvalidInput: DIGEST_INVALID.
    """
    ids.parse("upl", request.upload_id, field="upload_id")
    if not _DIGEST.fullmatch(request.digest):
        raise InvalidInput("DIGEST_INVALID", "a digest has 64 hexadecimal digits", field="digest")
    return request.upload_id, request.digest


def month(request: pb.ExportBillsRequest | pb.SetDueDateRequest) -> Month:
    """Read the month of some bills.

    Raises:
        InvalidInput: MONTH_REQUIRED, MONTH_IMPOSSIBLE.
    """
    if not request.HasField("month"):
        raise InvalidInput("MONTH_REQUIRED", "a month is required", field="month")
    return month_of(request.month, "month")


def months(request: pb.SettleLimitsRequest | pb.GetEmployerStatementRequest) -> tuple[Month, Month]:
    """Read a period.

    Raises:
        InvalidInput: MONTH_REQUIRED, MONTH_IMPOSSIBLE.
    """
    if not (request.HasField("first_month") and request.HasField("last_month")):
        raise InvalidInput("MONTH_REQUIRED", "two months are required", field="first_month")
    return month_of(request.first_month, "first_month"), month_of(request.last_month, "last_month")


def day(request: pb.SetDueDateRequest | pb.ListArrearsRequest | pb.GetFundBalancesRequest) -> date | None:
    """Read a day that may be absent.

    Raises:
        InvalidInput: DATE_IMPOSSIBLE.
    """
    if isinstance(request, pb.SetDueDateRequest):
        return date_of(request.due_date, "due_date") if request.HasField("due_date") else None
    return date_of(request.on, "on") if request.HasField("on") else None


def amount(request: pb.MatchSuspenseRequest | pb.PrepareRefundRequest) -> Money | None:
    """Read an amount that may be absent.

    Raises:
        InvalidInput: MONEY_OUT_OF_RANGE.
    """
    return money_of(request.amount, "amount") if request.HasField("amount") else None


def an_id(prefix: str, text: str, field: str) -> UUID | None:
    """Read an id that may be absent."""
    return ids.parse(prefix, text, field=field) if text else None


def suspense_state(request: pb.ListSuspenseRequest) -> SuspenseState | None:
    """Read a state to look for; None looks for all."""
    return {number: state for state, number in _SUSPENSE_STATES.items()}.get(request.state)


def refund_state(request: pb.ListRefundsRequest) -> RefundState | None:
    """Read a state to look for; None looks for all."""
    return {number: state for state, number in _REFUND_STATES.items()}.get(request.state)


def outcome(request: pb.RecordRefundResultRequest) -> bool:
    """Whether a refund was paid back.

    Raises:
        InvalidInput: VALUE_REQUIRED.
    """
    return word_of(_OUTCOMES, request.outcome, "outcome")


def instalments(request: pb.PrepareInstalmentsRequest) -> Sequence[Instalment]:
    """Read the parts of a plan, numbered in their order.

    Raises:
        InvalidInput: DATE_IMPOSSIBLE, MONEY_OUT_OF_RANGE.
    """
    return [
        Instalment(
            number,
            date_of(one.due_date, f"instalments[{number - 1}].due_date"),
            money_of(one.amount, f"instalments[{number - 1}].amount"),
        )
        for number, one in enumerate(request.instalments, start=1)
    ]


# -- replies


def receipts_import(job: Job) -> pb.ImportReceiptsResponse:
    """Answer ImportReceipts."""
    return pb.ImportReceiptsResponse(job=to_job(job))


def receipts_comparison(job: Job) -> pb.CompareReceiptsResponse:
    """Answer CompareReceipts."""
    return pb.CompareReceiptsResponse(job=to_job(job))


def receipt_rows(page: tuple[Sequence[Record], str]) -> pb.ListReceiptRowsResponse:
    """Answer ListReceiptRows."""
    rows = []
    for row in page[0]:
        zh, en = TEXTS.get(row["code"], ("", ""))
        rows.append(
            pb.ListReceiptRowsResponse.ReceiptRow(
                line=row["line"],
                receipt_no=row["receipt_no"],
                verdict=_VERDICTS[row["verdict"]],
                code=row["code"],
                text_zh=zh,
                text_en=en,
            )
        )
    return pb.ListReceiptRowsResponse(rows=rows, next_page_token=page[1])


def bills_exported(file: Record) -> pb.ExportBillsResponse:
    """Answer ExportBills."""
    return pb.ExportBillsResponse(file=_file(file))


def bill_file_part(part: tuple[Record, str, int]) -> pb.ReadBillFileResponse:
    """Answer ReadBillFile."""
    return pb.ReadBillFileResponse(file=_file(part[0]), content=part[1], next_offset=part[2])


def suspense_page(page: tuple[Sequence[Suspense], str]) -> pb.ListSuspenseResponse:
    """Answer ListSuspense."""
    return pb.ListSuspenseResponse(suspense=[_suspense(one) for one in page[0]], next_page_token=page[1])


def matched(result: tuple[Suspense, int]) -> pb.MatchSuspenseResponse:
    """Answer MatchSuspense."""
    return pb.MatchSuspenseResponse(suspense=_suspense(result[0]), settled_count=result[1])


def due_date_set(result: tuple[date, int]) -> pb.SetDueDateResponse:
    """Answer SetDueDate."""
    return pb.SetDueDateResponse(due_date=to_date(result[0]), bill_count=result[1])


def arrears(result: tuple[Sequence[Arrear], Money, str]) -> pb.ListArrearsResponse:
    """Answer ListArrears: what is open, the credit, the version of the law."""
    found, credit, version = result
    return pb.ListArrearsResponse(
        arrears=[arrear(one, version) for one in found],
        open=to_money(Money.total(one.open for one in found)),
        late_fee=to_money(Money.total(one.fee.total for one in found if one.fee)),
        credit=to_money(credit),
    )


def arrear(one: Arrear, version: str) -> pb.Arrear:
    """A document with its fee so far, which is absent where no due day is known."""
    return pb.Arrear(
        document=one.document,
        month=to_month(one.month),
        open=to_money(one.open),
        due_date=to_date(one.due_date) if one.due_date else None,
        late_fee=None if one.fee is None else to_money(one.fee.total),
        statement=None if one.fee is None else to_statement(one.fee, version),
    )


def late_fee_demanded(demand: Demand) -> pb.DemandLateFeeResponse:
    """Answer DemandLateFee."""
    return pb.DemandLateFeeResponse(demand=_demand(demand))


def demand_page(page: tuple[Sequence[Demand], str]) -> pb.ListDemandsResponse:
    """Answer ListDemands."""
    return pb.ListDemandsResponse(demands=[_demand(one) for one in page[0]], next_page_token=page[1])


def instalments_prepared(result: tuple[Plan, Money]) -> pb.PrepareInstalmentsResponse:
    """Answer PrepareInstalments."""
    return pb.PrepareInstalmentsResponse(plan=_plan(*result))


def instalments_decided(result: tuple[Plan, Money]) -> pb.DecideInstalmentsResponse:
    """Answer DecideInstalments."""
    return pb.DecideInstalmentsResponse(plan=_plan(*result))


def plan(result: tuple[Plan, Money]) -> pb.GetInstalmentPlanResponse:
    """Answer GetInstalmentPlan."""
    return pb.GetInstalmentPlanResponse(plan=_plan(*result))


def refund_prepared(refund: Refund) -> pb.PrepareRefundResponse:
    """Answer PrepareRefund."""
    return pb.PrepareRefundResponse(refund=_refund(refund))


def refund_decided(refund: Refund) -> pb.DecideRefundResponse:
    """Answer DecideRefund."""
    return pb.DecideRefundResponse(refund=_refund(refund))


def refund_page(page: tuple[Sequence[Refund], str]) -> pb.ListRefundsResponse:
    """Answer ListRefunds."""
    return pb.ListRefundsResponse(refunds=[_refund(one) for one in page[0]], next_page_token=page[1])


def refund_result(refund: Refund) -> pb.RecordRefundResultResponse:
    """Answer RecordRefundResult."""
    return pb.RecordRefundResultResponse(refund=_refund(refund))


def limits_settling(job: Job) -> pb.SettleLimitsResponse:
    """Answer SettleLimits."""
    return pb.SettleLimitsResponse(job=to_job(job))


def difference_lines(
    result: tuple[Difference, Sequence[tuple[Record, Statement]], str, str],
) -> pb.ListDifferenceLinesResponse:
    """Answer ListDifferenceLines: difference, lines with statements, version of the law, token of the next page."""
    difference, lines, version, token = result
    return pb.ListDifferenceLinesResponse(
        lines=[
            pb.ListDifferenceLinesResponse.Line(
                person_id=ids.to_text("per", row["person_id"]),
                base_before=money_pb2.Money(fen=row["base_before_fen"]),
                base=money_pb2.Money(fen=row["base_fen"]),
                difference=money_pb2.Money(fen=row["total_fen"]),
                account_difference=money_pb2.Money(fen=row["account_fen"]),
                statement=to_statement(statement, version),
            )
            for row, statement in lines
        ],
        next_page_token=token,
        total=to_money(difference.total),
        settled=difference.is_settled,
    )


def fund_balances(found: Sequence[tuple[Scheme, str, Money]]) -> pb.GetFundBalancesResponse:
    """Answer GetFundBalances."""
    return pb.GetFundBalancesResponse(
        balances=[
            pb.GetFundBalancesResponse.Balance(scheme=SCHEMES[scheme], division=division, balance=to_money(balance))
            for scheme, division, balance in found
        ]
    )


def employer_statement(result: tuple[str, str]) -> pb.GetEmployerStatementResponse:
    """Answer GetEmployerStatement."""
    return pb.GetEmployerStatementResponse(content=result[0], digest=result[1])


def books_checking(job: Job) -> pb.CheckBooksResponse:
    """Answer CheckBooks."""
    return pb.CheckBooksResponse(job=to_job(job))


def _text(prefix: str, value: UUID | None) -> str:
    return ids.to_text(prefix, value) if value else ""


def _file(row: Record) -> pb.BillFile:
    return pb.BillFile(
        file_id=ids.to_text("fil", row["file_id"]),
        month=to_month(Month.of(row["month"])),
        digest=row["digest"],
        size=row["size"],
        row_count=row["row_count"],
        total=money_pb2.Money(fen=row["total_fen"]),
        open=money_pb2.Money(fen=row["open_fen"]),
    )


def _suspense(one: Suspense) -> pb.Suspense:
    return pb.Suspense(
        suspense_id=ids.to_text("sus", one.suspense_id),
        receipt_no=one.receipt_no,
        employer_id=_text("emp", one.employer_id),
        reason=_REASONS[one.reason],
        amount=to_money(one.amount),
        left=to_money(one.left),
        state=_SUSPENSE_STATES[one.state],
        paid_date=to_date(one.paid_date),
    )


def _demand(one: Demand) -> pb.Demand:
    return pb.Demand(
        demand_id=ids.to_text("dem", one.demand_id),
        employer_id=ids.to_text("emp", one.employer_id),
        kind=_DEMANDS[one.kind],
        bill_id=ids.to_text("bil", one.bill_id),
        difference_id=_text("dif", one.difference_id),
        state=BILL_STATES[state_after(one.total, one.paid)],
        total=to_money(one.total),
        paid=to_money(one.paid),
        statement=to_statement(one.statement, one.policy_version) if one.statement else None,
        assess_date=to_date(one.assess_date),
    )


def _plan(one: Plan, paid: Money) -> pb.InstalmentPlan:
    return pb.InstalmentPlan(
        plan_id=ids.to_text("pln", one.plan_id),
        employer_id=ids.to_text("emp", one.employer_id),
        state=_PLAN_STATES[one.state],
        total=to_money(one.total),
        instalments=[
            pb.Instalment(
                number=part.number,
                due_date=to_date(part.due_date),
                amount=to_money(part.amount),
                paid=to_money(part.paid),
            )
            for part in filled(one.instalments, paid)
        ],
        documents=one.documents,
        reason=one.reason,
    )


def _refund(one: Refund) -> pb.Refund:
    return pb.Refund(
        refund_id=ids.to_text("rfd", one.refund_id),
        kind=_REFUNDS[one.kind],
        suspense_id=_text("sus", one.suspense_id),
        employer_id=_text("emp", one.employer_id),
        person_id=_text("per", one.person_id),
        amount=to_money(one.amount),
        state=_REFUND_STATES[one.state],
        reason=one.reason,
        reference=one.reference,
        receipt_no=one.receipt_no,
    )
