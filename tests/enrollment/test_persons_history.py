"""A record through time: what changed, what was wrong, what was known when; the second person; rare documents."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.sealed import Sealer
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment_pb
from hrss.enrollment.v1 import persons_service_pb2 as pb
from kernel.errors import AlreadyExists, DomainError, Forbidden, InvalidInput, Refused
from kernel.identity import check_document, document_kind, full_number, make_resident_id, resident_id_check_character
from services.enrollment import persons as rules
from services.enrollment.persons import BEGINNING, Cause, Facts, Segment, Version
from tests.enrollment.builders import NOW, TODAY, an_enrollment, an_id_no, month, number
from tests.enrollment.persons import CHANGE, CORRECTION, DONE, EVIDENCE, WAITING, approved, ask, decide, history

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau


async def a_person(bureau: Bureau, id_no: str, name: str = "张建国") -> str:
    """Somebody who is enrolled; the id."""
    person_id: str = (await bureau.enrolled(await bureau.employer(), id_no=id_no, name=name)).person_id
    return person_id


async def test_a_change_of_name_waits_for_a_second_person_and_is_true_from_its_day(bureau: Bureau) -> None:
    person_id = await a_person(bureau, an_id_no())
    day = date(2025, 3, 1)

    asked = (
        await ask(bureau, "ChangePerson", person_id=person_id, kind=CHANGE, effective_date=day, name="张𠮷山")
    ).request

    assert asked.state == WAITING
    assert [one.name_masked for one in await history(bureau, person_id)] == ["张*国"]
    waiting = (await ask(bureau, "ListPersonRequests")).requests
    assert [one.person_request_id for one in waiting] == [asked.person_request_id]
    assert (await decide(bureau, asked)).state == DONE
    versions = await history(bureau, person_id)
    assert [(one.name_masked, bool(one.superseded), one.cause) for one in versions] == [
        ("张*国", True, pb.VERSION_CAUSE_REGISTERED),
        ("张*国", False, pb.VERSION_CAUSE_CHANGE),
        ("张*山", False, pb.VERSION_CAUSE_CHANGE),
    ]
    assert (versions[1].valid_to, versions[2].valid_from) == (versions[2].valid_from, versions[1].valid_to)
    assert [
        one.name_masked for one in await history(bureau, person_id, as_of=date(2025, 2, 28)) if not one.superseded
    ] == ["张*国"]
    shown = await bureau.call("GetPerson", enrollment_pb.GetPersonRequest(person_id=person_id))
    assert shown.person.name_masked == "张*山"
    assert (await ask(bureau, "ListPersonRequests")).requests == []


async def test_a_correction_says_what_was_true_all_along_and_both_are_kept(bureau: Bureau) -> None:
    wrong, right = an_id_no(date(1990, 5, 1)), an_id_no(date(1991, 6, 2))
    person_id = await a_person(bureau, wrong)

    done = await approved(bureau, "ChangePerson", person_id=person_id, kind=CORRECTION, id_no=right)

    assert done.state == DONE
    now, before = (await history(bureau, person_id))[::-1]
    assert (now.birth_date.year, now.HasField("valid_from"), now.superseded) == (1991, False, "")
    assert (before.birth_date.year, before.superseded) == (1990, now.recorded)
    known = datetime.fromisoformat(now.recorded).date() - timedelta(days=1)
    assert await history(bureau, person_id, known_at=known) == []  # it was not registered yet
    fact = (await bureau.said(events.PersonChanged))[-1]
    exchange = Sealer.load(bureau.database.settings.keys_dir / "enrollment-card.exchange.key")
    sealed = exchange.open("hrss.enrollment.v1.PersonChanged", "sealed_identity", person_id, fact.sealed_identity)
    assert json.loads(sealed) == {"name": "张建国", "id_no": right}
    assert (fact.birth_date.year, fact.sex) == (1991, model.SEX_MALE)
    other = await bureau.enrolled(await bureau.employer(), id_no=wrong, name="李四")  # the number is free again
    assert other.person_id != person_id


async def test_a_replaced_number_finds_nobody_new(bureau: Bureau) -> None:
    old, new = an_id_no(), an_id_no()
    person_id = await a_person(bureau, old)
    await approved(bureau, "ChangePerson", person_id=person_id, kind=CHANGE, effective_date=TODAY, id_no=new)

    with pytest.raises(Refused, match="ID_NO_REPLACED"):
        await bureau.enrolled(await bureau.employer(), id_no=old)
    found = await bureau.call("FindPerson", enrollment_pb.FindPersonRequest(id_no=new))
    assert found.person.person_id == person_id
    with pytest.raises(AlreadyExists, match="ID_NO_TAKEN"):
        await ask(bureau, "ChangePerson", person_id=await a_person(bureau, an_id_no()), kind=CORRECTION, id_no=old)


async def test_a_telephone_is_changed_at_once_and_nothing_is_announced(bureau: Bureau) -> None:
    person_id = await a_person(bureau, an_id_no())

    done = await ask(
        bureau, "ChangePerson", person_id=person_id, kind=CHANGE, effective_date=TODAY, phone="13812345678"
    )

    assert done.request.state == DONE
    assert [one.has_phone for one in await history(bureau, person_id)] == [False, False, True]
    assert await bureau.said(events.PersonChanged) == []
    text = str(
        await bureau.rows("SELECT person_version::text, person_request::text FROM person_version, person_request")
    )
    assert "13812345678" not in text


async def test_the_maker_does_not_approve_and_a_no_changes_nothing(bureau: Bureau) -> None:
    person_id = await a_person(bureau, an_id_no())
    asked = (await ask(bureau, "ChangePerson", person_id=person_id, kind=CORRECTION, name="张建军")).request

    with pytest.raises(Forbidden, match="SECOND_PERSON_REQUIRED"):
        await decide(bureau, asked, by=None)
    with pytest.raises(AlreadyExists, match="APPROVAL_PENDING"):
        await ask(bureau, "ChangePerson", person_id=person_id, kind=CORRECTION, name="张建民")
    rejected = await decide(bureau, asked, approve=False)

    assert rejected.state == pb.PERSON_REQUEST_STATE_REJECTED
    assert len(await history(bureau, person_id)) == 1
    with pytest.raises(Refused, match="APPROVAL_DECIDED"):
        await decide(bureau, asked)
    assert await bureau.rows("SELECT 1 FROM person_request WHERE payload_sealed IS NOT NULL") == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"kind": CHANGE, "name": "李"}, "CHANGE_DATE_INVALID"),
        ({"kind": CHANGE, "name": "李", "effective_date": TODAY + timedelta(days=1)}, "CHANGE_DATE_INVALID"),
        ({"kind": CHANGE, "name": "李", "effective_date": date(1950, 1, 1)}, "CHANGE_DATE_INVALID"),
        ({"kind": CORRECTION}, "VALUE_REQUIRED"),
        ({"kind": CORRECTION, "name": "张建国"}, "VALUE_REQUIRED"),
        ({"name": "李"}, "VALUE_REQUIRED"),
        ({"kind": CORRECTION, "name": "李="}, "NAME_INVALID"),
        ({"kind": CORRECTION, "phone": "12345"}, "PHONE_INVALID"),
        ({"kind": CORRECTION, "division": "32"}, "DIVISION_INVALID"),
        ({"kind": CORRECTION, "id_no": "320601900101001"}, "ID_NO_INVALID"),
        ({"kind": CORRECTION, "sex": model.SEX_FEMALE}, "ID_NO_DIFFERS"),
        ({"kind": CORRECTION, "birth_date": date(1970, 1, 1)}, "ID_NO_DIFFERS"),
        ({"kind": CORRECTION, "name": "李", "evidence_ref": "990000199001010017"}, "EVIDENCE_REQUIRED"),
        ({"kind": CORRECTION, "name": "李", "evidence_ref": ""}, "EVIDENCE_REQUIRED"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(bureau: Bureau, values: dict[str, Any], reason: str) -> None:
    person_id = await a_person(bureau, an_id_no())

    with pytest.raises(DomainError, match=reason):
        await ask(bureau, "ChangePerson", person_id=person_id, **values)


async def test_documents_of_foreigners_and_compatriots(bureau: Bureau) -> None:
    employer = await bureau.employer()
    compatriot = make_resident_id("810000", date(1988, 8, 8), 101)
    foreigner = make_resident_id("932156", date(1980, 1, 2), 103)
    for id_no, kind in (
        (compatriot, pb.DOCUMENT_KIND_HK_MACAO_TAIWAN),
        (foreigner, pb.DOCUMENT_KIND_FOREIGN),
        (an_id_no(), pb.DOCUMENT_KIND_CITIZEN),
    ):
        person = await bureau.enrolled(employer, id_no=id_no, name="Anna-Maria Müller")
        assert [one.document for one in await history(bureau, person.person_id)] == [kind]
    card_2017 = "USA320680010212"  # YYMMDD 800102
    change = {"person_id": person.person_id, "kind": CHANGE, "effective_date": TODAY, "id_no": card_2017}
    with pytest.raises(InvalidInput, match="ID_NO_INVALID"):
        await ask(bureau, "ChangePerson", **change)
    await approved(bureau, "ChangePerson", **change, birth_date=date(1980, 1, 2))
    assert (await history(bureau, person.person_id))[-1].document == pb.DOCUMENT_KIND_FOREIGN_2017
    found = await bureau.call("FindPerson", enrollment_pb.FindPersonRequest(id_no=card_2017))
    assert found.person.person_id == person.person_id


def test_a_number_of_fifteen_digits_is_looked_up_and_never_registers() -> None:
    new = "320601" + "19" + "900101001"
    new += resident_id_check_character(new)

    assert full_number("320601900101001") == new
    assert full_number(new) == new
    assert check_document("320601900101001", TODAY).reason == "OLD_NUMBER"
    assert check_document("ＵＳＡ320680010212", TODAY).reason == "BIRTH_AND_SEX_NEEDED"
    assert document_kind("USA320680010212") == "FOREIGN_2017"


async def test_the_old_number_of_somebody_finds_them(bureau: Bureau) -> None:
    new = make_resident_id("990000", date(1971, 2, 3), 2 * (number() % 400) + 1)
    person_id = await a_person(bureau, new)

    found = await bureau.call("FindPerson", enrollment_pb.FindPersonRequest(id_no=new[:6] + new[8:17]))

    assert found.person.person_id == person_id


# -- the rules by themselves

NAMES = st.sampled_from(["甲", "乙", "丙"])
DAYS = st.integers(min_value=1, max_value=60)


def facts(name: str, phone: str = "") -> Facts:
    """What is held to be true of somebody."""
    return Facts(name, "x", "male", date(1990, 1, 1), "320613", phone)


@given(st.lists(st.tuples(DAYS, NAMES, st.booleans()), max_size=8))
def test_segments_always_cover_all_time_once(steps: list[tuple[int, str, bool]]) -> None:
    segments: list[Segment] = [Segment(BEGINNING, None, facts("甲"))]
    today = date(2025, 12, 31)
    for offset, name, is_correction in steps:
        day = date(2025, 1, 1) + timedelta(days=offset)
        cause = Cause.CORRECTION if is_correction else Cause.CHANGE
        last = segments[-1].valid_from
        if not is_correction and day <= last:
            with pytest.raises(InvalidInput, match="CHANGE_DATE_INVALID"):
                rules.changed(segments, {"name": name}, cause, day, today)
            continue
        segments = list(rules.changed(segments, {"name": name}, cause, day, today))
        holding = [one for one in segments if one.valid_from <= day and (one.valid_to is None or day < one.valid_to)]
        assert [one.facts.name for one in holding] == [name]
    assert segments[0].valid_from == BEGINNING
    assert segments[-1].valid_to is None
    for left, right in pairwise(segments):
        assert left.valid_to == right.valid_from
        assert left.facts != right.facts


def test_a_correction_follows_the_wrong_value_and_no_further() -> None:
    segments = [
        Segment(BEGINNING, date(2010, 1, 1), facts("甲")),
        Segment(date(2010, 1, 1), date(2020, 1, 1), facts("乙")),
        Segment(date(2020, 1, 1), None, facts("乙", "1")),
    ]

    after = rules.changed(segments, {"name": "丙"}, Cause.CORRECTION, None, date(2025, 1, 1))

    assert [(one.facts.name, one.facts.phone) for one in after] == [("甲", ""), ("丙", ""), ("丙", "1")]


def test_what_was_known_at_a_moment_is_what_was_recorded_and_not_yet_superseded() -> None:
    first, second = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
    old = Version(Segment(BEGINNING, None, facts("甲")), first, second, Cause.REGISTERED, "")
    new = Version(Segment(BEGINNING, None, facts("乙")), second, None, Cause.CORRECTION, EVIDENCE)

    assert rules.visible([old, new], None, datetime(2025, 3, 1, tzinfo=UTC)) == [old]
    assert rules.visible([old, new], None, datetime(2025, 7, 1, tzinfo=UTC)) == [new]
    assert rules.visible([old, new], date(2020, 1, 1), None) == [old, new]


async def test_an_enrolment_compares_with_the_new_name(bureau: Bureau) -> None:
    id_no = an_id_no()
    person_id = await a_person(bureau, id_no)
    await approved(bureau, "ChangePerson", person_id=person_id, kind=CORRECTION, name="买买提·艾力")

    with pytest.raises(Refused, match="NAME_MISMATCH"):
        await bureau.call("EnrollPerson", an_enrollment(await bureau.employer(), id_no=id_no, start_month=month(NOW)))
    with pytest.raises(AlreadyExists, match="ALREADY_ENROLLED"):
        await bureau.enrolled(await bureau.employer(), id_no=id_no, name="买买提•艾力")
