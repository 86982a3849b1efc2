"""The oracle's rules about persons and employers see what is wrong, each one."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from services.enrollment.service import build
from tests.enrollment.builders import NOW, an_id_no, month
from tests.enrollment.conftest import Bureau
from tests.enrollment.persons import CORRECTION, approved, ask
from tests.plugins.grpc_harness import serve
from tests.system import oracle_enrollment

if TYPE_CHECKING:
    from chassis.database import Database


SPOILT = [
    (
        "UPDATE employment SET person_id = (SELECT merged_id FROM person_merge) WHERE end_month IS NULL",
        "a record that went up",
    ),
    ("UPDATE person_merge SET undone = now()", "mergers and forwards are the same"),
    (
        "UPDATE person SET merged_into = (SELECT merged_id FROM person_merge) WHERE died_on IS NOT NULL",
        "nobody forwards to a record that forwards",
    ),
    ("UPDATE person_version SET sex = 'female' WHERE superseded IS NULL", "what is known of a person"),
    ("UPDATE person_version SET valid_from = '2000-01-01' WHERE superseded IS NULL", "what is known of a person"),
    ("UPDATE person SET died_on = '2020-01-01' WHERE died_on IS NULL", "the dead are insured nowhere"),
    ("DELETE FROM death", "a death is recorded where a person is dead"),
    ("UPDATE employer SET deregister_date = '2020-01-01'", "an employer that is no more"),
]


async def test_the_oracle_sees_what_was_spoilt(database: Database) -> None:
    async with serve(build(database.settings), database=database) as running:
        bureau = Bureau(database, build(database.settings), running)
        survivor, dead = [await bureau.enrolled(await bureau.employer()) for _ in range(2)]
        other = await bureau.enrolled(await bureau.employer(), start_month=month(NOW.plus(-3)))
        end = pb.EndEnrollmentRequest(
            request_id="end",
            enrollment_id=other.enrollment_id,
            end_month=month(NOW.plus(-1)),
            reason=model.END_REASON_RESIGNED,
        )
        await bureau.call("EndEnrollment", end)
        await ask(bureau, "RecordDeath", person_id=dead.person_id, death_date=date(2025, 3, 1), source=1)
        right = an_id_no(date(1991, 1, 1))
        await approved(bureau, "ChangePerson", person_id=survivor.person_id, kind=CORRECTION, id_no=right)
        await approved(bureau, "MergePersons", person_id=survivor.person_id, other_person_id=other.person_id)

    assert await oracle_enrollment.unseen(database.settings.database_owner_url, SPOILT) == []
