"""PayingService: gates, releases, bank files, returned payments, the check of the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.benefits.v1 import paying_service_pb2 as pb
from kernel import ids
from services.benefits.messages import paying as messages
from services.benefits.operations import paying_bank, paying_books, paying_gates, paying_returns

if TYPE_CHECKING:
    from chassis.archive import Archive
    from chassis.files import Files
    from services.benefits.bank_file import ReturnsFile


class PayingRpc(Servicer):
    """PayingService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["PayingService"]

    def __init__(self, files: Files, archive: Archive[ReturnsFile]) -> None:
        self.files = files
        self.archive = archive

    async def GetPayrollEvidence(
        self, request: pb.GetPayrollEvidenceRequest, call: Call
    ) -> pb.GetPayrollEvidenceResponse:
        """Show what each gate looked at."""
        payroll_id = ids.parse("prl", request.payroll_id, field="payroll_id")
        return await call.read(lambda tx: paying_gates.evidence(tx, payroll_id), messages.evidence)

    async def ListPayrollFindings(
        self, request: pb.ListPayrollFindingsRequest, call: Call
    ) -> pb.ListPayrollFindingsResponse:
        """List what the gates found."""
        ask = messages.ask_findings(request)
        return await call.read(lambda tx: paying_gates.findings(tx, ask), messages.findings)

    async def ExportPayrollFindings(
        self, request: pb.ExportPayrollFindingsRequest, call: Call
    ) -> pb.ExportPayrollFindingsResponse:
        """Export the findings as CSV."""
        payroll_id = ids.parse("prl", request.payroll_id, field="payroll_id")
        return await call.read(lambda tx: paying_gates.export(tx, payroll_id, request.page_token), messages.exported)

    async def PrepareRelease(self, request: pb.PrepareReleaseRequest, call: Call) -> pb.PrepareReleaseResponse:
        """Let a held back benefit pass, first person."""
        command = messages.prepare_release(request)
        return await call.once(lambda tx: paying_gates.prepare_release(tx, command), messages.release_prepared)

    async def DecideRelease(self, request: pb.DecideReleaseRequest, call: Call) -> pb.DecideReleaseResponse:
        """Approve or reject a release, second person."""
        release_id = ids.parse("rls", request.release_id, field="release_id")
        return await call.once(
            lambda tx: paying_gates.decide_release(tx, release_id, approve=request.approve), messages.release_decided
        )

    async def MakePaymentFile(self, request: pb.MakePaymentFileRequest, call: Call) -> pb.MakePaymentFileResponse:
        """Write the bank file of a payroll."""
        payroll_id = ids.parse("prl", request.payroll_id, field="payroll_id")
        return await call.once(lambda tx: paying_bank.make_file(tx, payroll_id), messages.file_made)

    async def GetPaymentFile(self, request: pb.GetPaymentFileRequest, call: Call) -> pb.GetPaymentFileResponse:
        """Show a bank file."""
        file_id = ids.parse("pfl", request.file_id, field="file_id")
        return await call.read(lambda tx: paying_bank.show_file(tx, file_id), messages.file)

    async def ReadPaymentFile(self, request: pb.ReadPaymentFileRequest, call: Call) -> pb.ReadPaymentFileResponse:
        """Read a part of a bank file."""
        file_id = ids.parse("pfl", request.file_id, field="file_id")
        return await call.read(lambda tx: paying_bank.read_file(tx, file_id, request.part, self.files), messages.part)

    async def ImportReturns(self, request: pb.ImportReturnsRequest, call: Call) -> pb.ImportReturnsResponse:
        """Book the bank's answers from a file."""
        payroll_id = ids.parse("prl", request.payroll_id, field="payroll_id")
        return await call.once(
            lambda tx: paying_returns.import_returns(tx, payroll_id, request.upload_id, request.digest, self.archive),
            messages.importing,
        )

    async def ListReturnRows(self, request: pb.ListReturnRowsRequest, call: Call) -> pb.ListReturnRowsResponse:
        """List what became of the rows of an answer."""
        return_id = ids.parse("rfl", request.return_id, field="return_id")
        return await call.read(
            lambda tx: paying_returns.list_rows(tx, return_id, size=request.page_size, token=request.page_token),
            messages.return_rows,
        )

    async def ListReturnedPayments(
        self, request: pb.ListReturnedPaymentsRequest, call: Call
    ) -> pb.ListReturnedPaymentsResponse:
        """List payments that came back."""
        state = messages.returned_state(request)
        return await call.read(
            lambda tx: paying_returns.list_returned(tx, state, size=request.page_size, token=request.page_token),
            messages.returned,
        )

    async def RetryPayment(self, request: pb.RetryPaymentRequest, call: Call) -> pb.RetryPaymentResponse:
        """Send a returned payment again."""
        payment_id = ids.parse("pmt", request.payment_id, field="payment_id")
        return await call.once(lambda tx: paying_returns.retry(tx, payment_id), messages.retried)

    async def CheckBenefitBooks(
        self, _request: pb.CheckBenefitBooksRequest, call: Call
    ) -> pb.CheckBenefitBooksResponse:
        """Prove the books."""
        return await call.once(paying_books.check_books, messages.checking)
