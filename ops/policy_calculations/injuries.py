"""Work-injury benefits, by the law of benefits."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from chassis.policy import PolicyStore
from kernel.calendar import Month
from kernel.dated import DatedValue, given
from kernel.errors import InvalidInput
from kernel.money import Money
from ops.policy_calculations.inputs import DAY, Calculation, Inputs
from services.benefits.domain import injury, injury_death, injury_end, retirement
from services.benefits.policy import BenefitsPolicy

SPOUSE = ("spouse", "wife", "husband", "配偶", "妻", "夫")
ALONE = ("orphan", "lonely", "alone", "extra", "孤")  # how examples mark orphans and lonely old people
# How examples begin to name how far a person cannot look after themselves.
NURSING = {
    injury.Nursing.FULL: ("full", "complete", "total", "完全", "全部"),
    injury.Nursing.MOST: ("most", "大部分"),
    injury.Nursing.PART: ("part", "部分"),
}


class InjuryCalculations:
    """Work-injury benefits, by the law of benefits."""

    def __init__(self, store: PolicyStore) -> None:
        self._law = BenefitsPolicy(store)

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {"injury": self._injury, "termination": self._termination, "death": self._death}

    def _injury(self, inputs: Inputs) -> dict[str, Any]:
        law, day = self._law.injury, _event_day(inputs)
        grade, average = inputs.whole("grade"), _average(inputs)
        rules = injury.InjuryRules(
            limits=law.limits.on(day),
            area_average=self._area_average(inputs, day),
            grades=law.grades.on(day),
            nursing=law.nursing.on(day),
            minimum_wage=given("min_wage", inputs.money("min_wage"), day) if inputs.has("min_wage") else None,
        )
        result = injury.assess(
            grade,
            average,
            rules,
            nursing=_nursing(inputs.text("nursing")) if inputs.has("nursing") else None,
            suitable_work=inputs.flag("suitable_work", default=False),
        )
        outcome: dict[str, Any] = {"own_wage": str(result.own_wage), "one_off": str(result.one_off)}
        if result.allowance is not None:
            outcome |= {"allowance": str(result.allowance), "topped_up": result.topped_up}
        if result.nursing is not None:
            outcome["nursing"] = str(result.nursing)
        return outcome

    def _termination(self, inputs: Inputs) -> dict[str, Any]:
        law, day = self._law.injury_end, _event_day(inputs)
        by_employer = inputs.named("initiated", "ended_by", "terminated_by")
        facts = injury_end.TerminationFacts(
            grade=inputs.whole("grade"),
            months_left=self._months_left(inputs, day),
            own_request=inputs.flag("own_request", default=True)
            and (by_employer is None or "employer" not in inputs.text(by_employer)),
            employer_fault=inputs.flag("employer_fault", default=False),
            occupational_disease=inputs.flag("occupational_disease", default=False),
            retired=inputs.flag("retired", default=False),
        )
        city = inputs.named("city_")
        rules = injury_end.TerminationRules(
            medical=law.medical.on(day),
            employment=law.employment.on(day),
            city_factor=law.city_factor.on(day) if city is None else given(city, inputs.number(city), day),
            disease_factor=law.disease_factor.on(day),
            medical_reductions=law.medical_reductions.on(day),
            employment_reductions=law.employment_reductions.on(day),
        )
        result = injury_end.assess(facts, rules)
        return {
            "ratio": str(result.ratio),
            "medical_fund": str(result.medical),
            "employment_employer": str(result.employment),
        }

    def _months_left(self, inputs: Inputs, day: date) -> int:
        """Months to the statutory age as stated, or from birth and track; with neither, retirement is far off."""
        stated = inputs.named("months_to", "months_left", "remaining_months")
        if stated is not None:
            return inputs.whole(stated)
        if inputs.has("birth") and inputs.has("track"):
            track = retirement.Track(inputs.text("track"))
            person = retirement.retire(track, inputs.month("birth"), self._law.retirement)
            return Month.of(day).months_until(person.statutory)
        raise InvalidInput(
            "INPUT_MISSING", "the calculation needs months_to_statutory_age", field="months_to_statutory_age"
        )

    def _death(self, inputs: Inputs) -> dict[str, Any]:
        law, day = self._law.injury_death, _event_day(inputs)
        after_leave = inputs.named("after_paid_leave")
        is_after = after_leave is not None and inputs.flag(after_leave, default=False)
        rules = injury_death.DeathRules(
            area_average=self._area_average(inputs, day),
            national_income=None if is_after else self._national_income(inputs, day),
            funeral_months=law.funeral_months.on(day),
            one_off_multiple=law.one_off_multiple.on(day),
            shares=law.shares.on(day),
        )
        dependants = [_dependant(one) for one in inputs.items("dependants")] if inputs.has("dependants") else []
        wage = self._own_wage(inputs, rules.area_average, day) if dependants else inputs.money_or("own_wage")
        result = injury_death.assess(wage, dependants, rules, after_paid_leave=is_after)
        one_off = {} if result.one_off is None else {"one_off": str(result.one_off)}
        return {
            "funeral": str(result.funeral),
            **one_off,
            "dependants": [str(amount) for amount in result.dependants],
            "scaled": result.scaled,
        }

    def _own_wage(self, inputs: Inputs, area_average: DatedValue[Money], day: date) -> Money:
        if inputs.has("own_wage"):
            return inputs.money("own_wage")
        return injury.own_wage(_average(inputs), self._law.injury.limits.on(day), area_average).amount

    def _area_average(self, inputs: Inputs, day: date) -> DatedValue[Money]:
        if inputs.has("area_avg"):
            return given("area_avg", inputs.money("area_avg"), day)
        return self._law.injury.area_average.on(day)

    def _national_income(self, inputs: Inputs, day: date) -> DatedValue[Money]:
        if inputs.has("national_income_prev"):
            return given("national_income_prev", inputs.money("national_income_prev"), day)
        return self._law.injury_death.national_income.on(date(day.year - 1, 1, 1))


def _event_day(inputs: Inputs) -> date:
    """The day of the event as a day, a month or a year; the day of the other examples where none is named."""
    name = inputs.first(
        "date", "event_date", "accident_date", "death_date", "end_date", "termination_date", "event_year", "year"
    )
    if name is None:
        return DAY
    text = inputs.text(name)
    return date(inputs.whole(name), 1, 1) if "-" not in text else _day(inputs, name, text)


def _day(inputs: Inputs, name: str, text: str) -> date:
    return inputs.day(name) if text.count("-") > 1 else inputs.month(name).first_day


def _average(inputs: Inputs) -> Money:
    """The average base of the 12 months before: stated, or from the list of monthly bases."""
    if inputs.has("bases"):
        return injury.average_base([Money.rounded(Decimal(str(base))) for base in inputs.raw("bases")])
    return inputs.money("avg12")


def _nursing(word: str) -> injury.Nursing:
    for need, beginnings in NURSING.items():
        if word.strip().lower().startswith(beginnings):
            return need
    raise InvalidInput("NURSING_INVALID", "nursing is full, most or part", field="nursing")


def _dependant(one: Inputs) -> injury_death.Dependant:
    relation = one.text("relation").strip().lower()
    marks = [name for name in one.names if any(word in name for word in ALONE)]
    alone = any(word in relation for word in ALONE) or any(one.flag(name, default=False) for name in marks)
    return injury_death.Dependant(is_spouse=relation in SPOUSE, alone=alone)
