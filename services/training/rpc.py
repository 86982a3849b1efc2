"""The edge of training for callers: three lines a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.training.v1 import training_service_pb2 as pb
from kernel import ids
from services.training.messages import replies, requests
from services.training.operations import certificates, checking, claims, deciding, payments

if TYPE_CHECKING:
    from services.training.policy import TrainingPolicy


class TrainingRpc(Servicer):
    """What training answers."""

    service = pb.DESCRIPTOR.services_by_name["TrainingService"]

    def __init__(self, policy: TrainingPolicy) -> None:
        self.policy = policy

    async def RecordCertificate(self, request: pb.RecordCertificateRequest, call: Call) -> pb.RecordCertificateResponse:
        """Record a certificate."""
        command = requests.record_certificate(request)
        return await call.once(lambda tx: certificates.record(tx, command), replies.certificate_recorded)

    async def ListCertificates(self, request: pb.ListCertificatesRequest, call: Call) -> pb.ListCertificatesResponse:
        """List the certificates of a person."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(lambda tx: certificates.of_person(tx, person_id), replies.certificates)

    async def CheckClaim(self, request: pb.CheckClaimRequest, call: Call) -> pb.CheckClaimResponse:
        """What the rules say of a claim today."""
        command = requests.check_claim(request)
        return await call.read(lambda tx: checking.check(tx, command, self.policy), replies.checked)

    async def SubmitClaim(self, request: pb.SubmitClaimRequest, call: Call) -> pb.SubmitClaimResponse:
        """Submit a claim."""
        command = requests.submit_claim(request)
        return await call.once(lambda tx: claims.submit(tx, command, self.policy), replies.submitted)

    async def GetClaim(self, request: pb.GetClaimRequest, call: Call) -> pb.GetClaimResponse:
        """Show a claim."""
        claim_id = requests.claim_id(request.claim_id)
        return await call.read(lambda tx: claims.show(tx, claim_id), replies.claim)

    async def ListPersonClaims(self, request: pb.ListPersonClaimsRequest, call: Call) -> pb.ListPersonClaimsResponse:
        """List the claims of a person."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(lambda tx: claims.of_person(tx, person_id), replies.claims_of_person)

    async def ListClaims(self, request: pb.ListClaimsRequest, call: Call) -> pb.ListClaimsResponse:
        """List claims that wait for staff."""
        command = requests.page_of_claims(request)
        return await call.read(lambda tx: claims.listed(tx, command), replies.claims)

    async def PrepareClaim(self, request: pb.PrepareClaimRequest, call: Call) -> pb.PrepareClaimResponse:
        """Prepare a claim, first person."""
        claim_id = requests.claim_id(request.claim_id)
        return await call.once(lambda tx: deciding.prepare(tx, claim_id, self.policy), replies.prepared)

    async def ApproveClaim(self, request: pb.ApproveClaimRequest, call: Call) -> pb.ApproveClaimResponse:
        """Approve a claim, second person."""
        command = requests.approve_claim(request)
        return await call.once(lambda tx: deciding.approve(tx, command, self.policy), replies.approved)

    async def RejectClaim(self, request: pb.RejectClaimRequest, call: Call) -> pb.RejectClaimResponse:
        """Reject a claim, second person."""
        command = requests.reject_claim(request)
        return await call.once(lambda tx: deciding.reject(tx, command, self.policy), replies.rejected)

    async def ListSubsidyOrders(self, request: pb.ListSubsidyOrdersRequest, call: Call) -> pb.ListSubsidyOrdersResponse:
        """List payment orders for the bank."""
        command = requests.page_of_orders(request)
        return await call.read(lambda tx: payments.list_orders(tx, command), replies.orders)

    async def RecordSubsidyResult(
        self, request: pb.RecordSubsidyResultRequest, call: Call
    ) -> pb.RecordSubsidyResultResponse:
        """Record the bank's answer for a payment order."""
        command = requests.record_result(request)
        return await call.once(lambda tx: payments.record_result(tx, command), replies.result_recorded)
