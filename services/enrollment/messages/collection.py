"""Collection in the contract: requests read, replies written."""

import re
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from asyncpg import Record

from chassis.jobs import Job
from chassis.values import date_of, money_of, month_of, to_date, to_job, to_money, to_month, to_statement
from hrss.enrollment.v1 import collection_service_pb2 as pb
from hrss.type.v1 import money_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.collection import (
    Difference,
    Suspense,
    SuspenseReason,
    SuspenseState,
)
from services.enrollment.domain.contributions import Scheme
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


def id_text(prefix: str, value: UUID | None) -> str:
    """An id of the contract; "" where there is none."""
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
        employer_id=id_text("emp", one.employer_id),
        reason=_REASONS[one.reason],
        amount=to_money(one.amount),
        left=to_money(one.left),
        state=_SUSPENSE_STATES[one.state],
        paid_date=to_date(one.paid_date),
    )
