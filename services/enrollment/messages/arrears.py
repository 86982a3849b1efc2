"""Messages of what is owed: arrears, due days, demands of late fees, plans of instalments."""

from collections.abc import Sequence
from datetime import date

from chassis.values import date_of, money_of, to_date, to_money, to_month, to_statement
from hrss.enrollment.v1 import collection_service_pb2 as pb
from kernel import ids
from kernel.money import Money
from services.enrollment.arrears import Arrear, Demand, DemandKind, Instalment, Plan, PlanState, filled
from services.enrollment.billing import state_after
from services.enrollment.messages.collection import id_text
from services.enrollment.messages.replies import BILL_STATES

_DEMANDS = {DemandKind.LATE_FEE: pb.DEMAND_KIND_LATE_FEE, DemandKind.DIFFERENCE: pb.DEMAND_KIND_DIFFERENCE}
_PLAN_STATES = {
    PlanState.PREPARED: pb.PLAN_STATE_PREPARED,
    PlanState.AGREED: pb.PLAN_STATE_AGREED,
    PlanState.REJECTED: pb.PLAN_STATE_REJECTED,
}


def instalments(request: pb.PrepareInstalmentsRequest) -> Sequence[Instalment]:
    """Read the parts of a plan, numbered in their order.

    Raises:
        InvalidInput: DATE_IMPOSSIBLE, MONEY_OUT_OF_RANGE.
    """
    return [
        Instalment(
            number,
            date_of(one.due_date, f"instalments[{number - 1}].due_date"),
            money_of(one.amount, f"instalments[{number - 1}].amount"),
        )
        for number, one in enumerate(request.instalments, start=1)
    ]


def due_date_set(result: tuple[date, int]) -> pb.SetDueDateResponse:
    """Answer SetDueDate."""
    return pb.SetDueDateResponse(due_date=to_date(result[0]), bill_count=result[1])


def arrears(result: tuple[Sequence[Arrear], Money, str]) -> pb.ListArrearsResponse:
    """Answer ListArrears: what is open, the credit, the version of the law."""
    found, credit, version = result
    return pb.ListArrearsResponse(
        arrears=[arrear(one, version) for one in found],
        open=to_money(Money.total(one.open for one in found)),
        late_fee=to_money(Money.total(one.fee.total for one in found if one.fee)),
        credit=to_money(credit),
    )


def arrear(one: Arrear, version: str) -> pb.Arrear:
    """A document with its fee so far, which is absent where no due day is known."""
    return pb.Arrear(
        document=one.document,
        month=to_month(one.month),
        open=to_money(one.open),
        due_date=to_date(one.due_date) if one.due_date else None,
        late_fee=None if one.fee is None else to_money(one.fee.total),
        statement=None if one.fee is None else to_statement(one.fee, version),
    )


def late_fee_demanded(demand: Demand) -> pb.DemandLateFeeResponse:
    """Answer DemandLateFee."""
    return pb.DemandLateFeeResponse(demand=_demand(demand))


def demand_page(page: tuple[Sequence[Demand], str]) -> pb.ListDemandsResponse:
    """Answer ListDemands."""
    return pb.ListDemandsResponse(demands=[_demand(one) for one in page[0]], next_page_token=page[1])


def instalments_prepared(result: tuple[Plan, Money]) -> pb.PrepareInstalmentsResponse:
    """Answer PrepareInstalments."""
    return pb.PrepareInstalmentsResponse(plan=_plan(*result))


def instalments_decided(result: tuple[Plan, Money]) -> pb.DecideInstalmentsResponse:
    """Answer DecideInstalments."""
    return pb.DecideInstalmentsResponse(plan=_plan(*result))


def plan(result: tuple[Plan, Money]) -> pb.GetInstalmentPlanResponse:
    """Answer GetInstalmentPlan."""
    return pb.GetInstalmentPlanResponse(plan=_plan(*result))


def _demand(one: Demand) -> pb.Demand:
    return pb.Demand(
        demand_id=ids.to_text("dem", one.demand_id),
        employer_id=ids.to_text("emp", one.employer_id),
        kind=_DEMANDS[one.kind],
        bill_id=ids.to_text("bil", one.bill_id),
        difference_id=id_text("dif", one.difference_id),
        state=BILL_STATES[state_after(one.total, one.paid)],
        total=to_money(one.total),
        paid=to_money(one.paid),
        statement=to_statement(one.statement, one.policy_version) if one.statement else None,
        assess_date=to_date(one.assess_date),
    )


def _plan(one: Plan, paid: Money) -> pb.InstalmentPlan:
    return pb.InstalmentPlan(
        plan_id=ids.to_text("pln", one.plan_id),
        employer_id=ids.to_text("emp", one.employer_id),
        state=_PLAN_STATES[one.state],
        total=to_money(one.total),
        instalments=[
            pb.Instalment(
                number=part.number,
                due_date=to_date(part.due_date),
                amount=to_money(part.amount),
                paid=to_money(part.paid),
            )
            for part in filled(one.instalments, paid)
        ],
        documents=one.documents,
        reason=one.reason,
    )
