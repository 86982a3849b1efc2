"""The rows of law behind a bill, as JSON: stored with the bill, so that its lines can be explained for ever.

A bill of 20,000 persons would hold 20,000 statements that say the same but for the wage. Instead the bill keeps, once,
the rows that were in force, and the statement of a line is calculated from them when somebody asks (docs/decisions).
So it is with the closed years of accounts, whose rows are kept once for a whole run.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from kernel.calendar import Month
from kernel.dated import Confidence, Dated, DatedValue
from kernel.money import Money
from services.enrollment.billing import PARTS, BillKind, Terms
from services.enrollment.domain.account import Method, YearTerms
from services.enrollment.domain.contributions import (
    BaseLimits,
    ContributionLaw,
    EmployerTerms,
    Enterprise,
    IndustryRate,
    Scheme,
    Side,
)

T = TypeVar("T")


def to_plain(terms: Terms) -> dict[str, Any]:
    """The terms as JSON values; only the rows in force in the month."""
    law, day, employer = terms.law, terms.month.first_day, terms.employer
    charges = PARTS[terms.kind].values()
    injury = any(scheme is Scheme.WORK_INJURY for scheme, _ in charges) and law.phase_factor.covers(day)
    return {
        "kind": terms.kind.value,
        "month": str(terms.month),
        "injury_class": employer.industry_class,
        "injury_step": str(employer.float_step),
        "enterprise": employer.enterprise,
        "limits": _row(law.limits.on(day), lambda limits: {"floor": str(limits.floor), "ceiling": str(limits.ceiling)}),
        "rates": {
            f"{scheme}.{side}": _row(law.rates[scheme, side].on(day), str)
            for scheme, side in charges
            if (scheme, side) in law.rates and law.rates[scheme, side].covers(day)
        },
        "account_credit": _row(law.account_credit.on(day), str),
        "industry": _row(law.industry_rates.on(day), lambda rates: _industry(rates[employer.industry_class]))
        if injury
        else None,
        "phase_factor": _row(law.phase_factor.on(day), str) if injury else None,
        "relief": _row(law.relief.on(day), _texts) if law.relief.covers(day) else None,
    }


def from_plain(plain: Mapping[str, Any]) -> Terms:
    """Read what `to_plain` wrote."""
    industry_class = plain["injury_class"]
    enterprise = plain["enterprise"]
    law = ContributionLaw(
        limits=_dated(plain["limits"], lambda value: BaseLimits(_money(value["floor"]), _money(value["ceiling"]))),
        rates={_charge(name): _dated(row, Decimal) for name, row in plain["rates"].items()},
        account_credit=_dated(plain["account_credit"], Decimal),
        industry_rates=_dated(
            plain["industry"],
            lambda value: {
                industry_class: IndustryRate(Decimal(value["base"]), frozenset(map(Decimal, value["steps"])))
            },
        ),
        phase_factor=_dated(plain["phase_factor"], Decimal),
        relief=_dated(plain["relief"], lambda value: {name: Decimal(text) for name, text in value.items()}),
    )
    return Terms(
        kind=BillKind(plain.get("kind", BillKind.EMPLOYER)),
        month=Month.parse(plain["month"]),
        law=law,
        employer=EmployerTerms(
            industry_class, Decimal(plain["injury_step"]), Enterprise(enterprise) if enterprise else None
        ),
    )


def account_to_plain(terms: YearTerms) -> dict[str, Any]:
    """The law of an account year as JSON values."""
    return {
        "year": terms.year,
        "method": terms.method.value,
        "rate": _row(terms.rate, str),
        "annual_factor": _row(terms.annual_factor, str) if terms.annual_factor else None,
    }


def account_from_plain(plain: Mapping[str, Any]) -> YearTerms:
    """Read what `account_to_plain` wrote."""
    factor = plain["annual_factor"]
    return YearTerms(
        plain["year"],
        _value(plain["rate"], Decimal),
        Method(plain["method"]),
        _value(factor, Decimal) if factor is not None else None,
    )


def _row(row: DatedValue[T], plain: Callable[[T], Any]) -> dict[str, Any]:
    return {
        "value": plain(row.value),
        "from": row.from_.isoformat(),
        "to": row.to.isoformat() if row.to else None,
        "confidence": row.confidence.value,
        "source": list(row.source),
        "key": row.key,
        "file": row.file,
        "provisional": row.provisional,
    }


def _dated(row: Mapping[str, Any] | None, read: Callable[[Any], T]) -> Dated[T]:
    if row is None:
        return Dated("", "", ())
    return Dated(row["file"], row["key"], (_value(row, read),))


def _value(row: Mapping[str, Any], read: Callable[[Any], T]) -> DatedValue[T]:
    return DatedValue(
        value=read(row["value"]),
        from_=date.fromisoformat(row["from"]),
        to=date.fromisoformat(row["to"]) if row["to"] else None,
        confidence=Confidence(row["confidence"]),
        source=tuple(row["source"]),
        key=row["key"],
        file=row["file"],
        provisional=row["provisional"],
    )


def _industry(rate: IndustryRate) -> dict[str, Any]:
    return {"base": str(rate.base), "steps": sorted(map(str, rate.steps))}


def _texts(values: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _money(text: str) -> Money:
    return Money.yuan(text)


def _charge(name: str) -> tuple[Scheme, Side]:
    scheme, _, side = name.partition(".")
    return Scheme(scheme), Side(side)
