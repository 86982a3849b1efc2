"""The files of law that benefits read, as the domain wants them: one law of the domain for each scheme."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from chassis.policy import PolicyStore
from kernel.identity import Sex
from kernel.retirement import TrackRule
from services.benefits.domain.adjustment import AdjustmentLaw, Amounts, TiltBand, YearBand
from services.benefits.domain.certification import CertificationLaw
from services.benefits.domain.disability import DisabilityLaw
from services.benefits.domain.government import EarlyService, GovernmentLaw
from services.benefits.domain.injury import GradeTerms, InjuryLaw, Nursing, WageLimits
from services.benefits.domain.injury_death import DeathLaw, DependantShares, MissingTerms
from services.benefits.domain.injury_end import Reductions, TerminationLaw
from services.benefits.domain.pension import Denominator, PensionLaw
from services.benefits.domain.resident import Eligibility, ResidentLaw
from services.benefits.domain.retirement import (
    DisabilityTerms,
    Interpolation,
    PayoutLaw,
    Retirement,
    RetirementLaw,
    SpecialDelay,
    Track,
)
from services.benefits.domain.survivors import MonthsTable, SurvivorLaw
from services.benefits.domain.unemployment import DurationBand, RateBand, UnemploymentLaw
from services.benefits.projection import ProjectionLaw

if TYPE_CHECKING:
    from kernel.calendar import Month

ACCOUNT = "personal-account.yaml"
CERTIFICATION = "certification.yaml"
CONTRIBUTION = "contribution.yaml"
DIVISIONS = "divisions.yaml"
GOVERNMENT = "pension-government.yaml"
INJURY = "work-injury.yaml"
PAYOUT = "payout-months.yaml"
PENSION = "pension-employee.yaml"
RESIDENT = "pension-resident.yaml"
RETIREMENT = "retirement.yaml"
SURVIVOR = "survivor.yaml"
UNEMPLOYMENT = "unemployment.yaml"

SEXES: tuple[Sex, ...] = ("male", "female")


class BenefitsPolicy:
    """Typed law of benefits; everything in it answers by day."""

    def __init__(self, store: PolicyStore) -> None:
        self.store = store
        store = store.watched()
        # When a track and month of birth retire by this law: asked for in every pension, told apart by a few thousand.
        self.retirements: dict[tuple[Track, Month], Retirement] = {}
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
            special_months=store.table(RETIREMENT, "special_work.original_months", dict),
            special_delay={
                sex: store.table(RETIREMENT, f"special_work.delay.{sex}", lambda value: SpecialDelay(**value))
                for sex in SEXES
            },
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
            medical=store.money(UNEMPLOYMENT, "medical.contribution"),
            price_allowance=store.money(UNEMPLOYMENT, "price_allowance.amount"),
            premium=store.money(UNEMPLOYMENT, "premium.contribution"),
            premium_months=store.integer(UNEMPLOYMENT, "premium.months_before_statutory"),
            extension_months=store.integer(UNEMPLOYMENT, "extension.months_before_statutory"),
        )
        self.projection = ProjectionLaw(
            interest_rate=store.rate(ACCOUNT, "interest_rate"),
            credit_rate=store.rate(CONTRIBUTION, "pension.employee.account_credit_rate"),
        )
        self.adjustment = AdjustmentLaw(
            amounts=store.table(PENSION, "annual_adjustment.jiangsu_amounts", _amounts),
            demo=store.table(PENSION, "annual_adjustment.demo_amounts", _amounts),
        )
        self.government = GovernmentLaw(
            reform_month=store.month(GOVERNMENT, "reform_month"),
            window_last_month=store.month(GOVERNMENT, "transition.last_month"),
            ratio=store.rate(GOVERNMENT, "transition.ratio"),
            basic_rate=store.rate(GOVERNMENT, "basic_rate_per_year"),
            coefficient=store.rate(GOVERNMENT, "transitional_coefficient"),
            early_service=store.table(GOVERNMENT, "early_retirement.service", lambda value: EarlyService(**value)),
        )
        self.resident = ResidentLaw(
            eligibility=store.table(RESIDENT, "eligibility", lambda value: Eligibility(**value)),
            national_minimum=store.money(RESIDENT, "base_pension.national_minimum"),
            base_pension={
                "city": store.money(RESIDENT, "base_pension.nantong.city"),
                "county": store.money(RESIDENT, "base_pension.nantong.county"),
            },
            divisor=store.rate(PAYOUT, "resident_fixed"),
            long_rate=store.rate(RESIDENT, "long_contribution.rate"),
            tilt_age=store.integer(RESIDENT, "age_tilt.from_age"),
            tilt_amount=store.money(RESIDENT, "age_tilt.amount"),
            funeral_aid=store.money(RESIDENT, "death.funeral_aid"),
        )
        self.injury = InjuryLaw(
            limits=store.table(INJURY, "own_wage.limits", lambda value: WageLimits(**value)),
            area_average=store.money(INJURY, "area_average_wage"),
            grades=store.table(INJURY, "grades", _grades),
            nursing=store.table(INJURY, "nursing", _nursing),
        )
        self.injury_end = TerminationLaw(
            medical=store.table(INJURY, "termination.medical", _by_grade),
            employment=store.table(INJURY, "termination.employment", _by_grade),
            city_factor=store.rate(INJURY, "termination.city_factor"),
            disease_factor=store.rate(INJURY, "termination.occupational_disease_factor"),
            medical_reductions=store.table(INJURY, "termination.near_retirement.medical", _reductions),
            employment_reductions=store.table(INJURY, "termination.near_retirement.employment", _reductions),
        )
        self.injury_death = DeathLaw(
            area_average=self.injury.area_average,
            national_income=store.money(INJURY, "national_urban_income"),
            funeral_months=store.integer(INJURY, "death.funeral_months"),
            one_off_multiple=store.integer(INJURY, "death.one_off_multiple"),
            shares=store.table(INJURY, "death.dependants", lambda value: DependantShares(**value)),
            missing=store.table(INJURY, "missing_person", lambda value: MissingTerms(**value)),
        )
        self.pension_area = store.table(DIVISIONS, "current", _pension_areas)
        self.survivors = SurvivorLaw(
            annual_income=store.money(SURVIVOR, "annual_income.jiangsu"),
            funeral_months=store.integer(SURVIVOR, "funeral_months"),
            pension_months=store.table(SURVIVOR, "pension_months", lambda value: MonthsTable(**value)),
        )
        self.certification = CertificationLaw(
            cycle_months=store.integer(CERTIFICATION, "cycle_months"),
            reminder_days=store.integer(CERTIFICATION, "reminder_days"),
            grace_months=store.integer(CERTIFICATION, "grace_months"),
            schemes=store.table(CERTIFICATION, "schemes", tuple),
        )
        self.deduction_share = store.rate(CERTIFICATION, "recovery.deduction_share_max")
        self.disability = DisabilityLaw(
            near_months=store.integer(RETIREMENT, "disability.near_months"),
            resident_average=store.money(RETIREMENT, "disability.resident_average"),
        )
        # File and key of every parameter that benefits read.
        self.reads = store.asked


def _tracks(value: Mapping[str, Any]) -> Mapping[Track, TrackRule]:
    parts = ("original_months", "step", "max_delay")
    return MappingProxyType({track: TrackRule(*(value[track][part] for part in parts)) for track in Track})


def _by_age(value: tuple[Mapping[str, Any], ...]) -> Mapping[int, Any]:
    return MappingProxyType({row["age"]: row["months"] for row in value})


def _amounts(value: Mapping[str, Any]) -> Amounts:
    return Amounts(
        flat=value["flat"],
        per_year=tuple(YearBand(band["upto_years"], band["amount"]) for band in value["per_year"]),
        percent=value["percent"],
        tilt=tuple(TiltBand(band["age_from"], band["age_to"], band["amount"]) for band in value["tilt"]),
        per_year_minimum=value["per_year_minimum"],
        increase_minimum=value["increase_minimum"],
    )


def _grades(value: tuple[Mapping[str, Any], ...]) -> Mapping[int, GradeTerms]:
    return MappingProxyType(
        {row["grade"]: GradeTerms(row["one_off_months"], row["allowance_ratio"], row["payer"]) for row in value}
    )


def _nursing(value: Mapping[str, Any]) -> Mapping[Nursing, Any]:
    return MappingProxyType({need: value[need.value] for need in Nursing})


def _by_grade(value: tuple[Mapping[str, Any], ...]) -> Mapping[int, Any]:
    return MappingProxyType({row["grade"]: row["amount"] for row in value})


def _reductions(value: tuple[Mapping[str, Any], ...]) -> Reductions:
    return tuple((row["months_below"], row["ratio"]) for row in value)


def _rate_bands(value: tuple[Mapping[str, Any], ...]) -> tuple[RateBand, ...]:
    return tuple(RateBand(row["months_from"], row["months_to"], row["rate"]) for row in value)


def _duration_bands(value: tuple[Mapping[str, Any], ...]) -> tuple[DurationBand, ...]:
    return tuple(DurationBand(row["months_from"], row["months_to"], row["max"]) for row in value)


def _wage_classes(value: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    return MappingProxyType({division: name for name, divisions in value.items() for division in divisions})


def _pension_areas(value: tuple[Mapping[str, Any], ...]) -> Mapping[str, str]:
    return MappingProxyType({row["code"]: row["pension_area"] for row in value if row["pension_area"] is not None})


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
