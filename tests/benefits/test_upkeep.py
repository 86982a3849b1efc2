"""The daily jobs: residents' amounts, pensions in the place of allowances, reminders; each finds nothing twice."""

from __future__ import annotations

import contextlib
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis.policy import open_policy
from chassis.worker import Worker
from hrss.benefits.v1 import benefits_pb2 as model
from hrss.benefits.v1 import upkeep_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound
from services.benefits.operations import upkeep, upkeep_reminders, upkeep_residents
from services.benefits.policy import BenefitsPolicy
from services.benefits.service import build
from services.benefits.store import upkeep as store
from tests.benefits.builders import CLERK, TODAY, refused
from tests.benefits.conftest import POLICY_DIR, POLICY_LOCAL
from tests.benefits.keeping import a_pensioner
from tests.benefits.kinds_requests import Counter, day, month, payee, yuan
from tests.benefits.test_adjusting import Killed, lease_over
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal, serve
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from chassis.database import Database
    from tests.benefits.builders import Benefits, Enrollment
    from tests.benefits.keeping import Keeping
    from tests.plugins.databases import NewDatabase

RESIDENT = (register.SCHEME_RESIDENT_PENSION,)
PENSION = (register.SCHEME_EMPLOYEE_PENSION,)
ADAPTER = a_principal(["PARTNER"], subject="messages", scopes=["reminders.send"])
ENTRY = """
  - id: TEST-{name}
    file: pension-resident.yaml
    key: {key}
    from: {first}
    to: null
    value: "{value}"
    confidence: assumed
    reason: test
    reviewers: [one, two]
    decided: 2026-01-01
"""


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A bureau that knows the base pension of the city since 2021, and the tilt."""
    path = tmp_path / "local.yaml"
    city = ENTRY.format(name="CITY", key="base_pension.nantong.city", first="2021-01-01", value="300.00")
    tilt = ENTRY.format(name="TILT", key="age_tilt.amount", first="2014-02-21", value="20.00")
    path.write_text(POLICY_LOCAL.read_text() + (city + tilt).replace("\n\n", "\n").removeprefix("\n"))
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


async def run(
    database: Database, policy: BenefitsPolicy, counter: Counter, task: pb.UpkeepTask.ValueType
) -> pb.GetUpkeepJobResponse:
    """A daily job, to its end."""
    job = (await counter.call("StartUpkeep", task=task)).job
    worker = Worker(database, upkeep.job_kinds(policy))
    while await worker.run_one():
        pass
    shown: pb.GetUpkeepJobResponse = await counter.call("GetUpkeepJob", job_id=job.job_id)
    return shown


async def test_a_resident_of_65_gets_the_tilt_with_back_pay(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    drawn = []
    for birth, division, balance in (
        ("1961-05-20", "320613", "20850.00"),  # 65 in 2026-05: the tilt from 2026-06 on
        ("1961-07-01", "320613", "20850.00"),  # from 2026-08 on
        ("1960-02-10", "320682", "9876.54"),  # nobody knows the base pension of the counties since 2021
    ):
        person_id = await enrollment.person(birth)
        await enrollment.hired(person_id, "2014-10", schemes=RESIDENT, division=division)
        drawn += await counter.determined(
            "PrepareResidentPension", person_id=person_id, balance=yuan(balance), full_years=15
        )
    tilted = drawn[0]
    await benefits.approve_payroll(await benefits.payroll("2026-07"))

    done = await run(database, policy, counter, pb.UPKEEP_TASK_RESIDENT_AMOUNTS)
    assert (done.job.done_count, done.job.rejected_count) == (1, 1)
    assert [(one.code, "base_pension.nantong.county 2021-01-01" in one.text_en) for one in done.rejects] == [
        ("POLICY_PARAMETER_MISSING", True)
    ]
    rows = await owner_fetch(
        database,
        "SELECT to_char(from_month, 'YYYY-MM') AS month, amount_fen, cause FROM benefit_amount WHERE benefit_id = $1"
        " ORDER BY number",
        ids.parse("ben", tilted.benefit_id),
    )
    assert [tuple(row) for row in rows] == [("2021-06", 450_00, "DETERMINED"), ("2026-06", 470_00, "RECOMPUTED")]
    (owed,) = await owner_fetch(database, "SELECT amount_fen, first_month, last_month FROM difference")
    assert (owed["amount_fen"], str(owed["first_month"]), str(owed["last_month"])) == (
        40_00,
        "2026-06-01",
        "2026-07-01",
    )
    said = await owner_fetch(database, "SELECT count(*) AS n FROM outbox WHERE subject LIKE '%.BenefitsAdjusted'")
    assert said[0]["n"] == 1

    again = await run(database, policy, counter, pb.UPKEEP_TASK_RESIDENT_AMOUNTS)
    assert again.job.done_count == 0
    supplement = await benefits.payroll("2026-07")
    assert (supplement.sequence, supplement.total.fen) == (2, 40_00)
    assert (await counter.call("RecomputeBenefit", benefit_id=tilted.benefit_id)).equal
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_an_allowance_becomes_a_pension_by_two_persons(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    ill = await enrollment.person()
    await enrollment.hired(ill, "1998-08", schemes=PENSION)
    await enrollment.paid(ill, "1998-08", "2025-05", schemes=PENSION)
    await enrollment.credited(ill, 2024, "90000.00", "90000.00")
    (allowance,) = await counter.determined(
        "PrepareDisabilityAllowance", person_id=ill, claim_date=day("2025-06-10"), capacity_lost=True
    )
    assert allowance.last_month == month("2026-07")
    early = Counter(counter.running, date(2026, 6, 30), counter.numbers)
    assert (await run(database, policy, early, pb.UPKEEP_TASK_ALLOWANCES_TO_PENSIONS)).job.total_count == 0

    waits = await run(database, policy, counter, pb.UPKEEP_TASK_ALLOWANCES_TO_PENSIONS)
    assert [one.code for one in waits.rejects] == ["ACCOUNT_NOT_SETTLED"]
    await enrollment.settled(ill, balance="91000.00")
    for count in (1, 0):  # the second run finds the determination that waits
        done = await run(database, policy, counter, pb.UPKEEP_TASK_ALLOWANCES_TO_PENSIONS)
        assert (done.job.done_count, done.job.rejected_count) == (count, 0)
    (row,) = await owner_fetch(
        database, "SELECT determination_id, maker FROM determination WHERE kind = 'EMPLOYEE_PENSION'"
    )
    assert row["maker"] == CLERK.acting_person
    shown = (
        await counter.call("GetDetermination", determination_id=ids.to_text("det", row["determination_id"]))
    ).determination
    with refused(Forbidden, "SAME_PERSON"):
        await counter.call(
            "ApproveDetermination",
            a_principal(["SUPERVISOR"], subject="idp|clerk-1", purpose="review"),
            determination_id=shown.determination_id,
            statement_digest=shown.statement_digest,
        )
    pension = (await counter.approve(shown)).benefit
    assert (pension.kind, pension.first_month) == (model.BENEFIT_KIND_EMPLOYEE_PENSION, month("2026-08"))
    await benefits.payroll("2026-07")
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_a_due_day_has_one_reminder(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    kept: Keeping = await a_pensioner(benefits, enrollment)
    other = await a_pensioner(benefits, enrollment)
    assert (await run(database, policy, counter, pb.UPKEEP_TASK_REMINDERS)).job.total_count == 0
    near = Counter(counter.running, date(2027, 8, 10), counter.numbers)  # due on 2027-08-31
    for count in (2, 0):
        assert (await run(database, policy, near, pb.UPKEEP_TASK_REMINDERS)).job.done_count == count
    await other.certify(date(2027, 8, 11))
    near.today = date(2027, 8, 12)
    (one,) = (await near.call("ListCertificationReminders", ADAPTER)).reminders  # the other has certified since
    assert (one.person_id, one.due_date) == (ids.to_text("per", kept.person_id), day("2027-08-31"))
    assert "2027 年 8 月 31 日" in one.text_zh
    for count in (1, 0):
        sent = await near.call("RecordReminders", ADAPTER, reminder_ids=[one.reminder_id], simulated=True)
        assert sent.recorded_count == count
    assert not (await near.call("ListCertificationReminders", ADAPTER)).reminders
    with refused(InvalidInput, "VALUE_REQUIRED"):
        await near.call("RecordReminders", ADAPTER, reminder_ids=[])
    with refused(InvalidInput, "VALUE_REQUIRED"):
        await counter.call("StartUpkeep")
    with refused(NotFound, "JOB_NOT_FOUND"):
        payroll = await benefits.start_payroll("2026-07", today=TODAY)
        await counter.call("GetUpkeepJob", job_id=ids.to_text("job", payroll.job_id))


async def test_a_job_that_is_killed_goes_on_and_does_nothing_twice(
    database: Database,
    enrollment: Enrollment,
    benefits: Benefits,
    policy: BenefitsPolicy,
    counter: Counter,
    *,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3):
        person_id = await enrollment.person(f"1961-05-{number + 10}")
        await enrollment.hired(person_id, "2014-10", schemes=RESIDENT, division="320613")
        values = {"balance": yuan("20850.00"), "full_years": 15, "payee": payee(f"622202100111222333{number}")}
        await counter.determined("PrepareResidentPension", person_id=person_id, **values)
    await benefits.approve_payroll(await benefits.payroll("2026-07"))
    calls: list[str] = []

    def dying(name: str) -> None:
        done = getattr(store, name)

        async def dies(*args: Any, **named: Any) -> Any:
            calls.append(name)
            result = await done(*args, **named)
            if calls.count(name) == 2:  # everything of the second chunk is written and nothing committed
                raise Killed
            return result

        monkeypatch.setattr(store, name, dies)

    dying("write_amounts")
    dying("add_reminders")
    near = Counter(counter.running, date(2027, 7, 10), counter.numbers)  # approved in July 2026: due in July 2027
    await counter.call("StartUpkeep", task=pb.UPKEEP_TASK_RESIDENT_AMOUNTS)
    await near.call("StartUpkeep", task=pb.UPKEEP_TASK_REMINDERS)
    worker = Worker(database, [upkeep_residents.job(policy, size=1), upkeep_reminders.job(policy, size=1)])
    for _ in range(3):
        with contextlib.suppress(Killed):
            while await worker.run_one():
                pass
        await lease_over(database)
    assert (calls.count("write_amounts"), calls.count("add_reminders")) == (4, 4)
    for query, expected in (
        ("SELECT count(*) AS n FROM benefit_amount WHERE cause = 'RECOMPUTED'", 3),
        ("SELECT sum(amount_fen) / 4000 AS n FROM difference", 3),
        ("SELECT count(*) AS n FROM reminder", 3),
    ):
        assert [row["n"] for row in await owner_fetch(database, query)] == [expected]
