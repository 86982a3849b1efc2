"""PayingService: requests as commands, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis.values import to_date, to_job, to_money, to_month
from hrss.benefits.v1 import paying_service_pb2 as pb
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from services.benefits.bank_file import TEXTS
from services.benefits.lifecycle import Kind
from services.benefits.messages.states import BENEFIT_KINDS
from services.benefits.paying import AskFindings, Effect, Gate, PrepareRelease

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from chassis.jobs import Job
    from services.benefits.operations.paying_bank import FileShown
    from services.benefits.operations.paying_returns import Importing

GATES = {gate: pb.PayrollGate.Value(f"PAYROLL_GATE_{gate.value}") for gate in Gate}
EFFECTS = {effect: pb.FindingEffect.Value(f"FINDING_EFFECT_{effect.value}") for effect in Effect}
_GATES = {number: gate for gate, number in GATES.items()}
_EFFECTS = {number: effect for effect, number in EFFECTS.items()}
_STATES = {number: name.removeprefix("RETURNED_STATE_") for name, number in pb.ReturnedState.items()}


def ask_findings(request: pb.ListPayrollFindingsRequest) -> AskFindings:
    """Which findings of a payroll."""
    return AskFindings(
        ids.parse("prl", request.payroll_id, field="payroll_id"),
        _GATES.get(request.gate),
        _EFFECTS.get(request.effect),
        request.page_size,
        request.page_token,
    )


def prepare_release(request: pb.PrepareReleaseRequest) -> PrepareRelease:
    """Let a held back benefit pass.

    Raises:
        InvalidInput: GATE_REQUIRED.
    """
    if request.gate not in _GATES:
        raise InvalidInput("GATE_REQUIRED", "a release names the gate that it opens", field="gate")
    benefit_id = ids.parse("ben", request.benefit_id, field="benefit_id")
    return PrepareRelease(benefit_id, _GATES[request.gate], request.reason.strip())


def returned_state(request: pb.ListReturnedPaymentsRequest) -> str:
    """The state that is asked for; empty for all."""
    name = _STATES[request.state]
    return "" if name == "UNSPECIFIED" else name


def evidence(rows: Sequence[Record]) -> pb.GetPayrollEvidenceResponse:
    """What each gate looked at."""
    return pb.GetPayrollEvidenceResponse(
        gates=[
            pb.GateEvidence(
                gate=GATES[Gate(row["gate"])],
                checked_count=row["checked"],
                blocked_count=row["blocked"],
                warned_count=row["warned"],
                released_count=row["released"],
                terms=row["terms"],
            )
            for row in rows
        ]
    )


def findings(page: tuple[Sequence[Record], str]) -> pb.ListPayrollFindingsResponse:
    """A page of findings."""
    return pb.ListPayrollFindingsResponse(
        findings=[
            pb.PayrollFinding(
                benefit_id=ids.to_text("ben", row["benefit_id"]),
                kind=BENEFIT_KINDS[Kind(row["kind"])],
                gate=GATES[Gate(row["gate"])],
                effect=EFFECTS[Effect(row["effect"])],
                detail=row["detail"],
            )
            for row in page[0]
        ],
        next_page_token=page[1],
    )


def exported(part: tuple[str, str]) -> pb.ExportPayrollFindingsResponse:
    """A part of the findings as CSV."""
    return pb.ExportPayrollFindingsResponse(content=part[0], next_page_token=part[1])


def release_prepared(row: Mapping[str, Any]) -> pb.PrepareReleaseResponse:
    """A release that waits."""
    return pb.PrepareReleaseResponse(release=release(row))


def release_decided(row: Mapping[str, Any]) -> pb.DecideReleaseResponse:
    """A release that was decided."""
    return pb.DecideReleaseResponse(release=release(row))


def file_made(shown: FileShown) -> pb.MakePaymentFileResponse:
    """A bank file that is being written."""
    return pb.MakePaymentFileResponse(file=file_message(shown))


def file(shown: FileShown) -> pb.GetPaymentFileResponse:
    """A bank file."""
    return pb.GetPaymentFileResponse(file=file_message(shown))


def part(read: tuple[str, int]) -> pb.ReadPaymentFileResponse:
    """A part of a bank file."""
    return pb.ReadPaymentFileResponse(content=read[0], next_part=read[1])


def importing(started: Importing) -> pb.ImportReturnsResponse:
    """An answer that is being booked."""
    return pb.ImportReturnsResponse(return_id=ids.to_text("rfl", started.return_id), job=to_job(started.job))


def return_rows(page: tuple[Sequence[Record], str]) -> pb.ListReturnRowsResponse:
    """A page of verdicts."""
    rows = []
    for row in page[0]:
        zh, en = TEXTS.get(row["code"], ("", ""))
        rows.append(
            pb.ListReturnRowsResponse.ReturnRow(
                line=row["line"],
                payment_id=ids.to_text("pmt", row["payment_id"]) if row["payment_id"] else "",
                verdict=pb.ReturnVerdict.Value(f"RETURN_VERDICT_{row['verdict']}"),
                code=row["code"],
                text_zh=zh,
                text_en=en,
            )
        )
    return pb.ListReturnRowsResponse(rows=rows, next_page_token=page[1])


def returned(page: tuple[Sequence[Record], str]) -> pb.ListReturnedPaymentsResponse:
    """A page of payments that came back."""
    return pb.ListReturnedPaymentsResponse(payments=[_returned(row) for row in page[0]], next_page_token=page[1])


def retried(row: Mapping[str, Any]) -> pb.RetryPaymentResponse:
    """A payment that is sent again."""
    return pb.RetryPaymentResponse(payment=_returned(row))


def checking(job: Job) -> pb.CheckBenefitBooksResponse:
    """The check of the books."""
    return pb.CheckBenefitBooksResponse(job=to_job(job))


def release(row: Mapping[str, Any] | Record) -> pb.PayrollRelease:
    """A release."""
    return pb.PayrollRelease(
        release_id=ids.to_text("rls", row["release_id"]),
        benefit_id=ids.to_text("ben", row["benefit_id"]),
        gate=GATES[Gate(row["gate"])],
        through_month=to_month(Month.of(row["through_month"])),
        reason=row["reason"],
        state=pb.ReleaseState.Value(f"RELEASE_STATE_{row['state']}"),
    )


def file_message(shown: FileShown) -> pb.PaymentFile:
    """A bank file with its job; its sums where it is ready."""
    row = shown.file
    message = pb.PaymentFile(
        file_id=ids.to_text("pfl", row["file_id"]),
        payroll_id=ids.to_text("prl", row["payroll_id"]),
        job=to_job(shown.job),
        adapter=row["adapter"],
        part_count=row["part_count"],
    )
    if row["digest"] is not None:
        message.payment_count = row["payment_count"]
        message.total.CopyFrom(to_money(Money(row["total_fen"])))
        message.digest = row["digest"]
        message.size = str(row["size"])
    return message


def _returned(row: Mapping[str, Any] | Record) -> pb.ReturnedPayment:
    return pb.ReturnedPayment(
        payment_id=ids.to_text("pmt", row["payment_id"]),
        benefit_id=ids.to_text("ben", row["benefit_id"]),
        kind=BENEFIT_KINDS[Kind(row["kind"])],
        month=to_month(Month.of(row["month"])),
        amount=to_money(Money(row["amount_fen"])),
        state=pb.ReturnedState.Value(f"RETURNED_STATE_{row['state']}"),
        tries=row["try"],
        return_code=row["return_code"],
        return_date=to_date(row["business_date"]),
    )
