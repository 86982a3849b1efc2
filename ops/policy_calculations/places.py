"""When and where an example happens, and the minimum wage of that place and day."""

from datetime import date

from kernel.calendar import Month
from kernel.dated import DatedValue, given
from kernel.money import Money
from ops.policy_calculations.inputs import DAY, Inputs
from services.benefits.policy import BenefitsPolicy

_CITY = "320613"  # whose minimum wage counts where an example says neither division nor class: the city's own district


def least_wage(inputs: Inputs, law: BenefitsPolicy) -> DatedValue[Money]:
    """The minimum wage: as stated, or the law's for the day and the division or class of the example.

    Raises:
        PolicyParameterMissing: The law knows no minimum wage of that day, division or class.
    """
    day = event_day(inputs)
    if inputs.has("min_wage"):
        return given("min_wage", inputs.money("min_wage"), day)
    place = inputs.named("division", "place")
    classes = law.unemployment.wage_class.on(day).value
    number = inputs.named("class")
    division = _CITY if place is None else inputs.text(place)
    if number is not None:
        wanted = "class_" + inputs.text(number).strip()[-1:]
        division = next((code for code, found in classes.items() if found == wanted), wanted)
    return law.unemployment.cap(division, Month.of(day))


def event_day(inputs: Inputs) -> date:
    """The day of the event as a day, a month or a year; the day of the other examples where none is named."""
    name = inputs.first(
        "date", "event_date", "accident_date", "death_date", "end_date", "termination_date", "event_year", "year",
        "claim_date", "claim_month", "as_of", "month", "registration_date",
    )  # fmt: skip
    if name is None:
        return DAY
    text = inputs.text(name)
    if "-" not in text:
        return date(inputs.whole(name), 1, 1)
    return inputs.day(name) if text.count("-") > 1 else inputs.month(name).first_day
