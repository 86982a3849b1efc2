"""Two records of one person: found, merged by two persons, forwarded, taken back, and what keeps them apart."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis import transaction
from chassis.principal import Principal
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from kernel.errors import AlreadyExists, DomainError, NotFound, Refused
from services.enrollment.operations import enrollments
from services.enrollment.operations.persons_duplicates import pairs_of
from services.enrollment.persons import DuplicateReason, Facts
from tests.enrollment.builders import NOW, PARTNER, TODAY, a_receipt, an_id_no, money, month, number
from tests.enrollment.persons import DONE, SUPERVISOR, approved, ask
from tests.enrollment.test_bills import a_bill, an_assessment
from tests.enrollment.test_races import run_process
from tests.plugins.marks import slow

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from tests.enrollment.conftest import Bureau

BIRTH = date(1988, 8, 8)
PHONE = "13812345678"
NAME = "欧阳示例"


async def paid(bureau: Bureau, start: int, end: int | None, **changes: Any) -> Any:
    """Somebody who was enrolled from so many months ago to so many, with every month paid."""
    employer_id = await bureau.employer()
    one = await bureau.enrolled(
        employer_id, start_month=month(NOW.plus(-start)), name=NAME, wage=money("8000"), **changes
    )
    for back in range(start, (end or 0) - 1, -1):
        await bureau.call("RecordReceipt", a_receipt(await a_bill(bureau, employer_id, NOW.plus(-back))), by=PARTNER)
    if end is not None:
        await bureau.call(
            "EndEnrollment",
            pb.EndEnrollmentRequest(
                request_id=f"end-{number()}",
                enrollment_id=one.enrollment_id,
                end_month=month(NOW.plus(-end)),
                reason=model.END_REASON_RESIGNED,
            ),
        )
    return one


async def twins(bureau: Bureau) -> tuple[str, str]:
    """Two records of one person: who works now, and who worked before."""
    before = await paid(bureau, 6, 4, id_no=an_id_no(BIRTH), phone=PHONE)
    now = await paid(bureau, 2, None, id_no=an_id_no(BIRTH), phone=PHONE)
    return now.person_id, before.person_id


async def look(bureau: Bureau, person_id: str) -> dict[str, Any]:
    """Everything that is shown of a person."""
    months = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=person_id, page_size=200))
    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=person_id))
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=person_id))
    return {
        "person": (await bureau.call("GetPerson", pb.GetPersonRequest(person_id=person_id))).person,
        "months": list(months.months),
        "employments": list(insurance.employments),
        "participations": list(insurance.participations),
        "account": account,
    }


async def tables(bureau: Bureau) -> list[Any]:
    """Every row that a merger may move."""
    names = ("employment", "participation", "bill_line", "contribution", "account_entry", "account_year", "account")
    return [await bureau.rows(f"SELECT {name}::text AS row FROM {name} ORDER BY 1") for name in names]


async def test_two_records_become_one_and_both_ids_say_the_same(bureau: Bureau) -> None:
    survivor, other = await twins(bureau)
    own, theirs = await look(bureau, survivor), await look(bureau, other)

    done = await approved(bureau, "MergePersons", person_id=survivor, other_person_id=other)

    assert done.state == DONE
    merged = await look(bureau, survivor)
    assert await look(bureau, other) == merged
    assert len(merged["months"]) == len(own["months"]) + len(theirs["months"]) == 18
    assert len(merged["employments"]) == 2
    assert merged["account"].balance.fen == own["account"].balance.fen + theirs["account"].balance.fen
    (fact,) = await bureau.said(events.PersonsMerged)
    assert (fact.header.aggregate_id, fact.survivor_id) == (other, survivor)


async def test_who_comes_with_the_other_number_is_the_survivor(bureau: Bureau) -> None:
    first = an_id_no(BIRTH)
    other = (await paid(bureau, 6, 4, id_no=first)).person_id
    survivor = (await paid(bureau, 2, 1, id_no=an_id_no(BIRTH))).person_id
    await approved(bureau, "MergePersons", person_id=survivor, other_person_id=other)

    again = await bureau.enrolled(await bureau.employer(), id_no=first, name=NAME)

    assert again.person_id == survivor
    found = await bureau.call("FindPerson", pb.FindPersonRequest(id_no=first))
    assert found.person.person_id == survivor
    with pytest.raises(AlreadyExists, match="ALREADY_ENROLLED"):
        await bureau.enrolled(await bureau.employer(), id_no=first, name=NAME)


async def test_a_merger_is_taken_back_exactly(bureau: Bureau) -> None:
    survivor, other = await twins(bureau)
    before = await tables(bureau)
    shown = [await look(bureau, one) for one in (survivor, other)]
    await approved(bureau, "MergePersons", person_id=survivor, other_person_id=other)
    assert await tables(bureau) != before

    await approved(bureau, "UnmergePersons", person_id=survivor, other_person_id=other)

    assert await tables(bureau) == before
    assert [await look(bureau, one) for one in (survivor, other)] == shown
    assert len(await bureau.said(events.PersonsUnmerged)) == 1
    with pytest.raises(NotFound, match="MERGE_NOT_FOUND"):
        await ask(bureau, "UnmergePersons", person_id=survivor, other_person_id=other)


async def test_what_was_recorded_since_keeps_a_merger(bureau: Bureau) -> None:
    survivor, other = await twins(bureau)
    await approved(bureau, "MergePersons", person_id=other, other_person_id=survivor)  # the open employment moves
    row = (await bureau.rows("SELECT employer_id FROM employment WHERE end_month IS NULL"))[0]
    assessment = an_assessment(ids.to_text("emp", row["employer_id"]), NOW.next)
    await bureau.call("AssessBill", assessment, today=NOW.next.first_day)

    with pytest.raises(Refused, match="UNMERGE_LATER_FACTS"):
        await ask(bureau, "UnmergePersons", person_id=other, other_person_id=survivor)


async def test_months_in_both_records_keep_them_apart_by_name(bureau: Bureau) -> None:
    one = await paid(bureau, 4, 2, id_no=an_id_no(BIRTH))
    other = await paid(bureau, 3, 1, id_no=an_id_no(BIRTH))

    with pytest.raises(Refused, match="MERGE_MONTHS_COLLIDE") as refusal:
        await ask(bureau, "MergePersons", person_id=one.person_id, other_person_id=other.person_id)

    assert refusal.value.metadata == {"months": f"{NOW.plus(-3)} {NOW.plus(-2)}", "count": "2"}


async def test_what_cannot_be_merged_is_refused_by_name(bureau: Bureau) -> None:
    survivor, other = await twins(bureau)
    third = (await bureau.enrolled(await bureau.employer())).person_id

    async def refused(reason: str, one: str, two: str) -> None:
        with pytest.raises(DomainError, match=reason):
            await ask(bureau, "MergePersons", person_id=one, other_person_id=two)

    await refused("PERSONS_SAME", other, other)
    await refused("PERSON_NOT_FOUND", other, "per_" + "0" * 32)
    await ask(bureau, "RecordDeath", person_id=third, death_date=TODAY, source=1)
    await refused("MERGE_STANDING", survivor, third)
    await approved(bureau, "MergePersons", person_id=survivor, other_person_id=other)
    await refused("PERSON_MERGED", third, other)
    await refused("PERSON_MERGED", third, survivor)  # a survivor of one merger only survives
    with pytest.raises(Refused, match="PERSON_MERGED"):
        await ask(bureau, "RecordDeath", person_id=other, death_date=TODAY, source=1)


async def test_a_pension_under_the_merged_id_retires_the_survivor(bureau: Bureau) -> None:
    survivor, other = await twins(bureau)
    await approved(bureau, "MergePersons", person_id=survivor, other_person_id=other)
    settle = pb.SettleAccountRequest(request_id="settle", person_id=other, retirement_month=month(NOW))
    with pytest.raises(Refused, match="PERSON_MERGED"):
        await bureau.call("SettleAccount", settle)

    async def retire(tx: Transaction) -> None:
        await enrollments.retire(tx, ids.parse("per", other), NOW)

    await transaction.run(bureau.database, retire, principal=Principal.system("benefits"), today=TODAY)

    ended = [one for one in (await look(bureau, other))["participations"] if one.end_month == month(NOW)]
    assert {(one.person_id, one.end_reason) for one in ended} == {(survivor, model.END_REASON_RETIRED)}


async def test_duplicates_are_found_decided_and_not_found_again(bureau: Bureau) -> None:
    survivor, other = await twins(bureau)
    await bureau.enrolled(await bureau.employer(), id_no=an_id_no(BIRTH), name=NAME)  # no telephone: no match

    async def found() -> list[set[str]]:
        await ask(bureau, "FindDuplicates")
        await bureau.run_jobs()
        pairs = (await ask(bureau, "ListDuplicates", by=SUPERVISOR)).duplicates
        return [{one.one.person_id, one.other.person_id} for one in pairs]

    assert await found() == [{survivor, other}]
    await ask(bureau, "DismissDuplicate", person_id=survivor, other_person_id=other)
    assert await found() == []
    await approved(bureau, "MergePersons", person_id=survivor, other_person_id=other)
    assert await found() == []
    with pytest.raises(NotFound, match="DUPLICATE_NOT_FOUND"):
        await ask(bureau, "DismissDuplicate", person_id=survivor, other_person_id="per_" + "1" * 32)


@pytest.mark.parametrize(
    "step",
    [
        slow("chunk_taken:2"),
        "chunk_before_done:2",
        slow("before_commit:2"),
    ],
)
async def test_a_search_that_is_killed_finds_the_same(bureau: Bureau, step: str) -> None:
    for year in (1980, 1985, 1990):
        for _ in range(2):
            await bureau.enrolled(await bureau.employer(), id_no=an_id_no(date(year, 5, 6)), name=NAME, phone=PHONE)
    await ask(bureau, "FindDuplicates")

    assert await run_process(bureau, HRSS_TEST_CRASH=step) == 137
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    assert len((await ask(bureau, "ListDuplicates")).duplicates) == 3


def test_one_number_in_two_forms_is_one_person() -> None:
    first, second, third = (ids.new_id() for _ in range(3))
    new = an_id_no(BIRTH)
    facts = Facts(NAME, new, "male", BIRTH, "990000", "")
    old = Facts(NAME, new[:6] + new[8:17], "male", BIRTH, "990000", "")
    else_ = Facts(NAME, an_id_no(BIRTH), "male", BIRTH, "990000", "")

    assert pairs_of([(first, facts), (second, old), (third, else_)]) == [(first, second, DuplicateReason.NUMBER)]
