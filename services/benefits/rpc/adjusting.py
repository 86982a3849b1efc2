"""The edge of changes of many amounts: three lines a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.benefits.v1 import adjusting_service_pb2 as pb
from kernel import ids
from services.benefits.messages import adjusting as messages
from services.benefits.operations import adjusting, adjusting_queries, adjusting_whatif
from services.benefits.operations.adjusting_queries import Shown, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.adjusting import Run


class AdjustingRpc(Servicer):
    """AdjustingService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["AdjustingService"]

    def __init__(self, policy: BenefitsPolicy) -> None:
        self.policy = policy

    async def CreateAdjustment(self, request: pb.CreateAdjustmentRequest, call: Call) -> pb.CreateAdjustmentResponse:
        """Make the adjustment of a year."""
        command = messages.create(request)
        return await call.once(_with_job(lambda tx: adjusting.create(tx, command, self.policy)), messages.created)

    async def CreateRecomputation(
        self, request: pb.CreateRecomputationRequest, call: Call
    ) -> pb.CreateRecomputationResponse:
        """Compute provisional benefits again."""
        command = messages.recompute(request)
        return await call.once(
            _with_job(lambda tx: adjusting_whatif.recompute(tx, command, self.policy)), messages.recomputation_created
        )

    async def CreateWhatIf(self, request: pb.CreateWhatIfRequest, call: Call) -> pb.CreateWhatIfResponse:
        """Look at another value of a parameter."""
        command = messages.what_if(request)
        if command.person_id is not None:
            call.audit_person(command.person_id)
        return await call.once(
            _with_job(lambda tx: adjusting_whatif.what_if(tx, command, self.policy)), messages.what_if_created
        )

    async def DryRunAdjustment(self, request: pb.DryRunAdjustmentRequest, call: Call) -> pb.DryRunAdjustmentResponse:
        """Look at what a run would do."""
        run_id = messages.run_id(request.adjustment_id)
        return await call.once(_with_job(lambda tx: adjusting.dry_run(tx, run_id)), messages.dry_run_started)

    async def ApproveAdjustment(self, request: pb.ApproveAdjustmentRequest, call: Call) -> pb.ApproveAdjustmentResponse:
        """Approve what a dry run found."""
        command = messages.approve(request)
        return await call.once(_with_job(lambda tx: adjusting.approve(tx, command)), messages.approved)

    async def StartAdjustment(self, request: pb.StartAdjustmentRequest, call: Call) -> pb.StartAdjustmentResponse:
        """Run what was approved."""
        run_id = messages.run_id(request.adjustment_id)
        return await call.once(_with_job(lambda tx: adjusting.start(tx, run_id)), messages.started)

    async def ReverseAdjustment(self, request: pb.ReverseAdjustmentRequest, call: Call) -> pb.ReverseAdjustmentResponse:
        """Ask for a reversal, or confirm it."""
        command = messages.reverse(request)
        return await call.once(_with_job(lambda tx: adjusting.reverse(tx, command)), messages.reversal)

    async def DiscardAdjustment(self, request: pb.DiscardAdjustmentRequest, call: Call) -> pb.DiscardAdjustmentResponse:
        """Put a run away."""
        command = messages.discard(request)
        return await call.once(_with_job(lambda tx: adjusting.discard(tx, command)), messages.discarded)

    async def GetAdjustment(self, request: pb.GetAdjustmentRequest, call: Call) -> pb.GetAdjustmentResponse:
        """Show a run."""
        run_id = messages.run_id(request.adjustment_id)
        return await call.read(lambda tx: adjusting_queries.adjustment(tx, run_id), messages.adjustment)

    async def ListAdjustments(self, request: pb.ListAdjustmentsRequest, call: Call) -> pb.ListAdjustmentsResponse:
        """List runs."""
        command = messages.page_of_runs(request)
        return await call.read(lambda tx: adjusting_queries.adjustments(tx, command), messages.adjustments)

    async def ListAdjustmentOverpayments(
        self, request: pb.ListAdjustmentOverpaymentsRequest, call: Call
    ) -> pb.ListAdjustmentOverpaymentsResponse:
        """List what a run left overpaid."""
        command = messages.page_of_overpayments(request)
        return await call.read(lambda tx: adjusting_queries.overpayments(tx, command), messages.overpayments)

    async def ListBenefitAmounts(
        self, request: pb.ListBenefitAmountsRequest, call: Call
    ) -> pb.ListBenefitAmountsResponse:
        """Show every amount of a benefit."""
        benefit_id = ids.parse("ben", request.benefit_id, field="benefit_id")
        return await call.read(lambda tx: adjusting_queries.amounts(tx, benefit_id), messages.amounts)


def _with_job(work: Callable[[Transaction], Awaitable[Run]]) -> Callable[[Transaction], Awaitable[Shown]]:
    async def done(tx: Transaction) -> Shown:
        return await shown(tx, await work(tx))

    return done
