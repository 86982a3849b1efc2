"""Computing again and what-if for every kind beside the employee pension: equal, and the impact by hand."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from hrss.benefits.v1 import determinations_service_pb2 as pb
from kernel import ids
from services.benefits.adjusting_commands import CreateRecomputation, CreateWhatIf
from services.benefits.lifecycle import Kind
from services.benefits.operations import adjusting_whatif
from tests.benefits.kinds_requests import day, payee, yuan
from tests.benefits.test_adjusting import rows
from tests.benefits.test_adjusting_recompute import TODAY, approved, shown, terms_of, work
from tests.benefits.test_kinds import (
    GOVERNMENT,
    RESIDENT,
    born,
    counter,
    database,
    dead,
    local,
    policy,
    worker,
)

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.adjusting import Run
    from tests.benefits.builders import Benefits, Enrollment
    from tests.benefits.kinds_requests import Counter

__all__ = ["counter", "database", "local", "policy"]  # fixtures

GRADES = '[{"grade":5,"amount":"200000"},{"grade":6,"amount":"160000"},{"grade":7,"amount":"120000"},'
GRADES += '{"grade":8,"amount":"80000"},{"grade":9,"amount":"50000"},{"grade":10,"amount":"40000"}]'
# Another value of a parameter from a day on, and what each kind of the little city would get more in a month, in fen.
WHAT_IF: tuple[tuple[str, str, date, date | None, str, dict[Kind, int]], ...] = (
    (
        "pension-government.yaml",
        "transition.ratio",
        date(2019, 1, 1),
        date(2019, 12, 31),
        "0.60",
        {Kind.GOVERNMENT_PENSION: 80_00},
    ),
    (
        "payout-months.yaml",
        "interpolation",
        date(2025, 1, 1),
        None,
        "whole_years",
        {Kind.OCCUPATIONAL_ANNUITY: 1_80 - 1_83, Kind.GOVERNMENT_PENSION: 575_54 - 585_22},
    ),
    (
        "pension-resident.yaml",
        "base_pension.nantong.county",
        date(2020, 1, 1),
        date(2020, 12, 31),
        "200",
        {Kind.RESIDENT_PENSION: 30_90},
    ),
    (
        "retirement.yaml",
        "disability.resident_average",
        date(2025, 1, 1),
        None,
        "350.00",
        {Kind.DISABILITY_ALLOWANCE: 50_00},
    ),
    (
        "work-injury.yaml",
        "area_average_wage",
        date(2025, 1, 1),
        date(2025, 12, 31),
        "9000",
        {
            Kind.INJURY_GRANT: 27 * (27_000_00 - 24_762_00),
            Kind.INJURY_ALLOWANCE: 24_300_00 - 22_285_80,
            Kind.INJURY_NURSING: 4_500_00 - 4_127_00,
            Kind.INJURY_FUNERAL: 6 * 746_00,
        },
    ),
    (
        "work-injury.yaml",
        "termination.medical",
        date(2015, 6, 1),
        None,
        GRADES,
        {Kind.INJURY_MEDICAL_GRANT: 10_000_00},
    ),
    (
        "work-injury.yaml",
        "death.dependants",
        date(2011, 1, 1),
        None,
        '{"spouse":"0.50","other":"0.30","extra":"0.10"}',
        {Kind.INJURY_DEPENDANT: 600_00},
    ),
    (
        "work-injury.yaml",
        "death.one_off_multiple",
        date(2011, 1, 1),
        None,
        "21",
        {Kind.INJURY_DEATH_GRANT: 54_188_00},
    ),
    (
        "survivor.yaml",
        "annual_income.jiangsu",
        date(2024, 1, 1),
        date(2024, 12, 31),
        "70000",
        {Kind.SURVIVOR_FUNERAL: 2 * 319_00, Kind.SURVIVOR_GRANT: 24 * 319_00},
    ),
    (
        "pension-resident.yaml",
        "death.funeral_aid",
        date(2014, 2, 21),
        None,
        "1600.00",
        {Kind.RESIDENT_FUNERAL: 100_00},
    ),
    (
        "unemployment.yaml",
        "minimum_wage",
        date(2026, 1, 1),
        None,
        '{"class_1":"2700","class_2":"2430","class_3":"2180"}',
        {Kind.UNEMPLOYMENT: 40_00, Kind.UNEMPLOYMENT_LUMP_SUM: 40_00 * 24},
    ),
)


async def city(enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter) -> None:
    """One of every kind."""

    async def insured(birth: str, schemes: Any, division: str = "320613") -> Any:
        person_id = await enrollment.person(birth)
        await enrollment.hired(person_id, "2014-10", schemes=schemes, division=division)
        return person_id

    async def determined(rpc: str, person_id: Any, **values: Any) -> None:
        await counter.determined(rpc, person_id=person_id, **values)

    middle: dict[str, Any] = {"old_amount": yuan("6000.00"), "new_total": yuan("6800.00")}
    await determined(
        "PrepareGovernmentPension",
        await insured("1959-05-10", GOVERNMENT),
        retirement_date=day("2019-05-31"),
        **middle,
    )
    young = await insured("1966-03-12", GOVERNMENT)
    await enrollment.paid(young, "2011-08", "2026-07", "9000", schemes=GOVERNMENT)
    await determined(
        "PrepareGovernmentPension",
        young,
        retirement_date=day("2026-07-10"),
        joined_date=day("2014-10-08"),
        balance=yuan("80000.00"),
        annuity_balance=yuan("250.00"),
    )
    await determined(
        "PrepareResidentPension",
        await insured("1960-02-10", RESIDENT, "320682"),
        balance=yuan("9876.54"),
        full_years=18,
    )
    ill = await enrollment.person("1980-01-01")
    await enrollment.hired(ill, "2015-01")
    await enrollment.paid(ill, "2017-01", "2025-01")
    await determined("PrepareDisabilityAllowance", ill, claim_date=day("2025-06-10"), capacity_lost=True)
    await determined(
        "PrepareInjury",
        await worker(enrollment),
        event_date=day("2025-03-10"),
        appraisal_date=day("2025-08-20"),
        grade=1,
        nursing=pb.NURSING_NEED_FULL,
        average_base=yuan("30000.00"),
    )
    await determined(
        "PrepareInjuryMedicalGrant",
        await worker(enrollment, born(200, "2025-09", policy)),
        event_date=day("2024-03-10"),
        end_date=day("2025-09-30"),
        grade=10,
        cause=pb.TERMINATION_CAUSE_OWN_REQUEST,
    )
    killed = await worker(enrollment, base="6000.00")
    await dead(enrollment, killed, "2025-03-10")
    spouse = pb.WorkDependant(relation=pb.DEPENDANT_RELATION_SPOUSE, payee=payee("6222021001112225551"))
    await determined("PrepareWorkDeath", killed, event_date=day("2025-03-10"), dependants=[spouse])
    gone = await enrollment.person("1965-01-01")
    await enrollment.paid(gone, "1993-01", "2024-12")
    await dead(enrollment, gone, "2025-05-05")
    await determined("PrepareSurvivors", gone, death_date=day("2025-05-05"))
    resident = await insured("1950-01-01", RESIDENT)
    await dead(enrollment, resident, "2026-06-01")
    await determined("PrepareResidentFuneral", resident, death_date=day("2026-06-01"), balance_left=yuan("321.00"))
    founder = await enrollment.unemployed(last="2026-03")
    await benefits.approve(await benefits.prepare_unemployment(founder, "2026-04-03"))
    await determined("PrepareUnemploymentLumpSum", founder)
    jobless = await enrollment.unemployed(last="2026-03")
    await benefits.approve(await benefits.prepare_unemployment(jobless, "2026-04-03"))


async def test_every_kind_is_computed_again_and_answers_what_if(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    await city(enrollment, benefits, policy, counter)
    made = await rows(database, "SELECT benefit_id, kind FROM benefit WHERE state <> 'ENDED'")
    without = {Kind.EMPLOYEE_PENSION, Kind.UNEMPLOYMENT_FUNERAL, Kind.UNEMPLOYMENT_GRANT}  # tested by themselves
    assert {row["kind"] for row in made} == {kind.value for kind in Kind if kind not in without}
    for row in made:
        proof = await counter.call("RecomputeBenefit", benefit_id=ids.to_text("ben", row["benefit_id"]))
        assert (proof.equal, proof.checked_count > 0) == (True, True), row["kind"]

    for file, key, first, last, value, expected in WHAT_IF:
        command = CreateWhatIf(file, key, first, last, value)
        run: Run = await benefits.run(partial(adjusting_whatif.what_if, command=command, policy=policy))
        await work(benefits, policy, size=5)
        impact = (await shown(benefits, run)).impact
        assert impact is not None
        found = {Kind(kind): sums.monthly_fen for kind, sums in impact.by["kind"].items() if sums.monthly_fen}
        assert (key, found, impact.total.persons, dict(impact.refused)) == (key, expected, len(made), {})

    # Kinds that wait for the base of 2026 follow it when it is published; the others keep what they are.
    law = adjusting_whatif.changed(policy, terms_of("9300.00"))
    again: Run = await benefits.run(lambda tx: adjusting_whatif.recompute(tx, CreateRecomputation(), law), today=TODAY)
    await work(benefits, law)
    await approved(benefits, again)
    await work(benefits, law)
    changed = await rows(
        database, "SELECT DISTINCT kind FROM benefit_amount JOIN benefit USING (benefit_id) WHERE cause = 'RECOMPUTED'"
    )
    assert {row["kind"] for row in changed} == {"GOVERNMENT_PENSION"}
