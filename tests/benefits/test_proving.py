"""Every kind is proved again: by the law that was kept when it was decided, and by one that published values since."""

from __future__ import annotations

import json
import re
import shutil
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from chassis.policy import PolicyStore, open_policy
from chassis.policy_snapshot import restored
from hrss.benefits.v1 import determinations_service_pb2 as pb
from kernel import ids
from services.benefits import recompute
from services.benefits.adjusting import AmountsSource
from services.benefits.adjusting_commands import CreateAdjustment, CreateRecomputation
from services.benefits.lifecycle import Kind
from services.benefits.operations import adjusting, adjusting_whatif, law, proving
from services.benefits.operations.proving import Cause, Proof, Verdict
from services.benefits.policy import BenefitsPolicy
from services.benefits.service import build
from tests.benefits.builders import Benefits
from tests.benefits.conftest import POLICY_DIR, POLICY_LOCAL
from tests.benefits.kinds_requests import Counter, day, month, yuan
from tests.benefits.test_adjusting_kinds import city
from tests.benefits.test_adjusting_recompute import TODAY, approved, work
from tests.benefits.test_kinds import EXTRA, dead, worker
from tests.plugins.databases import owner_execute, owner_fetch
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from uuid import UUID

    from chassis.database import Database
    from tests.benefits.builders import Enrollment
    from tests.plugins.databases import NewDatabase

# What was provisional, and a tenth lower, when everything was decided; and which of it each kind rests on.
WAITED: Mapping[tuple[str, str], str | None] = {
    ("pension-employee.yaml", "calculation_base"): None,
    ("pension-government.yaml", "transition.ratio"): None,
    ("payout-months.yaml", "whole_year"): None,
    ("pension-resident.yaml", "base_pension.nantong.county"): None,
    ("retirement.yaml", "disability.resident_average"): "270.00",
    ("work-injury.yaml", "area_average_wage"): None,
    ("work-injury.yaml", "termination.medical"): None,
    ("work-injury.yaml", "death.dependants"): None,
    ("work-injury.yaml", "national_urban_income"): None,
    ("survivor.yaml", "annual_income.jiangsu"): None,
    ("pension-resident.yaml", "death.funeral_aid"): "1400.00",
    ("unemployment.yaml", "minimum_wage"): None,
}
RESTS_ON: Mapping[Kind, set[str]] = {  # a part of a table stands behind its key
    Kind.EMPLOYEE_PENSION: {"calculation_base"},
    Kind.GOVERNMENT_PENSION: {"transition.ratio", "calculation_base"},
    Kind.OCCUPATIONAL_ANNUITY: {"whole_year"},
    Kind.RESIDENT_PENSION: {"base_pension.nantong.county"},
    Kind.DISABILITY_ALLOWANCE: {"disability.resident_average", "calculation_base"},
    Kind.INJURY_GRANT: {"area_average_wage"},
    Kind.INJURY_ALLOWANCE: {"area_average_wage"},
    Kind.INJURY_NURSING: {"area_average_wage"},
    Kind.INJURY_MEDICAL_GRANT: {"termination.medical"},
    Kind.INJURY_FUNERAL: {"area_average_wage"},
    Kind.INJURY_DEATH_GRANT: {"national_urban_income"},
    Kind.INJURY_DEPENDANT: {"death.dependants"},
    Kind.SURVIVOR_FUNERAL: {"annual_income.jiangsu"},
    Kind.SURVIVOR_GRANT: {"annual_income.jiangsu"},
    Kind.RESIDENT_FUNERAL: {"death.funeral_aid"},
    Kind.UNEMPLOYMENT: {"minimum_wage"},
    Kind.UNEMPLOYMENT_LUMP_SUM: {"minimum_wage"},
    Kind.UNEMPLOYMENT_FUNERAL: {"annual_income.jiangsu"},
    Kind.UNEMPLOYMENT_GRANT: {"annual_income.jiangsu"},
}
RECOMPUTED = "SELECT DISTINCT benefit_id FROM benefit_amount WHERE cause = 'RECOMPUTED'"
_NUMBER = re.compile(r"\d+(\.\d+)?")


def lowered(value: Any) -> Any:
    """A value of law with every amount and rate in it a tenth lower."""
    match value:
        case str() if _NUMBER.fullmatch(value):
            exact = Decimal(value)
            return str((exact * Decimal("0.9")).quantize(exact))
        case list():
            return [lowered(one) for one in value]
        case dict():
            return {name: lowered(one) for name, one in value.items()}
        case _:
            return value


def waiting(folder: Path) -> Path:
    """The files of law as they were known then."""
    folder.mkdir()
    files, _ = restored(PolicyStore(POLICY_DIR).content)
    for (file, key), stand_in in WAITED.items():
        parameter = next(one for one in files[file]["parameters"] if one["key"] == key)
        if isinstance(years := parameter.get("years"), dict):
            parameter["years"] = [{"year": year, "value": value} for year, value in years.items()]
        for row in parameter.get("values") or parameter["years"]:
            if row["value"] is None and stand_in is None:
                continue
            row |= {"value": lowered(row["value"]) if stand_in is None else stand_in, "provisional": True}
    for file, content in files.items():
        (folder / file).write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, allow_unicode=True))
    shutil.copy(POLICY_DIR / "sources.yaml", folder)
    return folder


@pytest.fixture
async def database(new_database: NewDatabase, tmp_path: Path) -> Database:
    """A database of benefits that decide by the law of then."""
    return await new_database("benefits", policy_dir=waiting(tmp_path / "then"), policy_local=POLICY_LOCAL)


@pytest.fixture
def policy(database: Database) -> BenefitsPolicy:
    """The law of then."""
    return BenefitsPolicy(open_policy(database.settings.policy_dir, database.settings.policy_local))


@pytest.fixture
def today(tmp_path: Path) -> BenefitsPolicy:
    """The law of today: every value is published."""
    local = tmp_path / "local.yaml"
    local.write_text(POLICY_LOCAL.read_text() + EXTRA.removeprefix("\n"))
    return BenefitsPolicy(PolicyStore(POLICY_DIR, local))


async def pensions(enrollment: Enrollment, benefits: Benefits, counter: Counter) -> None:
    """Pensions in the statutory month, earlier, later and from special work; what an injury adds; two kinds of few."""
    retiring = await enrollment.about_to_retire()
    hurt = {"event_date": day("2025-03-10"), "appraisal_date": day("2025-08-20"), "average_base": yuan("30000.00")}
    _, allowance = await counter.determined("PrepareInjury", person_id=retiring, grade=1, **hurt)
    await counter.approve((await counter.call("PreparePension", person_id=retiring)).determination)
    await counter.determined("PrepareInjuryTopUp", benefit_id=allowance.benefit_id)
    for birth, when, special in (("1966-05-05", "2026-06", False), ("1965-09-05", "2026-07", False),
                                 ("1970-11-20", "2026-02", True)):  # fmt: skip
        person_id = await enrollment.person(birth)
        await enrollment.hired(person_id, "1995-01")
        await enrollment.paid(person_id, "1998-01", when)
        await enrollment.settled(person_id, when, provisional=False)
        asked: dict[str, Any] = {"person_id": person_id, "retirement_month": month(when), "special_work": special}
        asked |= {} if special else {"document": ""}
        await counter.approve((await counter.call("PreparePension", **asked)).determination)
    near = await enrollment.person("1968-01-01")
    await enrollment.hired(near, "2000-01")
    await enrollment.paid(near, "2000-01", "2025-05")
    await enrollment.credited(near, 2024, "90000.00", "90000.00")
    claim: dict[str, Any] = {"claim_date": day("2025-06-10"), "capacity_lost": True}
    await counter.determined("PrepareDisabilityAllowance", person_id=near, **claim)
    low = await worker(enrollment, base="1000.00")  # a tenth of the average counts as sixty hundredths of it
    await counter.determined("PrepareInjury", person_id=low, grade=10, event_date=day("2025-03-10"),
                             appraisal_date=day("2025-08-20"))  # fmt: skip
    mourned = await enrollment.unemployed(last="2025-12")
    await benefits.approve(await benefits.prepare_unemployment(mourned, "2026-01-06"))
    await dead(enrollment, mourned, "2026-07-02")
    died: dict[str, Any] = {"death_date": day("2026-07-02"), "from_unemployment": True}
    await counter.determined("PrepareSurvivors", person_id=mourned, **died)


async def adjusted(benefits: Benefits) -> None:
    """The annual adjustment of 2027, done."""
    command = CreateAdjustment(2027, AmountsSource.DEMO)
    run = await benefits.run(lambda tx: adjusting.create(tx, command, benefits.policy), today=TODAY)
    await benefits.run(lambda tx: adjusting.dry_run(tx, run.adjustment_id), today=TODAY)
    await work(benefits, benefits.policy, size=50)
    await approved(benefits, run)
    await work(benefits, benefits.policy, size=50)


async def proofs(benefits: Benefits, by: BenefitsPolicy) -> list[tuple[Kind, UUID, Proof]]:
    """Every benefit, proved."""

    async def all_(tx: Any) -> list[tuple[Kind, UUID, Proof]]:
        known = await tx.fetch("SELECT benefit_id, kind FROM benefit ORDER BY benefit_id")
        return [(Kind(one["kind"]), one["benefit_id"], await proving.prove(tx, one["benefit_id"], by)) for one in known]

    found: list[tuple[Kind, UUID, Proof]] = await benefits.run(all_)
    return found


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_every_kind_is_proved_by_the_law_of_then_and_by_that_of_today(
    database: Database, enrollment: Enrollment, policy: BenefitsPolicy, today: BenefitsPolicy
) -> None:
    benefits = Benefits(database, policy)
    service = build(database.settings)
    for action in service.on_start:
        await action(database)
        await action(database)  # a second start keeps nothing twice
    async with serve(service, database=database) as running:
        counter = Counter(running)
        await city(enrollment, benefits, policy, counter)
        await pensions(enrollment, benefits, counter)
        await adjusted(benefits)

        # By the law that decided: nothing to say, over the wire too.
        for kind, _, proof in await proofs(benefits, policy):
            assert (proof.as_decided.verdict, proof.today.verdict) == (Verdict.EQUAL, Verdict.EQUAL), (kind, proof)
            assert proof.as_decided.release == proof.release != ""
        (_, benefit_id, _) = (await proofs(benefits, policy))[0]
        told = await counter.call("RecomputeBenefit", benefit_id=ids.to_text("ben", benefit_id))
        assert told.as_decided.verdict == told.today.verdict == pb.RECOMPUTATION_VERDICT_EQUAL
        assert told.equal

    # Everything was published since: the record stands, and what would change is named with its parameter.
    published = await proofs(benefits, today)
    assert {kind for kind, *_ in published} == set(Kind)
    for kind, _, proof in published:
        assert proof.as_decided.verdict is Verdict.EQUAL, (kind, proof)
        assert proof.today.cause is Cause.PUBLISHED, (kind, proof)
        named = [one.key for one in proof.today.changed if one.was_provisional and one.old != one.new and one.new]
        assert any(key.startswith(tuple(RESTS_ON[kind])) for key in named), (kind, proof)
        assert recompute.exit_code(proof) == 0
    assert json.dumps(recompute.said(published[0][2]))

    # After a recomputation nothing is left to say; each amount is proved by the law that it was made by.
    await law.keeper(today)(database)
    run = await benefits.run(lambda tx: adjusting_whatif.recompute(tx, CreateRecomputation(), today), today=TODAY)
    await work(benefits, today, size=50)
    await approved(benefits, run)
    await work(benefits, today, size=50)
    again = {row["benefit_id"] for row in await owner_fetch(database, RECOMPUTED)}
    follow = {kind for kind, benefit_id, _ in published if benefit_id in again}
    assert follow >= {Kind.EMPLOYEE_PENSION, Kind.GOVERNMENT_PENSION, Kind.DISABILITY_ALLOWANCE}
    for kind, benefit_id, proof in await proofs(benefits, today):
        assert proof.as_decided.verdict is Verdict.EQUAL, (kind, proof)
        # What no statement calls provisional is not computed again by itself; that it would differ is still said.
        expected = Verdict.EQUAL if benefit_id in again else Verdict.DIFFERS
        assert proof.today.verdict is expected, (kind, proof)

    # A line that somebody changed is named, whatever the law says, with the release that is said to have made it.
    await owner_execute(database, """
        UPDATE calculation SET statement = jsonb_set(statement, '{lines,0,amount_fen}', '1')
        WHERE statement IS NOT NULL;
        UPDATE calculation SET total_fen = total_fen + 1 WHERE statement IS NULL
    """)  # fmt: skip
    for kind, _, proof in await proofs(benefits, today):
        assert proof.as_decided.difference is not None, kind
        assert (proof.as_decided.verdict, recompute.exit_code(proof)) == (Verdict.DIFFERS, 1)
        assert proof.as_decided.difference.path == "lines[0].amount_fen"
        assert proof.as_decided.release == proof.release
        assert proof.today.cause in {Cause.NOT_SEPARATED, None}
