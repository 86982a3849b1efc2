"""Calculations that worked examples may ask for, each one a call into the domain of a service.

Nothing is calculated here: inputs of an example become values, the domain answers, its answer becomes text. What an
example states itself (a rate, a base) takes the place of the row of law; the rest is the law of :data:`DAY`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar, cast

from chassis.policy import PolicyStore
from kernel.calendar import Month, parse_date, shanghai_day
from kernel.dated import Dated, DatedValue, given
from kernel.errors import InvalidInput
from kernel.identity import check_credit_code, check_resident_id
from kernel.money import Money
from ops.policy_examples import number_of
from services.benefits.domain import pension, retirement, unemployment
from services.benefits.policy import BenefitsPolicy
from services.card.domain import password
from services.card.policy import CardPolicy
from services.enrollment.domain import account, arrears, contributions
from services.enrollment.policy import EnrollmentPolicy
from services.training.domain import skill_subsidy
from services.training.policy import TrainingPolicy

T = TypeVar("T")

# How examples begin to name who may claim a skills subsidy; any other word is a person who may not.
EMPLOYED = ("employ", "enterprise", "insured", "active", "in_service", "on_job", "true", "1", "在职", "企业在职")
DRAWING = ("drawing", "claim", "receiving", "unemployment", "unemployed_claim", "领取", "领金")
ELSEWHERE = ("cross", "elsewhere", "institution", "same_certificate")  # how they say that another subsidy was paid

# Examples state their own figures; where one is left out, the law of this day answers.
DAY = date(2026, 1, 1)


class Inputs:
    """The inputs of an example, read by type; remembers what was asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._asked: set[str] = set()

    @property
    def unused(self) -> tuple[str, ...]:
        """Inputs nobody asked for."""
        return tuple(str(name) for name in self._values if name not in self._asked)

    @property
    def names(self) -> tuple[str, ...]:
        """Every input that is there."""
        return tuple(map(str, self._values))

    def has(self, name: str) -> bool:
        """Whether an input is there."""
        self._asked.add(name)
        return self._values.get(name) is not None

    def raw(self, name: str) -> Any:
        """An input as written."""
        if not self.has(name):
            raise InvalidInput("INPUT_MISSING", f"the calculation needs {name}", field=name)
        return self._values[name]

    def text(self, name: str) -> str:
        """Text, or the digits of a number written without quotes."""
        return str(self.raw(name))

    def number(self, name: str) -> Decimal:
        """An exact number."""
        return _exact(self.raw(name), name)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        if default is not None and not self.has(name):
            return default
        number = self.number(name)
        if number != int(number):
            raise InvalidInput("INPUT_MALFORMED", f"{name} is a whole number", field=name)
        return int(number)

    def money(self, name: str) -> Money:
        """An amount of yuan, rounded half-up to the fen where it has more decimals."""
        return Money.rounded(self.number(name))

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(name) if self.has(name) else default
        if not isinstance(value, bool):
            raise InvalidInput("INPUT_MALFORMED", f"{name} is true or false", field=name)
        return value

    def day(self, name: str) -> date:
        """A day."""
        return parse_date(self.text(name))

    def month(self, name: str) -> Month:
        """A month, also from a day in it."""
        return _month(self.text(name))

    def items(self, name: str) -> Iterator["Inputs"]:
        """The mappings of a list."""
        for item in self.raw(name):
            if not isinstance(item, dict):
                raise InvalidInput("INPUT_MALFORMED", f"{name} is a list of mappings", field=name)
            yield Inputs(item)


def _exact(value: Any, name: str) -> Decimal:
    number = None if isinstance(value, bool) else number_of(value)
    if number is None:
        raise InvalidInput("INPUT_MALFORMED", f"{name} is a number", field=name)
    return number


def _month(text: str) -> Month:
    return Month.of(parse_date(text)) if text.count("-") > 1 else Month.parse(text)


def _monthly(inputs: Inputs) -> dict[int, Money]:
    """Credits by month: a mapping, a list from January on, or one amount for the months given (all without)."""
    value = inputs.raw("monthly") if inputs.has("monthly") else {}
    if isinstance(value, dict):
        pairs = [(int(_exact(month, "monthly")), amount) for month, amount in value.items()]
    elif isinstance(value, list):
        pairs = list(enumerate(value, start=1))
    else:
        months = inputs.raw("months") if inputs.has("months") else account.MONTHS
        listed = months if isinstance(months, list) else range(1, min(13, int(_exact(months, "months"))) + 1)
        pairs = [(int(_exact(month, "months")), value) for month in listed]
    return {month: Money.rounded(_exact(amount, "monthly")) for month, amount in pairs}


def _always(name: str, value: T) -> Dated[T]:
    """A parameter that the example states itself, in force on every day."""
    row: DatedValue[T | None] = replace(given(name, cast("T | None", value), DAY), from_=date.min, to=None)
    return Dated("given", name, (row,))


class Calculator:
    """Runs examples against the law of one store."""

    def __init__(self, store: PolicyStore) -> None:
        self._enrollment = EnrollmentPolicy(store)
        self._benefits = BenefitsPolicy(store)
        self._training = TrainingPolicy(store)
        self._card = CardPolicy(store)
        self._calculations: Mapping[str, Callable[[Inputs], dict[str, Any]]] = {
            "id_check": self._id_check,
            "uscc_check": self._uscc_check,
            "contribution": self._contribution,
            "late_fee": self._late_fee,
            "transfer": self._transfer,
            "overlap": self._overlap,
            "account_year": self._account_year,
            "account_years": self._account_years,
            "account_at_retirement": self._account_at_retirement,
            "retirement": self._retirement,
            "flexible": self._flexible,
            "disability_months": self._disability_months,
            "avg_index": self._avg_index,
            "employee_pension": self._employee_pension,
            "recompute": self._recompute,
            "unemployment": self._unemployment,
            "skill_subsidy": self._skill_subsidy,
            "ecard_password": self._ecard_password,
            "ecard_usable": self._ecard_usable,
        }

    def calculate(self, calc: str, inputs: Inputs) -> dict[str, Any] | None:
        """The outcome of a calculation, or nothing when there is no such calculation yet.

        Raises:
            DomainError: The inputs are wrong, the rule refuses, or a parameter is not known.
        """
        calculation = self._calculations.get(calc)
        return None if calculation is None else calculation(inputs)

    def _id_check(self, inputs: Inputs) -> dict[str, Any]:
        as_of = inputs.day("as_of") if inputs.has("as_of") else shanghai_day(datetime.now(UTC))
        found = check_resident_id(inputs.text("number"), as_of, divisions=self._enrollment.divisions(DAY))
        if not found.valid:
            # A number of 15 digits has a reason of its own at registration; as a citizen number it has the wrong form.
            return {"valid": False, "reason": "FORMAT" if found.reason == "OLD_NUMBER" else found.reason}
        return {"valid": True, "birth": str(found.birth), "sex": found.sex, "division": found.division}

    def _uscc_check(self, inputs: Inputs) -> dict[str, Any]:
        found = check_credit_code(inputs.text("code"))
        if not found.valid:
            return {"valid": False, "reason": found.reason}
        return {
            "valid": True,
            "org_check_ok": found.organisation_check_ok,
            "authority": found.authority,
            "kind": found.kind,
            "division": found.division,
        }

    def _contribution(self, inputs: Inputs) -> dict[str, Any]:
        wage = inputs.money("wage")
        floor = inputs.money("floor") if inputs.has("floor") else Money.ZERO
        ceiling = inputs.money("ceiling") if inputs.has("ceiling") else max(wage, floor)
        base = contributions.clamp_base(wage, contributions.BaseLimits(floor, ceiling))
        rates = inputs.raw("rates")
        shares = {
            name: str(contributions.share(base, _exact(rate, name))) for name, rate in rates.items() if rate is not None
        }
        return {"base": str(base), **shares}

    def _late_fee(self, inputs: Inputs) -> dict[str, Any]:
        due, paid = inputs.day("due"), inputs.day("paid")
        fee = arrears.late_fee(inputs.money("amount"), due, paid, self._enrollment.late_fee_daily)
        return {"days": arrears.late_days(due, paid), "fee": str(fee.amount)}

    def _transfer(self, inputs: Inputs) -> dict[str, Any]:
        years = [
            arrears.BaseYear(year.whole("year"), year.money("monthly_base"), year.whole("months", account.MONTHS))
            for year in inputs.items("years")
        ]
        rate = self._enrollment.transfer_pooled_rate.on(DAY)
        fund = arrears.transfer_fund(inputs.money("account_balance"), years, rate)
        return {
            "account": str(fund.amount("account")),
            "pooled": str(fund.amount("pooled")),
            "total": str(fund.total),
        }

    def _overlap(self, inputs: Inputs) -> dict[str, Any]:
        ranges = [(_month(str(first)), _month(str(last))) for first, last in inputs.raw("employee_ranges")]
        payments = {
            int(_exact(year, "resident_years")): Money.rounded(_exact(payment, "resident_years"))
            for year, payment in inputs.raw("resident_years").items()
        }
        years = arrears.overlap(ranges, payments)
        return {
            "by_year": [{"year": year.year, "months": year.months, "refund": str(year.refund)} for year in years],
            "refund_total": str(Money.total(year.refund for year in years)),
        }

    def _account_year(self, inputs: Inputs) -> dict[str, Any]:
        year = inputs.whole("year", DAY.year)
        law = self._account_law(inputs, {year: inputs})
        closed = account.close_year(inputs.money("opening"), account.Credits(year, _monthly(inputs)), law)
        return {
            "contribution": str(closed.contribution),
            "interest_on_opening": str(closed.interest_on_opening),
            "interest_on_new": str(closed.interest_on_new),
            "closing": str(closed.closing),
        }

    def _account_years(self, inputs: Inputs) -> dict[str, Any]:
        years = {year.whole("year"): year for year in inputs.items("years")}
        law = self._account_law(inputs, years)
        booked = [account.Credits(year, _monthly(years[year])) for year in sorted(years)]
        opening = inputs.money("opening") if inputs.has("opening") else Money.ZERO
        closed = account.account_years(opening, booked, law)
        return {
            "by_year": [{"year": year.year, "closing": str(year.closing)} for year in closed],
            "closing": str(closed[-1].closing if closed else opening),
        }

    def _account_law(self, inputs: Inputs, years: Mapping[int, Inputs]) -> account.AccountLaw:
        """The law of accounts with the method and the rates that the example states instead."""
        law = self._enrollment.account
        method = account.Method(inputs.text("method")) if inputs.has("method") else account.Method.MONTHLY_PRODUCT
        rows: tuple[DatedValue[Decimal | None], ...] = tuple(
            given("interest_rate", years[year].number("rate"), date(year, 1, 1))
            if years[year].has("rate")
            else account.rate_of(year, law).map(lambda rate: rate)
            for year in sorted(years)
        )
        return account.AccountLaw(
            interest_rate=Dated("given", "interest_rate", rows),
            method=_always("method", method),
            annual_factor=_always("annual_factor", law.annual_factor.on(DAY).value),
        )

    def _account_at_retirement(self, inputs: Inputs) -> dict[str, Any]:
        booked = account.Credits(DAY.year, _monthly(inputs))
        settled = account.account_at_retirement(
            inputs.money("opening"), booked, given("rate", inputs.number("rate"), DAY), months=inputs.whole("k")
        )
        return {
            "interest_on_opening": str(settled.interest_on_opening),
            "interest_on_new": str(settled.interest_on_new),
            "balance": str(settled.closing),
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
            self._benefits.retirement,
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

    def _retire(self, inputs: Inputs) -> retirement.Retirement:
        track = retirement.Track(inputs.text("track"))
        return retirement.retire(track, inputs.month("birth"), self._benefits.retirement)

    def _disability_months(self, inputs: Inputs) -> dict[str, Any]:
        paid = inputs.whole("contribution_months")
        months = retirement.disability_months(paid, self._benefits.retirement, Month.of(DAY))
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
                else self._benefits.pension.index_base.provisionally_on(date(year, 1, 1))
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

    def _denominator(self, inputs: Inputs) -> pension.Denominator:
        if inputs.has("denominator"):
            words = inputs.text("denominator")
            return "all_months" if "deemed" in words or "all" in words else "actual_months"
        for name in ("include_deemed", "deemed_in_denominator"):
            if inputs.has(name):
                return "all_months" if inputs.flag(name, default=True) else "actual_months"
        return self._benefits.pension.index_denominator.on(DAY).value

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
        """The law with the base that the example states; without a blend ratio the gain is paid in full."""
        law = self._benefits.pension
        ratio = inputs.number("blend_ratio") if inputs.has("blend_ratio") else Decimal(1)
        return pension.PensionRules(
            base=given(base, inputs.money(base), DAY),
            basic_rate=law.basic_rate.on(DAY),
            coefficient=law.coefficient.on(DAY),
            blend=_always("blend_ratio", ratio),
            retirement_day=DAY,
        )

    def _unemployment(self, inputs: Inputs) -> dict[str, Any]:
        law = self._benefits.unemployment
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

    def _ecard_password(self, inputs: Inputs) -> dict[str, Any]:
        id_no = inputs.text("id_number") if inputs.has("id_number") else ""
        length = self._card.pin_length.on(DAY).value
        reason = password.weakness(inputs.text("password"), id_no, length)
        return {"ok": False, "reason": reason} if reason else {"ok": True}

    def _ecard_usable(self, inputs: Inputs) -> dict[str, Any]:
        reason = self._card.obstacle(
            inputs.text("physical").lower(), inputs.whole("level"), inputs.text("operation"), DAY
        )
        return {"usable": False, "reason": reason} if reason else {"usable": True}

    def _skill_subsidy(self, inputs: Inputs) -> dict[str, Any]:
        law = self._skill_law(inputs)
        elsewhere = [name for name in inputs.names if any(word in name for word in ELSEWHERE)]
        facts = skill_subsidy.Facts(
            skill=_skill(inputs),
            status=_status(inputs),
            apply_date=inputs.day("apply_date"),
            insured_months=inputs.whole("insured_months", 0),
            grants=tuple(_grant(prior) for prior in inputs.items("prior")) if inputs.has("prior") else (),
            is_subsidised_elsewhere=any(inputs.flag(name, default=False) for name in elsewhere),
            is_urgent=inputs.flag("urgent", default=False),
        )
        assessment = skill_subsidy.assess(facts, law)
        if facts.skill is None or not assessment.eligible:
            return {"grant": False, "reason": assessment.failures[0].reason}
        paid = skill_subsidy.amount(facts.skill, facts.apply_date, law, is_urgent=facts.is_urgent)
        return {"grant": True, "amount": str(paid.total)}

    def _skill_law(self, inputs: Inputs) -> skill_subsidy.SkillLaw:
        """The law of the subsidy with the uplift and the amount that the example states instead."""
        law = self._training.skill
        if inputs.has("uplift"):
            law = replace(law, uplift=_always("uplift", inputs.number("uplift")))
        for name in ("standard", "level_amount", "configured_amount", "technician_amount"):
            if inputs.has(name):
                stated = _always(name, inputs.money(name))
                law = replace(law, amounts={**law.amounts, inputs.whole("level"): stated})
        return law


def _skill(inputs: Inputs) -> skill_subsidy.Skill | None:
    """What the certificate of an example says, when it is found."""
    is_found = inputs.flag("certificate_found", default=True)
    if not is_found and not all(inputs.has(name) for name in ("occupation", "level", "issue_date")):
        return None
    skill = skill_subsidy.Skill(inputs.text("occupation"), inputs.whole("level"), inputs.day("issue_date"))
    return skill if is_found else None


def _status(inputs: Inputs) -> skill_subsidy.PersonStatus:
    """What the claimant of an example is; employed when it does not say."""
    for name in ("person_status", "person", "status"):
        if inputs.has(name):
            word = inputs.text(name).strip().lower()
            if word.startswith(DRAWING):
                return skill_subsidy.PersonStatus.DRAWING
            is_employed = word.startswith(EMPLOYED)
            return skill_subsidy.PersonStatus.EMPLOYED if is_employed else skill_subsidy.PersonStatus.OTHER
    return skill_subsidy.PersonStatus.EMPLOYED


def _grant(prior: Inputs) -> skill_subsidy.Grant:
    """A subsidy that an example says was granted before."""
    return skill_subsidy.Grant(prior.text("occupation"), prior.whole("level"), prior.day("apply_date"))
