"""What followed later over the wire: extension and one sum of an unemployment benefit, its deaths, early retirement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hrss.benefits.v1 import benefits_pb2 as model
from hrss.enrollment.v1 import enrollment_pb2 as heard_pb
from kernel.errors import Refused
from tests.benefits.builders import refused
from tests.benefits.kinds_requests import amounts, day, month
from tests.benefits.test_kinds import counter, database, dead, local, pay, policy, state
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy
    from tests.benefits.builders import Benefits, Enrollment
    from tests.benefits.kinds_requests import Counter

__all__ = ["counter", "database", "local", "policy"]  # fixtures


async def test_what_follows_an_unemployment_benefit(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    # A claim that is over four months before the statutory age (2026-10) goes on to it.
    near = await enrollment.person("1966-05-20")
    parts = await enrollment.hired(near, "2024-04")
    await enrollment.paid(near, "2024-04", "2025-05", "6000")
    await enrollment.left(near, parts, "2025-05", heard_pb.END_REASON_DISMISSED)
    with refused(Refused, "NO_UNEMPLOYMENT_BENEFIT"):
        await counter.call("PrepareUnemploymentExtension", person_id=near)
    with refused(Refused, "POLICY_PARAMETER_MISSING"):  # what the fund would pay for the claimant is not known
        await benefits.prepare_unemployment(near, "2025-06-05", premium_filed=True)
    claim = (await benefits.approve(await benefits.prepare_unemployment(near, "2025-06-05"))).benefit
    assert claim is not None
    assert str(claim.last_month) == "2026-06"
    (extended,) = await counter.determined("PrepareUnemploymentExtension", person_id=near)
    assert (extended.first_month, extended.last_month) == (month("2026-07"), month("2026-10"))
    assert amounts([extended]) == ["2660.00"]  # 45 % of 6000 is more than the cap of 2026
    with refused(Refused, "BENEFIT_ALREADY_RUNNING"):
        await counter.call("PrepareUnemploymentExtension", person_id=near)
    with refused(Refused, "NO_UNEMPLOYMENT_BENEFIT"):  # an extension is no entitlement that could be drawn at once
        await counter.call("PrepareUnemploymentLumpSum", person_id=near)

    # Who starts a business draws the months that stand in no payroll at once; the claim ends before them.
    founder = await enrollment.unemployed(last="2026-03")
    with refused(Refused, "PREMIUM_NOT_NEAR"):
        await benefits.prepare_unemployment(founder, "2026-04-03", premium_filed=True)
    drawn = (await benefits.approve(await benefits.prepare_unemployment(founder, "2026-04-03"))).benefit
    assert drawn is not None
    early = (await counter.call("PrepareUnemploymentLumpSum", person_id=founder)).determinations[0]
    with refused(Refused, "EXTENSION_NOT_DUE"):
        await counter.call("PrepareUnemploymentExtension", person_id=founder)
    await pay(database, benefits)
    with refused(Refused, "STATEMENT_CHANGED"):  # months of it were paid meanwhile
        await counter.approve(early)
    (lump,) = await counter.determined("PrepareUnemploymentLumpSum", person_id=founder)
    assert amounts([lump]) == ["55860.00"]  # 21 months from 2026-08 to 2028-04
    (row,) = await owner_fetch(
        database, "SELECT end_reason, last_month FROM benefit WHERE benefit_id = $1", drawn.benefit_id
    )
    assert (row["end_reason"], str(row["last_month"])) == ("EXHAUSTED", "2026-07-01")
    assert (await pay(database, benefits))["UNEMPLOYMENT_LUMP_SUM"] == 55_860_00
    assert (await state(database, extended))[0] == "ACTIVE"

    assert await violations(database.settings.database_owner_url, policy) == []


async def test_who_dies_while_drawing_unemployment_benefit(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    # Who dies while drawing leaves what an employee leaves, from the fund of unemployment, and only once.
    mourned = await enrollment.unemployed(last="2025-12")
    with refused(Refused, "DEATH_NOT_KNOWN"):
        await counter.call("PrepareSurvivors", person_id=mourned, death_date=day("2026-07-02"), from_unemployment=True)
    await benefits.approve(await benefits.prepare_unemployment(mourned, "2026-01-06"))
    await dead(enrollment, mourned, "2026-07-02")
    grants = await counter.determined(
        "PrepareSurvivors", person_id=mourned, death_date=day("2026-07-02"), from_unemployment=True
    )
    assert [(one.kind, one.monthly.fen) for one in grants] == [
        (model.BENEFIT_KIND_UNEMPLOYMENT_FUNERAL, 2 * 5746_00),
        (model.BENEFIT_KIND_UNEMPLOYMENT_GRANT, 9 * 5746_00),  # twelve years
    ]
    for without, reason in (
        (False, "FUNERAL_ALREADY_DETERMINED"),
        (True, "BENEFIT_ALREADY_DETERMINED"),
    ):
        with refused(Refused, reason):
            await counter.call(
                "PrepareSurvivors", person_id=mourned, death_date=day("2026-07-02"), without_funeral=without
            )
    employed = await enrollment.person("1980-01-01")
    await enrollment.hired(employed, "2010-01")
    await enrollment.paid(employed, "2010-01", "2020-12", "6000")
    await dead(enrollment, employed, "2026-07-02")
    with refused(Refused, "NOT_DRAWN_AT_DEATH"):
        await counter.call("PrepareSurvivors", person_id=employed, death_date=day("2026-07-02"), from_unemployment=True)

    sums = await pay(database, benefits)
    assert {"UNEMPLOYMENT", "UNEMPLOYMENT_FUNERAL", "UNEMPLOYMENT_GRANT"} == sums.keys()
    assert await violations(database.settings.database_owner_url, policy) == []
