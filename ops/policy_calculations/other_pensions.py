"""The pensions of government employees and of residents, by the law of benefits."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.policy import PolicyStore
from kernel.calendar import Month
from kernel.dated import given
from kernel.statement import Statement
from ops.policy_calculations.inputs import DAY, Calculation, Inputs
from services.benefits.domain import government, resident
from services.benefits.policy import BenefitsPolicy


class OtherPensionCalculations:
    """The pensions of government employees and of residents, by the law of benefits."""

    def __init__(self, store: PolicyStore) -> None:
        self._law = BenefitsPolicy(store)

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {"government": self._government, "resident_pension": self._resident_pension}

    def _government(self, inputs: Inputs) -> dict[str, Any]:
        joined = inputs.named("join", "work_start", "first_work")
        result = government.determine(
            self._law.government,
            inputs.day("retire_date"),
            old=inputs.money("old") if inputs.has("old") else None,
            new=self._new_total(inputs),
            joined=None if joined is None else inputs.day(joined),
        )
        compared = {} if result.ratio is None else {"ratio": str(result.ratio.value)}
        return {"group": result.group.value, **compared, "monthly": str(result.monthly)}

    def _new_total(self, inputs: Inputs) -> Statement | None:
        """The total by the new method as stated; an annuity stated beside it belongs to it, by month or by balance."""
        if not inputs.has("new"):
            return None
        annuity = inputs.money_or("annuity")
        if inputs.has("annuity_balance"):
            months = given("payout_months", inputs.share("payout_months"), DAY)
            annuity = government.Annuity(inputs.money("annuity_balance"), months).monthly
        return government.given_total(inputs.money("new") + annuity)

    def _resident_pension(self, inputs: Inputs) -> dict[str, Any]:
        facts = resident.ResidentFacts(inputs.money_or("balance"), inputs.whole("full_years", 0))
        result = resident.calculate(facts, self._resident_rules(inputs))
        return {
            "account": str(result.account),
            "supplement": str(result.supplement),
            "monthly_total": str(result.monthly_total),
        }

    def _resident_rules(self, inputs: Inputs) -> resident.ResidentRules:
        """The law of the month with the base pension, rate, divisor and tilt that the example states instead."""
        law = self._law.resident
        named = inputs.first("month", "payment_month", "start_month", "date", "on", "as_of", "year")
        month = Month.of(DAY) if named is None else _month(inputs, named)
        day = month.first_day
        age = inputs.whole("age", 0)
        tilt = inputs.named("tilt")
        if inputs.has("base_pension"):
            is_tilted = tilt is None and age >= law.tilt_age.on(day).value
            rules = resident.ResidentRules(
                base=given("base_pension", inputs.money("base_pension"), day),
                divisor=law.divisor.on(day),
                long_rate=law.long_rate.on(day),
                eligibility=law.eligibility.on(day),
                tilt=law.tilt_amount.on(day) if is_tilted else None,
            )
        else:
            rules = law.rules(inputs.text("area"), month, age_years=0 if tilt else age)
        if tilt is not None:
            rules = replace(rules, tilt=given("tilt", inputs.money(tilt), day))
        if inputs.has("supplement_rate"):
            rules = replace(rules, long_rate=given("supplement_rate", inputs.share("supplement_rate"), day))
        divisor = inputs.named("divisor", "payout_months")
        return rules if divisor is None else replace(rules, divisor=given("divisor", inputs.number(divisor), day))


def _month(inputs: Inputs, name: str) -> Month:
    text = inputs.text(name)
    return Month(inputs.whole(name), 1) if "-" not in text else inputs.month(name)
