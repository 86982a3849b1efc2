"""Retirement and the employee pension, by the law of benefits."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from chassis.policy import PolicyStore
from kernel.calendar import Month
from kernel.dated import DatedValue, given
from ops.policy_calculations.inputs import DAY, Calculation, Inputs, always
from services.benefits.domain import adjustment, pension, retirement
from services.benefits.policy import BenefitsPolicy


class PensionCalculations:
    """Retirement and the employee pension, by the law of benefits."""

    def __init__(self, store: PolicyStore) -> None:
        self._law = BenefitsPolicy(store)

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {
            "retirement": self._retirement,
            "flexible": self._flexible,
            "disability_months": self._disability_months,
            "avg_index": self._avg_index,
            "employee_pension": self._employee_pension,
            "recompute": self._recompute,
            "adjustment": self._adjustment,
        }

    def _retirement(self, inputs: Inputs) -> dict[str, Any]:
        person = self._retire(inputs)
        return {
            "original": str(person.original),
            "delay_months": person.delay_months,
            "statutory": str(person.statutory),
            "age": person.age,
            "earliest": str(person.earliest),
            "latest": str(person.latest),
            "payout_months": str(person.payout_months.value),
            "min_contribution_months": person.minimum_months,
        }

    def _flexible(self, inputs: Inputs) -> dict[str, Any]:
        choice = retirement.choose(
            self._retire(inputs),
            inputs.month("chosen"),
            inputs.whole("contribution_months"),
            self._law.retirement,
        )
        if choice.payout_months is not None:
            return {
                "allowed": True,
                "kind": choice.kind,
                "required_months": choice.required_months,
                "payout_months": str(choice.payout_months.value),
            }
        reason = choice.reasons[0]
        short = {"required_months": choice.required_months} if reason == "CONTRIBUTION_SHORT" else {}
        return {"allowed": False, "reason": reason, **short}

    def _disability_months(self, inputs: Inputs) -> dict[str, Any]:
        paid = inputs.whole("contribution_months")
        months = retirement.disability_months(paid, self._law.retirement, Month.of(DAY))
        return {"pay_months": months.value}

    def _avg_index(self, inputs: Inputs) -> dict[str, Any]:
        years: list[pension.IndexYear] = []
        deemed = inputs.whole("deemed_months", 0)
        for row in inputs.items("rows"):
            months = row.whole("months", 12)
            if row.flag("deemed", default=False):
                deemed += months
                continue
            year = row.whole("year", DAY.year)
            index_base = (
                given("index_base", row.money("index_base_year"), DAY)
                if row.has("index_base_year")
                else self._law.pension.index_base.provisionally_on(date(year, 1, 1))
            )
            bases = pension.YearOfBases(year, row.money("monthly_base") * months, months)
            deemed += row.whole("deemed_months", 0)
            years.append(pension.IndexYear(bases, index_base))
        average = pension.average_index(
            years,
            deemed_months=deemed,
            denominator=self._denominator(inputs),
            cap=inputs.number("cap") if inputs.has("cap") else Decimal(0),
        )
        return {"months": average.months, "index4": str(average.index4)}

    def _employee_pension(self, inputs: Inputs) -> dict[str, Any]:
        result = pension.calculate(self._pension_facts(inputs), self._pension_rules(inputs, "base"))
        return {
            "basic": str(result.basic),
            "account": str(result.account),
            "transitional_new": str(result.transitional_new),
            "transitional_paid": str(result.transitional_paid),
            "sum": str(result.sum),
            "monthly_total": str(result.monthly_total),
        }

    def _recompute(self, inputs: Inputs) -> dict[str, Any]:
        result = pension.recompute(
            self._pension_facts(inputs),
            self._pension_rules(inputs, "base_provisional"),
            self._pension_rules(inputs, "base_final"),
            paid_months=inputs.whole("paid_months"),
        )
        return {
            "provisional": str(result.provisional.monthly_total),
            "final": str(result.final.monthly_total),
            "difference": str(result.difference),
            "backpay": str(result.backpay),
        }

    def _retire(self, inputs: Inputs) -> retirement.Retirement:
        return retirement.retire(inputs.choice("track", retirement.Track), inputs.month("birth"), self._law.retirement)

    def _denominator(self, inputs: Inputs) -> pension.Denominator:
        if inputs.has("denominator"):
            words = inputs.text("denominator")
            return "all_months" if "deemed" in words or "all" in words else "actual_months"
        for name in ("include_deemed", "deemed_in_denominator"):
            if inputs.has(name):
                return "all_months" if inputs.flag(name, default=True) else "actual_months"
        return self._law.pension.index_denominator.on(DAY).value

    def _pension_facts(self, inputs: Inputs) -> pension.PensionFacts:
        return pension.PensionFacts(
            index=inputs.number("index"),
            months=inputs.whole("months"),
            balance=inputs.money("balance"),
            payout_months=given("payout_months", inputs.number("payout_months"), DAY),
            transitional_index=Fraction(inputs.number("trans_index")) if inputs.has("trans_index") else None,
            pre1996_months=inputs.whole("pre1996_months", 0),
            old_transitional=inputs.money("old_transitional") if inputs.has("old_transitional") else None,
        )

    def _pension_rules(self, inputs: Inputs, base: str) -> pension.PensionRules:
        """The law with the base and the blend ratio that the example states.

        A year of retirement stands in for either; with neither year nor ratio the gain is paid in full.
        """
        law = self._law.pension
        named = inputs.first("year", "retire_year", "retirement_year")
        day = DAY if named is None else date(inputs.whole(named), 1, 1)
        blend = law.blend if named is not None else always("blend_ratio", Decimal(1))
        stated = inputs.has(base) or named is None
        return pension.PensionRules(
            base=given(base, inputs.money(base), DAY) if stated else law.calculation_base.provisionally_on(day),
            basic_rate=law.basic_rate.on(DAY),
            coefficient=law.coefficient.on(DAY),
            blend=always("blend_ratio", inputs.share("blend_ratio")) if inputs.has("blend_ratio") else blend,
            retirement_day=day,
        )

    def _adjustment(self, inputs: Inputs) -> dict[str, Any]:
        result = adjustment.adjust(_adjustment_facts(inputs), self._amounts(inputs))
        return {
            "flat": str(result.item("flat")),
            "years": str(result.item("years")),
            "percent": str(result.item("percent")),
            "tilt": str(result.item("tilt")),
            "increase": str(result.increase),
            "new_pension": str(result.new_pension),
        }

    def _amounts(self, inputs: Inputs) -> DatedValue[adjustment.Amounts]:
        """The amounts that the example states; where it states none, those of the year it names."""
        law = self._law.adjustment
        if not any(inputs.has(name) for name in ("flat", "bands", "per_year", "percent", "tilt")):
            year = inputs.text("year") if inputs.has("year") else str(DAY.year)
            return (
                adjustment.demo_amounts(law, DAY.year)
                if year == "DEMO"
                else law.of_year(inputs.whole("year", DAY.year))
            )
        least_years = inputs.named("years_min", "per_year_min", "year_floor", "years_floor", "min_years_amount")
        least = inputs.named("increase_min", "min_increase", "increase_floor", "floor")
        amounts = adjustment.Amounts(
            flat=inputs.money_or("flat"),
            per_year=_bands(inputs),
            percent=inputs.share("percent") if inputs.has("percent") else Decimal(0),
            tilt=_tilt(inputs),
            per_year_minimum=None if least_years is None else inputs.money(least_years),
            increase_minimum=None if least is None or least == least_years else inputs.money(least),
        )
        return given("amounts", amounts, DAY)


def _adjustment_facts(inputs: Inputs) -> adjustment.AdjustmentFacts:
    if inputs.has("full_years"):
        years = inputs.whole("full_years")
    else:
        years = adjustment.full_years(inputs.whole(inputs.named("contribution_months", "months") or "full_years"))
    age = inputs.whole("age", 0)
    if inputs.has("birth"):
        age = adjustment.age_for(inputs.month("birth"), inputs.whole("year", DAY.year))
    return adjustment.AdjustmentFacts(inputs.money("pension"), years, age)


def _bands(inputs: Inputs) -> tuple[adjustment.YearBand, ...]:
    """Bands of years as a list, or one amount for every year."""
    name = next((name for name in ("bands", "per_year") if inputs.has(name)), None)
    if name is None:
        return ()
    if not isinstance(inputs.raw(name), list):
        return (adjustment.YearBand(None, inputs.number(name)),)
    bands = [
        adjustment.YearBand(band.whole("upto_years") if band.has("upto_years") else None, band.number("amount"))
        for band in inputs.items(name)
    ]
    return tuple(sorted(bands, key=lambda band: (band.upto_years is None, band.upto_years or 0)))


def _tilt(inputs: Inputs) -> tuple[adjustment.TiltBand, ...]:
    """Bands of age as a list, or one amount for the person."""
    if not inputs.has("tilt"):
        return ()
    if not isinstance(inputs.raw("tilt"), list):
        return (adjustment.TiltBand(0, None, inputs.money("tilt")),)
    bands = [
        adjustment.TiltBand(
            band.whole("age_from", 0), band.whole("age_to") if band.has("age_to") else None, band.money("amount")
        )
        for band in inputs.items("tilt")
    ]
    return tuple(sorted(bands, key=lambda band: band.age_from))
