"""Changes of many amounts at the edge: the steps by RPC, what is shown, what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from chassis.service import Service
from chassis.worker import Worker
from hrss.benefits.v1 import adjusting_service_pb2 as pb
from hrss.benefits.v1 import benefits_pb2 as model
from hrss.type.v1 import calendar_pb2, job_pb2, money_pb2
from kernel import ids
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from ops.seed import benefits as seed
from services.benefits.operations import adjusting_annual, adjusting_recompute
from services.benefits.rpc.adjusting import AdjustingRpc
from tests.benefits.builders import TODAY, Benefits
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal, serve

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.principal import Principal

CLERK = a_principal(["CLERK"], subject="idp|clerk-1", purpose="adjustment")
SUPERVISOR = a_principal(["SUPERVISOR"], subject="idp|supervisor", purpose="review", acr=3)
OTHER = a_principal(["CLERK"], subject="idp|clerk-2", purpose="review", acr=3)


def money(fen: int) -> money_pb2.Money:
    return money_pb2.Money(fen=fen)


def rate(text: str) -> money_pb2.Rate:
    return money_pb2.Rate(decimal=text)


@dataclass
class Edge:
    """Calls by name; every request has an id of its own."""

    running: Any
    database: Database
    jobs: list[Any]
    count: int = 0

    async def call(self, name: str, who: Principal = CLERK, **fields: Any) -> Any:
        """One call."""
        request = getattr(pb, f"{name}Request")(**fields)
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            self.count += 1
            request.request_id = f"request-{self.count}"
        return await self.running.call(name, request, who, today=TODAY)

    async def work(self) -> None:
        """Let every job run to its end."""
        worker = Worker(self.database, self.jobs)
        while await worker.run_one():
            pass


async def test_a_notice_is_written_down_approved_run_shown_and_reversed(database: Database, benefits: Benefits) -> None:
    async with database.connection() as connection:
        await seed.write(connection, 40, 3, policy=benefits.policy, variety=20)
    await benefits.approve_payroll(await benefits.payroll("2026-02"))
    kinds = [*adjusting_annual.job_kinds(), *adjusting_recompute.job_kinds(benefits.policy)]
    service = Service(settings=database.settings, servicers=[AdjustingRpc(benefits.policy)], jobs=kinds)
    async with serve(service, database=database) as running:
        edge = Edge(running, database, kinds)
        run = await approved_and_run(edge)
        await shows_amounts(edge, database)
        await reversed_by_two(edge, run)
        await what_is_wrong(edge)
        what_if = await edge.call(
            "CreateWhatIf",
            change=pb.ParameterChange(
                file="pension-employee.yaml",
                key="basic_rate_per_year",
                from_date=calendar_pb2.Date(year=1998, month=1, day=1),
                value="0.011",
            ),
            sample_size=5,
        )
        await edge.work()
        seen = (await edge.call("GetAdjustment", adjustment_id=what_if.adjustment.adjustment_id)).adjustment
        assert (seen.change.value, seen.impact.person_count) == ("0.011", 5)
        assert seen.impact.monthly.fen > 0
        assert seen.impact.samples[0].HasField("statement_before")
        listed = (await edge.call("ListAdjustments", purpose=pb.ADJUSTMENT_PURPOSE_WHAT_IF)).adjustments
        assert [one.adjustment_id for one in listed] == [seen.adjustment_id]
        assert not listed[0].HasField("impact")


async def approved_and_run(edge: Edge) -> pb.Adjustment:
    made = await edge.call(
        "CreateAdjustment",
        year=2026,
        source=pb.ADJUSTMENT_SOURCE_NOTICE,
        notice_no="苏人社发〔2026〕1号",
        kinds=[model.BENEFIT_KIND_EMPLOYEE_PENSION],
        amounts=pb.AdjustmentAmounts(
            flat=money(3000),
            per_year=[
                pb.AdjustmentYearBand(upto_years=15, amount=rate("1")),
                pb.AdjustmentYearBand(amount=rate("1.5")),
            ],
            percent=rate("0.008"),
            tilt=[pb.AdjustmentAgeBand(age_from=70, amount=money(3000))],
            increase_minimum=money(8000),
        ),
    )
    run_id = made.adjustment.adjustment_id
    await edge.call("DryRunAdjustment", adjustment_id=run_id)
    await edge.work()
    looked = (await edge.call("GetAdjustment", adjustment_id=run_id)).adjustment
    assert looked.job.state == job_pb2.JOB_STATE_DONE
    assert looked.impact.person_count == 40
    assert looked.impact.least.fen >= 8000
    assert looked.impact.back_pay.fen == 2 * looked.impact.monthly.fen
    sample = looked.impact.samples[0]
    assert sum(line.amount.fen for line in sample.statement_after.lines) == sample.after.fen
    assert sample.statement_after.lines[0].code == "pension"
    assert (looked.is_demonstration, list(looked.sources)) == (False, ["苏人社发〔2026〕1号"])
    with pytest.raises(Refused) as changed:
        await edge.call("ApproveAdjustment", SUPERVISOR, adjustment_id=run_id, digest="0" * 64)
    assert changed.value.metadata["digest"] == looked.digest
    await edge.call("ApproveAdjustment", SUPERVISOR, adjustment_id=run_id, digest=looked.digest)
    await edge.call("StartAdjustment", adjustment_id=run_id)
    await edge.work()
    done: pb.Adjustment = (await edge.call("GetAdjustment", adjustment_id=run_id)).adjustment
    assert (done.state, done.result) == (pb.ADJUSTMENT_STATE_DONE, looked.impact)
    return done


async def shows_amounts(edge: Edge, database: Database) -> None:
    row = (
        await owner_fetch(
            database, "SELECT benefit_id, person_id, monthly_fen FROM benefit WHERE kind <> 'UNEMPLOYMENT'"
        )
    )[0]
    benefit_id = ids.to_text("ben", row["benefit_id"])
    citizen = a_principal(["CITIZEN"], person_id=row["person_id"])

    amounts = (await edge.call("ListBenefitAmounts", citizen, benefit_id=benefit_id)).amounts

    assert [one.cause for one in amounts] == [model.AMOUNT_CAUSE_DETERMINED, model.AMOUNT_CAUSE_ADJUSTED]
    assert [one.in_force for one in amounts] == [False, True]
    for one in amounts:
        assert sum(line.amount.fen for line in one.statement.lines) == one.amount.fen
    assert amounts[1].statement.lines[0].amount == amounts[0].amount
    assert amounts[1].amount.fen == row["monthly_fen"]
    with pytest.raises(NotFound):
        await edge.call("ListBenefitAmounts", a_principal(["CITIZEN"], person_id=ids.new_id()), benefit_id=benefit_id)


async def reversed_by_two(edge: Edge, run: pb.Adjustment) -> None:
    fields = {"adjustment_id": run.adjustment_id, "digest": run.digest, "reason": "文件有误"}
    asked = (await edge.call("ReverseAdjustment", OTHER, **fields)).adjustment
    assert (asked.state, asked.reversal_reason) == (pb.ADJUSTMENT_STATE_DONE, "文件有误")
    begun = (await edge.call("ReverseAdjustment", SUPERVISOR, **fields)).adjustment
    assert begun.state == pb.ADJUSTMENT_STATE_REVERSING
    await edge.work()
    reply = await edge.call("ListAdjustmentOverpayments", adjustment_id=run.adjustment_id, page_size=30)
    assert reply.overpayments == []  # nothing was paid by the new amounts yet


async def what_is_wrong(edge: Edge) -> None:
    demo: dict[str, Any] = {"year": 2026, "source": pb.ADJUSTMENT_SOURCE_DEMO}
    first = await edge.call("CreateAdjustment", **demo)
    with pytest.raises(AlreadyExists):
        await edge.call("CreateAdjustment", **demo)
    await edge.call("DiscardAdjustment", adjustment_id=first.adjustment.adjustment_id)
    for fields, reason in (
        ({"year": 2026}, "ADJUSTMENT_SOURCE_REQUIRED"),
        ({"year": 1800, "source": pb.ADJUSTMENT_SOURCE_DEMO}, "ADJUSTMENT_YEAR_INVALID"),
        ({**demo, "kinds": [model.BENEFIT_KIND_INJURY_GRANT]}, "ADJUSTMENT_KIND_INVALID"),
        ({**demo, "kinds": [model.BENEFIT_KIND_UNSPECIFIED]}, "VALUE_REQUIRED"),
        ({**demo, "amounts": pb.AdjustmentAmounts(flat=money(-1))}, "ADJUSTMENT_AMOUNT_NEGATIVE"),
        ({**demo, "amounts": pb.AdjustmentAmounts(percent=rate("two"))}, "ADJUSTMENT_AMOUNT_ABSURD"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await edge.call("CreateAdjustment", **fields)
        assert refused.value.reason == reason
    benefit = (await owner_fetch(edge.database, "SELECT benefit_id FROM benefit WHERE NOT provisional"))[0]
    with pytest.raises(Refused) as final:
        await edge.call("CreateRecomputation", benefit_id=ids.to_text("ben", benefit["benefit_id"]))
    assert final.value.reason == "BENEFIT_NOT_PROVISIONAL"
