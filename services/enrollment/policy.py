"""The files of law that enrolment reads, as the domain wants them: contribution, account, retirement age, divisions."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from chassis.policy import PolicyStore
from kernel.dated import Dated
from kernel.identity import Divisions, Sex
from kernel.money import Money
from kernel.retirement import TrackRule
from services.enrollment.arrears import DueRule
from services.enrollment.domain.account import AccountLaw, Method
from services.enrollment.domain.contributions import BaseLimits, ContributionLaw, IndustryRate, Scheme, Side
from services.enrollment.domain.projects import ProjectTerms
from services.enrollment.register import Track
from services.enrollment.support import LandTerms

CONTRIBUTION = "contribution.yaml"
ACCOUNT = "personal-account.yaml"
RETIREMENT = "retirement.yaml"
DIVISIONS = "divisions.yaml"

_RATES = {
    (Scheme.EMPLOYEE_PENSION, Side.EMPLOYER): "pension.employee.rate.employer",
    (Scheme.EMPLOYEE_PENSION, Side.EMPLOYEE): "pension.employee.rate.employee",
    (Scheme.EMPLOYEE_PENSION, Side.FLEXIBLE): "pension.flexible.rate.total",
    (Scheme.GOVERNMENT_PENSION, Side.EMPLOYER): "pension.government.rate.employer",
    (Scheme.GOVERNMENT_PENSION, Side.EMPLOYEE): "pension.government.rate.employee",
    (Scheme.OCCUPATIONAL_ANNUITY, Side.EMPLOYER): "annuity.rate.employer",
    (Scheme.OCCUPATIONAL_ANNUITY, Side.EMPLOYEE): "annuity.rate.employee",
    (Scheme.UNEMPLOYMENT, Side.EMPLOYER): "unemployment.rate.employer",
    (Scheme.UNEMPLOYMENT, Side.EMPLOYEE): "unemployment.rate.employee",
}


class EnrollmentPolicy:
    """Typed law of enrolment; everything in it answers by day."""

    def __init__(self, store: PolicyStore) -> None:
        self.version = store.version
        self.contributions = ContributionLaw(
            limits=store.table(CONTRIBUTION, "base_limits", _limits),
            rates=MappingProxyType({charge: store.rate(CONTRIBUTION, key) for charge, key in _RATES.items()}),
            account_credit=store.rate(CONTRIBUTION, "pension.employee.account_credit_rate"),
            industry_rates=store.table(CONTRIBUTION, "work_injury.industry_rates", _industry_rates),
            phase_factor=store.rate(CONTRIBUTION, "work_injury.phase_reduction_factor"),
            relief=store.table(CONTRIBUTION, "employer_relief_2020", _relief),
        )
        self.account = AccountLaw(
            interest_rate=_joined(
                store.rate(ACCOUNT, "interest_rate_before_2016"), store.rate(ACCOUNT, "interest_rate")
            ),
            method=store.text(ACCOUNT, "method").map(Method),
            annual_factor=store.rate(ACCOUNT, "annual_factor"),
        )
        self.scheme_interest: Mapping[Scheme, Dated[Decimal]] = {
            Scheme.RESIDENT_PENSION: store.rate(ACCOUNT, "interest_rate.resident"),
            Scheme.GOVERNMENT_PENSION: store.rate(ACCOUNT, "interest_rate.government"),
            Scheme.OCCUPATIONAL_ANNUITY: store.rate(ACCOUNT, "interest_rate.annuity"),
        }
        # Nobody retires before the original age of the track (原法定退休年龄): delays and choices only come on top.
        self.original_months = store.table(RETIREMENT, "tracks", _original_months)
        self._delay_tracks = store.table(RETIREMENT, "tracks", _delay_tracks)
        self.delay_start = store.month(RETIREMENT, "delay_start")
        self.bridge_min_years: Dated[int] = store.integer(CONTRIBUTION, "resident_employee.min_years")
        self.late_fee_daily: Dated[Decimal] = store.rate(CONTRIBUTION, "contribution.late_fee_daily")
        self.due_rule: Dated[DueRule] = store.table(CONTRIBUTION, "contribution.due_rule", _due_rule)
        self.transfer_pooled_rate: Dated[Decimal] = store.rate(CONTRIBUTION, "transfer.pooled_rate")
        self.resident_tiers: Dated[Mapping[Money, Money]] = store.table(
            CONTRIBUTION, "resident_pension.tiers_nantong", _tiers
        )
        self.on_behalf_tier: Dated[Money] = store.money(CONTRIBUTION, "resident_pension.paid_by_government_tier")
        self.land_terms: Dated[LandTerms] = store.table(CONTRIBUTION, "land_expropriated.terms", _land)
        self.resident_min_age: Dated[int] = store.integer(CONTRIBUTION, "resident_pension.min_age")
        self.document_after_months: Dated[int] = store.integer(CONTRIBUTION, "arrears.document_after_months")
        self.project_terms: Dated[ProjectTerms] = store.table(CONTRIBUTION, "work_injury_project.terms", _project)
        self.order_fees: Dated[Mapping[str, Decimal]] = store.table(
            CONTRIBUTION, "occupational_injury.per_order_fee", _fees
        )
        self._temporary_ages: Mapping[Sex, Dated[int]] = {
            "male": store.integer(CONTRIBUTION, "transfer.temporary_account_age.male"),
            "female": store.integer(CONTRIBUTION, "transfer.temporary_account_age.female"),
        }
        self._current_divisions = store.table(DIVISIONS, "current", _codes)
        self._former_divisions = store.table(DIVISIONS, "history", _codes)

    def temporary_age(self, sex: Sex, on: date) -> int:
        """The age from which a relation in a new place is a temporary account, as the law is on a day."""
        return self._temporary_ages[sex].on(on).value

    def delay_tracks(self, track: Track) -> Dated[TrackRule]:
        """How a track of retirement is delayed."""
        return self._delay_tracks.map(lambda tracks: tracks[track])

    def divisions(self, on: date) -> Divisions:
        """Division codes of the city as known on a day, for warnings about citizen numbers."""
        current = self._current_divisions.on(on).value
        return Divisions("3206", current, self._former_divisions.on(on).value - current)


def _limits(value: Mapping[str, Any]) -> BaseLimits:
    return BaseLimits(value["floor"], value["ceiling"])


def _due_rule(value: Mapping[str, Any]) -> DueRule:
    return DueRule(value["months_after"], value["day"])


def _industry_rates(value: tuple[Mapping[str, Any], ...]) -> Mapping[int, IndustryRate]:
    return MappingProxyType({row["class"]: IndustryRate(row["base"], frozenset(row["float"])) for row in value})


def _relief(value: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    return value


def _original_months(value: Mapping[str, Any]) -> Mapping[Track, int]:
    return MappingProxyType({track: value[track]["original_months"] for track in Track})


def _delay_tracks(value: Mapping[str, Any]) -> Mapping[Track, TrackRule]:
    return MappingProxyType(
        {
            track: TrackRule(value[track]["original_months"], value[track]["step"], value[track]["max_delay"])
            for track in Track
        }
    )


def _tiers(value: tuple[Mapping[str, Money], ...]) -> Mapping[Money, Money]:
    """Subsidy by yearly payment."""
    return MappingProxyType({row["tier"]: row["subsidy"] for row in value})


def _land(value: Mapping[str, Any]) -> LandTerms:
    return LandTerms(value["fund_per_person"], value["min_age"])


def _project(value: Mapping[str, Decimal]) -> ProjectTerms:
    return ProjectTerms(value["labour_share"], value["rate"], value["unified_rate"])


def _fees(value: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    return value


def _codes(value: tuple[Mapping[str, Any], ...]) -> frozenset[str]:
    return frozenset(row["code"] for row in value)


def _joined(before: Dated[Decimal], after: Dated[Decimal]) -> Dated[Decimal]:
    """Two series of one rate: reference values up to 2015, published ones from 2016."""
    return Dated(after.file, after.key, (*before.rows, *after.rows))
