"""The rules between the kinds, and the facts as they are stored: pure, without a database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.calendar import Month
from kernel.dated import given as given_value
from kernel.errors import InvalidInput, PolicyParameterMissing, Refused
from kernel.money import Money
from services.benefits.calculation import recompute
from services.benefits.domain.injury import Nursing
from services.benefits.domain.retirement import Track
from services.benefits.domain.unemployment import Apart, monthly_benefit
from services.benefits.exclusion import Wanted, require_free
from services.benefits.history import ContributionMonth, History, Standing
from services.benefits.kinds import FACTS
from services.benefits.kinds.disability import DisabilityFacts
from services.benefits.kinds.government import AnnuityFacts, GovernmentFacts, OldAmounts
from services.benefits.kinds.injury import InjuryFacts
from services.benefits.kinds.resident import ResidentFacts, ResidentFuneralFacts
from services.benefits.kinds.survivors import SurvivorFacts
from services.benefits.kinds.work_death import DependantFacts, WorkDeathFacts
from services.benefits.lifecycle import BenefitState, EndReason, Kind
from services.benefits.operations import adjusting_whatif
from services.benefits.operations.kinds_pensions import require_early_service
from services.benefits.operations.proving import first_difference

if TYPE_CHECKING:
    from services.benefits.policy import BenefitsPolicy

JULY = Month(2026, 7)
JANUARY = Month(2026, 1)
DAY = date(2025, 3, 10)
SPOUSE, CHILD = DependantFacts(is_spouse=True), DependantFacts(is_spouse=False)
ORPHAN = DependantFacts(is_spouse=False, alone=True)


@dataclass
class Held:
    """A benefit that somebody has or had."""

    kind: Kind
    share: str = ""
    state: BenefitState = BenefitState.ACTIVE
    end_reason: EndReason | None = None
    last_month: Month | None = None
    event_month: Month = JANUARY


def over(kind: Kind, reason: EndReason = EndReason.EXHAUSTED, share: str = "") -> Held:
    """A benefit that ended."""
    return Held(kind, share, BenefitState.ENDED, reason, Month(2026, 6))


RULES: list[tuple[Kind, Held, str]] = [
    (Kind.RESIDENT_PENSION, over(Kind.EMPLOYEE_PENSION), "PENSION_ALREADY_DETERMINED"),
    (Kind.EMPLOYEE_PENSION, over(Kind.EMPLOYEE_PENSION, EndReason.REVOKED), ""),
    (Kind.DISABILITY_ALLOWANCE, Held(Kind.GOVERNMENT_PENSION), "PENSION_ALREADY_DETERMINED"),
    (Kind.DISABILITY_ALLOWANCE, Held(Kind.UNEMPLOYMENT, last_month=JULY), "BENEFIT_ALREADY_RUNNING"),
    (Kind.DISABILITY_ALLOWANCE, Held(Kind.UNEMPLOYMENT, last_month=JULY.previous), ""),
    (Kind.DISABILITY_ALLOWANCE, over(Kind.DISABILITY_ALLOWANCE), ""),
    (Kind.UNEMPLOYMENT, Held(Kind.RESIDENT_PENSION), "BENEFIT_ALREADY_RUNNING"),
    (Kind.UNEMPLOYMENT, Held(Kind.INJURY_NURSING), ""),
    (Kind.UNEMPLOYMENT, over(Kind.UNEMPLOYMENT), "BENEFIT_ALREADY_RUNNING"),  # the same lost employment
    (Kind.SURVIVOR_FUNERAL, over(Kind.INJURY_FUNERAL), "FUNERAL_ALREADY_DETERMINED"),
    (Kind.RESIDENT_FUNERAL, over(Kind.SURVIVOR_FUNERAL, EndReason.REVOKED), ""),
    (Kind.SURVIVOR_GRANT, over(Kind.INJURY_DEATH_GRANT), ""),
    (Kind.INJURY_GRANT, over(Kind.INJURY_GRANT), "BENEFIT_ALREADY_DETERMINED"),
    (Kind.INJURY_GRANT, over(Kind.INJURY_GRANT, share="2024-01-01"), ""),  # another injury
    (Kind.INJURY_DEPENDANT, Held(Kind.INJURY_DEPENDANT), "BENEFIT_ALREADY_RUNNING"),
    (Kind.INJURY_DEPENDANT, over(Kind.INJURY_DEPENDANT, EndReason.ENTITLEMENT_LOST), ""),
    (Kind.OCCUPATIONAL_ANNUITY, over(Kind.OCCUPATIONAL_ANNUITY), "BENEFIT_ALREADY_DETERMINED"),
]


@pytest.mark.parametrize(("kind", "held", "reason"), RULES)
def test_what_a_benefit_excludes(kind: Kind, held: Held, reason: str) -> None:
    wanted = Wanted(kind, "", JULY, Month(2026, 1))
    if not reason:
        require_free(wanted, [held])
        return
    with pytest.raises(Refused) as caught:
        require_free(wanted, [held])
    assert caught.value.reason == reason


def worked(count: int, base: int = 600_000) -> History:
    """So many paid months up to 2025-02."""
    months = Month.range(Month(2025, 2).plus(1 - count), Month(2025, 2))
    return History(ContributionMonth(one, Money(base), Standing.PAID) for one in months)


OF_EVERY_KIND: dict[Kind, Any] = {
    Kind.GOVERNMENT_PENSION: GovernmentFacts(
        birth=Month(1961, 2),
        track=Track.MALE_60,
        retirement_date=date(2021, 2, 28),
        history=worked(20),
        balance=Money(1),
        annuity_balance=Money(13_900_00),
        old_parts=OldAmounts(Money(5_000_00), Decimal("0.9"), Money(800_00), Money(300_00), (Decimal("0.05"),)),
        new_total=Money(9_000_00),
    ),
    Kind.OCCUPATIONAL_ANNUITY: AnnuityFacts(Month(1961, 2), Month(2021, 2), Money(13_900_00)),
    Kind.RESIDENT_PENSION: ResidentFacts(Month(1960, 2), Month(2020, 3), "320682", Money(9_876_54), 18),
    Kind.DISABILITY_ALLOWANCE: DisabilityFacts(
        Month(1975, 1), Track.MALE_60, Month(2025, 2), worked(300), Money(100_000_00)
    ),
    Kind.INJURY_GRANT: InjuryFacts(DAY, 5, worked(12), Money(6_000_00)),
    Kind.INJURY_NURSING: InjuryFacts(DAY, 1, worked(12), nursing=Nursing.MOST, division="320613", first_month=JULY),
    Kind.INJURY_DEPENDANT: WorkDeathFacts(DAY, worked(12), dependants=(SPOUSE, ORPHAN, CHILD), number=2),
    Kind.SURVIVOR_GRANT: SurvivorFacts(DAY, 40, None, Money(12_000_00)),
}


@pytest.mark.parametrize("kind", OF_EVERY_KIND)
def test_stored_facts_are_read_again_and_give_the_same_statement(kind: Kind, policy: BenefitsPolicy) -> None:
    facts = OF_EVERY_KIND[kind]

    assert FACTS[kind].from_plain(facts.to_plain()) == facts
    made = recompute(kind, facts.to_plain(), JULY, policy)
    again = recompute(kind, made.inputs, JULY, policy)

    assert (again.statement, again.digest) == (made.statement, made.digest)
    assert all(line.title_zh and line.title_en and line.formula and line.sources for line in made.statement.lines)
    assert made.statement.total > Money.ZERO


def test_what_the_employer_pays_is_said_and_not_added(policy: BenefitsPolicy) -> None:
    made = recompute(Kind.INJURY_GRANT, OF_EVERY_KIND[Kind.INJURY_GRANT].to_plain(), JULY, policy).statement

    employer = made.line("employer.allowance")
    assert (employer.amount, dict(employer.inputs)["employer_pays"]) == (Money.ZERO, "4200.00")
    assert made.total == made.amount("one_off") == Money(108_000_00)


def test_far_from_the_age_the_account_pays_nothing_and_ends_when_it_is_near(policy: BenefitsPolicy) -> None:
    facts = OF_EVERY_KIND[Kind.DISABILITY_ALLOWANCE]

    terms = facts.terms(policy)
    made = facts.statement(Kind.DISABILITY_ALLOWANCE, JULY, policy)

    assert (terms.branch, made.amount("account")) == ("far", Money.ZERO)
    assert facts.last_month(policy) == terms.recompute_in
    claimed_then = replace(facts, claim_month=terms.recompute_in)
    assert claimed_then.terms(policy).branch == "near"


@settings(max_examples=50, deadline=None)
@given(shares=st.lists(st.booleans(), min_size=1, max_size=12), base=st.integers(0, 5_000_000))
def test_dependants_together_draw_the_own_wage_at_most(policy: BenefitsPolicy, shares: list[bool], base: int) -> None:
    dependants = tuple(ORPHAN if alone else CHILD for alone in shares)
    facts = WorkDeathFacts(DAY, History(), Money(base), dependants)
    amounts = [
        replace(facts, number=number).statement(Kind.INJURY_DEPENDANT, JULY, policy)
        for number in range(1, len(shares) + 1)
    ]

    own = Money.yuan(dict(amounts[0].lines[0].inputs)["own_wage"])
    assert 2 * (Money.total(one.total for one in amounts).fen - own.fen) <= len(shares)


@settings(max_examples=50, deadline=None)
@given(balance=st.integers(1, 10**9), age=st.integers(720, 840))
def test_an_annuity_pays_its_balance_to_the_fen(policy: BenefitsPolicy, balance: int, age: int) -> None:
    month = Month(2026, 3)
    facts = AnnuityFacts(month.plus(-age), month, Money(balance))
    count = facts.annuity(policy).month_count
    paid = [
        facts.statement(Kind.OCCUPATIONAL_ANNUITY, month.plus(number), policy).total for number in range(1, count + 1)
    ]

    assert not paid or (Money.total(paid).fen, paid[-1] > Money.ZERO) == (balance, True)


def test_what_nobody_knows_refuses_by_name(policy: BenefitsPolicy) -> None:
    unknown: list[tuple[Kind, Any, str]] = [
        (Kind.RESIDENT_FUNERAL, ResidentFuneralFacts(DAY), "death.funeral_aid"),
        (
            Kind.RESIDENT_PENSION,
            ResidentFacts(Month(1965, 1), JULY, "320613", Money(1), 15),
            "base_pension.nantong.city",
        ),
        (
            Kind.DISABILITY_ALLOWANCE,
            DisabilityFacts(Month(1980, 1), Track.MALE_60, Month(2025, 6), worked(50), Money(1)),
            "disability.resident_average",
        ),
        (Kind.INJURY_GRANT, InjuryFacts(date(2026, 3, 1), 5, worked(12)), "area_average_wage"),
    ]
    for kind, facts, key in unknown:
        with pytest.raises(PolicyParameterMissing) as caught:
            recompute(kind, facts.to_plain(), JULY, policy)
        assert caught.value.metadata["key"] == key
    without = replace(OF_EVERY_KIND[Kind.GOVERNMENT_PENSION], new_total=None)
    with pytest.raises(InvalidInput) as deemed:
        recompute(Kind.GOVERNMENT_PENSION, without.to_plain(), JULY, policy)
    assert deemed.value.reason == "DEEMED_INDEX_MISSING"


def test_the_first_difference_is_named_by_its_path() -> None:
    stored = {"lines": [{"code": "basic", "amount_fen": 1, "inputs": [["a", "1"]]}]}
    computed = {"lines": [{"code": "basic", "amount_fen": 1, "inputs": [["a", "2"]]}, {"code": "more"}]}

    assert first_difference(stored, stored) is None
    assert first_difference(stored, computed) == ("lines[0].inputs[0][1]", "1", "2")


def test_a_price_allowance_comes_on_top_and_the_medical_part_is_only_shown() -> None:
    rate, cap = given_value("rate", Decimal("0.45"), DAY), given_value("cap", Money(2_490_00), DAY)
    apart = Apart(given_value("medical", Money(600_00), DAY), given_value("price", Money(80_00), DAY))

    made = monthly_benefit(Money(9_000_00), rate, cap, apart=apart).statement

    assert (made.total, made.amount("price_allowance")) == (Money(2_570_00), Money(80_00))
    assert dict(made.line("medical").inputs) == {"fund_pays": "600.00"}


def test_years_of_service_open_an_early_retirement_only_where_the_bureau_says_how_many(policy: BenefitsPolicy) -> None:
    early = GovernmentFacts(
        birth=Month(1970, 5),
        track=Track.MALE_60,
        retirement_date=date(2026, 7, 10),
        history=History(),
        balance=Money.yuan("80000.00"),
        deemed_months=360,
    )
    with pytest.raises(PolicyParameterMissing) as missing:
        require_early_service(early, policy)
    assert missing.value.metadata["key"] == "early_retirement.service"
    law = adjusting_whatif.changed(
        policy,
        {
            "file": "pension-government.yaml",
            "key": "early_retirement.service",
            "from": "2014-10-01",
            "to": "",
            "value": '{"service_months": 360, "near_months": 60, "near_service_months": 240}',
        },
    )
    require_early_service(early, law)
    for change, reason in (
        ({"deemed_months": 359}, "TOO_EARLY"),  # the age is 63 months away: less is not enough
        ({"birth": Month(1964, 3)}, "NOT_APPLICABLE"),
    ):
        with pytest.raises(Refused) as refused:
            require_early_service(replace(early, **change), law)
        assert refused.value.reason == reason
    require_early_service(replace(early, birth=Month(1968, 1), deemed_months=240), law)  # 28 months before the age
