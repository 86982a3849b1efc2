"""The edge of benefits for callers: three lines a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.benefits.v1 import benefits_service_pb2 as pb
from kernel import ids
from services.benefits.messages import replies, requests
from services.benefits.operations import (
    deciding,
    determinations,
    keeping_certification,
    payments,
    payrolls,
    preparing,
    queries,
)
from services.benefits.paying import Limits

if TYPE_CHECKING:
    from services.benefits.policy import BenefitsPolicy


class BenefitsRpc(Servicer):
    """What benefits answers."""

    service = pb.DESCRIPTOR.services_by_name["BenefitsService"]

    def __init__(self, policy: BenefitsPolicy, limits: Limits | None = None) -> None:
        self.policy = policy
        self.limits = limits or Limits()

    async def GetRetirement(self, request: pb.GetRetirementRequest, call: Call) -> pb.GetRetirementResponse:
        """When a person retires and may retire."""
        command = requests.ask_retirement(request)
        return await call.read(lambda tx: queries.retirement(tx, command, self.policy), replies.retirement)

    async def EstimatePension(self, request: pb.EstimatePensionRequest, call: Call) -> pb.EstimatePensionResponse:
        """What the pension would be."""
        command = requests.estimate_pension(request)
        return await call.read(lambda tx: queries.estimate_pension(tx, command, self.policy), replies.estimate)

    async def PreparePension(self, request: pb.PreparePensionRequest, call: Call) -> pb.PreparePensionResponse:
        """Determine a pension, first person."""
        command = requests.prepare_pension(request)
        return await call.once(lambda tx: preparing.prepare_pension(tx, command, self.policy), replies.pension_prepared)

    async def PrepareUnemployment(
        self, request: pb.PrepareUnemploymentRequest, call: Call
    ) -> pb.PrepareUnemploymentResponse:
        """Determine an unemployment benefit, first person."""
        command = requests.prepare_unemployment(request)
        return await call.once(
            lambda tx: preparing.prepare_unemployment(tx, command, self.policy), replies.unemployment_prepared
        )

    async def GetDetermination(self, request: pb.GetDeterminationRequest, call: Call) -> pb.GetDeterminationResponse:
        """Show a determination."""
        determination_id = ids.parse("det", request.determination_id, field="determination_id")
        return await call.read(lambda tx: determinations.show(tx, determination_id), replies.determination)

    async def ApproveDetermination(
        self, request: pb.ApproveDeterminationRequest, call: Call
    ) -> pb.ApproveDeterminationResponse:
        """Approve a determination, second person."""
        command = requests.approve_determination(request)
        return await call.once(lambda tx: deciding.approve(tx, command, self.policy), replies.determination_approved)

    async def RejectDetermination(
        self, request: pb.RejectDeterminationRequest, call: Call
    ) -> pb.RejectDeterminationResponse:
        """Reject a determination, second person."""
        command = requests.reject_determination(request)
        return await call.once(lambda tx: deciding.reject(tx, command), replies.determination_rejected)

    async def GetBenefit(self, request: pb.GetBenefitRequest, call: Call) -> pb.GetBenefitResponse:
        """Show a benefit."""
        benefit_id = ids.parse("ben", request.benefit_id, field="benefit_id")
        return await call.read(
            lambda tx: keeping_certification.benefit_with_due(tx, benefit_id, self.policy), replies.benefit
        )

    async def GetCalculation(self, request: pb.GetCalculationRequest, call: Call) -> pb.GetCalculationResponse:
        """Show how the amount of a benefit came about."""
        benefit_id = ids.parse("ben", request.benefit_id, field="benefit_id")
        return await call.read(lambda tx: queries.benefit_calculation(tx, benefit_id), replies.calculation)

    async def ListBenefits(self, request: pb.ListBenefitsRequest, call: Call) -> pb.ListBenefitsResponse:
        """List the benefits of a person."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(lambda tx: queries.benefits(tx, person_id), replies.benefits)

    async def ListPersonPayments(
        self, request: pb.ListPersonPaymentsRequest, call: Call
    ) -> pb.ListPersonPaymentsResponse:
        """List the payments to a person."""
        command = requests.page_of_person(request)
        return await call.read(lambda tx: queries.payments(tx, command), replies.payments)

    async def PreparePayroll(self, request: pb.PreparePayrollRequest, call: Call) -> pb.PreparePayrollResponse:
        """Prepare the payroll of a month, first person."""
        month = requests.payroll_month(request)
        return await call.once(lambda tx: payrolls.prepare(tx, month, self.policy), replies.payroll_started)

    async def GetPayroll(self, request: pb.GetPayrollRequest, call: Call) -> pb.GetPayrollResponse:
        """Show a payroll."""
        payroll_id = ids.parse("prl", request.payroll_id, field="payroll_id")
        return await call.read(lambda tx: queries.payroll(tx, payroll_id), replies.payroll)

    async def ListPayrolls(self, request: pb.ListPayrollsRequest, call: Call) -> pb.ListPayrollsResponse:
        """List payrolls."""
        command = requests.page_of_payrolls(request)
        return await call.read(lambda tx: queries.list_payrolls(tx, command), replies.payrolls)

    async def ApprovePayroll(self, request: pb.ApprovePayrollRequest, call: Call) -> pb.ApprovePayrollResponse:
        """Approve a payroll, second person."""
        command = requests.approve_payroll(request)
        return await call.once(lambda tx: payrolls.approve(tx, command), replies.payroll_approved)

    async def ListPayrollPayments(
        self, request: pb.ListPayrollPaymentsRequest, call: Call
    ) -> pb.ListPayrollPaymentsResponse:
        """List the payments of an approved payroll for the bank."""
        command = requests.page_of_payroll(request)
        return await call.read(lambda tx: payments.list_orders(tx, command), replies.orders)

    async def RecordPaymentResult(
        self, request: pb.RecordPaymentResultRequest, call: Call
    ) -> pb.RecordPaymentResultResponse:
        """Record the bank's answer for a payment."""
        command = requests.record_result(request)
        return await call.once(
            lambda tx: payments.record_result(tx, command, self.limits.tries), replies.result_recorded
        )
