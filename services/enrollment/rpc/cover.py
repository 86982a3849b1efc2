"""CoverService: covers without an employment, government posts, suspensions, back payments, overlaps, projects."""

from chassis.rpc import Call, Servicer
from hrss.enrollment.v1 import cover_service_pb2 as pb
from services.enrollment.messages import cover as requests
from services.enrollment.messages import cover_replies as replies
from services.enrollment.messages import scheme_years
from services.enrollment.messages.requests import person_id as person_id_of
from services.enrollment.operations import (
    cover_interest,
    cover_months,
    cover_overlaps,
    cover_people,
    cover_posts,
    cover_projects,
    cover_residents,
    cover_rests,
)
from services.enrollment.operations.office import Office


class CoverRpc(Servicer):
    """CoverService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["CoverService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    @property
    def _test_region(self) -> bool:
        return not self.office.is_production

    async def EnrollFlexible(self, request: pb.EnrollFlexibleRequest, call: Call) -> pb.EnrollFlexibleResponse:
        """Enrol a flexible worker."""
        command = requests.enroll_flexible(request, today=call.today, allow_test_region=self._test_region)
        return await call.once(
            lambda tx: cover_people.enroll_flexible(tx, command, self.office), replies.flexible_enrolled
        )

    async def EnrollResident(self, request: pb.EnrollResidentRequest, call: Call) -> pb.EnrollResidentResponse:
        """Enrol a resident."""
        command = requests.enroll_resident(request, today=call.today, allow_test_region=self._test_region)
        return await call.once(
            lambda tx: cover_people.enroll_resident(tx, command, self.office), replies.resident_enrolled
        )

    async def GetCover(self, request: pb.GetCoverRequest, call: Call) -> pb.GetCoverResponse:
        """Show a cover; by its own id, so the audit row of staff is asked for here."""
        cover_id = requests.cover_id(request.cover_id)
        reply = await call.read(lambda tx: cover_people.show_cover(tx, cover_id), replies.cover)
        call.audit_person(person_id_of(reply.cover.person_id))
        return reply

    async def ChangeCoverBase(self, request: pb.ChangeCoverBaseRequest, call: Call) -> pb.ChangeCoverBaseResponse:
        """Change a chosen base."""
        command = requests.change_base(request)
        return await call.once(lambda tx: cover_people.change_base(tx, command, self.office), replies.base_changed)

    async def SuspendCover(self, request: pb.SuspendCoverRequest, call: Call) -> pb.SuspendCoverResponse:
        """Suspend a cover."""
        command = requests.suspend_cover(request)
        return await call.once(lambda tx: cover_people.suspend_cover(tx, command), replies.cover_suspended)

    async def ResumeCover(self, request: pb.ResumeCoverRequest, call: Call) -> pb.ResumeCoverResponse:
        """Resume a cover."""
        command = requests.resume_cover(request)
        return await call.once(lambda tx: cover_people.resume_cover(tx, command), replies.cover_resumed)

    async def EndCover(self, request: pb.EndCoverRequest, call: Call) -> pb.EndCoverResponse:
        """End a cover."""
        command = requests.end_cover(request)
        return await call.once(lambda tx: cover_people.end_cover(tx, command), replies.cover_ended)

    async def AssessCoverBill(self, request: pb.AssessCoverBillRequest, call: Call) -> pb.AssessCoverBillResponse:
        """Bill a month of a flexible worker."""
        cover_id, month = requests.assess_cover_bill(request)
        return await call.once(
            lambda tx: cover_months.assess_cover_bill(tx, cover_id, month, self.office), replies.cover_billed
        )

    async def AssessResidentYear(
        self, request: pb.AssessResidentYearRequest, call: Call
    ) -> pb.AssessResidentYearResponse:
        """Assess a resident's yearly payment."""
        command = requests.assess_resident_year(request)
        return await call.once(
            lambda tx: cover_residents.assess_resident_year(tx, command, self.office), replies.resident_year_assessed
        )

    async def RecordResidentPayment(
        self, request: pb.RecordResidentPaymentRequest, call: Call
    ) -> pb.RecordResidentPaymentResponse:
        """Record the receipt of a resident's payment."""
        command = requests.resident_receipt(request)
        return await call.once(
            lambda tx: cover_residents.record_resident_payment(tx, command, self.office), replies.resident_paid
        )

    async def ListSchemeAccounts(
        self, request: pb.ListSchemeAccountsRequest, call: Call
    ) -> pb.ListSchemeAccountsResponse:
        """Show accounts beside that of the employee pension."""
        person_id = person_id_of(request.person_id)
        return await call.read(lambda tx: cover_residents.scheme_accounts(tx, person_id), replies.scheme_accounts)

    async def CloseSchemeAccountYear(
        self, request: pb.CloseSchemeAccountYearRequest, call: Call
    ) -> pb.CloseSchemeAccountYearResponse:
        """Book a year's interest on the accounts of a scheme."""
        scheme, year = scheme_years.closing(request)
        return await call.once(lambda tx: cover_interest.close_year(tx, scheme, year, self.office), scheme_years.closed)

    async def ListSchemeAccountYears(
        self, request: pb.ListSchemeAccountYearsRequest, call: Call
    ) -> pb.ListSchemeAccountYearsResponse:
        """Show the closed years of accounts beside that of the employee pension."""
        person_id = person_id_of(request.person_id)
        return await call.read(lambda tx: cover_interest.list_years(tx, person_id), scheme_years.years)

    async def SetEmployerKind(self, request: pb.SetEmployerKindRequest, call: Call) -> pb.SetEmployerKindResponse:
        """Say what an employer is."""
        employer_id, kind = requests.set_kind(request)
        return await call.once(lambda tx: cover_posts.set_kind(tx, employer_id, kind), replies.kind_set)

    async def EnrollPost(self, request: pb.EnrollPostRequest, call: Call) -> pb.EnrollPostResponse:
        """Enrol a person in a government post."""
        command = requests.enroll_post(request, today=call.today, allow_test_region=self._test_region)
        return await call.once(lambda tx: cover_posts.enroll_post(tx, command, self.office), replies.post_enrolled)

    async def AssessPostBill(self, request: pb.AssessPostBillRequest, call: Call) -> pb.AssessPostBillResponse:
        """Assess a month's bill of a government body."""
        command = requests.assess_posts(request)
        return await call.once(lambda tx: cover_posts.assess_bill(tx, command, self.office), replies.posts_billed)

    async def SuspendEnrollment(self, request: pb.SuspendEnrollmentRequest, call: Call) -> pb.SuspendEnrollmentResponse:
        """Suspend an enrolment."""
        command = requests.suspend_enrollment(request)
        return await call.once(lambda tx: cover_rests.suspend_enrollment(tx, command), replies.enrollment_suspended)

    async def ResumeEnrollment(self, request: pb.ResumeEnrollmentRequest, call: Call) -> pb.ResumeEnrollmentResponse:
        """Resume an enrolment."""
        command = requests.resume_enrollment(request)
        return await call.once(lambda tx: cover_rests.resume_enrollment(tx, command), replies.enrollment_resumed)

    async def AssessBackPayment(self, request: pb.AssessBackPaymentRequest, call: Call) -> pb.AssessBackPaymentResponse:
        """Assess a back payment."""
        command, version = requests.back_payment(request), self.office.policy.version
        return await call.once(
            lambda tx: cover_months.assess_back_payment(tx, command, self.office),
            lambda made: replies.back_payment(made, version),
        )

    async def GetOverlap(self, request: pb.GetOverlapRequest, call: Call) -> pb.GetOverlapResponse:
        """Show what was paid twice."""
        person_id, version = person_id_of(request.person_id), self.office.policy.version
        return await call.read(
            lambda tx: cover_overlaps.overlap(tx, person_id), lambda found: replies.overlap(found, version)
        )

    async def RefundOverlap(self, request: pb.RefundOverlapRequest, call: Call) -> pb.RefundOverlapResponse:
        """Take back what was paid twice."""
        person_id, version = person_id_of(request.person_id), self.office.policy.version
        return await call.once(
            lambda tx: cover_overlaps.refund_overlap(tx, person_id, self.office),
            lambda found: replies.overlap_refunded(found, version),
        )

    async def RegisterProject(self, request: pb.RegisterProjectRequest, call: Call) -> pb.RegisterProjectResponse:
        """Register a project."""
        command = requests.register_project(request)
        return await call.once(
            lambda tx: cover_projects.register_project(tx, command, self.office), replies.project_registered
        )

    async def GetProject(self, request: pb.GetProjectRequest, call: Call) -> pb.GetProjectResponse:
        """Show a project."""
        project_id = requests.project_id(request.project_id)
        return await call.read(lambda tx: cover_projects.project(tx, project_id), replies.project)

    async def RecordProjectPremium(
        self, request: pb.RecordProjectPremiumRequest, call: Call
    ) -> pb.RecordProjectPremiumResponse:
        """Record the receipt of a project's premium."""
        command = requests.project_receipt(request)
        return await call.once(lambda tx: cover_projects.record_premium(tx, command, self.office), replies.project_paid)

    async def AddProjectWorker(self, request: pb.AddProjectWorkerRequest, call: Call) -> pb.AddProjectWorkerResponse:
        """Put a worker on a roster."""
        command = requests.add_worker(request, today=call.today, allow_test_region=self._test_region)
        return await call.once(lambda tx: cover_projects.add_worker(tx, command, self.office), replies.worker_added)

    async def CompleteProject(self, request: pb.CompleteProjectRequest, call: Call) -> pb.CompleteProjectResponse:
        """Complete a project."""
        project_id, day = requests.complete_project(request)
        return await call.once(lambda tx: cover_projects.complete(tx, project_id, day), replies.project_completed)

    async def GetProjectCover(self, request: pb.GetProjectCoverRequest, call: Call) -> pb.GetProjectCoverResponse:
        """Answer whether a day of a project is covered."""
        project_id, worker, day = requests.project_cover(request)
        reply = await call.read(
            lambda tx: cover_projects.project_cover(tx, project_id, worker, day),
            lambda found: replies.project_cover(found.project, covered=found.covered, named=found.named),
        )
        if worker is not None:
            call.audit_person(worker)
        return reply

    async def ReportPlatformOrders(
        self, request: pb.ReportPlatformOrdersRequest, call: Call
    ) -> pb.ReportPlatformOrdersResponse:
        """Report a month's orders."""
        command = requests.report_orders(request)
        return await call.once(
            lambda tx: cover_projects.report_orders(tx, command, self.office), replies.orders_reported
        )

    async def RecordPlatformPremium(
        self, request: pb.RecordPlatformPremiumRequest, call: Call
    ) -> pb.RecordPlatformPremiumResponse:
        """Record the receipt of a platform's premium."""
        command = requests.platform_receipt(request)
        return await call.once(
            lambda tx: cover_projects.record_platform_premium(tx, command, self.office), replies.platform_paid
        )

    async def GetPlatformCover(self, request: pb.GetPlatformCoverRequest, call: Call) -> pb.GetPlatformCoverResponse:
        """Answer whether a person took orders on a day."""
        person_id, day = requests.platform_cover(request)
        return await call.read(lambda tx: cover_projects.platform_cover(tx, person_id, day), replies.platform_cover)
