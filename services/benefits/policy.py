"""The files of law that benefits read, as the domain wants them: retirement, payout months, pension, unemployment."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from chassis.policy import PolicyStore
from services.benefits.domain.pension import Denominator, PensionLaw
from services.benefits.domain.retirement import (
    DisabilityTerms,
    Interpolation,
    PayoutLaw,
    RetirementLaw,
    Track,
    TrackRule,
)
from services.benefits.domain.unemployment import DurationBand, RateBand, UnemploymentLaw
from services.benefits.projection import ProjectionLaw

ACCOUNT = "personal-account.yaml"
CONTRIBUTION = "contribution.yaml"
DIVISIONS = "divisions.yaml"
PAYOUT = "payout-months.yaml"
PENSION = "pension-employee.yaml"
RETIREMENT = "retirement.yaml"
UNEMPLOYMENT = "unemployment.yaml"


class BenefitsPolicy:
    """Typed law of benefits; everything in it answers by day."""

    def __init__(self, store: PolicyStore) -> None:
        self.version = store.version
        self.retirement = RetirementLaw(
            tracks=store.table(RETIREMENT, "tracks", _tracks),
            delay_start=store.month(RETIREMENT, "delay_start"),
            minimum_months=store.integer(RETIREMENT, "minimum_contribution_months"),
            early_max_months=store.integer(RETIREMENT, "flexible.early_max_months"),
            late_max_months=store.integer(RETIREMENT, "flexible.late_max_months"),
            payout=PayoutLaw(
                whole_year=store.table(PAYOUT, "whole_year", _by_age),
                interpolation=store.text(PAYOUT, "interpolation").map(_interpolation),
            ),
            disability=store.table(RETIREMENT, "disability.first_months", _disability),
        )
        self.pension = PensionLaw(
            calculation_base=store.money(PENSION, "calculation_base"),
            index_base=store.money(CONTRIBUTION, "index_base"),
            index_denominator=store.text(PENSION, "index_denominator").map(_denominator),
            index_cap=store.rate(PENSION, "index_cap"),
            basic_rate=store.rate(PENSION, "basic_rate_per_year"),
            coefficient=store.rate(PENSION, "transitional_coefficient"),
            blend=store.rate(PENSION, "transition_blend"),
        )
        self.unemployment = UnemploymentLaw(
            minimum_months=store.integer(UNEMPLOYMENT, "minimum_months"),
            rates=store.table(UNEMPLOYMENT, "amount.rate", _rate_bands),
            statutory=store.table(UNEMPLOYMENT, "duration.bands", _duration_bands),
            steps=store.table(UNEMPLOYMENT, "duration.jiangsu_steps", _duration_bands),
            total_max=store.integer(UNEMPLOYMENT, "duration.total_max"),
            floor_multiplier=store.rate(UNEMPLOYMENT, "amount.floor_multiplier"),
            subsistence=store.money(UNEMPLOYMENT, "amount.subsistence_standard"),
            minimum_wage=store.table(UNEMPLOYMENT, "minimum_wage", dict),
            wage_class=store.table(DIVISIONS, "minimum_wage_class", _wage_classes),
        )
        self.projection = ProjectionLaw(
            interest_rate=store.rate(ACCOUNT, "interest_rate"),
            credit_rate=store.rate(CONTRIBUTION, "pension.employee.account_credit_rate"),
        )


def _tracks(value: Mapping[str, Any]) -> Mapping[Track, TrackRule]:
    parts = ("original_months", "step", "max_delay")
    return MappingProxyType({track: TrackRule(*(value[track][part] for part in parts)) for track in Track})


def _by_age(value: tuple[Mapping[str, Any], ...]) -> Mapping[int, Any]:
    return MappingProxyType({row["age"]: row["months"] for row in value})


def _rate_bands(value: tuple[Mapping[str, Any], ...]) -> tuple[RateBand, ...]:
    return tuple(RateBand(row["months_from"], row["months_to"], row["rate"]) for row in value)


def _duration_bands(value: tuple[Mapping[str, Any], ...]) -> tuple[DurationBand, ...]:
    return tuple(DurationBand(row["months_from"], row["months_to"], row["max"]) for row in value)


def _wage_classes(value: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    return MappingProxyType({division: name for name, divisions in value.items() for division in divisions})


def _disability(value: Mapping[str, int]) -> DisabilityTerms:
    return DisabilityTerms(value["months_paid_max"], value["pay_months"], value["further_per_year"])


def _interpolation(word: str) -> Interpolation:
    match word:
        case "whole_years" | "by_month":
            return word
        case _:
            raise ValueError("interpolation is whole_years or by_month")


def _denominator(word: str) -> Denominator:
    match word:
        case "all_months" | "actual_months":
            return word
        case _:
            raise ValueError("index_denominator is all_months or actual_months")
