"""People: from a login to the insured person behind it, and what each may see."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hrss.enrollment.v1 import enrollment_pb2
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Unavailable
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = "990000199003151234"


@pytest.fixture(autouse=True)
def fresh_provider(edge: Edge) -> Iterator[None]:
    """Each test begins with a provider that was asked nothing."""
    edge.provider.asked.clear()
    edge.provider.failure = None
    yield
    edge.provider.failure = None


def insured(edge: Edge, name: str = "张*") -> str:
    """Let the backend know the person; their id."""
    person_id = ids.to_text("per", ids.new_id())
    edge.echo.answer(
        "FindPerson", pb.FindPersonResponse(person=enrollment_pb2.Person(person_id=person_id, name_masked=name))
    )
    return person_id


async def test_the_first_call_joins_the_login_to_the_person_for_good(edge: Edge) -> None:
    person = insured(edge)
    token = edge.provider.citizen("p-first")

    for _ in range(3):
        answer = await edge.get(f"/v1/persons/{person}/insurance", token)
        assert answer.status_code == 200

    assert len(edge.provider.asked) == 1
    assert [seen.method for seen in edge.echo.seen].count("FindPerson") == 1
    rows = await owner_fetch(edge.gateway.database, "SELECT * FROM person_grant WHERE subject = 'idp|p-first'")
    assert ids.to_text("per", rows[0]["person_id"]) == person
    assert NUMBER not in str(rows)


async def test_many_first_calls_at_once_ask_once(edge: Edge) -> None:
    person = insured(edge)
    token = edge.provider.citizen("p-many")

    answers = await asyncio.gather(*(edge.get(f"/v1/persons/{person}/insurance", token) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(edge.provider.asked) == 1


async def test_the_gateway_asks_in_its_own_name(edge: Edge) -> None:
    insured(edge)

    await edge.get("/v1/me", edge.provider.citizen("p-own-name"))

    principal = edge.echo.last.identity.principal
    assert (principal.subject, sorted(principal.roles)) == ("gateway", ["PARTNER"])
    assert principal.scopes == {"persons.search"}
    assert principal.purpose == "identity grant"
    assert edge.echo.last.request.id_no == NUMBER


async def test_me_shows_the_person_masked(edge: Edge) -> None:
    person = insured(edge, "李*")

    me = (await edge.get("/v1/me", edge.provider.citizen("p-me", acr=3))).json()

    assert me["person_id"] == person
    assert me["name_masked"] == "李*"
    assert (me["roles"], me["acr"], me["simulated_identity"]) == (["CITIZEN"], 3, True)


async def test_somebody_who_is_not_insured_hears_so_and_can_still_ask_who_they_are(edge: Edge) -> None:
    edge.echo.refuse("FindPerson", NotFound("PERSON_NOT_FOUND", "no such person"))
    token = edge.provider.citizen("p-nobody")

    me = await edge.get("/v1/me", token)
    own = await edge.get(f"/v1/persons/{ids.to_text('per', ids.new_id())}/insurance", token)

    assert (me.status_code, me.json()["person_id"]) == (200, "")
    assert (own.status_code, own.json()["code"]) == (403, "PERSON_NOT_INSURED")


async def test_who_becomes_insured_is_found_when_they_look_again(edge: Edge) -> None:
    edge.echo.refuse("FindPerson", InvalidInput("ID_NO_INVALID", "wrong"))
    token = edge.provider.citizen("p-later")
    before = (await edge.get("/v1/me", token)).json()
    edge.echo.refusals.clear()
    person = insured(edge)

    after = (await edge.get("/v1/me", token)).json()

    assert (before["person_id"], after["person_id"]) == ("", person)


async def test_another_persons_record_is_not_found_and_says_nothing_else(edge: Edge) -> None:
    insured(edge)
    token = edge.provider.citizen("p-curious")
    await edge.get("/v1/me", token)
    edge.echo.reset()

    for path in ("insurance", "contributions", "account", "retirement", "benefits", "payments"):
        answer = await edge.get(f"/v1/persons/{ids.to_text('per', ids.new_id())}/{path}", token)
        assert (answer.status_code, answer.json()["code"]) == (404, "PERSON_NOT_FOUND")
    assert not edge.echo.seen  # the edge decides alone, so the time is the same whether the person exists or not


async def test_another_persons_id_in_a_body_is_not_found_either(edge: Edge) -> None:
    insured(edge)
    body = {"person_id": ids.to_text("per", ids.new_id())}

    answer = await edge.post("/v1/benefits:estimate", body, edge.provider.citizen("p-curious-2"))

    assert (answer.status_code, answer.json()["code"]) == (404, "PERSON_NOT_FOUND")


async def test_a_password_alone_opens_no_record(edge: Edge) -> None:
    person = insured(edge)

    answer = await edge.get(f"/v1/persons/{person}/insurance", edge.provider.citizen("p-weak", acr=1))
    me = await edge.get("/v1/me", edge.provider.citizen("p-weak", acr=1))

    assert (answer.status_code, answer.json()["code"]) == (401, "INSUFFICIENT_ACR")
    assert 'error="insufficient_user_authentication"' in answer.headers["www-authenticate"]
    assert 'acr_values="2"' in answer.headers["www-authenticate"]
    assert me.json()["person_id"] == ""
    assert not edge.provider.asked


async def test_a_login_without_the_identity_says_so(edge: Edge) -> None:
    insured(edge)
    edge.provider.failure = Forbidden("IDENTITY_MISSING", "no identity")

    answer = await edge.get(f"/v1/persons/{ids.to_text('per', ids.new_id())}/insurance", edge.provider.citizen("p-shy"))

    assert (answer.status_code, answer.json()["code"]) == (403, "IDENTITY_MISSING")


async def test_a_provider_that_is_away_is_said_and_asked_again(edge: Edge) -> None:
    person = insured(edge)
    token = edge.provider.citizen("p-patient")
    edge.provider.failure = Unavailable("IDENTITY_PROVIDER_UNAVAILABLE", "away", retry_after=2)

    away = await edge.get(f"/v1/persons/{person}/insurance", token)
    edge.provider.failure = None
    back = await edge.get(f"/v1/persons/{person}/insurance", token)

    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    assert back.status_code == 200


async def test_staff_and_partners_have_nobody_behind_them(edge: Edge) -> None:
    staff = (await edge.get("/v1/me", edge.provider.staff("AUDITOR"))).json()
    partner = (await edge.get("/v1/me", edge.provider.partner("bills.read", client="tax-bureau"))).json()

    assert (staff["roles"], staff["person_id"]) == (["AUDITOR"], "")
    assert (partner["subject"], partner["scopes"]) == ("idp|tax-bureau", ["bills.read"])
    assert not edge.provider.asked


APPROVAL = f"/v1/payrolls/{ids.to_text('prl', ids.new_id())}:approve"


async def natural_person(edge: Edge, path: str, **claims: str) -> str:
    """What the services hear of the human behind a login of a supervisor who approves."""
    answer = await edge.post(path, {}, edge.provider.staff("SUPERVISOR", **claims))
    assert answer.status_code == 200, answer.text
    found: str = edge.echo.last.identity.principal.natural_person
    return found


async def test_the_services_hear_which_human_a_login_of_staff_belongs_to(edge: Edge) -> None:
    await edge.get("/v1/bills", edge.provider.staff(sub="staff-clerk-2", natural_person="p-two"))
    clerk = edge.echo.last.identity.principal
    supervisor = await natural_person(edge, APPROVAL, sub="staff-supervisor-2", natural_person="p-two")

    assert clerk.acting_person == supervisor == "idp|p-two"
    assert not edge.provider.asked


async def test_staff_who_are_insured_persons_are_known_as_such(edge: Edge) -> None:
    person = insured(edge)
    await edge.get("/v1/me", edge.provider.citizen("p-insured-clerk"))

    assert await natural_person(edge, APPROVAL, natural_person="p-insured-clerk") == "idp|p-insured-clerk"
    assert edge.echo.last.identity.principal.person_id == ids.parse("per", person)


async def test_staff_whose_human_is_not_known_are_nobodys_second_pair_of_eyes(edge: Edge) -> None:
    token = edge.provider.staff("SUPERVISOR", natural_person=None)

    assert (await edge.post(APPROVAL, {}, token)).status_code == 200  # the echo decides nothing
    with pytest.raises(Forbidden, match="NATURAL_PERSON_REQUIRED"):
        _ = edge.echo.last.identity.principal.acting_person


@pytest.mark.parametrize("claim", ["p two", "", 7, ["p-two"], "x" * 200])
async def test_a_malformed_natural_person_is_no_login(edge: Edge, claim: object) -> None:
    answer = await edge.get("/v1/bills", edge.provider.staff(natural_person=claim))

    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")


async def test_a_password_alone_approves_nothing(edge: Edge) -> None:
    answer = await edge.post(APPROVAL, {}, edge.provider.staff("SUPERVISOR", acr="2"))

    assert (answer.status_code, answer.json()["code"]) == (401, "INSUFFICIENT_ACR")
    assert not edge.echo.seen


@pytest.mark.parametrize("header", ["hrss_purpose", "hrss_case_no"])
@pytest.mark.parametrize("number", [NUMBER, "13812345678"])
async def test_a_number_that_names_a_person_stands_in_no_header(edge: Edge, header: str, number: str) -> None:
    answer = await edge.get("/v1/bills", edge.provider.staff(), **{header: f"case-{number}"})

    assert (answer.status_code, answer.json()["code"]) == (400, "HEADER_MALFORMED")
    assert number not in answer.text


async def test_a_request_id_that_names_a_person_is_not_taken_up(edge: Edge) -> None:
    personal = await edge.get("/v1/bills", edge.provider.staff(), x_request_id=NUMBER)
    good = await edge.get("/v1/bills", edge.provider.staff(), x_request_id="req-1")

    assert personal.headers["x-request-id"] != NUMBER
    assert good.headers["x-request-id"] == "req-1"
