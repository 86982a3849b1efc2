"""Flexible workers: their bases and months, their bills beside those of employers, one history of a person."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis import transaction
from chassis.principal import Principal
from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as register_pb
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, DomainError, InvalidInput, NotFound, Refused
from services.enrollment.operations import enrollments
from tests.enrollment.builders import (
    NOW,
    PARTNER,
    TODAY,
    a_history_file,
    a_month_row,
    a_receipt,
    a_roster_file,
    a_roster_row,
    an_id_no,
    day,
    money,
    month,
)
from tests.enrollment.cover_builders import a_cover_bill, a_flexible, a_flexible_cover, a_request_id, months_of
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_history import bring_in
from tests.enrollment.test_roster import bring_in as bring_roster
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from tests.enrollment.conftest import Bureau


async def test_a_flexible_worker_pays_a_month_and_it_counts_like_any_other(bureau: Bureau) -> None:
    cover = await a_flexible_cover(bureau)

    bill = await a_cover_bill(bureau, cover.cover_id)

    assert (bill.kind, bill.payer_person_id, bill.employer_id) == (model.BILL_KIND_FLEXIBLE, cover.person_id, "")
    assert bill.total.fen == 120_000  # 20 % of 6,000
    assert [(one.scheme, one.employer.fen, one.employee.fen) for one in bill.subtotals] == [
        (model.SCHEME_EMPLOYEE_PENSION, 0, 120_000)
    ]
    lines = await bureau.call("ListBillLines", register_pb.ListBillLinesRequest(bill_id=bill.bill_id))
    (line,) = lines.lines
    assert [one.code for one in line.statement.lines] == ["employee_pension.flexible"]
    assert line.statement.total == bill.total
    assert await a_cover_bill(bureau, cover.cover_id) == bill

    settled = await pay(bureau, bill)

    assert (settled.bill.state, settled.settled_count) == (model.BILL_STATE_PAID, 1)
    assert await months_of(bureau, cover.person_id) == [(str(NOW), 110, 600_000)]
    account = await bureau.call("GetAccount", register_pb.GetAccountRequest(person_id=cover.person_id))
    assert account.balance.fen == 48_000  # 8 %
    (started,) = await bureau.said(events.ParticipationStarted)
    assert (started.scheme, started.employer_id, started.division) == (model.SCHEME_EMPLOYEE_PENSION, "", "320613")
    (said,) = await bureau.said(events.ContributionsSettled)
    assert [(one.scheme, one.base.fen, one.state) for one in said.items] == [
        (model.SCHEME_EMPLOYEE_PENSION, 600_000, model.CONTRIBUTION_STATE_PAID)
    ]
    (credited,) = await bureau.said(events.AccountCredited)
    assert (credited.amount.fen, credited.balance.fen) == (48_000, 48_000)


@pytest.mark.parametrize(
    ("base", "reason"), [("4951.99", True), ("4952.00", False), ("24762.00", False), ("24762.01", True)]
)
async def test_a_base_lies_between_floor_and_ceiling(bureau: Bureau, base: str, *, reason: bool) -> None:
    request = a_flexible(base=money(base))
    if not reason:
        assert (await bureau.call("EnrollFlexible", request)).cover.bases[0].wage == money(base)
        return
    with pytest.raises(Refused, match="BASE_OUT_OF_RANGE") as refused:
        await bureau.call("EnrollFlexible", request)
    assert refused.value.metadata == {"floor": "4952.00", "ceiling": "24762.00"}


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"start_month": month(Month(2024, 12))}, Refused, "START_MONTH_OUT_OF_WINDOW"),
        ({"start_month": month(NOW.plus(2))}, Refused, "START_MONTH_OUT_OF_WINDOW"),
        ({"division": "3206"}, InvalidInput, "DIVISION_INVALID"),
        ({"id_no": "110101199003070000"}, InvalidInput, "ID_NO_INVALID"),
        ({"id_no": an_id_no(date(1985, 5, 5), sex="female")}, InvalidInput, "POST_REQUIRED"),
    ],
    ids=["last-year", "too-far-ahead", "division", "number", "post-of-a-woman"],
)
async def test_who_cannot_be_enrolled(
    bureau: Bureau, changes: dict[str, Any], kind: type[DomainError], reason: str
) -> None:
    with pytest.raises(kind, match=reason):
        await bureau.call("EnrollFlexible", a_flexible(**changes))


async def test_past_years_are_not_paid(bureau: Bureau) -> None:
    cover = await a_flexible_cover(bureau, start_month=month(Month(2025, 1)))
    january = await a_cover_bill(bureau, cover.cover_id, Month(2025, 1))
    later = date(2026, 1, 5)

    with pytest.raises(Refused, match="PAST_YEAR_CLOSED"):
        await a_cover_bill(bureau, cover.cover_id, Month(2025, 12), today=later)
    with pytest.raises(Refused, match="PAST_YEAR_CLOSED"):
        await bureau.call("RecordReceipt", a_receipt(january, paid_date=day(later)), by=PARTNER, today=later)
    assert await months_of(bureau, cover.person_id) == []


async def test_a_new_base_counts_for_months_not_billed(bureau: Bureau) -> None:
    cover = await a_flexible_cover(bureau, start_month=month(NOW.plus(-1)))
    before = await a_cover_bill(bureau, cover.cover_id, NOW.plus(-1))

    def change(value: Month) -> pb.ChangeCoverBaseRequest:
        return pb.ChangeCoverBaseRequest(
            request_id=a_request_id("base"), cover_id=cover.cover_id, from_month=month(value), base=money("10000")
        )

    with pytest.raises(Refused, match="MONTH_ALREADY_BILLED"):
        await bureau.call("ChangeCoverBase", change(NOW.plus(-1)))
    changed = await bureau.call("ChangeCoverBase", change(NOW))
    after = await a_cover_bill(bureau, cover.cover_id)

    assert [one.wage.fen for one in changed.cover.bases] == [1_000_000, 600_000]
    assert (before.total.fen, after.total.fen) == (120_000, 200_000)


async def test_a_cover_rests_and_goes_on(bureau: Bureau) -> None:
    cover = await a_flexible_cover(bureau, start_month=month(NOW.plus(-2)))

    def rest(rpc: Any, value: Month, **more: Any) -> Any:
        return rpc(request_id=a_request_id("rest"), cover_id=cover.cover_id, from_month=month(value), **more)

    why = {"reason": pb.SUSPEND_REASON_NO_INCOME}
    with pytest.raises(Refused, match="PARTICIPATION_STATE_FORBIDS"):
        await bureau.call("ResumeCover", rest(pb.ResumeCoverRequest, NOW))
    suspended = await bureau.call("SuspendCover", rest(pb.SuspendCoverRequest, NOW.plus(-1), **why))
    assert suspended.cover.state == model.PARTICIPATION_STATE_SUSPENDED
    with pytest.raises(Refused, match="MONTH_SUSPENDED"):
        await a_cover_bill(bureau, cover.cover_id)
    with pytest.raises(Refused, match="PARTICIPATION_STATE_FORBIDS"):
        await bureau.call("SuspendCover", rest(pb.SuspendCoverRequest, NOW, **why))

    resumed = await bureau.call("ResumeCover", rest(pb.ResumeCoverRequest, NOW))

    assert resumed.cover.state == model.PARTICIPATION_STATE_ACTIVE
    (months,) = resumed.cover.suspensions
    assert (months.from_month, months.until_month) == (month(NOW.plus(-1)), month(NOW.plus(-1)))
    assert (await a_cover_bill(bureau, cover.cover_id)).month == month(NOW)
    with pytest.raises(Refused, match="MONTH_SUSPENDED"):
        await a_cover_bill(bureau, cover.cover_id, NOW.plus(-1))


async def test_a_cover_ends_and_says_so(bureau: Bureau) -> None:
    cover = await a_flexible_cover(bureau)
    await pay(bureau, await a_cover_bill(bureau, cover.cover_id))
    request = pb.EndCoverRequest(
        request_id="end", cover_id=cover.cover_id, end_month=month(NOW), reason=model.END_REASON_STOPPED
    )

    with pytest.raises(InvalidInput, match="END_REASON_REQUIRED"):
        await bureau.call(
            "EndCover",
            pb.EndCoverRequest(
                request_id="died", cover_id=cover.cover_id, end_month=month(NOW), reason=model.END_REASON_DIED
            ),
        )
    ended = await bureau.call("EndCover", request)

    assert (ended.cover.state, ended.cover.end_reason) == (model.PARTICIPATION_STATE_ENDED, model.END_REASON_STOPPED)
    (said,) = await bureau.said(events.ParticipationEnded)
    assert (said.end_month, said.reason, said.contributions_version) == (month(NOW), model.END_REASON_STOPPED, 1)
    with pytest.raises(Refused, match="COVER_ENDED"):
        await bureau.call(
            "EndCover",
            pb.EndCoverRequest(
                request_id="again", cover_id=cover.cover_id, end_month=month(NOW), reason=model.END_REASON_STOPPED
            ),
        )


async def test_one_person_has_one_cover(bureau: Bureau) -> None:
    id_no = an_id_no()
    await a_flexible_cover(bureau, id_no=id_no)

    with pytest.raises(AlreadyExists, match="ALREADY_COVERED"):
        await bureau.call("EnrollFlexible", a_flexible(id_no=id_no))


async def test_an_employee_is_no_flexible_worker(bureau: Bureau) -> None:
    id_no = an_id_no()
    await bureau.enrolled(await bureau.employer(), id_no=id_no, name="李自强")

    with pytest.raises(AlreadyExists, match="ALREADY_ENROLLED"):
        await bureau.call("EnrollFlexible", a_flexible(id_no=id_no))


async def test_an_employment_ends_the_cover_and_withdraws_what_is_not_paid(bureau: Bureau) -> None:
    id_no = an_id_no()
    cover = await a_flexible_cover(bureau, id_no=id_no, start_month=month(NOW.plus(-1)))
    await pay(bureau, await a_cover_bill(bureau, cover.cover_id, NOW.plus(-1)))
    unpaid = await a_cover_bill(bureau, cover.cover_id)
    employer_id = await bureau.employer()

    await bureau.enrolled(employer_id, id_no=id_no, name="李自强")

    shown = await bureau.call("GetCover", pb.GetCoverRequest(cover_id=cover.cover_id))
    assert (shown.cover.end_month, shown.cover.end_reason) == (month(NOW.plus(-1)), model.END_REASON_EMPLOYED)
    with pytest.raises(Refused, match="BILL_WITHDRAWN"):
        await pay(bureau, unpaid)
    open_ones = await bureau.call("ListBills", register_pb.ListBillsRequest(state=model.BILL_STATE_ISSUED))
    assert unpaid.bill_id not in {one.bill_id for one in open_ones.bills}
    bill = await a_bill(bureau, employer_id)
    assert bill.person_count == 1
    await pay(bureau, bill)
    assert await months_of(bureau, cover.person_id) == [
        (str(NOW.plus(-1)), 110, 600_000), (str(NOW), 110, 800_000), (str(NOW), 210, 800_000), (str(NOW), 410, 800_000),
    ]  # fmt: skip


async def test_a_month_paid_twice_counts_once_and_goes_back(bureau: Bureau) -> None:
    id_no = an_id_no()
    cover = await a_flexible_cover(bureau, id_no=id_no)
    await pay(bureau, await a_cover_bill(bureau, cover.cover_id))
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, id_no=id_no, name="李自强")
    with pytest.raises(Refused, match="NOBODY_INSURED"):
        await a_bill(bureau, employer_id)  # the month is paid

    found = await bureau.call("GetOverlap", pb.GetOverlapRequest(person_id=cover.person_id))
    (refunded,) = (
        await bureau.call("RefundOverlap", pb.RefundOverlapRequest(request_id="back", person_id=cover.person_id))
    ).overlaps

    assert [(one.amount.fen, one.refund_id) for one in found.overlaps] == [(120_000, "")]
    assert refunded.refund_id
    assert refunded.statement.lines[0].sources == ["MOHRSS-2014-17", "MOHRSS-G-2016-5"]
    assert await months_of(bureau, cover.person_id) == []
    account = await bureau.call("GetAccount", register_pb.GetAccountRequest(person_id=cover.person_id))
    assert account.balance.fen == 0
    assert (await bureau.said(events.AccountCredited))[-1].amount.fen == -48_000
    assert (await bureau.said(events.ContributionsSettled))[-1].items[0].state == model.CONTRIBUTION_STATE_UNPAID
    (waiting,) = await bureau.rows(
        "SELECT sum(amount_fen)::bigint AS fen FROM ledger_posting WHERE account = 'refunds:after_settlement'"
    )
    assert waiting["fen"] == 120_000
    with pytest.raises(Refused, match="NOTHING_OVERLAPS"):
        await bureau.call("RefundOverlap", pb.RefundOverlapRequest(request_id="twice", person_id=cover.person_id))

    await pay(bureau, await a_bill(bureau, employer_id))

    assert [scheme for _, scheme, _ in await months_of(bureau, cover.person_id)] == [110, 210, 410]


async def test_a_person_manages_their_own_cover_and_no_other(bureau: Bureau) -> None:
    cover, other = await a_flexible_cover(bureau), await a_flexible_cover(bureau)
    me = a_principal(["CITIZEN"], person_id=ids.parse("per", cover.person_id))

    assert (await a_cover_bill(bureau, cover.cover_id, by=me)).total.fen == 120_000
    with pytest.raises(NotFound, match="COVER_NOT_FOUND"):
        await a_cover_bill(bureau, other.cover_id, by=me)
    with pytest.raises(NotFound, match="COVER_NOT_FOUND"):
        await bureau.call("GetCover", pb.GetCoverRequest(cover_id=other.cover_id), by=me)


async def test_the_person_sees_the_cover(bureau: Bureau) -> None:
    cover = await a_flexible_cover(bureau)
    bill = await a_cover_bill(bureau, cover.cover_id)
    request = register_pb.ListContributionsRequest(person_id=cover.person_id)
    (owed,) = (await bureau.call("ListContributions", request)).months
    assert (owed.scheme, owed.state) == (model.SCHEME_EMPLOYEE_PENSION, model.CONTRIBUTION_STATE_UNPAID)
    await pay(bureau, bill)

    shown = await bureau.call("GetInsurance", register_pb.GetInsuranceRequest(person_id=cover.person_id))

    (one,) = shown.participations
    assert (one.employer_id, one.cover_id, one.scheme) == ("", cover.cover_id, model.SCHEME_EMPLOYEE_PENSION)
    assert [(months.scheme, months.paid_months) for months in shown.months] == [(model.SCHEME_EMPLOYEE_PENSION, 1)]
    assert [one.cover_id for one in shown.covers] == [cover.cover_id]
    months = await bureau.call("ListContributions", request)
    assert [(row.employer.fen, row.employee.fen) for row in months.months] == [(0, 120_000)]


async def test_a_roster_ends_covers_like_the_counter(bureau: Bureau) -> None:
    id_no = an_id_no()
    cover = await a_flexible_cover(bureau, id_no=id_no, start_month=month(NOW.plus(-1)))
    employer_id = await bureau.employer()

    await bring_roster(bureau, employer_id, a_roster_file([a_roster_row(id_no, name="李自强")]))

    shown = (await bureau.call("GetCover", pb.GetCoverRequest(cover_id=cover.cover_id))).cover
    assert (shown.end_month, shown.end_reason) == (month(NOW.plus(-1)), model.END_REASON_EMPLOYED)


async def test_a_pension_ends_every_cover(bureau: Bureau) -> None:
    cover = await a_flexible_cover(bureau)

    async def retire(tx: Transaction) -> None:
        await enrollments.retire(tx, ids.parse("per", cover.person_id), NOW)

    await transaction.run(bureau.database, retire, principal=Principal.system("benefits"), today=TODAY)

    shown = (await bureau.call("GetCover", pb.GetCoverRequest(cover_id=cover.cover_id))).cover
    assert (shown.end_month, shown.end_reason) == (month(NOW), model.END_REASON_RETIRED)
    with pytest.raises(Refused, match="PERSON_RETIRED"):
        await a_cover_bill(bureau, cover.cover_id)


async def test_history_is_not_brought_in_where_a_flexible_worker_pays(bureau: Bureau) -> None:
    id_no = an_id_no()
    cover = await a_flexible_cover(bureau, id_no=id_no)
    bill = await a_cover_bill(bureau, cover.cover_id)

    await bring_in(bureau, a_history_file([a_month_row(id_no, "李自强", str(NOW))]))
    await pay(bureau, bill)

    assert await months_of(bureau, cover.person_id) == [(str(NOW), 110, 600_000)]
