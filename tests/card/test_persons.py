"""What enrollment says of a holder after the registration: another identity, a merger, a death."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chassis import inbox
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.type.v1 import calendar_pb2, fact_pb2
from kernel import ids
from kernel.identity import TEST_REGION, make_resident_id
from services.card.store import holders
from tests.card.builders import BIRTH
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from tests.card.builders import Desk, Person


def header(person: Person, version: int) -> fact_pb2.FactHeader:
    """The header of a later fact about a person."""
    day = calendar_pb2.Date(year=2026, month=7, day=21)
    return fact_pb2.FactHeader(aggregate_id=ids.to_text("per", person.person_id), version=version, business_date=day)


async def test_a_changed_identity_is_sealed_anew_and_found_by_its_new_number(desk: Desk) -> None:
    person = await desk.person()
    now = replace(person, name="欧阳示例", id_no=make_resident_id(TEST_REGION, BIRTH, 997))

    await desk.hear(desk.changed(now, 2), heard.PersonChanged)
    await desk.hear(desk.changed(now, 2), heard.PersonChanged)  # delivered again under another id: parked, no effect

    (row,) = await owner_fetch(desk.database, "SELECT * FROM holder")
    sealer = desk.database.sealer
    assert sealer.open_text("holder", "name", person.person_id, row["name_sealed"]) == "欧阳示例"
    assert sealer.open_text("holder", "id_no", person.person_id, row["id_no_sealed"]) == now.id_no
    assert row["id_no_index"] == sealer.blind_index("id_no", now.id_no)
    assert holders.TABLE == "holder"


async def test_a_merger_is_noted_and_taken_back_and_a_death_loses_nothing(desk: Desk) -> None:
    one, survivor = await desk.person(), await desk.person()
    text = ids.to_text("per", survivor.person_id)

    await desk.hear(heard.PersonsMerged.Fact(header=header(one, 2), survivor_id=text), heard.PersonsMerged)
    rows = await owner_fetch(desk.database, "SELECT survivor_id FROM holder WHERE person_id = $1", one.person_id)
    assert [row["survivor_id"] for row in rows] == [survivor.person_id]
    await desk.hear(heard.PersonsUnmerged.Fact(header=header(one, 3), survivor_id=text), heard.PersonsUnmerged)
    await desk.hear(heard.PersonDied.Fact(header=header(one, 4)), heard.PersonDied)

    rows = await owner_fetch(desk.database, "SELECT survivor_id FROM holder WHERE person_id = $1", one.person_id)
    assert [row["survivor_id"] for row in rows] == [None]
    assert (await inbox.status(desk.database)).parked == 0
