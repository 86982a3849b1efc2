"""Benefits other than pensions, by the law of benefits."""

from collections.abc import Mapping
from typing import Any

from chassis.policy import PolicyStore
from kernel.dated import given
from ops.policy_calculations.inputs import DAY, Calculation, Inputs
from services.benefits.domain import unemployment
from services.benefits.policy import BenefitsPolicy


class BenefitCalculations:
    """Benefits other than pensions, by the law of benefits."""

    def __init__(self, store: PolicyStore) -> None:
        self._law = BenefitsPolicy(store)

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {
            "unemployment": self._unemployment,
        }

    def _unemployment(self, inputs: Inputs) -> dict[str, Any]:
        law = self._law.unemployment
        months = inputs.whole("months")
        assessment = unemployment.assess(
            months,
            involuntary=inputs.flag("involuntary", default=True),
            registered=inputs.flag("registered", default=True),
            minimum_months=law.minimum_months.on(DAY),
        )
        average, cap, floor = (
            inputs.money(name) if inputs.has(name) else None for name in ("avg_base", "min_wage", "floor")
        )
        if inputs.has("dibao"):
            floor = inputs.money("dibao").times(law.floor_multiplier.on(DAY).value)
        carried = [name for name in inputs.names if ("carried" in name or "unused" in name) and inputs.has(name)]
        if not assessment.eligible:
            return {"eligible": False, "reason": assessment.failures[0].reason}
        benefit = unemployment.monthly_benefit(
            inputs.money("avg_base") if average is None else average,
            law.rate(months, DAY),
            None if cap is None else given("min_wage", cap, DAY),
            None if floor is None else given("floor", floor, DAY),
        )
        return {
            "eligible": True,
            "rate": str(benefit.rate),
            "monthly": str(benefit.monthly),
            "limited_by": benefit.limited_by,
            "months": unemployment.entitlement_months(
                months,
                law.statutory.on(DAY),
                carried=inputs.whole(carried[0]) if carried else 0,
                total_max=law.total_max.on(DAY),
            ),
        }
