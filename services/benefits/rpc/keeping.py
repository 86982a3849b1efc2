"""The edge of what keeps benefits: three lines a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.benefits.v1 import keeping_service_pb2 as pb
from kernel import ids
from kernel.calendar import Month
from services.benefits.messages import keeping as messages
from services.benefits.messages import keeping_asked, keeping_debts
from services.benefits.operations import (
    keeping_certification,
    keeping_import,
    keeping_queries,
    keeping_requests,
    keeping_sweep,
)

if TYPE_CHECKING:
    from uuid import UUID

    from services.benefits.operations.keeping_import import Matched
    from services.benefits.policy import BenefitsPolicy


class KeepingRpc(Servicer):
    """KeepingService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["KeepingService"]

    def __init__(self, policy: BenefitsPolicy, matched: Matched) -> None:
        self.policy = policy
        self.matched = matched

    async def CertifyPerson(self, request: pb.CertifyPersonRequest, call: Call) -> pb.CertifyPersonResponse:
        """Certify at the counter."""
        command = keeping_asked.certify(request)
        return await call.once(lambda tx: keeping_certification.certify(tx, command, self.policy), messages.certified)

    async def RecordFaceCheck(self, request: pb.RecordFaceCheckRequest, call: Call) -> pb.RecordFaceCheckResponse:
        """Record the answer of a face check."""
        command = keeping_asked.face_check(request)
        return await call.once(
            lambda tx: keeping_certification.face_check(tx, command, self.policy, passed=request.passed),
            messages.face_checked,
        )

    async def ImportCertifications(
        self, request: pb.ImportCertificationsRequest, call: Call
    ) -> pb.ImportCertificationsResponse:
        """Certify by a file of matched data."""
        upload = keeping_asked.upload(request)
        return await call.once(lambda tx: keeping_import.start(tx, *upload, self.matched), messages.import_started)

    async def GetCertification(self, request: pb.GetCertificationRequest, call: Call) -> pb.GetCertificationResponse:
        """When a person's certifications are due."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(
            lambda tx: keeping_certification.standing(tx, person_id, self.policy), messages.certification
        )

    async def ListCertificationsDue(
        self, request: pb.ListCertificationsDueRequest, call: Call
    ) -> pb.ListCertificationsDueResponse:
        """Who is due."""
        which, size, token = keeping_asked.due_list(request), request.page_size, request.page_token
        return await call.read(
            lambda tx: keeping_certification.list_due(tx, which, self.policy, size=size, token=token),
            messages.due_page,
        )

    async def ReadReminders(self, request: pb.ReadRemindersRequest, call: Call) -> pb.ReadRemindersResponse:
        """Who is to be reminded, as CSV."""
        size, token = request.page_size, request.page_token
        return await call.read(
            lambda tx: keeping_certification.list_due(tx, "REMINDED", self.policy, size=size, token=token),
            lambda page: messages.reminders(page, is_first=not token),
        )

    async def StartCertificationSweep(
        self, request: pb.StartCertificationSweepRequest, call: Call
    ) -> pb.StartCertificationSweepResponse:
        """Hold back what is overdue."""
        del request
        return await call.once(lambda tx: keeping_sweep.start(tx, self.policy), messages.sweep_started)

    async def GetKeepingJob(self, request: pb.GetKeepingJobRequest, call: Call) -> pb.GetKeepingJobResponse:
        """A job."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        return await call.read(lambda tx: keeping_queries.job(tx, job_id), messages.job_shown)

    async def GetCertificationFigures(
        self, request: pb.GetCertificationFiguresRequest, call: Call
    ) -> pb.GetCertificationFiguresResponse:
        """How the certification goes."""
        month = keeping_asked.figures_month(request) or Month.of(call.today)
        return await call.read(lambda tx: keeping_certification.figures(tx, month, self.policy), messages.figures)

    async def AskSuspension(self, request: pb.AskSuspensionRequest, call: Call) -> pb.AskSuspensionResponse:
        """Ask to hold back."""
        command = keeping_asked.suspend(request)
        return await call.once(lambda tx: keeping_requests.ask_suspend(tx, command), messages.suspension_asked)

    async def AskResumption(self, request: pb.AskResumptionRequest, call: Call) -> pb.AskResumptionResponse:
        """Ask to pay again."""
        command = keeping_asked.resume(request)
        return await call.once(lambda tx: keeping_requests.ask_resume(tx, command), messages.resumption_asked)

    async def AskPayeeChange(self, request: pb.AskPayeeChangeRequest, call: Call) -> pb.AskPayeeChangeResponse:
        """Ask to pay into another account."""
        command = keeping_asked.change_payee(request)
        return await call.once(lambda tx: keeping_requests.ask_payee(tx, command), messages.payee_asked)

    async def DecideKeepingRequest(
        self, request: pb.DecideKeepingRequestRequest, call: Call
    ) -> pb.DecideKeepingRequestResponse:
        """Decide as the second person."""
        request_id = ids.parse("kpr", request.keeping_request_id, field="keeping_request_id")
        return await call.once(
            lambda tx: keeping_requests.decide(
                tx, request_id, approve=request.approve, reason=request.reason.strip(), policy=self.policy
            ),
            messages.decided,
        )

    async def ListKeepingRequests(
        self, request: pb.ListKeepingRequestsRequest, call: Call
    ) -> pb.ListKeepingRequestsResponse:
        """What waits for a second person."""
        size, token = request.page_size, request.page_token
        return await call.read(lambda tx: keeping_requests.list_waiting(tx, size=size, token=token), messages.waiting)

    async def GetBenefitKeeping(self, request: pb.GetBenefitKeepingRequest, call: Call) -> pb.GetBenefitKeepingResponse:
        """How a benefit was kept."""
        benefit_id = ids.parse("ben", request.benefit_id, field="benefit_id")
        return await call.read(lambda tx: keeping_queries.benefit_kept(tx, benefit_id), messages.kept)

    async def ListPersonRecoveries(
        self, request: pb.ListPersonRecoveriesRequest, call: Call
    ) -> pb.ListPersonRecoveriesResponse:
        """What a person was paid too much."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(
            lambda tx: keeping_queries.person_recoveries(tx, person_id), keeping_debts.person_recoveries
        )

    async def ListRecoveries(self, request: pb.ListRecoveriesRequest, call: Call) -> pb.ListRecoveriesResponse:
        """What is still owed."""
        size, token = request.page_size, request.page_token
        return await call.read(
            lambda tx: keeping_queries.open_recoveries(tx, size=size, token=token), keeping_debts.recoveries
        )

    async def GetRecovery(self, request: pb.GetRecoveryRequest, call: Call) -> pb.GetRecoveryResponse:
        """A recovery."""
        recovery_id = self._recovery(request.recovery_id)
        return await call.read(lambda tx: keeping_queries.recovery(tx, recovery_id), keeping_debts.recovery)

    async def AskRecoveryPlan(self, request: pb.AskRecoveryPlanRequest, call: Call) -> pb.AskRecoveryPlanResponse:
        """Ask to agree on a plan."""
        command = keeping_asked.plan(request)
        return await call.once(lambda tx: keeping_requests.ask_plan(tx, command, self.policy), messages.plan_asked)

    async def RecordRepayment(self, request: pb.RecordRepaymentRequest, call: Call) -> pb.RecordRepaymentResponse:
        """Record money that came back."""
        command = keeping_asked.repay(request)
        return await call.once(lambda tx: keeping_queries.repaid(tx, command), keeping_debts.repaid)

    async def AskWriteOff(self, request: pb.AskWriteOffRequest, call: Call) -> pb.AskWriteOffResponse:
        """Ask to give a part up."""
        command = keeping_asked.write_off(request)
        return await call.once(lambda tx: keeping_requests.ask_write_off(tx, command), messages.write_off_asked)

    async def ListDoubleBenefits(
        self, request: pb.ListDoubleBenefitsRequest, call: Call
    ) -> pb.ListDoubleBenefitsResponse:
        """Who draws what excludes one another."""
        size, token = request.page_size, request.page_token
        return await call.read(lambda tx: keeping_queries.doubles(tx, size=size, token=token), keeping_debts.doubles)

    @staticmethod
    def _recovery(text: str) -> UUID:
        return ids.parse("rcv", text, field="recovery_id")
