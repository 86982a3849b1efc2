"""What a form holds is nowhere in clear and is wiped when nothing needs it; what is said of cases names nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.outbox import Relay
from hrss.gateway.v1 import cases_service_pb2 as pb
from hrss.gateway.v1 import gateway_events_pb2 as events
from services.gateway.cases import store
from tests.gateway_cases.office import (
    PARTNER,
    card_form,
    enrollment_form,
    mine,
    subsidy_form,
    unemployment_form,
)

if TYPE_CHECKING:
    from tests.gateway_cases.office import Office
    from tests.plugins.databases import Nats

CANARIES = ("王小明", "320602199003071234", "6222021234567890123", "2025000123456789", "274913")


async def everything(office: Office) -> str:
    """The whole database as text; bytes as they would be read."""
    tables = await office.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = []
    for table in tables:
        for row in await office.rows(f"SELECT * FROM {table['tablename']}"):
            found += [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in row.values()]
    return "\n".join(found)


async def test_nothing_of_a_form_stands_anywhere_in_clear(office: Office) -> None:
    citizen = office.citizen()
    office.services.card(mine(citizen))
    await office.create("EN05", PARTNER, enrollment_form())
    await office.create("TR01", citizen, subsidy_form())
    await office.create("BE10", citizen, unemployment_form())
    await office.create("CA06", citizen, card_form())
    before = await everything(office)
    await office.work()

    for text in (before, await everything(office)):
        assert not [canary for canary in CANARIES if canary in text]


async def test_a_form_is_wiped_at_the_end(office: Office) -> None:
    citizen = office.citizen()
    office.services.card(mine(citizen))
    made = await office.create("CA06", citizen, card_form())
    await office.work()
    (row,) = await office.rows("SELECT case_id, form_sealed FROM case_file")

    kept = pb.CaseForm.FromString(office.database.sealer.open("case_file", "form", row["case_id"], row["form_sealed"]))
    shown = await office.call("GetCase", pb.GetCaseRequest(case_no=made.case_no), citizen)

    assert kept.card.pin == shown.form.card.pin == ""
    assert kept.card.consent


async def test_the_snapshot_of_a_principal_is_complete(office: Office) -> None:
    citizen = office.citizen()

    assert store.of_snapshot(store.to_snapshot(citizen)) == citizen


async def test_what_happens_to_a_case_is_said_in_order_and_names_nobody(office: Office, nats: Nats) -> None:
    await nats.provision(["gateway"])
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.accept(made.case_no)
    await office.approve(made.case_no)
    bus = await nats.bus("gateway")
    rows = await office.rows("SELECT subject, payload FROM outbox ORDER BY seq")
    relayed = await Relay(office.database, bus).relay_batch()

    assert relayed == len(rows)
    assert [row["subject"].rpartition(".")[2] for row in rows] == [
        "CaseSubmitted",
        "CaseAccepted",
        "CaseDecided",
        "CaseClosed",
    ]
    closed = events.CaseClosed.FromString(rows[-1]["payload"]).facts[0]
    assert (closed.header.version, closed.end, closed.result_id[:4]) == (4, "DELIVERED", "ben_")
    assert closed.case_no == made.case_no.replace("-", "")
