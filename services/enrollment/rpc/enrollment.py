"""EnrollmentService: the register, bills, accounts and imports of files."""

from functools import partial

from chassis import jobs
from chassis.rpc import Call, Servicer
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from services.enrollment.history_file import HistoryFile
from services.enrollment.messages import replies, requests
from services.enrollment.operations import accounts, bills, employers, enrollments, history, persons, roster
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.office import Office
from services.enrollment.roster_file import RosterFile
from services.enrollment.years_file import YearsFile


class EnrollmentRpc(Servicer):
    """EnrollmentService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["EnrollmentService"]

    def __init__(
        self, office: Office, histories: Archive[HistoryFile | YearsFile], rosters: Archive[RosterFile]
    ) -> None:
        self.office = office
        self.histories = histories
        self.rosters = rosters

    async def RegisterEmployer(self, request: pb.RegisterEmployerRequest, call: Call) -> pb.RegisterEmployerResponse:
        """Register an employer."""
        command = requests.register_employer(request)
        return await call.once(
            lambda tx: employers.register_employer(tx, command, self.office), replies.employer_registered
        )

    async def GetEmployer(self, request: pb.GetEmployerRequest, call: Call) -> pb.GetEmployerResponse:
        """Show an employer."""
        employer_id = ids.parse("emp", request.employer_id, field="employer_id")
        return await call.read(lambda tx: employers.employer(tx, employer_id), replies.employer)

    async def EnrollPerson(self, request: pb.EnrollPersonRequest, call: Call) -> pb.EnrollPersonResponse:
        """Enrol a person."""
        command = requests.enroll_person(request, today=call.today, allow_test_region=not self.office.is_production)
        return await call.once(lambda tx: enrollments.enroll_person(tx, command, self.office), replies.person_enrolled)

    async def GetEnrollment(self, request: pb.GetEnrollmentRequest, call: Call) -> pb.GetEnrollmentResponse:
        """Show an enrolment; by its own id, so the audit row of staff is asked for here."""
        enrollment_id = ids.parse("enr", request.enrollment_id, field="enrollment_id")
        reply = await call.read(lambda tx: enrollments.enrollment(tx, enrollment_id), replies.enrollment)
        call.audit_person(requests.person_id(reply.enrollment.person_id))
        return reply

    async def EndEnrollment(self, request: pb.EndEnrollmentRequest, call: Call) -> pb.EndEnrollmentResponse:
        """End an enrolment."""
        command = requests.end_enrollment(request)
        return await call.once(lambda tx: enrollments.end_enrollment(tx, command), replies.enrollment_ended)

    async def DeclareWage(self, request: pb.DeclareWageRequest, call: Call) -> pb.DeclareWageResponse:
        """Declare a wage."""
        command = requests.declare_wage(request)
        return await call.once(lambda tx: enrollments.declare_wage(tx, command), replies.wage_declared)

    async def AssessBill(self, request: pb.AssessBillRequest, call: Call) -> pb.AssessBillResponse:
        """Assess a month's bill."""
        command = requests.assess_bill(request)
        return await call.once(lambda tx: bills.assess_bill(tx, command, self.office), replies.bill_assessed)

    async def GetBill(self, request: pb.GetBillRequest, call: Call) -> pb.GetBillResponse:
        """Show a bill."""
        bill_id = ids.parse("bil", request.bill_id, field="bill_id")
        return await call.read(lambda tx: bills.bill(tx, bill_id), replies.bill)

    async def ListBills(self, request: pb.ListBillsRequest, call: Call) -> pb.ListBillsResponse:
        """List bills."""
        page = partial(
            bills.list_bills,
            employer_id=ids.parse("emp", request.employer_id, field="employer_id") if request.employer_id else None,
            state=requests.bill_state(request.state),
            size=request.page_size,
            token=request.page_token,
        )
        return await call.read(page, replies.bills)

    async def ListBillLines(self, request: pb.ListBillLinesRequest, call: Call) -> pb.ListBillLinesResponse:
        """List the persons on a bill; explaining 200 lines is work of its own, one page at a time."""
        bill_id = ids.parse("bil", request.bill_id, field="bill_id")
        page = partial(bills.list_lines, bill_id=bill_id, size=request.page_size, token=request.page_token)
        async with call.heavy():
            return await call.read(page, replies.bill_lines)

    async def RecordReceipt(self, request: pb.RecordReceiptRequest, call: Call) -> pb.RecordReceiptResponse:
        """Record a receipt."""
        command = requests.record_receipt(request)
        return await call.once(lambda tx: bills.record_receipt(tx, command, self.office), replies.receipt_recorded)

    async def FindPerson(self, request: pb.FindPersonRequest, call: Call) -> pb.FindPersonResponse:
        """Find a person by number; who was found is audited."""
        id_no, name = requests.find_person(request, today=call.today)
        reply = await call.look(lambda tx: persons.find_person(tx, id_no, name), replies.person_found)
        call.audit_person(requests.person_id(reply.person.person_id))
        return reply

    async def GetPerson(self, request: pb.GetPersonRequest, call: Call) -> pb.GetPersonResponse:
        """Show a person."""
        person_id = requests.person_id(request.person_id)
        return await call.look(lambda tx: persons.person(tx, person_id), replies.person)

    async def GetApplicant(self, request: pb.GetApplicantRequest, call: Call) -> pb.GetApplicantResponse:
        """What a case keeps of a person."""
        person_id = requests.person_id(request.person_id)
        return await call.look(lambda tx: persons.person(tx, person_id), replies.applicant)

    async def GetInsurance(self, request: pb.GetInsuranceRequest, call: Call) -> pb.GetInsuranceResponse:
        """Show the participations of a person."""
        person_id = requests.person_id(request.person_id)
        return await call.look(lambda tx: persons.insurance(tx, person_id), replies.insurance)

    async def ListContributions(self, request: pb.ListContributionsRequest, call: Call) -> pb.ListContributionsResponse:
        """List contribution months."""
        page = partial(
            persons.list_contributions,
            person_id=requests.person_id(request.person_id),
            year=request.year,
            size=request.page_size,
            token=request.page_token,
        )
        return await call.look(page, replies.contributions)

    async def GetAccount(self, request: pb.GetAccountRequest, call: Call) -> pb.GetAccountResponse:
        """Show a personal account."""
        person_id = requests.person_id(request.person_id)
        return await call.read(lambda tx: accounts.account(tx, person_id), replies.account)

    async def CloseAccountYear(self, request: pb.CloseAccountYearRequest, call: Call) -> pb.CloseAccountYearResponse:
        """Book the interest of a year as a job."""
        year = request.year
        return await call.once(lambda tx: accounts.close_account_year(tx, year, self.office), replies.year_closing)

    async def SettleAccount(self, request: pb.SettleAccountRequest, call: Call) -> pb.SettleAccountResponse:
        """Settle an account at retirement."""
        command = requests.settle_account(request)
        return await call.once(lambda tx: accounts.settle_account(tx, command, self.office), replies.account_settled)

    async def ImportHistory(self, request: pb.ImportHistoryRequest, call: Call) -> pb.ImportHistoryResponse:
        """Import history as a job."""
        command = requests.import_history(request)
        return await call.once(lambda tx: history.import_history(tx, command, self.histories), replies.import_started)

    async def ImportRoster(self, request: pb.ImportRosterRequest, call: Call) -> pb.ImportRosterResponse:
        """Enrol a roster as a job."""
        command = requests.import_roster(request)
        return await call.once(lambda tx: roster.import_roster(tx, command, self.rosters), replies.roster_started)

    async def ListEnrollmentJobs(
        self, request: pb.ListEnrollmentJobsRequest, call: Call
    ) -> pb.ListEnrollmentJobsResponse:
        """List jobs of this service."""
        page = partial(jobs.listed, kind=request.kind, size=request.page_size, token=request.page_token)
        return await call.read(page, replies.jobs_listed)

    async def GetEnrollmentJob(self, request: pb.GetEnrollmentJobRequest, call: Call) -> pb.GetEnrollmentJobResponse:
        """Show a job."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        return await call.read(lambda tx: persons.job(tx, job_id), replies.job)

    async def ListEnrollmentJobRejects(
        self, request: pb.ListEnrollmentJobRejectsRequest, call: Call
    ) -> pb.ListEnrollmentJobRejectsResponse:
        """List the rows that a job did not take."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        page = partial(persons.list_rejects, job_id=job_id, size=request.page_size, token=request.page_token)
        return await call.read(page, replies.rejects)
