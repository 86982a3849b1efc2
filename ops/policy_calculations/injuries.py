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
from ops.policy_calculations.inputs import Calculation, Inputs
from ops.policy_calculations.places import event_day, least_wage
from services.benefits.domain import injury, injury_death, injury_end, retirement
from services.benefits.policy import BenefitsPolicy

ALLOWED = range(1, 7)  # grades with an allowance, which the minimum wage may raise
SPOUSE = ("spouse", "wife", "husband", "widow", "widower", "配偶", "妻", "妻子", "夫", "丈夫")
ALONE = ("orphan", "lone", "extra", "single", "孤")  # how examples mark orphans and lonely old people
OWN = ("worker", "employee", "own", "self", "person", "本人", "职工")  # how they begin to say who asked for the end
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
        law, day = self._law.injury, event_day(inputs)
        grade, average = inputs.whole("grade"), _average(inputs)
        rules = injury.InjuryRules(
            limits=law.limits.on(day),
            area_average=self._area_average(inputs, day),
            grades=law.grades.on(day),
            nursing=law.nursing.on(day),
            minimum_wage=least_wage(inputs, self._law) if inputs.has("min_wage") or grade in ALLOWED else None,
        )
        result = injury.assess(
            grade,
            average,
            rules,
            nursing=_nursing(inputs.raw("nursing")) if inputs.has("nursing") else None,
            suitable_work=inputs.flag("suitable_work", default=False),
        )
        outcome: dict[str, Any] = {"own_wage": str(result.own_wage), "one_off": str(result.one_off)}
        if result.allowance is not None:
            outcome |= {"allowance": str(result.allowance), "topped_up": result.topped_up}
        if result.nursing is not None:
            outcome["nursing"] = str(result.nursing)
        return outcome

    def _termination(self, inputs: Inputs) -> dict[str, Any]:
        law, day = self._law.injury_end, event_day(inputs)
        facts = injury_end.TerminationFacts(
            grade=inputs.whole("grade"),
            months_left=self._months_left(inputs, day),
            own_request=inputs.flag("own_request", default=True) and _is_asked_for(inputs),
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
        law, day = self._law.injury_death, event_day(inputs)
        after_leave = inputs.named("after_paid_leave")
        is_after = after_leave is not None and inputs.flag(after_leave, default=False)
        rules = injury_death.DeathRules(
            area_average=self._area_average(inputs, day),
            national_income=None if is_after else self._national_income(inputs, day),
            funeral_months=law.funeral_months.on(day),
            one_off_multiple=law.one_off_multiple.on(day),
            shares=law.shares.on(day),
        )
        dependants = (
            [_dependant(one) for one in inputs.items("dependants", "relation")] if inputs.has("dependants") else []
        )
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


def _average(inputs: Inputs) -> Money:
    """The average base of the 12 months before: stated, or from the list of monthly bases."""
    if inputs.has("bases"):
        return injury.average_base([Money.rounded(Decimal(str(base))) for base in inputs.raw("bases")])
    return inputs.money("avg12")


def _nursing(word: Any) -> injury.Nursing | None:
    said = str(word).strip().lower()
    if word is False or said in {"none", "no", "无", "0"}:
        return None
    for need, beginnings in NURSING.items():
        if said.startswith(beginnings):
            return need
    raise InvalidInput("NURSING_INVALID", "nursing is full, most or part", field="nursing")


def _is_asked_for(inputs: Inputs) -> bool:
    """Whether the worker asked for the end, as an example without a word about it means."""
    name = inputs.named("initiat", "ended_by", "terminated_by", "by_employer", "employer_terminat")
    if name is None:
        return True
    said = inputs.raw(name)
    if isinstance(said, bool):
        return said != ("employer" in name)
    return str(said).strip().lower().startswith(OWN)


def _dependant(one: Inputs) -> injury_death.Dependant:
    relation = one.text("relation").strip().lower()
    words = [relation, *(name for name in one.names if one.raw(name) is True)]
    words += [str(one.raw(name)).lower() for name in one.names if not isinstance(one.raw(name), bool)]
    return injury_death.Dependant(
        is_spouse=relation in SPOUSE, alone=any(mark in word for word in words for mark in ALONE)
    )
