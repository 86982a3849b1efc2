"""Pension relations that come and go: every step once, the money sum-zero, the months in one place only."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.enrollment.v1 import moving_service_pb2 as mv
from hrss.type.v1 import money_pb2
from kernel.calendar import Month
from kernel.errors import AlreadyExists, Conflict, InvalidInput, NotFound, Refused
from kernel.identity import TEST_REGION, make_resident_id
from tests.enrollment import builders
from tests.enrollment.builders import CLERK, TODAY, month, number
from tests.enrollment.moving import a_balance_row, a_year_row, a_years_file
from tests.enrollment.test_accounts import close
from tests.enrollment.test_history import bring_in, person_of
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

NAME = "陈志强"
AREA = a_principal(["PARTNER"], subject="other-area", client="other-area", scopes=["transfers.write"])
SHANGHAI = "310115"


def an_application(person_id: str, direction: model.TransferDirection.ValueType, **changes: Any) -> Any:
    """A request to apply."""
    values = {
        "request_id": f"apply-{number()}",
        "person_id": person_id,
        "direction": direction,
        "other_area": SHANGHAI,
        **changes,
    }
    return mv.ApplyForTransferRequest(**values)


def a_form(transfer_id: str, **changes: Any) -> mv.ReceiveInformationFormRequest:
    """The form of two years elsewhere: 18 months on 4,000 yuan, the pooled part as the rule has it."""
    values = {
        "request_id": f"form-{number()}",
        "transfer_id": transfer_id,
        "form_no": f"XXB-{number():06d}",
        "years": [a_form_year(2018, 7, 6), a_form_year(2019, 1, 12)],
        "account": builders.money("6000.00"),
        "pooled": builders.money("8640.00"),
        **changes,
    }
    return mv.ReceiveInformationFormRequest(**values)


def a_form_year(year: int, first: int, count: int, base: str = "4000.00") -> mv.TransferYear:
    """A line of a form."""
    return mv.TransferYear(
        year=year,
        first_month=first,
        month_count=count,
        base=builders.money(base),
        state=model.CONTRIBUTION_STATE_PAID,
    )


async def applied(bureau: Bureau, person_id: str, direction: model.TransferDirection.ValueType, **changes: Any) -> Any:
    """A transfer that was applied for."""
    return (await bureau.call("ApplyForTransfer", an_application(person_id, direction, **changes))).transfer


async def step(bureau: Bureau, rpc: str, transfer: Any, *, by: Any = CLERK, **values: Any) -> Any:
    """Take a step; the transfer after it."""
    request = getattr(mv, f"{rpc}Request")(request_id=f"step-{number()}", transfer_id=transfer.transfer_id, **values)
    return (await bureau.call(rpc, request, by=by)).transfer


async def insured(bureau: Bureau, id_no: str = "") -> str:
    """Somebody who is employed here since January 2025."""
    employer_id = await bureau.employer()
    changes: dict[str, Any] = {"id_no": id_no} if id_no else {}
    enrollment = await bureau.enrolled(employer_id, name=NAME, start_month=month(Month(2025, 1)), **changes)
    person_id: str = enrollment.person_id
    return person_id


async def a_former_worker(bureau: Bureau, birth: date = date(1985, 5, 1)) -> str:
    """Somebody with two years here, an account of 10,000 yuan, and no employment."""
    id_no = builders.an_id_no(birth)
    rows = [
        a_year_row(id_no, NAME, 2023, schemes="110+210", bases="5000.00"),
        a_year_row(id_no, NAME, 2024, schemes="110+210", months="PPPPPP......", bases="5000.00"),
        a_balance_row(id_no, NAME, 2024, "10000.00"),
    ]
    await bring_in(bureau, a_years_file(rows))
    return await person_of(bureau, id_no)


async def months_of(bureau: Bureau, person_id: str) -> dict[int, int]:
    """Paid months by scheme."""
    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=person_id))
    return {one.scheme: one.paid_months for one in insurance.months}


async def arrived(bureau: Bureau, person_id: str) -> Any:
    """A relation that came here."""
    one = await applied(bureau, person_id, model.TRANSFER_DIRECTION_IN)
    await step(bureau, "SendContactLetter", one)
    await bureau.call("ReceiveInformationForm", a_form(one.transfer_id), by=AREA)
    return await step(
        bureau, "ReceiveFunds", one, by=AREA, funds_no=f"ZJ-{number():06d}", amount=builders.money("14640.00")
    )


async def test_a_relation_comes_with_its_months_and_money(bureau: Bureau) -> None:
    person_id = await insured(bureau)

    done = await arrived(bureau, person_id)

    assert done.state == mv.TRANSFER_STATE_DONE
    assert [one.state for one in done.steps] == [1, 2, 3, 4, 5]
    assert [(line.code, line.amount.fen) for line in done.statement.lines] == [
        ("account", 600_000),
        ("pooled", 864_000),
    ]
    assert await months_of(bureau, person_id) == {model.SCHEME_EMPLOYEE_PENSION: 18}
    listed = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=person_id, year=2018))
    assert {row.source for row in listed.months} == {f"transfer:{done.transfer_id}"}
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=person_id))
    assert account.balance.fen == 600_000
    (fact,) = await bureau.said(events.RelationTransferred)
    assert (fact.direction, fact.other_area, fact.through_month.year) == (1, SHANGHAI, 2019)
    (brought,) = await bureau.said(events.HistoryBroughtIn)
    assert [(one.year, len(one.runs)) for one in brought.years] == [(2018, 1), (2019, 1)]


async def test_a_relation_that_leaves_no_longer_counts_here(bureau: Bureau) -> None:
    person_id = await a_former_worker(bureau)
    one = await applied(bureau, person_id, model.TRANSFER_DIRECTION_OUT)
    await step(bureau, "ReceiveContactLetter", one, by=AREA, letter_no="SH-0001")

    form = await step(bureau, "IssueInformationForm", one)

    # 18 months × 5,000.00 × 12 %
    assert [(line.code, line.amount.fen) for line in form.statement.lines] == [
        ("account", 1_000_000),
        ("pooled", 1_080_000),
    ]
    assert [(year.year, year.first_month, year.month_count) for year in form.years] == [(2023, 1, 12), (2024, 1, 6)]
    assert await months_of(bureau, person_id) == {model.SCHEME_UNEMPLOYMENT: 18}
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=person_id))
    assert (account.balance.fen, [(year.year, year.closing.fen) for year in account.years]) == (
        0,
        [(2025, 0), (2024, 1_000_000)],
    )
    await step(bureau, "SendFunds", one)
    done = await step(bureau, "ConfirmTransfer", one, by=AREA)
    assert done.state == mv.TRANSFER_STATE_DONE
    credited = (await bureau.said(events.AccountCredited))[-1]
    assert (credited.kind, credited.amount.fen, credited.balance.fen) == (4, -1_000_000, 0)
    books = await bureau.rows("SELECT account, sum(amount_fen)::bigint AS fen FROM ledger_posting GROUP BY account")
    assert {row["account"]: row["fen"] for row in books if row["fen"]} == {
        "opening:brought_in": -1_000_000,
        "fund:employee_pension": -1_080_000,
        "transfers:other_areas": 2_080_000,
    }


async def test_who_left_comes_back_with_the_same_months(bureau: Bureau) -> None:
    person_id = await a_former_worker(bureau)
    one = await applied(bureau, person_id, model.TRANSFER_DIRECTION_OUT)
    await step(bureau, "ReceiveContactLetter", one, by=AREA, letter_no="SH-0001")
    await step(bureau, "IssueInformationForm", one)
    await step(bureau, "SendFunds", one)
    await step(bureau, "ConfirmTransfer", one, by=AREA)
    (row,) = await bureau.rows("SELECT id_no_sealed FROM person")
    assert row is not None

    employer_id = await bureau.employer()
    id_no = builders.an_id_no(date(1985, 5, 1))
    other = (await bureau.enrolled(employer_id, id_no=id_no, name=NAME)).person_id
    assert other != person_id
    await bureau.rows(
        "UPDATE employment SET person_id = $1 WHERE person_id = $2",
        person_id_of(person_id),
        person_id_of(other),
    )
    back = await applied(bureau, person_id, model.TRANSFER_DIRECTION_IN)
    await step(bureau, "SendContactLetter", back)
    years = [a_form_year(2023, 1, 12, "5000.00"), a_form_year(2024, 1, 12, "5000.00")]
    form = a_form(back.transfer_id, years=years, pooled=builders.money("14400.00"))
    await bureau.call("ReceiveInformationForm", form, by=AREA)
    await step(bureau, "ReceiveFunds", back, by=AREA, funds_no="SH-ZJ-1", amount=builders.money("20400.00"))

    assert await months_of(bureau, person_id) == {1: 24, 2: 18}
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=person_id))
    assert (account.balance.fen, [(year.year, year.closing.fen) for year in account.years]) == (
        600_000,
        [(2026, 600_000), (2025, 0), (2024, 1_000_000)],
    )
    await bureau.rows(
        "UPDATE employment SET person_id = $2 WHERE person_id = $1", person_id_of(person_id), person_id_of(other)
    )


def person_id_of(text: str) -> UUID:
    """The stored form of an id."""
    return UUID(hex=text.removeprefix("per_"))


@pytest.mark.parametrize(
    ("changes", "reason", "kind"),
    [
        ({"years": []}, "FORM_YEARS_INVALID", InvalidInput),
        ({"years": [a_form_year(2019, 6, 8)]}, "FORM_YEARS_INVALID", InvalidInput),
        ({"years": [a_form_year(2019, 6, 2), a_form_year(2019, 7, 2)]}, "FORM_YEARS_INVALID", InvalidInput),
        ({"years": [a_form_year(2025, 4, 1)]}, "FORM_YEARS_INVALID", InvalidInput),
        ({"years": [a_form_year(2019, 1, 1, "0.00")]}, "FORM_YEARS_INVALID", InvalidInput),
        ({"form_no": "x"}, "DOCUMENT_NO_INVALID", InvalidInput),
        ({"pooled": money_pb2.Money(fen=863_999)}, "FORM_AMOUNT_DIFFERS", Refused),
        ({"account": money_pb2.Money(fen=-1)}, "MONEY_OUT_OF_RANGE", InvalidInput),
    ],
)
async def test_a_form_that_is_wrong_is_refused(bureau: Bureau, changes: Any, reason: str, kind: type) -> None:
    one = await applied(bureau, await insured(bureau), model.TRANSFER_DIRECTION_IN)
    await step(bureau, "SendContactLetter", one)

    with pytest.raises(kind, match=reason):
        await bureau.call("ReceiveInformationForm", a_form(one.transfer_id, **changes), by=AREA)


async def test_every_step_is_taken_once_and_in_order(bureau: Bureau) -> None:
    person_id = await insured(bureau)
    one = await applied(bureau, person_id, model.TRANSFER_DIRECTION_IN)
    with pytest.raises(AlreadyExists, match="TRANSFER_OPEN"):
        await applied(bureau, person_id, model.TRANSFER_DIRECTION_IN)
    with pytest.raises(Refused, match="TRANSFER_STATE_FORBIDS"):
        await bureau.call("ReceiveInformationForm", a_form(one.transfer_id), by=AREA)
    with pytest.raises(Refused, match="TRANSFER_STATE_FORBIDS"):
        await step(bureau, "ReceiveContactLetter", one, by=AREA, letter_no="SH-0001")  # of the other direction
    await step(bureau, "SendContactLetter", one)
    await bureau.call("ReceiveInformationForm", a_form(one.transfer_id), by=AREA)
    with pytest.raises(Refused, match="FUNDS_DIFFER") as refusal:
        await step(bureau, "ReceiveFunds", one, by=AREA, funds_no="ZJ-1234", amount=builders.money("14640.01"))
    assert refusal.value.metadata == {"amount": "14640.00"}
    with pytest.raises(Refused, match="TRANSFER_STATE_FORBIDS"):
        await step(bureau, "RefuseTransfer", one, reason="too late")

    outcomes = await asyncio.gather(
        *(
            step(bureau, "ReceiveFunds", one, by=AREA, funds_no="ZJ-1234", amount=builders.money("14640.00"))
            for _ in range(4)
        ),
        return_exceptions=True,
    )

    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert all(isinstance(outcome, Refused | Conflict) for outcome in outcomes if isinstance(outcome, BaseException))
    assert len(await bureau.said(events.RelationTransferred)) == 1
    other = await insured(bureau)
    again = await applied(bureau, other, model.TRANSFER_DIRECTION_IN)
    await step(bureau, "SendContactLetter", again)
    await bureau.call("ReceiveInformationForm", a_form(again.transfer_id), by=AREA)
    with pytest.raises(AlreadyExists, match="FUNDS_ALREADY_RECORDED"):
        await step(bureau, "ReceiveFunds", again, by=AREA, funds_no="ZJ-1234", amount=builders.money("14640.00"))


async def test_who_may_not_move_is_told_why(bureau: Bureau) -> None:
    person_id = await insured(bureau)
    wrong: list[tuple[dict[str, Any], str, type[Exception]]] = [
        ({"other_area": "320602"}, "AREA_INVALID", InvalidInput),
        ({"other_area": "31011"}, "AREA_INVALID", InvalidInput),
        ({"direction": 0}, "DIRECTION_REQUIRED", InvalidInput),
        ({"direction": 2}, "STILL_INSURED_HERE", Refused),
        ({"person_id": "per_" + "0" * 32}, "PERSON_NOT_FOUND", NotFound),
    ]
    for changes, reason, kind in wrong:
        values: dict[str, Any] = {"direction": model.TRANSFER_DIRECTION_IN, **changes}
        with pytest.raises(kind, match=reason):
            await bureau.call("ApplyForTransfer", an_application(values.pop("person_id", person_id), **values))
    nobody = await a_former_worker(bureau)
    with pytest.raises(Refused, match="NOT_INSURED_HERE"):
        await applied(bureau, nobody, model.TRANSFER_DIRECTION_IN)
    elder = await insured(bureau, make_resident_id(TEST_REGION, date(1974, 12, 1), 1))  # 50 in January 2025
    with pytest.raises(Refused, match="RELATION_TEMPORARY"):
        await applied(bureau, elder, model.TRANSFER_DIRECTION_IN)
    younger = await insured(bureau, make_resident_id(TEST_REGION, date(1975, 2, 1), 1))  # 49 then
    assert (await applied(bureau, younger, model.TRANSFER_DIRECTION_IN)).temporary is False
    woman = await a_former_worker(bureau, date(1984, 3, 1))
    await bureau.rows("UPDATE person SET sex = 'female' WHERE person_id = $1", person_id_of(woman))
    with pytest.raises(Refused, match="RELATION_TEMPORARY"):
        await applied(bureau, woman, model.TRANSFER_DIRECTION_OUT)


async def test_a_person_sees_where_their_own_transfer_stands(bureau: Bureau) -> None:
    person_id = await insured(bureau)
    one = await applied(bureau, person_id, model.TRANSFER_DIRECTION_IN)
    me = a_principal(person_id=person_id_of(person_id))
    stranger = a_principal(person_id=UUID(int=1))

    refused = await step(bureau, "RefuseTransfer", one, reason="原参保地无此人")
    mine = (await bureau.call("GetTransfer", mv.GetTransferRequest(transfer_id=one.transfer_id), by=me)).transfer
    listed = await bureau.call("ListTransfers", mv.ListTransfersRequest(person_id=person_id), by=me)

    assert refused.state == mv.TRANSFER_STATE_REFUSED
    assert (mine.refusal, [one.state for one in mine.steps]) == ("原参保地无此人", [1, 6])
    assert [one.transfer_id for one in listed.transfers] == [one.transfer_id]
    with pytest.raises(NotFound):
        await bureau.call("GetTransfer", mv.GetTransferRequest(transfer_id=one.transfer_id), by=stranger)
    waiting = await applied(bureau, person_id, model.TRANSFER_DIRECTION_IN)
    seen = await bureau.call("ListOpenTransfers", mv.ListOpenTransfersRequest(), by=AREA)
    assert [one.transfer_id for one in seen.transfers] == [waiting.transfer_id]


async def test_money_that_came_with_a_relation_earns_and_is_settled(bureau: Bureau) -> None:
    person_id = await insured(bureau)
    await arrived(bureau, person_id)

    await close(bureau, 2025, date(2026, 1, 5))

    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=person_id))
    # 6,000.00 × 10 months (March to December) × 1.5 % ÷ 12
    assert [(year.contribution.fen, year.interest.fen) for year in account.years] == [(600_000, 7_500)]
    assert TODAY.month == 3
