"""CollectionService: receipts, suspense, arrears, refunds, final limits and the proof of the books."""

from functools import partial

from chassis.rpc import Call, Servicer
from hrss.enrollment.v1 import collection_service_pb2 as pb
from kernel import ids
from services.enrollment.messages import arrears, late_fees, refunds
from services.enrollment.messages import collection as messages
from services.enrollment.operations import (
    collection,
    collection_arrears,
    collection_books,
    collection_differences,
    collection_files,
    collection_late_fees,
    collection_refunds,
)
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.office import Office
from services.enrollment.receipts_file import ReceiptsFile
from services.enrollment.register import check_receipt_no


class CollectionRpc(Servicer):
    """CollectionService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["CollectionService"]

    def __init__(self, office: Office, files: Archive[ReceiptsFile]) -> None:
        self.office = office
        self.files = files

    async def ImportReceipts(self, request: pb.ImportReceiptsRequest, call: Call) -> pb.ImportReceiptsResponse:
        """Book a file of receipts as a job."""
        upload = messages.upload(request)
        return await call.once(
            lambda tx: collection_files.import_receipts(tx, *upload, self.files, self.office),
            messages.receipts_import,
        )

    async def ListReceiptRows(self, request: pb.ListReceiptRowsRequest, call: Call) -> pb.ListReceiptRowsResponse:
        """List what became of the rows of a file."""
        page = partial(
            collection_files.list_rows,
            job_id=ids.parse("job", request.job_id, field="job_id"),
            size=request.page_size,
            token=request.page_token,
        )
        return await call.read(page, messages.receipt_rows)

    async def CompareReceipts(self, request: pb.CompareReceiptsRequest, call: Call) -> pb.CompareReceiptsResponse:
        """Compare a day with the books as a job."""
        upload = messages.upload(request)
        return await call.once(
            lambda tx: collection_files.compare_receipts(tx, *upload, self.files, self.office),
            messages.receipts_comparison,
        )

    async def ExportBills(self, request: pb.ExportBillsRequest, call: Call) -> pb.ExportBillsResponse:
        """Write a month's file of bills."""
        month = messages.month(request)
        return await call.once(
            lambda tx: collection_files.export_bills(tx, month, self.office), messages.bills_exported
        )

    async def ReadBillFile(self, request: pb.ReadBillFileRequest, call: Call) -> pb.ReadBillFileResponse:
        """Read a part of a file of bills."""
        file_id = ids.parse("fil", request.file_id, field="file_id")
        return await call.read(
            lambda tx: collection_files.read_bills(tx, file_id, request.offset, self.office), messages.bill_file_part
        )

    async def ListSuspense(self, request: pb.ListSuspenseRequest, call: Call) -> pb.ListSuspenseResponse:
        """List the suspense account."""
        page = partial(
            collection.list_suspense,
            employer_id=messages.an_id("emp", request.employer_id, "employer_id"),
            state=messages.suspense_state(request),
            size=request.page_size,
            token=request.page_token,
        )
        return await call.read(page, messages.suspense_page)

    async def MatchSuspense(self, request: pb.MatchSuspenseRequest, call: Call) -> pb.MatchSuspenseResponse:
        """Match money to a bill or demand."""
        suspense_id = ids.parse("sus", request.suspense_id, field="suspense_id")
        wanted = messages.amount(request)
        return await call.once(lambda tx: collection.match(tx, suspense_id, request.document, wanted), messages.matched)

    async def SetDueDate(self, request: pb.SetDueDateRequest, call: Call) -> pb.SetDueDateResponse:
        """Store the due day of a month's bills."""
        month, due = messages.month(request), messages.day(request)
        return await call.once(
            lambda tx: collection_arrears.set_due_date(tx, month, due, self.office), arrears.due_date_set
        )

    async def ListArrears(self, request: pb.ListArrearsRequest, call: Call) -> pb.ListArrearsResponse:
        """List what an employer owes."""
        employer_id = ids.parse("emp", request.employer_id, field="employer_id")
        on = messages.day(request)
        return await call.read(
            lambda tx: collection_arrears.list_arrears(tx, employer_id, on, self.office), arrears.arrears
        )

    async def StartLateFeeRun(self, request: pb.StartLateFeeRunRequest, call: Call) -> pb.StartLateFeeRunResponse:
        """Start the late fees of a day."""
        on, demands = late_fees.day(request), request.with_demands
        return await call.once(
            lambda tx: collection_late_fees.start(tx, on, with_demands=demands, office=self.office), late_fees.started
        )

    async def GetLateFeeRun(self, request: pb.GetLateFeeRunRequest, call: Call) -> pb.GetLateFeeRunResponse:
        """Show the late fees of a day."""
        on = late_fees.run_day(request)
        return await call.read(lambda tx: collection_late_fees.show(tx, on), late_fees.shown)

    async def ListReminders(self, request: pb.ListRemindersRequest, call: Call) -> pb.ListRemindersResponse:
        """List the employers in arrears."""
        on, size, token = late_fees.run_day(request), request.page_size, request.page_token
        return await call.read(
            lambda tx: collection_late_fees.list_reminders(tx, on, size=size, token=token), late_fees.reminders
        )

    async def GetReminder(self, request: pb.GetReminderRequest, call: Call) -> pb.GetReminderResponse:
        """Show what an employer is reminded of."""
        employer_id, on = ids.parse("emp", request.employer_id, field="employer_id"), late_fees.day(request)
        version = self.office.policy.version
        return await call.read(
            lambda tx: collection_arrears.reminder(tx, employer_id, on, self.office),
            lambda found: late_fees.reminder(found, version),
        )

    async def DemandLateFee(self, request: pb.DemandLateFeeRequest, call: Call) -> pb.DemandLateFeeResponse:
        """Demand a late fee."""
        bill_id = ids.parse("bil", request.bill_id, field="bill_id")
        return await call.once(
            lambda tx: collection_arrears.demand_late_fee(tx, bill_id, self.office), arrears.late_fee_demanded
        )

    async def ListDemands(self, request: pb.ListDemandsRequest, call: Call) -> pb.ListDemandsResponse:
        """List demands."""
        page = partial(
            collection_arrears.list_demands,
            employer_id=messages.an_id("emp", request.employer_id, "employer_id"),
            size=request.page_size,
            token=request.page_token,
        )
        return await call.read(page, arrears.demand_page)

    async def PrepareInstalments(
        self, request: pb.PrepareInstalmentsRequest, call: Call
    ) -> pb.PrepareInstalmentsResponse:
        """Prepare an instalment plan."""
        employer_id = ids.parse("emp", request.employer_id, field="employer_id")
        parts = arrears.instalments(request)
        return await call.once(
            lambda tx: collection_arrears.prepare_instalments(tx, employer_id, parts, request.reason),
            arrears.instalments_prepared,
        )

    async def DecideInstalments(self, request: pb.DecideInstalmentsRequest, call: Call) -> pb.DecideInstalmentsResponse:
        """Agree to an instalment plan, or reject it."""
        plan_id = ids.parse("pln", request.plan_id, field="plan_id")
        return await call.once(
            lambda tx: collection_arrears.decide_instalments(tx, plan_id, approve=request.approve),
            arrears.instalments_decided,
        )

    async def GetInstalmentPlan(self, request: pb.GetInstalmentPlanRequest, call: Call) -> pb.GetInstalmentPlanResponse:
        """Show an instalment plan."""
        plan_id = ids.parse("pln", request.plan_id, field="plan_id")
        return await call.read(lambda tx: collection_arrears.plan(tx, plan_id), arrears.plan)

    async def PrepareRefund(self, request: pb.PrepareRefundRequest, call: Call) -> pb.PrepareRefundResponse:
        """Prepare a refund."""
        work = partial(
            collection_refunds.prepare,
            suspense_id=messages.an_id("sus", request.suspense_id, "suspense_id"),
            person_id=messages.an_id("per", request.person_id, "person_id"),
            wanted=messages.amount(request),
            reason=request.reason,
        )
        return await call.once(work, refunds.refund_prepared)

    async def DecideRefund(self, request: pb.DecideRefundRequest, call: Call) -> pb.DecideRefundResponse:
        """Order a refund, or reject it."""
        refund_id = ids.parse("rfd", request.refund_id, field="refund_id")
        return await call.once(
            lambda tx: collection_refunds.decide(tx, refund_id, approve=request.approve), refunds.refund_decided
        )

    async def ListRefunds(self, request: pb.ListRefundsRequest, call: Call) -> pb.ListRefundsResponse:
        """List refunds."""
        page = partial(
            collection_refunds.list_refunds,
            state=refunds.refund_state(request),
            size=request.page_size,
            token=request.page_token,
        )
        return await call.read(page, refunds.refund_page)

    async def RecordRefundResult(
        self, request: pb.RecordRefundResultRequest, call: Call
    ) -> pb.RecordRefundResultResponse:
        """Record how a refund was carried out."""
        work = partial(
            collection_refunds.record_result,
            refund_id=ids.parse("rfd", request.refund_id, field="refund_id"),
            is_paid=refunds.outcome(request),
            reference=check_receipt_no(request.reference),
            simulated=request.simulated,
            office=self.office,
        )
        return await call.once(work, refunds.refund_result)

    async def SettleLimits(self, request: pb.SettleLimitsRequest, call: Call) -> pb.SettleLimitsResponse:
        """Settle months by their final limits as a job."""
        first, last = messages.months(request)
        return await call.once(
            lambda tx: collection_differences.settle_limits(tx, first, last, self.office), messages.limits_settling
        )

    async def ListDifferenceLines(
        self, request: pb.ListDifferenceLinesRequest, call: Call
    ) -> pb.ListDifferenceLinesResponse:
        """List the persons of a difference; explaining 200 lines is work of its own, one page at a time."""
        page = partial(
            collection_differences.list_lines,
            difference_id=ids.parse("dif", request.difference_id, field="difference_id"),
            size=request.page_size,
            token=request.page_token,
        )
        async with call.heavy():
            return await call.read(page, messages.difference_lines)

    async def GetFundBalances(self, request: pb.GetFundBalancesRequest, call: Call) -> pb.GetFundBalancesResponse:
        """Show what the funds hold."""
        on = messages.day(request)
        return await call.read(lambda tx: collection_books.fund_balances(tx, on), messages.fund_balances)

    async def GetEmployerStatement(
        self, request: pb.GetEmployerStatementRequest, call: Call
    ) -> pb.GetEmployerStatementResponse:
        """Show an employer's statement."""
        employer_id = ids.parse("emp", request.employer_id, field="employer_id")
        first, last = messages.months(request)
        return await call.read(
            lambda tx: collection_books.statement(tx, employer_id, first, last), messages.employer_statement
        )

    async def CheckBooks(self, _request: pb.CheckBooksRequest, call: Call) -> pb.CheckBooksResponse:
        """Prove the books as a job."""
        return await call.once(collection_books.check_books, messages.books_checking)
