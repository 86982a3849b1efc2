"""Every kind over the wire: from the preparation to the payroll, with the fen of the worked examples.

The figures are those of published awards, official answers and statutory examples; the ids name them
(`hrss policy check` runs the same ones through the law alone).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from chassis.policy import open_policy
from hrss.benefits.v1 import benefits_pb2 as model
from hrss.benefits.v1 import determinations_service_pb2 as pb
from hrss.benefits.v1 import keeping_service_pb2 as kept
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, Conflict, Forbidden, InvalidInput, NotFound, Refused
from services.benefits import recompute
from services.benefits.calculation import retirement_of
from services.benefits.domain.retirement import Track
from services.benefits.policy import BenefitsPolicy
from services.benefits.service import build
from tests.benefits.builders import OTHER_CLERK, SUPERVISOR, refused
from tests.benefits.conftest import POLICY_DIR, POLICY_LOCAL
from tests.benefits.kinds_requests import DOCUMENT, Counter, amounts, day, month, payee, per, yuan
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal, serve
from tests.system.oracle_benefits import violations
from tests.system.oracle_kinds import kind_violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from chassis.database import Database
    from tests.benefits.builders import Benefits, Enrollment
    from tests.plugins.databases import NewDatabase

OTHER_SUPERVISOR = a_principal(["SUPERVISOR"], subject="idp|supervisor-2", purpose="review")
INJURY = (register.SCHEME_WORK_INJURY,)
GOVERNMENT = (register.SCHEME_GOVERNMENT_PENSION, register.SCHEME_OCCUPATIONAL_ANNUITY)
RESIDENT = (register.SCHEME_RESIDENT_PENSION,)
EXTRA = """
  - id: TEST-RESIDENT-AVERAGE
    file: retirement.yaml
    key: disability.resident_average
    from: 2025-01-01
    to: null
    value: "300.00"
    confidence: assumed
    reason: test
    reviewers: [one, two]
    decided: 2026-01-01
  - id: TEST-FUNERAL-AID
    file: pension-resident.yaml
    key: death.funeral_aid
    from: 2014-02-21
    to: null
    value: "1500.00"
    confidence: assumed
    reason: test
    reviewers: [one, two]
    decided: 2026-01-01
"""


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A bureau's values: those of the demonstration and two that are not public."""
    path = tmp_path / "local.yaml"
    path.write_text(POLICY_LOCAL.read_text() + EXTRA.removeprefix("\n"))
    return path


@pytest.fixture
async def database(new_database: NewDatabase, local: Path) -> Database:
    """A fresh database of benefits."""
    return await new_database("benefits", policy_dir=POLICY_DIR, policy_local=local)


@pytest.fixture
def policy(local: Path) -> BenefitsPolicy:
    """The law with these values."""
    return BenefitsPolicy(open_policy(POLICY_DIR, local))


@pytest.fixture
async def counter(database: Database) -> AsyncIterator[Counter]:
    """Benefits, listening."""
    async with serve(build(database.settings), database=database) as running:
        yield Counter(running)


async def dead(enrollment: Enrollment, person_id: UUID, text: str | None) -> None:
    """The register says a death, or takes it back."""
    fact = heard.PersonDied.Fact(header=enrollment.header(per(person_id)))
    if text is not None:
        fact.death_date.CopyFrom(day(text))
    await enrollment.say(heard.PersonDied, fact)


async def worker(enrollment: Enrollment, birth: str = "1985-05-05", base: str | None = None) -> UUID:
    """A person with work-injury insurance, of the twelve months before March 2025 with this base."""
    person_id = await enrollment.person(birth)
    await enrollment.hired(person_id, "2020-01", schemes=INJURY)
    if base is not None:
        await enrollment.paid(person_id, "2024-03", "2025-02", base, schemes=INJURY)
    return person_id


async def state(database: Database, benefit: model.Benefit) -> tuple[str, str, str]:
    """State, reason of the end and last month of a benefit."""
    row = (
        await owner_fetch(
            database,
            "SELECT state, end_reason, to_char(last_month, 'YYYY-MM') AS last FROM benefit WHERE benefit_id = $1",
            ids.parse("ben", benefit.benefit_id),
        )
    )[0]
    return row["state"], row["end_reason"] or "", row["last"] or ""


async def pay(database: Database, benefits: Benefits, text: str = "2026-07") -> dict[str, int]:
    """The payroll of a month, released; the sums in fen by kind."""
    await benefits.approve_payroll(await benefits.payroll(text))
    rows = await owner_fetch(database, "SELECT kind, sum(amount_fen)::bigint AS fen FROM payment GROUP BY kind")
    return {row["kind"]: row["fen"] for row in rows}


def born(months_left: int, end: str, policy: BenefitsPolicy) -> str:
    """A birth whose statutory month is so many months after another one."""
    statutory = Month.parse(end).plus(months_left)
    found = next(
        one
        for one in Month.range(statutory.plus(-63 * 12), statutory.plus(-60 * 12))
        if retirement_of(Track.MALE_60, one, policy).statutory == statutory
    )
    return f"{found}-15"


async def test_the_worked_examples_of_injuries_and_deaths_are_paid_to_the_fen(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    expected: dict[str, list[str]] = {}
    found: dict[str, list[str]] = {}

    async def example(name: str, wanted: list[str], rpc: str, person_id: UUID, **values: Any) -> None:
        expected[name] = wanted
        found[name] = amounts(await counter.determined(rpc, person_id=person_id, **values))

    hurt: dict[str, Any] = {"event_date": day("2025-03-10"), "appraisal_date": day("2025-08-20")}
    await example("WE-045", ["34666.80"], "PrepareInjury", await worker(enrollment, base="4200.00"), grade=10, **hurt)
    await example(
        "WE-046",
        ["668574.00", "22285.80", "4127.00"],
        "PrepareInjury",
        await worker(enrollment),
        grade=1,
        nursing=pb.NURSING_NEED_FULL,
        average_base=yuan("30000.00"),
        **hurt,
    )
    for name, grade, left, disease, wanted in (
        ("WE-047", 10, 200, False, "30000.00"),
        ("WE-048", 7, 54, False, "96000.00"),
        ("WE-049", 5, 120, True, "280000.00"),
    ):
        await example(
            name,
            [wanted],
            "PrepareInjuryMedicalGrant",
            await worker(enrollment, born(left, "2025-09", policy)),
            event_date=day("2024-03-10"),
            end_date=day("2025-09-30"),
            grade=grade,
            cause=pb.TERMINATION_CAUSE_OWN_REQUEST,
            occupational_disease=disease,
        )
    killed = await worker(enrollment, base="6000.00")
    await dead(enrollment, killed, "2025-03-10")
    await example(
        "WE-050",
        ["49524.00", "1083760.00", "2400.00", "1800.00"],
        "PrepareWorkDeath",
        killed,
        event_date=day("2025-03-10"),
        dependants=[
            pb.WorkDependant(relation=pb.DEPENDANT_RELATION_SPOUSE, payee=payee("6222021001112225551")),
            pb.WorkDependant(
                relation=pb.DEPENDANT_RELATION_OTHER, payee=payee("6222021001112225552"), last_month=month("2026-03")
            ),
        ],
    )
    for name, first, last, died, drawn, sums in (
        ("WE-051", "1988-01", "2002-12", "2023-05-05", 240, ["10030.00", "45135.00"]),
        ("WE-053", "1993-01", "2024-12", "2025-05-05", None, ["11028.00", "132336.00"]),
    ):
        person_id = await enrollment.person("1965-01-01")
        await enrollment.paid(person_id, first, last)
        await dead(enrollment, person_id, died)
        drawn_months: dict[str, Any] = {} if drawn is None else {"drawn_months": drawn}
        await example(name, sums, "PrepareSurvivors", person_id, death_date=day(died), **drawn_months)

    assert found == expected

    paid = await pay(database, benefits)
    assert paid["INJURY_GRANT"] == 34_666_80 + 668_574_00
    assert paid["INJURY_ALLOWANCE"] == 22_285_80 * 11  # from the month after the appraisal
    assert paid["INJURY_NURSING"] == 4_127_00 * 11
    assert paid["INJURY_MEDICAL_GRANT"] == 30_000_00 + 96_000_00 + 280_000_00
    assert paid["INJURY_FUNERAL"] + paid["INJURY_DEATH_GRANT"] == 49_524_00 + 1_083_760_00
    assert paid["INJURY_DEPENDANT"] == 2_400_00 * 16 + 1_800_00 * 12  # the child's ends in March 2026
    assert paid["SURVIVOR_FUNERAL"] + paid["SURVIVOR_GRANT"] == 55_165_00 + 143_364_00
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_the_worked_examples_of_pensions_are_paid_to_the_fen(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    async def insured(birth: str, schemes: Any, division: str = "320613") -> UUID:
        person_id = await enrollment.person(birth)
        await enrollment.hired(person_id, "2014-10", schemes=schemes, division=division)
        return person_id

    found = {}
    for name, birth, retired, old, new in (
        ("WE-054", "1959-05-10", "2019-05-31", "6000.00", "6800.00"),
        ("WE-055", "1961-02-10", "2021-02-28", "7100.00", "6950.00"),
    ):
        values: dict[str, Any] = {"retirement_date": day(retired), "old_amount": yuan(old), "new_total": yuan(new)}
        person_id = await insured(birth, GOVERNMENT)
        found[name] = amounts(await counter.determined("PrepareGovernmentPension", person_id=person_id, **values))
    for name, division, balance, years in (("WE-039", "320613", "20850.00", 15), ("WE-040", "320682", "9876.54", 18)):
        person_id = await insured("1960-02-10", RESIDENT, division)
        values = {"balance": yuan(balance), "full_years": years}
        found[name] = amounts(await counter.determined("PrepareResidentPension", person_id=person_id, **values))
    assert found == {"WE-054": ["6400.00"], "WE-055": ["7100.00"], "WE-039": ["403.00"], "WE-040": ["246.15"]}

    # 新人 with an annuity: basic and account from one fund, the annuity from another until it is used up.
    young = await enrollment.person("1966-03-12")
    await enrollment.hired(young, "2014-10", schemes=GOVERNMENT)
    await enrollment.paid(young, "2011-08", "2026-07", "9000", schemes=GOVERNMENT)
    pension, annuity = await counter.determined(
        "PrepareGovernmentPension",
        person_id=young,
        retirement_date=day("2026-07-10"),
        joined_date=day("2014-10-08"),
        balance=yuan("80000.00"),
        annuity_balance=yuan("250.00"),
    )
    assert (pension.kind, annuity.kind) == (
        model.BENEFIT_KIND_GOVERNMENT_PENSION,
        model.BENEFIT_KIND_OCCUPATIONAL_ANNUITY,
    )
    assert amounts([annuity]) == ["1.83"]  # 250.00 ÷ 136.7
    assert annuity.last_month == month("2037-12")  # the 137th month pays the 1.12 that are left
    last = await owner_fetch(database, "SELECT amount_fen FROM benefit_amount WHERE from_month = '2037-12-01'")
    assert [row["amount_fen"] for row in last] == [250_00 - 136 * 1_83]

    await pay(database, benefits)
    assert await violations(database.settings.database_owner_url, policy) == []
    await owner_fetch(
        database,
        "UPDATE calculation SET statement = jsonb_set(statement, '{lines,0,amount_fen}', '1') WHERE kind = $1",
        "OCCUPATIONAL_ANNUITY",
    )
    differs = await counter.call("RecomputeBenefit", benefit_id=annuity.benefit_id)
    assert (differs.equal, differs.first_difference.path) == (False, "lines[0].amount_fen")
    assert (differs.first_difference.stored, differs.first_difference.computed) == ("1", "183")


async def test_illness_and_special_work_before_the_age(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    # 病残津贴: few years are paid as the average resident pension for 24 months (WE-071), more as the pension.
    ill = await enrollment.person("1980-01-01")
    await enrollment.hired(ill, "2015-01", schemes=(register.SCHEME_EMPLOYEE_PENSION,))
    await enrollment.paid(ill, "2017-01", "2025-01", schemes=(register.SCHEME_EMPLOYEE_PENSION,))
    claim: dict[str, Any] = {"claim_date": day("2025-06-10"), "capacity_lost": True}
    (short,) = await counter.determined("PrepareDisabilityAllowance", person_id=ill, **claim)
    assert (amounts([short]), short.first_month, short.last_month) == (["300.00"], month("2025-07"), month("2027-06"))
    near = await enrollment.person("1968-01-01")
    await enrollment.hired(near, "2000-01", schemes=(register.SCHEME_EMPLOYEE_PENSION,))
    await enrollment.paid(near, "2000-01", "2025-05", schemes=(register.SCHEME_EMPLOYEE_PENSION,))
    await enrollment.credited(near, 2024, "90000.00", "90000.00")
    prepared = await counter.call("PrepareDisabilityAllowance", person_id=near, **claim)
    (one,) = prepared.determinations
    assert [line.code for line in one.statement.lines] == ["basic", "account", "rounding"]
    assert one.last_month == month("2028-11")  # born 1968-01: retires with 60 years and 10 months
    await counter.approve(one)

    # 特殊工种: a man born in November 1970 retires at 55 years and 3 months (JS-AWARD-TABLES).
    early = await enrollment.person("1970-11-20")
    await enrollment.hired(early, "1995-01")
    await enrollment.paid(early, "1998-01", "2026-02")
    await enrollment.settled(early, "2026-02")
    asked: dict[str, Any] = {"person_id": early, "retirement_month": month("2026-02")}
    with refused(Refused, "TOO_EARLY"):
        await counter.call("PreparePension", **{"document": ""} | asked)
    special = (await counter.call("PreparePension", special_work=True, **asked)).determination
    assert any("special work" in note for note in special.notes)
    await counter.approve(special)

    await pay(database, benefits)
    assert await violations(database.settings.database_owner_url, policy) == []
    for benefit_id in [row["benefit_id"] for row in await owner_fetch(database, "SELECT benefit_id FROM benefit")]:
        found_again = await counter.call("RecomputeBenefit", benefit_id=ids.to_text("ben", benefit_id))
        assert found_again.equal


async def test_retirement_ends_the_allowance_and_a_wrong_pension_is_revoked(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    # The allowance stops when the person retires, and the fund adds what the pension is lower.
    retiring = await enrollment.about_to_retire()
    hurt: dict[str, Any] = {"person_id": retiring, "event_date": day("2025-03-10"), "appraisal_date": day("2025-08-20")}
    grant, allowance = await counter.determined("PrepareInjury", grade=1, average_base=yuan("20000.00"), **hurt)
    assert amounts([grant, allowance]) == ["540000.00", "18000.00"]
    with refused(Refused, "BENEFIT_ALREADY_DETERMINED"):
        await counter.call("PrepareInjury", grade=1, average_base=yuan("20000.00"), **hurt)
    with refused(NotFound, "BENEFIT_NOT_FOUND"):
        await counter.call("PrepareInjuryTopUp", benefit_id=allowance.benefit_id)
    pension = await counter.approve((await counter.call("PreparePension", person_id=retiring)).determination)
    assert await state(database, allowance) == ("ENDED", "RETIRED", "2026-07")
    (top_up,) = await counter.determined("PrepareInjuryTopUp", benefit_id=allowance.benefit_id)
    assert top_up.monthly.fen == 18_000_00 - pension.benefit.monthly.fen
    assert top_up.first_month == month("2026-08")
    others: dict[str, dict[str, Any]] = {
        "PrepareResidentPension": {"balance": yuan("1.00"), "full_years": 15, "first_month": month("2026-08")},
        "PrepareDisabilityAllowance": {"claim_date": day("2026-06-01"), "capacity_lost": True},
    }
    for rpc, values in others.items():
        with refused(Refused, "PENSION_ALREADY_DETERMINED"):
            await counter.call(rpc, person_id=retiring, **values)

    # A wrong pension is revoked: one asks, another supervisor decides; then another one may be determined.
    revoke: dict[str, Any] = {
        "benefit_id": pension.benefit.benefit_id,
        "reason": model.BENEFIT_END_REASON_REVOKED,
        "last_month": month("2026-07"),
        "document": DOCUMENT,
    }
    for change, kind, reason in (
        ({"reason": model.BENEFIT_END_REASON_ENLISTED}, InvalidInput, "END_REASON_NOT_FITTING"),
        ({"last_month": month("2026-06")}, InvalidInput, "LAST_MONTH_INVALID"),
        ({"document": "x"}, InvalidInput, "DOCUMENT_INVALID"),
    ):
        with refused(kind, reason):
            await counter.call("EndBenefit", **(revoke | change))
    asked = await counter.call("EndBenefit", SUPERVISOR, **revoke)
    assert (asked.benefit.state, asked.request.kind) == (model.BENEFIT_STATE_ACTIVE, kept.KEEPING_REQUEST_KIND_END)
    with refused(AlreadyExists, "APPROVAL_PENDING"):
        await counter.call("EndBenefit", **revoke)
    for who, reason in ((SUPERVISOR, "SECOND_PERSON_REQUIRED"), (OTHER_CLERK, "ROLE_NOT_ALLOWED")):
        with refused(Forbidden, reason):
            await counter.decide(asked.request.keeping_request_id, who)
    await counter.decide(asked.request.keeping_request_id, OTHER_SUPERVISOR)
    assert (await state(database, pension.benefit))[:2] == ("ENDED", "REVOKED")
    with refused(Refused, "BENEFIT_ENDED"):
        await counter.call("EndBenefit", **revoke)
    again = await counter.approve((await counter.call("PreparePension", person_id=retiring)).determination)
    assert again.benefit.first_month == month("2026-08")

    assert await violations(database.settings.database_owner_url, policy) == []


async def test_one_death_has_one_funeral_grant_and_its_dependants_go_on(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    # One funeral grant for a death, whoever decides at the same instant; no death, no grant; another month is another.
    person_id = await worker(enrollment, base="6000.00")
    await enrollment.paid(person_id, "2010-01", "2024-12")
    with refused(Refused, "DEATH_NOT_KNOWN"):
        await counter.call("PrepareSurvivors", person_id=person_id, death_date=day("2025-03-10"))
    missing: dict[str, Any] = {
        "person_id": person_id,
        "event_date": day("2025-03-10"),
        "missing": True,
        "hardship": True,
    }
    child = pb.WorkDependant(relation=pb.DEPENDANT_RELATION_OTHER, alone=True, payee=payee("6222021001112225559"))
    prepaid, dependant = await counter.determined("PrepareWorkDeath", dependants=[child], **missing)
    assert (amounts([prepaid, dependant]), dependant.first_month) == (["541880.00", "2400.00"], month("2025-06"))
    await dead(enrollment, person_id, "2025-03-10")
    assert (await state(database, dependant))[0] == "ACTIVE"  # a death ends nothing that it began
    with refused(Refused, "DEATH_DATE_DIFFERS"):
        await counter.call("PrepareSurvivors", person_id=person_id, death_date=day("2025-04-10"))
    death = await counter.call("PrepareWorkDeath", person_id=person_id, event_date=day("2025-03-10"))
    survivor = await counter.call("PrepareSurvivors", person_id=person_id, death_date=day("2025-03-10"))
    decided = await asyncio.gather(
        counter.approve(death.determinations[0]), counter.approve(survivor.determinations[0]), return_exceptions=True
    )
    lost = [one for one in decided if isinstance(one, (Refused, Conflict))]
    assert [one.reason for one in lost] in (["FUNERAL_ALREADY_DETERMINED"], ["CONCURRENT_CHANGE"])
    rest = await counter.approve(death.determinations[1])
    assert rest.benefit.monthly.fen == 1_083_760_00 - 541_880_00  # what was prepaid is taken off
    with refused(Refused, "FUNERAL_ALREADY_DETERMINED"):
        await counter.call("PrepareSurvivors", person_id=person_id, death_date=day("2025-03-10"))
    await dead(enrollment, person_id, None)
    with refused(Refused, "STATEMENT_CHANGED"):  # the register lives again
        await counter.approve(survivor.determinations[1])
    await dead(enrollment, person_id, "2025-03-10")
    await pay(database, benefits)
    lost_right: dict[str, Any] = {
        "benefit_id": dependant.benefit_id,
        "reason": model.BENEFIT_END_REASON_ENTITLEMENT_LOST,
        "last_month": month("2026-05"),
        "document": DOCUMENT,
    }

    await counter.ended(**lost_right)
    overpaid = await owner_fetch(database, "SELECT reason, count(*) AS n FROM overpayment GROUP BY reason")
    assert {row["reason"]: row["n"] for row in overpaid} == {"ENTITLEMENT_LOST": 2}
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_funeral_aid_and_an_unemployment_benefit_that_a_decision_ends(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    resident = await enrollment.person("1950-01-01")
    await enrollment.hired(resident, "2014-10", schemes=RESIDENT)
    await dead(enrollment, resident, "2026-06-01")
    aid = await counter.determined(
        "PrepareResidentFuneral", person_id=resident, death_date=day("2026-06-01"), balance_left=yuan("321.00")
    )
    assert amounts(aid) == ["1821.00"]

    # Unemployment and disability exclude each other; who enlists draws no more, by a supervisor's decision.
    jobless = await enrollment.unemployed(last="2025-11")
    with refused(InvalidInput, "DOCUMENT_INVALID"):
        await benefits.prepare_unemployment(jobless, "2025-12-03", carried_months=3)
    drawn = await benefits.approve(await benefits.prepare_unemployment(jobless, "2025-12-03", carried_months=0))
    with refused(Refused, "BENEFIT_ALREADY_RUNNING"):
        await counter.call(
            "PrepareDisabilityAllowance", person_id=jobless, claim_date=day("2026-01-10"), capacity_lost=True
        )
    assert drawn.benefit is not None

    await pay(database, benefits)
    enlisted: dict[str, Any] = {
        "benefit_id": ids.to_text("ben", drawn.benefit.benefit_id),
        "reason": model.BENEFIT_END_REASON_ENLISTED,
        "last_month": month("2026-03"),
        "document": DOCUMENT,
    }
    await counter.ended(**enlisted)
    overpaid = await owner_fetch(database, "SELECT reason, count(*) AS n FROM overpayment GROUP BY reason")
    assert {row["reason"]: row["n"] for row in overpaid} == {"ENLISTED": 4}
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_pensions_that_might_be_stand_side_by_side(enrollment: Enrollment, counter: Counter) -> None:
    person_id = await enrollment.person("1970-01-01")
    await enrollment.hired(person_id, "1995-01")
    await enrollment.paid(person_id, "1998-01", "2026-06")
    await enrollment.credited(person_id, 2025, "120000.00", "120000.00")
    plans = [
        pb.Scenario(employee=pb.EmployeePlan()),
        pb.Scenario(employee=pb.EmployeePlan(retirement_month=month("2032-01"), future_base=yuan("12000.00"))),
        pb.Scenario(employee=pb.EmployeePlan(retirement_month=month("2029-01"))),
        pb.Scenario(resident=pb.ResidentPlan(balance=yuan("9000.00"), full_years=15)),
    ]

    citizen = a_principal(person_id=person_id)
    made = await counter.call("ComparePensions", citizen, person_id=person_id, scenarios=plans)

    statutory, later, too_early, resident = made.results
    assert statutory.first_month == month("2031-06")
    assert later.statement.total.fen - statutory.statement.total.fen == later.difference.fen > 0
    assert later.assumed_months > statutory.assumed_months > 0
    assert (too_early.refusal_reason, too_early.HasField("statement")) == ("TOO_EARLY", False)
    assert resident.refusal_reason == "NO_PARTICIPATION"
    assert "不是核定" in made.notice_zh
    official = await enrollment.person("1966-03-12")
    await enrollment.hired(official, "2014-10", schemes=GOVERNMENT)
    await enrollment.paid(official, "2011-08", "2026-06", "9000", schemes=GOVERNMENT)
    post: dict[str, Any] = {"joined_date": day("2014-10-08"), "balance": yuan("80000.00")}
    posts = await counter.call(
        "ComparePensions",
        person_id=official,
        scenarios=[
            pb.Scenario(government=pb.GovernmentPlan(retirement_date=day(when), **post))
            for when in ("2026-07-31", "2027-07-31")
        ],
    )
    assert [one.assumed_months for one in posts.results] == [1, 13]
    assert posts.results[1].difference.fen > 0
    resident_of = await enrollment.person("1960-02-10")
    await enrollment.hired(resident_of, "2014-10", schemes=RESIDENT)
    years = await counter.call(
        "ComparePensions",
        person_id=resident_of,
        scenarios=[
            pb.Scenario(resident=pb.ResidentPlan(balance=yuan("20850.00"), full_years=full)) for full in (15, 20, 14)
        ],
    )
    assert [one.difference.fen for one in years.results] == [0, 12_65, 0]  # 253 × 1 % × 5
    assert years.results[2].refusal_reason == "CONTRIBUTION_SHORT"
    with refused(InvalidInput, "SCENARIOS_INVALID"):
        await counter.call("ComparePensions", citizen, person_id=person_id, scenarios=plans[:1])
    with refused(NotFound, "PERSON_NOT_FOUND"):
        stranger = a_principal(person_id=ids.new_id())
        await counter.call("ComparePensions", stranger, person_id=person_id, scenarios=plans)


async def test_what_was_revoked_after_payment_is_overpaid_and_determined_anew(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    jobless = await enrollment.unemployed(last="2026-03")
    wrong = await benefits.approve(await benefits.prepare_unemployment(jobless, "2026-04-03"))  # from May
    hurt = await worker(enrollment, base="6000.00")
    injury: dict[str, Any] = {"event_date": day("2025-03-10"), "appraisal_date": day("2025-08-20")}
    (grant,) = await counter.determined("PrepareInjury", person_id=hurt, grade=8, **injury)
    first = await benefits.payroll("2026-07")
    await benefits.approve_payroll(first)
    for row in await owner_fetch(database, "SELECT payment_id FROM payment"):
        await benefits.answer(row["payment_id"])
    assert (await state(database, grant))[:2] == ("ENDED", "EXHAUSTED")
    assert wrong.benefit is not None

    for benefit_id, last in (
        (ids.to_text("ben", wrong.benefit.benefit_id), "2026-05"),
        (grant.benefit_id, "2026-06"),
    ):
        await counter.ended(
            benefit_id=benefit_id,
            reason=model.BENEFIT_END_REASON_REVOKED,
            last_month=month(last),
            document=DOCUMENT,
        )
    overpaid = await owner_fetch(database, "SELECT month, reason FROM overpayment ORDER BY month")
    assert [(str(row["month"]), row["reason"]) for row in overpaid] == [
        ("2026-06-01", "REVOKED"),
        ("2026-07-01", "REVOKED"),
        ("2026-07-01", "REVOKED"),
    ]
    right = await benefits.approve(await benefits.prepare_unemployment(jobless, "2026-04-03"))
    (better,) = await counter.determined("PrepareInjury", person_id=hurt, grade=7, **injury)
    assert (str(right.determination.first_month), right.determination.share) == ("2026-06", "~2")  # May stands
    assert amounts([better]) == ["78000.00"]

    again = await pay(database, benefits)
    rows = await owner_fetch(database, "SELECT kind, month, share FROM payment WHERE share LIKE '%~2' ORDER BY month")
    assert [str(row["month"]) for row in rows] == ["2026-06-01", "2026-07-01", "2026-07-01"]
    assert again["INJURY_GRANT"] == 66_000_00 + 78_000_00
    assert await violations(database.settings.database_owner_url, policy) == []


UNGUARD = """
    DROP INDEX benefit_one_pension; DROP INDEX benefit_one_funeral; DROP INDEX benefit_once;
    DROP INDEX benefit_one_running; DROP INDEX payment_once_per_person; DROP INDEX payment_once_per_benefit;
    ALTER TABLE benefit DROP CONSTRAINT benefit_one_off; ALTER TABLE benefit DROP CONSTRAINT benefit_runs_out
"""
SPOILS = {
    "two pensions": "UPDATE benefit SET kind = 'EMPLOYEE_PENSION'",
    "two funeral grants": "UPDATE benefit SET kind = 'SURVIVOR_FUNERAL'",
    "came twice": "UPDATE benefit SET kind = 'INJURY_DEATH_GRANT', share = ''",
    "draws pension and unemployment": """
        UPDATE payment SET month = '2026-01-01',
          kind = CASE kind WHEN 'INJURY_DEPENDANT' THEN 'UNEMPLOYMENT' ELSE 'RESIDENT_PENSION' END
    """,
    "the register knows none": "UPDATE person SET died_month = NULL",
    "more than one month": "UPDATE benefit SET kind = 'INJURY_FUNERAL' WHERE kind = 'INJURY_DEPENDANT'",
    "more than the own wage": "UPDATE calculation SET total_fen = total_fen * 10 WHERE kind = 'INJURY_DEPENDANT'",
    "an annuity pays": """
        WITH made AS (UPDATE calculation SET inputs = jsonb_build_object('balance', 1) WHERE kind = 'INJURY_DEPENDANT')
        UPDATE benefit SET kind = 'OCCUPATIONAL_ANNUITY', state = 'ENDED', end_reason = 'EXHAUSTED',
          last_month = first_month WHERE kind = 'INJURY_DEPENDANT'
    """,
    "no document": "UPDATE benefit SET state = 'ENDED', end_reason = 'REVOKED', last_month = first_month",
}


async def test_the_oracle_finds_what_is_wrong_with_kinds(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    killed = await worker(enrollment, base="6000.00")
    await dead(enrollment, killed, "2025-03-10")
    child = pb.WorkDependant(relation=pb.DEPENDANT_RELATION_OTHER, payee=payee())
    made = await counter.determined(
        "PrepareWorkDeath", person_id=killed, event_date=day("2025-03-10"), dependants=[child]
    )
    await pay(database, benefits)
    for one in made:
        proof = await recompute.prove(database.settings, one.benefit_id)
        assert (proof.difference, proof.checked) == (None, 1)

    connection = await asyncpg.connect(database.settings.database_owner_url)
    try:
        assert await kind_violations(connection) == []
        for sign, spoil in SPOILS.items():
            spoiling = connection.transaction()
            await spoiling.start()
            for statement in (*UNGUARD.split(";"), spoil):
                await connection.execute(statement)
            assert any(sign in found for found in await kind_violations(connection)), sign
            await spoiling.rollback()
    finally:
        await connection.close()
