"""Unemployment, survivors, certification and what follows from it, by the law of benefits."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.policy import PolicyStore
from kernel.dated import given
from ops.policy_calculations.inputs import DAY, Calculation, Inputs
from ops.policy_calculations.places import least_wage
from services.benefits.domain import backpay, certification, survivors, unemployment
from services.benefits.policy import BenefitsPolicy


class BenefitCalculations:
    """Unemployment, survivors, certification and what follows from it, by the law of benefits."""

    def __init__(self, store: PolicyStore) -> None:
        self._law = BenefitsPolicy(store)

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {
            "unemployment": self._unemployment,
            "survivor": self._survivor,
            "funeral_choice": self._funeral_choice,
            "certification": self._certification,
            "resume_backpay": self._resume_backpay,
            "overpayment": self._overpayment,
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
        carried = inputs.named("carr", "unused", "remaining", "left", "previous")
        floor = inputs.money("floor") if inputs.has("floor") else None
        if inputs.has("dibao"):
            floor = inputs.money("dibao").times(law.floor_multiplier.on(DAY).value)
        for name in ("avg_base", "min_wage"):  # read, if there, although who is not eligible needs neither
            inputs.money_or(name)
        if not assessment.eligible:
            return {"eligible": False, "reason": assessment.failures[0].reason}
        benefit = unemployment.monthly_benefit(
            inputs.money("avg_base"),
            law.rate(months, DAY),
            least_wage(inputs, self._law),
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
                carried=0 if carried is None else inputs.whole(carried),
                total_max=law.total_max.on(DAY),
            ),
        }

    def _survivor(self, inputs: Inputs) -> dict[str, Any]:
        own = inputs.named(
            "own_", "personal", "account", "contributions", "contribution_sum", "contribution_total", "cap", "limit"
        )
        is_retired = inputs.flag("retired", default=False)
        facts = survivors.SurvivorFacts(
            contribution_months=inputs.whole("contribution_months"),
            drawn_months=inputs.whole("drawn_months") if inputs.has("drawn_months") else 0 if is_retired else None,
            own_contributions=None if own is None else inputs.money(own),
        )
        result = survivors.assess(facts, self._survivor_rules(inputs))
        return {
            "base": str(result.base),
            "months": str(result.months4),
            "funeral": str(result.funeral),
            "pension": str(result.pension),
            "total": str(result.total),
            "capped": result.capped,
        }

    def _survivor_rules(self, inputs: Inputs) -> survivors.SurvivorRules:
        """The law of the day of death with the income or the base that the example states instead."""
        law = self._law.survivors
        named = inputs.named("death", "died", "date")
        day = DAY if named is None else inputs.day(named)
        income, base = inputs.has("annual_income_prev"), inputs.has("base_override")
        if not income and not base:
            return law.rules(day)
        # The base is stated to the fen and taken as it is; only a year's income is rounded to the yuan.
        stated = (
            given("base_override", inputs.money("base_override"), day)
            if base
            else survivors.base_of(given("annual_income_prev", inputs.money("annual_income_prev"), day))
        )
        return survivors.SurvivorRules(stated, law.funeral_months.on(day), law.pension_months.on(day))

    def _funeral_choice(self, inputs: Inputs) -> dict[str, Any]:
        grants = {name: inputs.money(name) for name in inputs.names if inputs.has(name)}
        choice = survivors.choose_funeral(grants)
        return {"eligible": list(choice.eligible), "payable_count": choice.payable_count, "max": str(choice.amount)}

    def _certification(self, inputs: Inputs) -> dict[str, Any]:
        as_of = inputs.day("as_of")
        terms = self._law.certification.terms(as_of)
        for name, fields in (("cycle_months", ("cycle",)), ("grace_months", ("grace",))):
            stated = inputs.named(*fields)
            if stated is not None:
                terms = replace(terms, **{name: given(name, inputs.whole(stated), as_of)})
        result = certification.assess(inputs.day(inputs.named("last") or "last"), as_of, terms)
        return {"due_by": str(result.due_by), "suspended_from": str(result.suspended_from), "state": result.state}

    def _resume_backpay(self, inputs: Inputs) -> dict[str, Any]:
        start = inputs.month("suspended_from")
        amounts = backpay.constant(inputs.money("monthly"), start)
        due = backpay.resume(
            start, inputs.month(inputs.named("certified", "resumed") or "certified_on").last_day, amounts
        )
        return {"months": due.months, "backpay": str(due.total)}

    def _overpayment(self, inputs: Inputs) -> dict[str, Any]:
        ended = inputs.month(inputs.named("death", "died", "ended", "lost", "entitle") or "death_date")
        amounts = backpay.constant(inputs.money("monthly"), ended)
        due = backpay.overpaid(ended, inputs.month("paid_through"), amounts)
        return {"months": due.months, "recover": str(due.total)}
