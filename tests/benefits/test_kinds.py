"""Every kind over the wire: from the preparation to the payroll, with the fen of the worked examples.

The figures are those of published awards, official answers and statutory examples; the ids name them
(`hrss policy check` runs the same ones through the law alone).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chassis.policy import open_policy
from hrss.benefits.v1 import determinations_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel.calendar import Month
from services.benefits.calculation import retirement_of
from services.benefits.domain.retirement import Track
from services.benefits.policy import BenefitsPolicy
from services.benefits.service import build
from tests.benefits.builders import Benefits, Enrollment
from tests.benefits.conftest import POLICY_DIR, POLICY_LOCAL
from tests.benefits.kinds_requests import Counter, amounts, day, month, payee, per, yuan
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import serve
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from chassis.database import Database
    from tests.plugins.databases import NewDatabase

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
    for name, first, last, died, drawn, wanted in (
        ("WE-051", "1988-01", "2002-12", "2023-05-05", 240, ["10030.00", "45135.00"]),
        ("WE-053", "1993-01", "2024-12", "2025-05-05", None, ["11028.00", "132336.00"]),
    ):
        person_id = await enrollment.person("1965-01-01")
        await enrollment.paid(person_id, first, last)
        await dead(enrollment, person_id, died)
        drawn_months = {} if drawn is None else {"drawn_months": drawn}
        await example(name, wanted, "PrepareSurvivors", person_id, death_date=day(died), **drawn_months)

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
