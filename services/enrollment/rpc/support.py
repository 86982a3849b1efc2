"""SupportService: premiums that others than the insured pay."""

from chassis.rpc import Call, Servicer
from hrss.enrollment.v1 import support_service_pb2 as pb
from services.enrollment.messages import support as messages
from services.enrollment.messages.requests import person_id as person_id_of
from services.enrollment.operations import support_aid, support_land
from services.enrollment.operations.office import Office


class SupportRpc(Servicer):
    """SupportService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["SupportService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    async def GrantPremiumAid(self, request: pb.GrantPremiumAidRequest, call: Call) -> pb.GrantPremiumAidResponse:
        """Note that the government pays for a person."""
        values = messages.granted(request)
        return await call.once(lambda tx: support_aid.grant(tx, *values), messages.aid_granted)

    async def EndPremiumAid(self, request: pb.EndPremiumAidRequest, call: Call) -> pb.EndPremiumAidResponse:
        """Note the last year for which it pays."""
        aid_id, year = messages.aid_id(request.premium_aid_id), request.until_year
        return await call.once(lambda tx: support_aid.end(tx, aid_id, year), messages.aid_ended)

    async def ListPremiumAids(self, request: pb.ListPremiumAidsRequest, call: Call) -> pb.ListPremiumAidsResponse:
        """List for which years it pays."""
        person_id = person_id_of(request.person_id)
        return await call.read(lambda tx: support_aid.of_person(tx, person_id), messages.aids)

    async def StartPremiumAidRun(
        self, request: pb.StartPremiumAidRunRequest, call: Call
    ) -> pb.StartPremiumAidRunResponse:
        """Assess a year's premiums on behalf."""
        year = request.year
        return await call.once(lambda tx: support_aid.start_run(tx, year, self.office), messages.run_started)

    async def GetPremiumAidRun(self, request: pb.GetPremiumAidRunRequest, call: Call) -> pb.GetPremiumAidRunResponse:
        """Show the run of a year."""
        year = request.year
        return await call.read(lambda tx: support_aid.show_run(tx, year), messages.run_shown)

    async def RecordPremiumAidReceipt(
        self, request: pb.RecordPremiumAidReceiptRequest, call: Call
    ) -> pb.RecordPremiumAidReceiptResponse:
        """Record the budget's money."""
        year, receipt = request.year, messages.receipt(request)
        return await call.once(lambda tx: support_aid.record_receipt(tx, year, receipt, self.office), messages.run_paid)

    async def RegisterLandBatch(self, request: pb.RegisterLandBatchRequest, call: Call) -> pb.RegisterLandBatchResponse:
        """Register a list of taken land."""
        batch = messages.batch(request)
        return await call.once(lambda tx: support_land.register_batch(tx, batch), messages.batch_registered)

    async def GetLandBatch(self, request: pb.GetLandBatchRequest, call: Call) -> pb.GetLandBatchResponse:
        """Show a list."""
        batch_id = messages.batch_id(request.land_batch_id)
        return await call.read(lambda tx: support_land.show_batch(tx, batch_id), messages.batch_shown)

    async def AddLandFarmer(self, request: pb.AddLandFarmerRequest, call: Call) -> pb.AddLandFarmerResponse:
        """Put a farmer on a list."""
        batch_id, person_id = messages.batch_id(request.land_batch_id), person_id_of(request.person_id)
        return await call.once(
            lambda tx: support_land.add_farmer(tx, batch_id, person_id, self.office), messages.farmer_added
        )

    async def RecordLandReceipt(self, request: pb.RecordLandReceiptRequest, call: Call) -> pb.RecordLandReceiptResponse:
        """Record the money of a list."""
        receipt = messages.receipt(request)
        return await call.once(lambda tx: support_land.record_receipt(tx, receipt, self.office), messages.batch_paid)

    async def GetLandFund(self, request: pb.GetLandFundRequest, call: Call) -> pb.GetLandFundResponse:
        """Show a farmer's money."""
        person_id = person_id_of(request.person_id)
        return await call.read(lambda tx: support_land.fund(tx, person_id), messages.fund_shown)

    async def UseLandFund(self, request: pb.UseLandFundRequest, call: Call) -> pb.UseLandFundResponse:
        """Let a farmer's money pay something."""
        person_id, target, amount = messages.used(request)
        return await call.once(lambda tx: support_land.use(tx, person_id, target, amount), messages.fund_used)
