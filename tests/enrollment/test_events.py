"""What enrolment hears over the real broker: facts of benefits, once and in order."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

from chassis import transaction
from chassis.inbox import ConsumerLoop
from chassis.outbox import Relay
from chassis.principal import Principal
from hrss.benefits.v1 import benefits_events_pb2 as benefit_events
from hrss.benefits.v1 import benefits_pb2
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import fact_pb2
from kernel import ids
from kernel.calendar import Month
from services.enrollment.events import CONSUMERS
from tests.chassis.conditions import until
from tests.enrollment.builders import month

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from chassis.database import Database
    from chassis.transaction import Transaction
    from tests.enrollment.conftest import Bureau
    from tests.plugins.databases import Nats, NewDatabase

TODAY = date(2025, 3, 28)


async def say(database: Database, facts: Sequence[Message]) -> None:
    """Announce facts in one transaction, as benefits would."""

    async def work(tx: Transaction) -> None:
        for fact in facts:
            tx.emit(fact)

    await transaction.run(database, work, principal=Principal.system("benefits"), today=TODAY)


async def test_a_life_of_a_pension_is_heard(bureau: Bureau, new_database: NewDatabase, nats: Nats) -> None:
    one = await bureau.enrolled(await bureau.employer())
    benefits = await new_database("benefits")
    header = fact_pb2.FactHeader(aggregate_id=ids.to_text("ben", ids.new_id()))
    (consumer,) = CONSUMERS
    await nats.provision(["benefits", "enrollment"], {"enrollment": CONSUMERS})
    relay = Relay(benefits, await nats.bus("benefits"))
    loop = ConsumerLoop(bureau.database, await nats.bus("enrollment"), consumer)
    stop = asyncio.Event()
    running = [asyncio.create_task(part.run(stop)) for part in (relay, loop)]
    try:
        await say(
            benefits,
            [
                benefit_events.BenefitStarted.Fact(
                    header=header,
                    person_id=one.person_id,
                    kind=benefits_pb2.BENEFIT_KIND_EMPLOYEE_PENSION,
                    retirement_month=month(Month(2025, 3)),
                )
            ],
        )
        await say(
            benefits,
            [
                benefit_events.PaymentConfirmed.Fact(header=header, person_id=one.person_id),
                benefit_events.BenefitEnded.Fact(header=header, person_id=one.person_id),
            ],
        )
        await until(lambda: reached(bureau, 3))
    finally:
        stop.set()
        await asyncio.gather(*running)

    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=one.person_id))
    assert {(part.state, part.end_reason) for part in insurance.participations} == {
        (model.PARTICIPATION_STATE_ENDED, model.END_REASON_RETIRED)
    }
    assert len(await bureau.said(events.ParticipationEnded)) == 3
    assert await bureau.rows("SELECT 1 FROM parked") == []


async def reached(bureau: Bureau, version: int) -> bool:
    """Whether the gate has let the facts of the benefit pass up to a version."""
    rows = await bureau.rows("SELECT version FROM seen WHERE kind = 'benefit'")
    return [row["version"] for row in rows] == [version]
