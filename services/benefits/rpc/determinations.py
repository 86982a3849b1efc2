"""The edge of benefits for callers: every kind beside employee pension and unemployment benefit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.benefits.v1 import determinations_service_pb2 as pb
from services.benefits.messages import kind_replies, kind_requests
from services.benefits.operations import (
    comparing,
    keeping_requests,
    kinds_death,
    kinds_injury,
    kinds_pensions,
    kinds_unemployment,
    proving,
)

if TYPE_CHECKING:
    from services.benefits.policy import BenefitsPolicy


class DeterminationsRpc(Servicer):
    """What benefits answers about the other kinds."""

    service = pb.DESCRIPTOR.services_by_name["DeterminationsService"]

    def __init__(self, policy: BenefitsPolicy) -> None:
        self.policy = policy

    async def PrepareGovernmentPension(
        self, request: pb.PrepareGovernmentPensionRequest, call: Call
    ) -> pb.PrepareGovernmentPensionResponse:
        """Determine a government pension and its annuity, first person."""
        command = kind_requests.government_pension(request)
        return await call.once(
            lambda tx: kinds_pensions.prepare_government_pension(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareGovernmentPensionResponse),
        )

    async def PrepareResidentPension(
        self, request: pb.PrepareResidentPensionRequest, call: Call
    ) -> pb.PrepareResidentPensionResponse:
        """Determine a resident pension, first person."""
        command = kind_requests.resident_pension(request)
        return await call.once(
            lambda tx: kinds_pensions.prepare_resident_pension(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareResidentPensionResponse),
        )

    async def PrepareDisabilityAllowance(
        self, request: pb.PrepareDisabilityAllowanceRequest, call: Call
    ) -> pb.PrepareDisabilityAllowanceResponse:
        """Determine a disability allowance, first person."""
        command = kind_requests.disability_allowance(request)
        return await call.once(
            lambda tx: kinds_pensions.prepare_disability_allowance(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareDisabilityAllowanceResponse),
        )

    async def PrepareInjury(self, request: pb.PrepareInjuryRequest, call: Call) -> pb.PrepareInjuryResponse:
        """Determine what a work injury brings, first person."""
        command = kind_requests.injury(request)
        return await call.once(
            lambda tx: kinds_injury.prepare_injury(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareInjuryResponse),
        )

    async def PrepareInjuryTopUp(
        self, request: pb.PrepareInjuryTopUpRequest, call: Call
    ) -> pb.PrepareInjuryTopUpResponse:
        """Determine what the fund adds to a pension, first person."""
        command = kind_requests.injury_top_up(request)
        return await call.once(
            lambda tx: kinds_injury.prepare_injury_top_up(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareInjuryTopUpResponse),
        )

    async def PrepareInjuryMedicalGrant(
        self, request: pb.PrepareInjuryMedicalGrantRequest, call: Call
    ) -> pb.PrepareInjuryMedicalGrantResponse:
        """Determine the medical grant at the end of an employment, first person."""
        command = kind_requests.injury_medical_grant(request)
        return await call.once(
            lambda tx: kinds_injury.prepare_injury_medical_grant(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareInjuryMedicalGrantResponse),
        )

    async def PrepareWorkDeath(self, request: pb.PrepareWorkDeathRequest, call: Call) -> pb.PrepareWorkDeathResponse:
        """Determine what a death from work brings, first person."""
        command = kind_requests.work_death(request)
        return await call.once(
            lambda tx: kinds_death.prepare_work_death(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareWorkDeathResponse),
        )

    async def PrepareSurvivors(self, request: pb.PrepareSurvivorsRequest, call: Call) -> pb.PrepareSurvivorsResponse:
        """Determine survivors' benefits, first person."""
        command = kind_requests.survivors(request)
        return await call.once(
            lambda tx: kinds_death.prepare_survivors(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareSurvivorsResponse),
        )

    async def PrepareResidentFuneral(
        self, request: pb.PrepareResidentFuneralRequest, call: Call
    ) -> pb.PrepareResidentFuneralResponse:
        """Determine the funeral aid of a resident, first person."""
        command = kind_requests.resident_funeral(request)
        return await call.once(
            lambda tx: kinds_death.prepare_resident_funeral(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareResidentFuneralResponse),
        )

    async def PrepareUnemploymentExtension(
        self, request: pb.PrepareUnemploymentExtensionRequest, call: Call
    ) -> pb.PrepareUnemploymentExtensionResponse:
        """Determine that a claim goes on to the statutory age, first person."""
        command = kind_requests.more_unemployment(request)
        return await call.once(
            lambda tx: kinds_unemployment.prepare_extension(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareUnemploymentExtensionResponse),
        )

    async def PrepareUnemploymentLumpSum(
        self, request: pb.PrepareUnemploymentLumpSumRequest, call: Call
    ) -> pb.PrepareUnemploymentLumpSumResponse:
        """Determine the months that are left in one sum, first person."""
        command = kind_requests.more_unemployment(request)
        return await call.once(
            lambda tx: kinds_unemployment.prepare_lump_sum(tx, command, self.policy),
            kind_replies.prepared(pb.PrepareUnemploymentLumpSumResponse),
        )

    async def EndBenefit(self, request: pb.EndBenefitRequest, call: Call) -> pb.EndBenefitResponse:
        """Ask to end a benefit."""
        command = kind_requests.end_benefit(request)
        return await call.once(lambda tx: keeping_requests.ask_end(tx, command), kind_replies.end_asked)

    async def RecomputeBenefit(self, request: pb.RecomputeBenefitRequest, call: Call) -> pb.RecomputeBenefitResponse:
        """Compute the amounts of a benefit again."""
        benefit_id = kind_requests.benefit_id(request)
        return await call.read(lambda tx: proving.prove(tx, benefit_id, self.policy), kind_replies.proof)

    async def ComparePensions(self, request: pb.ComparePensionsRequest, call: Call) -> pb.ComparePensionsResponse:
        """Compare pensions that might be."""
        command = kind_requests.compare(request)
        return await call.read(lambda tx: comparing.compare(tx, command, self.policy), kind_replies.compared)
