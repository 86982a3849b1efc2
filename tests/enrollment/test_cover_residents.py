"""Residents: who may join, the tier with subsidy and aid, what goes back when they work."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrss.enrollment.v1 import collection_service_pb2 as money_pb
from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as register_pb
from kernel.calendar import Month
from kernel.errors import AlreadyExists, DomainError, Refused
from kernel.money import Money
from services.enrollment import cover_money as money_rules
from services.enrollment.domain.residents import resident_refund
from tests.enrollment.builders import NOW, PARTNER, an_id_no, money, month
from tests.enrollment.collecting import SUPERVISOR, ask
from tests.enrollment.cover_builders import (
    a_flexible_cover,
    a_government,
    a_post,
    a_request_id,
    a_resident,
    a_single_receipt,
)
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_cover_posts import a_post_bill

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau


async def a_resident_cover(bureau: Bureau, **changes: Any) -> model.Cover:
    """A resident's cover."""
    cover: model.Cover = (await bureau.call("EnrollResident", a_resident(**changes))).cover
    return cover


def a_year(cover_id: str, tier: str = "1000", **changes: Any) -> pb.AssessResidentYearRequest:
    """A request to assess this year's payment."""
    values = {
        "request_id": a_request_id("year"),
        "cover_id": cover_id,
        "year": NOW.year,
        "tier": money(tier),
        **changes,
    }
    return pb.AssessResidentYearRequest(**values)


# Residents ------------------------------------------------------------------------------------------------------------


async def test_a_resident_pays_a_tier_and_the_account_gets_subsidy_and_aid(office: Bureau) -> None:
    cover = await a_resident_cover(office)
    payment = (await office.call("AssessResidentYear", a_year(cover.cover_id, aid=money("50")))).payment

    assert [(line.code, line.amount.fen) for line in payment.statement.lines] == [
        ("payment", 100_000), ("subsidy", 9_000), ("aid", 5_000),
    ]  # fmt: skip
    assert "LOCAL:NT-TIERS" in payment.statement.lines[0].sources
    assert payment.statement.lines[0].parameters[0].key == "resident_pension.tiers_nantong"

    receipt = a_single_receipt(
        pb.RecordResidentPaymentRequest, 100_000, resident_payment_id=payment.resident_payment_id
    )
    paid = await office.call("RecordResidentPayment", receipt, by=PARTNER)

    assert (paid.payment.paid, paid.account.balance.fen) == (True, 114_000)
    assert {(one.part, one.amount.fen) for one in paid.account.entries} == {
        ("PAYMENT", 100_000), ("SUBSIDY", 9_000), ("AID", 5_000),
    }  # fmt: skip
    # One number is one receipt: the bureau's file cannot bring it again, nor does a number of the bureau pay a year.
    employer_id = await office.employer()
    await office.enrolled(employer_id)
    with pytest.raises(AlreadyExists, match="RECEIPT_NO_REUSED"):
        await pay(office, await a_bill(office, employer_id), receipt_no=receipt.receipt_no)
    theirs = await pay(office, await a_bill(office, employer_id), receipt_no="BUREAU-77")
    other = (await office.call("AssessResidentYear", a_year((await a_resident_cover(office)).cover_id))).payment
    reused = a_single_receipt(pb.RecordResidentPaymentRequest, 100_000, resident_payment_id=other.resident_payment_id)
    reused.receipt_no = "BUREAU-77"
    with pytest.raises(AlreadyExists, match="RECEIPT_NO_REUSED"):
        await office.call("RecordResidentPayment", reused, by=PARTNER)
    assert theirs.settled_count == 1

    again = a_single_receipt(pb.RecordResidentPaymentRequest, 100_000, resident_payment_id=payment.resident_payment_id)
    with pytest.raises(Refused, match="PAYMENT_ALREADY_PAID"):
        await office.call("RecordResidentPayment", again, by=PARTNER)
    with pytest.raises(AlreadyExists, match="YEAR_ALREADY_ASSESSED"):
        await office.call("AssessResidentYear", a_year(cover.cover_id, "500"))
    shown = await office.call("GetInsurance", register_pb.GetInsuranceRequest(person_id=cover.person_id))
    assert [(one.scheme, one.track) for one in shown.participations] == [
        (model.SCHEME_RESIDENT_PENSION, model.TRACK_UNSPECIFIED)
    ]


async def test_without_the_bureaus_tiers_nothing_is_assessed(bureau: Bureau) -> None:
    cover = await a_resident_cover(bureau)

    with pytest.raises(Refused) as refused:
        await bureau.call("AssessResidentYear", a_year(cover.cover_id))

    assert refused.value.reason == "POLICY_PARAMETER_MISSING"
    assert refused.value.metadata == {
        "file": "contribution.yaml", "key": "resident_pension.tiers_nantong", "on": "2025-01-01",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tier": "700"}, "TIER_UNKNOWN"),
        ({"year": NOW.year - 1}, "YEAR_INVALID"),
        ({"aid": money("-1")}, "AMOUNT_INVALID"),
    ],
    ids=["tier", "last-year", "aid"],
)
async def test_a_year_that_cannot_be_assessed(office: Bureau, changes: dict[str, Any], reason: str) -> None:
    cover = await a_resident_cover(office)

    with pytest.raises(DomainError, match=reason):
        await office.call("AssessResidentYear", a_year(cover.cover_id, **changes))


@pytest.mark.parametrize(
    ("birth", "changes", "reason"),
    [
        (date(2009, 3, 31), {}, ""),
        (date(2009, 4, 1), {}, "RESIDENT_TOO_YOUNG"),
        (date(2000, 1, 1), {"is_student": True}, "RESIDENT_IS_STUDENT"),
    ],
    ids=["sixteen-this-month", "sixteen-next-month", "student"],
)
async def test_residents_are_of_age_and_no_students(
    bureau: Bureau, birth: date, changes: dict[str, Any], reason: str
) -> None:
    request = a_resident(id_no=an_id_no(birth), **changes)
    if not reason:
        assert (await bureau.call("EnrollResident", request)).cover.kind == model.COVER_KIND_RESIDENT
        return
    with pytest.raises(Refused, match=reason):
        await bureau.call("EnrollResident", request)


async def test_employees_and_flexible_workers_are_no_residents(bureau: Bureau) -> None:
    employee, flexible = an_id_no(), an_id_no()
    await bureau.enrolled(await bureau.employer(), id_no=employee, name="王守田")
    await a_flexible_cover(bureau, id_no=flexible, name="王守田")

    for id_no in (employee, flexible):
        with pytest.raises(AlreadyExists, match="ALREADY_ENROLLED"):
            await bureau.call("EnrollResident", a_resident(id_no=id_no))


async def test_a_resident_who_works_gets_the_months_back(office: Bureau) -> None:
    id_no = an_id_no()
    cover = await a_resident_cover(office, id_no=id_no, start_month=month(NOW.plus(-2)))
    payment = (await office.call("AssessResidentYear", a_year(cover.cover_id))).payment
    receipt = a_single_receipt(
        pb.RecordResidentPaymentRequest, 100_000, resident_payment_id=payment.resident_payment_id
    )
    await office.call("RecordResidentPayment", receipt, by=PARTNER)
    employer_id = await office.employer()
    await office.enrolled(employer_id, id_no=id_no, name="王守田", start_month=month(NOW.plus(-1)))
    for value in (NOW.plus(-1), NOW):
        await pay(office, await a_bill(office, employer_id, value))

    (back,) = (
        await office.call("RefundOverlap", pb.RefundOverlapRequest(request_id="back", person_id=cover.person_id))
    ).overlaps

    assert (back.kind, back.amount.fen, len(back.months)) == (model.COVER_KIND_RESIDENT, 16_667, 2)  # 1000 × 2 ÷ 12
    accounts = await office.call("ListSchemeAccounts", pb.ListSchemeAccountsRequest(person_id=cover.person_id))
    assert accounts.accounts[0].balance.fen == 100_000 + 9_000 - 16_667
    with pytest.raises(Refused, match="NOTHING_OVERLAPS"):
        await office.call("RefundOverlap", pb.RefundOverlapRequest(request_id="more", person_id=cover.person_id))
    shown = await office.call("GetCover", pb.GetCoverRequest(cover_id=cover.cover_id))
    assert shown.cover.end_reason == model.END_REASON_EMPLOYED

    # What goes back is paid out by two persons and the bank's answer, once.
    order: dict[str, Any] = {"person_id": cover.person_id, "reason": "重复缴费退还"}
    refund = (await ask(office, "PrepareRefund", **order)).refund
    assert (refund.amount.fen, refund.person_id) == (16_667, cover.person_id)
    await ask(office, "DecideRefund", by=SUPERVISOR, refund_id=refund.refund_id, approve=True)
    with pytest.raises(Refused, match="NOTHING_WITHHELD"):
        await ask(office, "PrepareRefund", **order)
    result: dict[str, Any] = {"refund_id": refund.refund_id, "reference": "BACK-0001", "simulated": True}
    done = await ask(office, "RecordRefundResult", by=PARTNER, outcome=money_pb.REFUND_OUTCOME_CONFIRMED, **result)
    assert done.refund.state == money_pb.REFUND_STATE_CONFIRMED
    (held,) = await office.rows(
        "SELECT sum(amount_fen) FILTER (WHERE account = 'refunds:after_settlement') AS waiting,"
        " sum(amount_fen) FILTER (WHERE account = 'refunds:paid_back') AS back FROM ledger_posting"
    )
    assert tuple(held) == (0, 16_667)


async def test_nothing_of_a_government_post_is_withheld(bureau: Bureau) -> None:
    employer_id = await a_government(bureau)
    post = (await bureau.call("EnrollPost", a_post(employer_id))).enrollment
    await pay(bureau, await a_post_bill(bureau, employer_id))

    with pytest.raises(Refused, match="NOTHING_WITHHELD"):
        await ask(bureau, "PrepareRefund", person_id=post.person_id, reason="退费申请")


@given(
    done=st.dictionaries(st.integers(2015, 2025), st.integers(0, 12), max_size=5),
    employed=st.lists(st.tuples(st.integers(2015, 2025), st.integers(1, 12)), max_size=60),
    payment=st.integers(1, 1_000_000),
)
def test_never_more_than_a_year_goes_back(done: dict[int, int], employed: list[tuple[int, int]], payment: int) -> None:
    months = [Month(*one) for one in employed]

    found = money_rules.months_paid_twice(done, months)

    for year, count in found.items():
        assert 1 <= count <= 12 - done[year]
        assert count + done[year] == len({one for one in months if one.year == year})
        assert Money.ZERO <= resident_refund(year, Money(payment), count).amount <= Money(payment)
    assert money_rules.months_paid_twice({year: count + done[year] for year, count in found.items()}, months) == {}
