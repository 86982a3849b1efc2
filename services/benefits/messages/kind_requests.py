"""Requests about the kinds beside employee pension and unemployment benefit, as commands."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from chassis.values import date_of, money_of, month_of, word_of
from hrss.benefits.v1 import determinations_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput
from services.benefits.domain.injury import Nursing
from services.benefits.kind_commands import (
    ComparePensions,
    EmployeePlan,
    EndBenefit,
    GovernmentPlan,
    PrepareDisabilityAllowance,
    PrepareGovernmentPension,
    PrepareInjury,
    PrepareInjuryMedicalGrant,
    PrepareInjuryTopUp,
    PrepareMoreUnemployment,
    PrepareResidentFuneral,
    PrepareResidentPension,
    PrepareSurvivors,
    PrepareWorkDeath,
    ResidentPlan,
    WorkDependant,
)
from services.benefits.kinds.government import OldAmounts
from services.benefits.kinds.work_death import DependantFacts
from services.benefits.lifecycle import EndReason
from services.benefits.messages.requests import TRACKS, document_of, payee
from services.benefits.messages.states import END_REASONS

if TYPE_CHECKING:
    from uuid import UUID

    from google.protobuf.message import Message

    from hrss.type.v1 import money_pb2
    from kernel.money import Money
    from services.benefits.kind_commands import Plan

_NURSING: dict[pb.NursingNeed.ValueType, Nursing | None] = {
    pb.NURSING_NEED_UNSPECIFIED: None,
    pb.NURSING_NEED_FULL: Nursing.FULL,
    pb.NURSING_NEED_MOST: Nursing.MOST,
    pb.NURSING_NEED_PART: Nursing.PART,
}
_CAUSES = {  # own request, employer's fault
    pb.TERMINATION_CAUSE_OWN_REQUEST: (True, False),
    pb.TERMINATION_CAUSE_EMPLOYER_FAULT: (True, True),
    pb.TERMINATION_CAUSE_EXPIRED: (False, False),
}
_RELATIONS = {pb.DEPENDANT_RELATION_SPOUSE: True, pb.DEPENDANT_RELATION_OTHER: False}
_DECIDED = {number: reason for reason, number in END_REASONS.items() if reason is not EndReason.EXHAUSTED}
_DECIMAL = re.compile(r"[0-9]{1,4}(\.[0-9]{1,10})?", re.ASCII)
_YEARS_MOST, _MONTHS_MOST = 80, 80 * 12
_SCENARIOS = range(2, 5)
_GROWTH_MOST = 60


def government_pension(request: pb.PrepareGovernmentPensionRequest) -> PrepareGovernmentPension:
    """Determine a government pension."""
    return PrepareGovernmentPension(
        person_id=_person(request.person_id),
        retirement_date=date_of(request.retirement_date, "retirement_date"),
        track=TRACKS[request.track],
        joined=date_of(request.joined_date, "joined_date") if request.HasField("joined_date") else None,
        balance=money_of(request.balance, "balance"),
        annuity_balance=money_of(request.annuity_balance, "annuity_balance"),
        deemed_months=_count(request.deemed_months, "deemed_months"),
        deemed_index=_decimal(request.deemed_index, "deemed_index") if request.HasField("deemed_index") else None,
        old=_optional_money(request, "old_amount"),
        old_parts=_old_parts(request.old_parts) if request.HasField("old_parts") else None,
        new_total=_optional_money(request, "new_total"),
        payee=payee(request.payee),
        document=document_of(request.document),
        early_by_service=request.early_by_service,
    )


def resident_pension(request: pb.PrepareResidentPensionRequest) -> PrepareResidentPension:
    """Determine a resident pension."""
    return PrepareResidentPension(
        person_id=_person(request.person_id),
        first_month=month_of(request.first_month, "first_month") if request.HasField("first_month") else None,
        balance=money_of(request.balance, "balance"),
        full_years=_count(request.full_years, "full_years", _YEARS_MOST),
        was_60_at_start=request.was_60_at_start,
        payee=payee(request.payee),
        document=document_of(request.document),
    )


def disability_allowance(request: pb.PrepareDisabilityAllowanceRequest) -> PrepareDisabilityAllowance:
    """Determine a disability allowance."""
    return PrepareDisabilityAllowance(
        person_id=_person(request.person_id),
        claim_date=date_of(request.claim_date, "claim_date"),
        capacity_lost=request.capacity_lost,
        track=TRACKS[request.track],
        old_transitional=_optional_money(request, "old_transitional"),
        payee=payee(request.payee),
        document=document_of(request.document),
    )


def injury(request: pb.PrepareInjuryRequest) -> PrepareInjury:
    """Determine what a work injury brings."""
    return PrepareInjury(
        person_id=_person(request.person_id),
        event_date=date_of(request.event_date, "event_date"),
        appraisal_date=date_of(request.appraisal_date, "appraisal_date"),
        grade=request.grade,
        nursing=_NURSING[request.nursing],
        suitable_work=request.suitable_work,
        average_base=_optional_money(request, "average_base"),
        payee=payee(request.payee),
        document=document_of(request.document),
    )


def injury_top_up(request: pb.PrepareInjuryTopUpRequest) -> PrepareInjuryTopUp:
    """Determine what the fund adds to a pension."""
    benefit_id = ids.parse("ben", request.benefit_id, field="benefit_id")
    return PrepareInjuryTopUp(benefit_id, payee(request.payee), document_of(request.document))


def injury_medical_grant(request: pb.PrepareInjuryMedicalGrantRequest) -> PrepareInjuryMedicalGrant:
    """Determine the medical grant at the end of an employment."""
    own_request, employer_fault = word_of(_CAUSES, request.cause, "cause")
    return PrepareInjuryMedicalGrant(
        person_id=_person(request.person_id),
        event_date=date_of(request.event_date, "event_date"),
        end_date=date_of(request.end_date, "end_date"),
        grade=request.grade,
        own_request=own_request,
        employer_fault=employer_fault,
        occupational_disease=request.occupational_disease,
        track=TRACKS[request.track],
        payee=payee(request.payee),
        document=document_of(request.document),
    )


def work_death(request: pb.PrepareWorkDeathRequest) -> PrepareWorkDeath:
    """Determine what a death from work brings."""
    return PrepareWorkDeath(
        person_id=_person(request.person_id),
        event_date=date_of(request.event_date, "event_date"),
        injury_date=date_of(request.injury_date, "injury_date") if request.HasField("injury_date") else None,
        missing=request.missing,
        hardship=request.hardship,
        after_paid_leave=request.after_paid_leave,
        without_once=request.without_once,
        without_funeral=request.without_funeral,
        average_base=_optional_money(request, "average_base"),
        dependants=tuple(_dependant(one) for one in request.dependants),
        payee=payee(request.payee) if request.HasField("payee") else None,
        document=document_of(request.document),
    )


def survivors(request: pb.PrepareSurvivorsRequest) -> PrepareSurvivors:
    """Determine survivors' benefits."""
    return PrepareSurvivors(
        person_id=_person(request.person_id),
        death_date=date_of(request.death_date, "death_date"),
        drawn_months=request.drawn_months if request.HasField("drawn_months") else None,
        own_contributions=_optional_money(request, "own_contributions"),
        without_funeral=request.without_funeral,
        payee=payee(request.payee),
        document=document_of(request.document),
        from_unemployment=request.from_unemployment,
    )


def more_unemployment(
    request: pb.PrepareUnemploymentExtensionRequest | pb.PrepareUnemploymentLumpSumRequest,
) -> PrepareMoreUnemployment:
    """Determine what follows an unemployment benefit."""
    return PrepareMoreUnemployment(
        person_id=_person(request.person_id),
        payee=payee(request.payee),
        document=document_of(request.document),
    )


def resident_funeral(request: pb.PrepareResidentFuneralRequest) -> PrepareResidentFuneral:
    """Determine the funeral aid of a resident."""
    return PrepareResidentFuneral(
        person_id=_person(request.person_id),
        death_date=date_of(request.death_date, "death_date"),
        balance_left=money_of(request.balance_left, "balance_left"),
        payee=payee(request.payee),
        document=document_of(request.document),
    )


def end_benefit(request: pb.EndBenefitRequest) -> EndBenefit:
    """End a benefit."""
    return EndBenefit(
        benefit_id=benefit_id(request),
        reason=word_of(_DECIDED, request.reason, "reason"),
        last_month=month_of(request.last_month, "last_month"),
        document=document_of(request.document),
    )


def benefit_id(request: pb.EndBenefitRequest | pb.RecomputeBenefitRequest) -> UUID:
    """The benefit that is meant."""
    return ids.parse("ben", request.benefit_id, field="benefit_id")


def compare(request: pb.ComparePensionsRequest) -> ComparePensions:
    """What would the pension be?"""
    if len(request.scenarios) not in _SCENARIOS:
        raise InvalidInput("SCENARIOS_INVALID", "two to four scenarios are compared", field="scenarios")
    return ComparePensions(_person(request.person_id), tuple(_plan(one) for one in request.scenarios))


def _plan(one: pb.Scenario) -> Plan:
    given = [name for name in ("employee", "government", "resident") if one.HasField(name)]
    if len(given) != 1:
        raise InvalidInput("SCENARIOS_INVALID", "a scenario is exactly one of three", field="scenarios")
    if one.HasField("employee"):
        plan = one.employee
        month = month_of(plan.retirement_month, "retirement_month") if plan.HasField("retirement_month") else None
        return EmployeePlan(month, _optional_money(plan, "future_base"), TRACKS[plan.track])
    if one.HasField("resident"):
        return ResidentPlan(
            month_of(one.resident.first_month, "first_month") if one.resident.HasField("first_month") else None,
            money_of(one.resident.balance, "balance"),
            _count(one.resident.full_years, "full_years", _YEARS_MOST),
        )
    post = one.government
    return GovernmentPlan(
        retirement_date=date_of(post.retirement_date, "retirement_date"),
        joined=date_of(post.joined_date, "joined_date") if post.HasField("joined_date") else None,
        balance=money_of(post.balance, "balance"),
        annuity_balance=money_of(post.annuity_balance, "annuity_balance"),
        deemed_months=_count(post.deemed_months, "deemed_months"),
        deemed_index=_decimal(post.deemed_index, "deemed_index") if post.HasField("deemed_index") else None,
        future_base=_optional_money(post, "future_base"),
        track=TRACKS[post.track],
    )


def _dependant(one: pb.WorkDependant) -> WorkDependant:
    return WorkDependant(
        DependantFacts(word_of(_RELATIONS, one.relation, "dependants.relation"), one.alone),
        month_of(one.last_month, "dependants.last_month") if one.HasField("last_month") else None,
        payee(one.payee, "dependants.payee"),
    )


def _old_parts(parts: pb.OldMethodParts) -> OldAmounts:
    if len(parts.growth) > _GROWTH_MOST:
        raise InvalidInput("RATE_MALFORMED", "there are at most 60 years of growth", field="old_parts.growth")
    return OldAmounts(
        salary=money_of(parts.salary, "old_parts.salary"),
        ratio=_decimal(parts.ratio, "old_parts.ratio"),
        subsidy=money_of(parts.subsidy, "old_parts.subsidy"),
        increase=money_of(parts.increase, "old_parts.increase"),
        growth=tuple(_decimal(one, "old_parts.growth") for one in parts.growth),
    )


def _optional_money(request: Message, field: str) -> Money | None:
    return money_of(getattr(request, field), field) if request.HasField(field) else None


def _decimal(rate: money_pb2.Rate, field: str) -> Decimal:
    if not _DECIMAL.fullmatch(rate.decimal):
        raise InvalidInput("RATE_MALFORMED", "a rate is a decimal of up to four places before the point", field=field)
    return Decimal(rate.decimal)


def _count(count: int, field: str, most: int = _MONTHS_MOST) -> int:
    if not 0 <= count <= most:
        raise InvalidInput("COUNT_OUT_OF_RANGE", "months and years are those of a life", field=field)
    return count


def _person(text: str) -> UUID:
    return ids.parse("per", text, field="person_id")
