"""Deaths: what ends with them, what waits for the heirs, what nobody may do any more, and how a wrong one goes away."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import cover_service_pb2 as cover_pb
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment_pb
from hrss.enrollment.v1 import persons_service_pb2 as pb
from kernel.errors import DomainError, NotFound, Refused
from tests.enrollment.builders import NOW, PARTNER, TODAY, a_receipt, a_roster_file, a_roster_row, an_id_no, month
from tests.enrollment.cover_builders import a_cover_bill, a_flexible_cover
from tests.enrollment.persons import CHANGE, CORRECTION, DONE, WAITING, approved, ask, decide
from tests.enrollment.test_bills import a_bill
from tests.enrollment.test_history import rejects
from tests.enrollment.test_roster import bring_in

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

DAY = date(2025, 2, 14)
MEDICAL = pb.DEATH_SOURCE_MEDICAL


async def parts_of(bureau: Bureau, person_id: str) -> list[Any]:
    """The participations of a person."""
    reply = await bureau.call("GetInsurance", enrollment_pb.GetInsuranceRequest(person_id=person_id))
    return list(reply.participations)


async def test_a_death_ends_what_runs_and_leaves_the_account_to_the_heirs(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id, start_month=month(NOW.plus(-3)))
    for back in (3, 2, 0):
        await bureau.call("RecordReceipt", a_receipt(await a_bill(bureau, employer_id, NOW.plus(-back))), by=PARTNER)

    reply = await ask(bureau, "RecordDeath", person_id=one.person_id, death_date=DAY, source=MEDICAL)

    assert reply.request.state == DONE
    assert list(reply.billed_after) == [month(NOW)]  # to be refunded
    assert {(part.end_month.month, part.end_reason) for part in await parts_of(bureau, one.person_id)} == {
        (2, model.END_REASON_DIED)
    }
    assert {(fact.end_month.month, fact.reason) for fact in await bureau.said(events.ParticipationEnded)} == {
        (2, model.END_REASON_DIED)
    }
    (fact,) = await bureau.said(events.PersonDied)
    assert (fact.death_date.month, fact.death_date.day) == (2, 14)
    death = await ask(bureau, "GetDeath", person_id=one.person_id)
    account = await bureau.call("GetAccount", enrollment_pb.GetAccountRequest(person_id=one.person_id))
    assert (death.inheritance_pending, death.balance.fen) == (True, account.balance.fen)
    assert death.balance.fen > 0


async def test_nobody_enrols_the_dead(bureau: Bureau) -> None:
    id_no = an_id_no()
    one = await bureau.enrolled(await bureau.employer(), id_no=id_no, name="陈志强")
    await ask(bureau, "RecordDeath", person_id=one.person_id, death_date=DAY, source=MEDICAL)
    other = await bureau.employer()

    with pytest.raises(Refused, match="PERSON_DIED"):
        await bureau.enrolled(other, id_no=id_no, name="陈志强", start_month=month(NOW.next))
    job = await bring_in(bureau, other, a_roster_file([a_roster_row(id_no, start=str(NOW.next))]))
    assert await rejects(bureau, job) == [(2, "PERSON_DIED")]
    with pytest.raises(Refused, match="PERSON_DIED"):
        await ask(
            bureau, "ChangePerson", person_id=one.person_id, kind=CHANGE, effective_date=TODAY, phone="13812345678"
        )
    await ask(bureau, "ChangePerson", person_id=one.person_id, kind=CORRECTION, phone="13812345678")


async def test_covers_follow_a_death_that_is_corrected_and_taken_back(bureau: Bureau) -> None:
    cover = await a_flexible_cover(bureau, start_month=month(NOW.plus(-2)))

    async def stands() -> tuple[int, str]:
        shown = (await bureau.call("GetCover", cover_pb.GetCoverRequest(cover_id=cover.cover_id))).cover
        return shown.end_month.month, model.ParticipationState.Name(shown.state).removeprefix("PARTICIPATION_STATE_")

    await ask(bureau, "RecordDeath", person_id=cover.person_id, death_date=DAY, source=MEDICAL)
    assert await stands() == (2, "ENDED")
    for day, expected in ((date(2025, 1, 3), (1, "ENDED")), (None, (0, "ACTIVE"))):
        changed: dict[str, Any] = {"death_date": day, "source": pb.DEATH_SOURCE_COURT} if day else {}
        asked = (await ask(bureau, "RecordDeath", person_id=cover.person_id, **changed)).request
        await decide(bureau, asked)
        assert await stands() == expected

    started = await bureau.said(events.ParticipationStarted)
    assert [fact.header.aggregate_id for fact in started] == [cover.participation_id] * 2
    assert (await a_cover_bill(bureau, cover.cover_id)).total.fen > 0


async def test_a_corrected_day_needs_a_second_person_and_moves_the_end(bureau: Bureau) -> None:
    one = await bureau.enrolled(await bureau.employer(), start_month=month(NOW.plus(-3)))
    await ask(bureau, "RecordDeath", person_id=one.person_id, death_date=DAY, source=MEDICAL)

    asked = (
        await ask(
            bureau, "RecordDeath", person_id=one.person_id, death_date=date(2025, 1, 3), source=pb.DEATH_SOURCE_COURT
        )
    ).request

    assert asked.state == WAITING
    assert {part.end_month.month for part in await parts_of(bureau, one.person_id)} == {2}
    await decide(bureau, asked)
    assert {part.end_month.month for part in await parts_of(bureau, one.person_id)} == {1}
    assert (await ask(bureau, "GetDeath", person_id=one.person_id)).source == pb.DEATH_SOURCE_COURT
    assert [fact.death_date.month for fact in await bureau.said(events.PersonDied)] == [2, 1]
    rows = await bureau.rows("SELECT death_date, superseded IS NULL AS known FROM death ORDER BY recorded")
    assert [(row["death_date"], row["known"]) for row in rows] == [(DAY, False), (date(2025, 1, 3), True)]


async def test_a_death_that_was_none_is_taken_back_whole(bureau: Bureau) -> None:
    one = await bureau.enrolled(await bureau.employer(), start_month=month(NOW.plus(-3)))
    await ask(bureau, "RecordDeath", person_id=one.person_id, death_date=DAY, source=MEDICAL)

    await approved(bureau, "RecordDeath", person_id=one.person_id)

    assert {(part.state, part.end_reason) for part in await parts_of(bureau, one.person_id)} == {
        (model.PARTICIPATION_STATE_ACTIVE, model.END_REASON_UNSPECIFIED)
    }
    with pytest.raises(NotFound, match="DEATH_NOT_RECORDED"):
        await ask(bureau, "GetDeath", person_id=one.person_id)
    assert [fact.HasField("death_date") for fact in await bureau.said(events.PersonDied)] == [True, False]
    assert len(await bureau.said(events.ParticipationStarted)) == 6


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "DEATH_NOT_RECORDED"),
        ({"death_date": DAY}, "VALUE_REQUIRED"),
        ({"death_date": TODAY + timedelta(days=1), "source": MEDICAL}, "DEATH_DATE_INVALID"),
        ({"death_date": date(1950, 1, 1), "source": MEDICAL}, "DEATH_DATE_INVALID"),
        ({"death_date": DAY, "source": MEDICAL, "evidence_ref": "x"}, "EVIDENCE_REQUIRED"),
        ({"person_id": "per_" + "0" * 32, "death_date": DAY, "source": MEDICAL}, "PERSON_NOT_FOUND"),
    ],
)
async def test_a_death_that_cannot_be_is_refused_by_name(bureau: Bureau, values: dict[str, Any], reason: str) -> None:
    one = await bureau.enrolled(await bureau.employer())

    with pytest.raises(DomainError, match=reason):
        await ask(bureau, "RecordDeath", **{"person_id": one.person_id, **values})


async def test_the_same_day_again_is_said_to_be_known(bureau: Bureau) -> None:
    one = await bureau.enrolled(await bureau.employer())
    await ask(bureau, "RecordDeath", person_id=one.person_id, death_date=DAY, source=MEDICAL)

    with pytest.raises(Refused, match="DEATH_SAME"):
        await ask(bureau, "RecordDeath", person_id=one.person_id, death_date=DAY, source=MEDICAL)
