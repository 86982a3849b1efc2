"""Registration, contributions and personal accounts, by the law of enrolment."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from chassis.policy import PolicyStore
from kernel.calendar import shanghai_day
from kernel.dated import Dated, DatedValue, given
from kernel.errors import InvalidInput
from kernel.identity import check_credit_code, check_resident_id
from kernel.money import Money
from ops.policy_calculations.inputs import DAY, Calculation, Inputs, always, amount, exact, month_of
from services.enrollment.domain import account, arrears, contributions
from services.enrollment.policy import EnrollmentPolicy

if TYPE_CHECKING:
    from decimal import Decimal


class EnrollmentCalculations:
    """Registration, contributions and personal accounts, by the law of enrolment."""

    def __init__(self, store: PolicyStore) -> None:
        self._law = EnrollmentPolicy(store)

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {
            "id_check": self._id_check,
            "uscc_check": self._uscc_check,
            "contribution": self._contribution,
            "late_fee": self._late_fee,
            "transfer": self._transfer,
            "overlap": self._overlap,
            "account_year": self._account_year,
            "account_years": self._account_years,
            "account_at_retirement": self._account_at_retirement,
        }

    def _id_check(self, inputs: Inputs) -> dict[str, Any]:
        as_of = inputs.day("as_of") if inputs.has("as_of") else shanghai_day(datetime.now(UTC))
        found = check_resident_id(inputs.text("number"), as_of, divisions=self._law.divisions(DAY))
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
        if ceiling < floor:
            raise InvalidInput("INPUT_MALFORMED", "the ceiling is not below the floor", field="ceiling")
        base = contributions.clamp_base(wage, contributions.BaseLimits(floor, ceiling))
        rates = inputs.part("rates")
        shares = {name: str(contributions.share(base, rates.share(name))) for name in rates.names if rates.has(name)}
        return {"base": str(base), **shares}

    def _late_fee(self, inputs: Inputs) -> dict[str, Any]:
        due, paid = inputs.day("due"), inputs.day("paid")
        fee = arrears.late_fee(inputs.money("amount"), due, paid, self._law.late_fee_daily)
        return {"days": arrears.late_days(due, paid), "fee": str(fee.amount)}

    def _transfer(self, inputs: Inputs) -> dict[str, Any]:
        years = [
            arrears.BaseYear(year.whole("year"), year.money("monthly_base"), year.whole("months", account.MONTHS))
            for year in inputs.items("years")
        ]
        rate = self._law.transfer_pooled_rate.on(DAY)
        fund = arrears.transfer_fund(inputs.money("account_balance"), years, rate)
        return {
            "account": str(fund.amount("account")),
            "pooled": str(fund.amount("pooled")),
            "total": str(fund.total),
        }

    def _overlap(self, inputs: Inputs) -> dict[str, Any]:
        ranges = [(month_of(str(first)), month_of(str(last))) for first, last in inputs.raw("employee_ranges")]
        payments = {
            int(exact(year, "resident_years")): amount(payment, "resident_years")
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
        listed = [(year.whole("year"), year) for year in inputs.items("years")]
        years = dict(listed)
        if len(years) < len(listed):
            raise InvalidInput("INPUT_MALFORMED", "a year is given once", field="years")
        law = self._account_law(inputs, years)
        booked = [account.Credits(year, _monthly(years[year])) for year in sorted(years)]
        opening = inputs.money("opening") if inputs.has("opening") else Money.ZERO
        closed = account.account_years(opening, booked, law)
        return {
            "by_year": [{"year": year.year, "closing": str(year.closing)} for year in closed],
            "closing": str(closed[-1].closing if closed else opening),
        }

    def _account_at_retirement(self, inputs: Inputs) -> dict[str, Any]:
        booked = account.Credits(DAY.year, _monthly(inputs))
        settled = account.account_at_retirement(
            inputs.money("opening"), booked, given("rate", inputs.share("rate"), DAY), months=inputs.whole("k")
        )
        return {
            "interest_on_opening": str(settled.interest_on_opening),
            "interest_on_new": str(settled.interest_on_new),
            "balance": str(settled.closing),
        }

    def _account_law(self, inputs: Inputs, years: Mapping[int, Inputs]) -> account.AccountLaw:
        """The law of accounts with the method and the rates that the example states instead."""
        law = self._law.account
        method = inputs.choice("method", account.Method) if inputs.has("method") else account.Method.MONTHLY_PRODUCT
        rows: tuple[DatedValue[Decimal | None], ...] = tuple(
            given("interest_rate", years[year].share("rate"), date(year, 1, 1))
            if years[year].has("rate")
            else account.rate_of(year, law).map(lambda rate: rate)
            for year in sorted(years)
        )
        return account.AccountLaw(
            interest_rate=Dated("given", "interest_rate", rows),
            method=always("method", method),
            annual_factor=always("annual_factor", law.annual_factor.on(DAY).value),
        )


def _monthly(inputs: Inputs) -> dict[int, Money]:
    """Credits by month: a mapping, a list from January on, or one amount for the months given (all without)."""
    value = inputs.raw("monthly") if inputs.has("monthly") else {}
    if isinstance(value, dict):
        pairs = [(int(exact(month, "monthly")), credited) for month, credited in value.items()]
    elif isinstance(value, list):
        pairs = list(enumerate(value, start=1))
    else:
        months = inputs.raw("months") if inputs.has("months") else account.MONTHS
        listed = months if isinstance(months, list) else range(1, min(13, int(exact(months, "months"))) + 1)
        pairs = [(int(exact(month, "months")), value) for month in listed]
    return {month: amount(credited, "monthly") for month, credited in pairs}
