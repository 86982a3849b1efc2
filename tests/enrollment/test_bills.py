"""Bills and receipts: sums, supplements, part payments, and what a full payment settles."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment import billing
from services.enrollment.billing import CHARGES, Terms
from services.enrollment.domain.contributions import EmployerTerms, Scheme, Side
from services.enrollment.policy import EnrollmentPolicy
from services.enrollment.store import terms as stored_terms
from tests.enrollment import builders
from tests.enrollment.builders import NOW, PARTNER, a_receipt, an_enrollment, an_id_no, day, money, month
from tests.enrollment.conftest import LOCAL_VALUES
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

POLICY = EnrollmentPolicy(open_policy(release_directory(), LOCAL_VALUES))


def an_assessment(employer_id: str, value: Month = NOW) -> pb.AssessBillRequest:
    """A request for a month's bill."""
    return pb.AssessBillRequest(request_id=f"assess-{builders.number()}", employer_id=employer_id, month=month(value))


async def a_bill(bureau: Bureau, employer_id: str, value: Month = NOW) -> model.Bill:
    """The month's bill of an employer."""
    bill: model.Bill = (await bureau.call("AssessBill", an_assessment(employer_id, value))).bill
    return bill


async def pay(bureau: Bureau, bill: model.Bill, **changes: Any) -> pb.RecordReceiptResponse:
    """Record a receipt for a bill, in full unless told otherwise."""
    reply: pb.RecordReceiptResponse = await bureau.call("RecordReceipt", a_receipt(bill, **changes), by=PARTNER)
    return reply


async def test_a_bill_holds_every_insured_person_with_clamped_bases(bureau: Bureau) -> None:
    employer_id = await bureau.employer(injury_class=6)
    for wage in ("3000.00", "8000.00", "40000.00"):
        await bureau.enrolled(employer_id, wage=money(wage))

    bill = await a_bill(bureau, employer_id)

    # Worked examples WE-032 and WE-033 of 2025, and 8,000 in between; class 6 is 1.3 %.
    assert [(one.employer.fen, one.employee.fen) for one in bill.subtotals] == [
        (79_232 + 128_000 + 396_192, 39_616 + 64_000 + 198_096),
        (2_476 + 4_000 + 12_381, 2_476 + 4_000 + 12_381),
        (6_438 + 10_400 + 32_191, 0),
    ]
    assert bill.total.fen == sum(one.employer.fen + one.employee.fen for one in bill.subtotals)
    assert (bill.person_count, bill.state, bill.paid.fen) == (3, model.BILL_STATE_ISSUED, 0)
    assert not bill.provisional
    lines = await bureau.call("ListBillLines", pb.ListBillLinesRequest(bill_id=bill.bill_id))
    assert [(line.wage.fen, line.base.fen) for line in lines.lines] == [
        (300_000, 495_200), (800_000, 800_000), (4_000_000, 2_476_200),
    ]  # fmt: skip
    assert sum(line.statement.total.fen for line in lines.lines) == bill.total.fen
    codes = [line.code for line in lines.lines[0].statement.lines]
    assert codes == [
        "employee_pension.employer", "employee_pension.employee", "unemployment.employer", "unemployment.employee",
        "work_injury.employer",
    ]  # fmt: skip
    assert lines.lines[0].statement.policy_version == POLICY.version


async def test_the_same_month_again_is_the_same_bill(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)

    assert await a_bill(bureau, employer_id) == await a_bill(bureau, employer_id)


async def test_one_who_is_enrolled_late_comes_on_a_supplement(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    first = await a_bill(bureau, employer_id)
    await bureau.enrolled(employer_id)

    supplement = await a_bill(bureau, employer_id)

    assert supplement.bill_id != first.bill_id
    assert supplement.person_count == 1
    assert await a_bill(bureau, employer_id) == supplement


async def test_months_before_the_start_and_after_the_end_are_not_billed(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id, start_month=month(NOW.plus(-1)))
    await bureau.call(
        "EndEnrollment",
        pb.EndEnrollmentRequest(
            request_id="end", enrollment_id=one.enrollment_id, end_month=month(NOW.plus(-1)),
            reason=model.END_REASON_DISMISSED,
        ),
    )  # fmt: skip

    for value in (NOW.plus(-2), NOW):
        with pytest.raises(Refused, match="NOBODY_INSURED"):
            await a_bill(bureau, employer_id, value)
    assert (await a_bill(bureau, employer_id, NOW.plus(-1))).person_count == 1


async def test_the_wage_of_the_month_counts(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id, wage=money("6000"), start_month=month(NOW.plus(-1)))
    await bureau.call(
        "DeclareWage",
        pb.DeclareWageRequest(
            request_id="wage", enrollment_id=one.enrollment_id, from_month=month(NOW), wage=money("7000")
        ),
    )

    before, after = await a_bill(bureau, employer_id, NOW.plus(-1)), await a_bill(bureau, employer_id)

    assert (before.subtotals[0].employee.fen, after.subtotals[0].employee.fen) == (48_000, 56_000)


async def test_bills_of_wrong_months_and_employers_are_refused(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)

    with pytest.raises(Refused, match="MONTH_NOT_STARTED"):
        await a_bill(bureau, employer_id, NOW.plus(1))
    with pytest.raises(NotFound, match="EMPLOYER_NOT_FOUND"):
        await a_bill(bureau, "emp_" + "0" * 32)
    with pytest.raises(InvalidInput, match="MONTH_REQUIRED"):
        await bureau.call("AssessBill", pb.AssessBillRequest(request_id="x", employer_id=employer_id))


async def test_provisional_limits_make_a_provisional_bill(bureau: Bureau) -> None:
    today = date(2026, 2, 3)
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, today=today, start_month=month(Month(2026, 1)))

    bill = (await bureau.call("AssessBill", an_assessment(employer_id, Month(2026, 1)), today=today)).bill

    assert bill.provisional


async def test_a_parameter_that_is_null_is_named(bureau: Bureau) -> None:
    """From 2027 on nobody has published the rates."""
    today = date(2027, 1, 5)
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, today=today, start_month=month(Month(2027, 1)))

    with pytest.raises(Refused, match="POLICY_PARAMETER_MISSING") as refusal:
        await bureau.call("AssessBill", an_assessment(employer_id, Month(2027, 1)), today=today)

    assert refusal.value.metadata["file"] == "contribution.yaml"
    assert refusal.value.metadata["on"] == "2027-01-01"


async def test_a_full_payment_settles_months_accounts_and_ledger_at_once(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id, wage=money("8000"))
    bill = await a_bill(bureau, employer_id)

    reply = await pay(bureau, bill)

    assert (reply.settled_count, reply.bill.state, reply.bill.paid) == (1, model.BILL_STATE_PAID, bill.total)
    months = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=one.person_id))
    assert [(row.scheme, row.base.fen, row.employer.fen, row.employee.fen, row.state) for row in months.months] == [
        (model.SCHEME_EMPLOYEE_PENSION, 800_000, 128_000, 64_000, model.CONTRIBUTION_STATE_PAID),
        (model.SCHEME_UNEMPLOYMENT, 800_000, 4_000, 4_000, model.CONTRIBUTION_STATE_PAID),
        (model.SCHEME_WORK_INJURY, 800_000, 3_200, 0, model.CONTRIBUTION_STATE_PAID),
    ]
    assert {row.source for row in months.months} == {f"bill:{bill.bill_id}"}
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    assert account.balance.fen == 64_000
    assert [(year.year, year.contribution.fen, year.closed) for year in account.years] == [(2025, 64_000, False)]
    books = await bureau.rows("SELECT account, sum(amount_fen)::bigint AS fen FROM ledger_posting GROUP BY 1")
    assert {row["account"]: row["fen"] for row in books} == {
        "tax:clearing": -203_200,
        "bills:received": 0,
        "fund:employee_pension": 128_000,
        "accounts:employee_pension": 64_000,
        "fund:unemployment": 8_000,
        "fund:work_injury": 3_200,
    }
    facts = await bureau.said(events.ContributionsSettled)
    assert [(fact.month, len(fact.items), fact.source) for fact in facts] == [(month(NOW), 3, f"bill:{bill.bill_id}")]
    (credit,) = await bureau.said(events.AccountCredited)
    assert (credit.header.aggregate_id, credit.header.version) == (one.person_id, 1)
    assert (credit.year, credit.amount.fen, credit.balance.fen) == (2025, 64_000, 64_000)


async def test_part_payments_settle_nothing_until_the_last(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id, wage=money("8000"))
    bill = await a_bill(bureau, employer_id)

    part = await pay(bureau, bill, amount=money("2000.00"))
    assert (part.bill.state, part.bill.paid.fen, part.settled_count) == (model.BILL_STATE_PART_PAID, 200_000, 0)
    months = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=one.person_id))
    assert {row.state for row in months.months} == {model.CONTRIBUTION_STATE_UNPAID}
    with pytest.raises(Refused, match="RECEIPT_EXCEEDS_BILL") as refusal:
        await pay(bureau, part.bill, amount=money("32.01"))
    assert refusal.value.metadata["open"] == "32.00"

    rest = await pay(bureau, part.bill)

    assert (rest.bill.state, rest.settled_count) == (model.BILL_STATE_PAID, 1)
    with pytest.raises(Refused, match="RECEIPT_EXCEEDS_BILL"):
        await pay(bureau, rest.bill, amount=money("0.01"))


async def test_a_bill_is_booked_with_the_last_day_of_payment_whatever_was_recorded_first(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, wage=money("8000"))
    bill = await a_bill(bureau, employer_id)
    april = date(2025, 4, 10)
    first = a_receipt(bill, amount=money("2000.00"), paid_date=builders.day(april))
    part = (await bureau.call("RecordReceipt", first, by=PARTNER, today=april)).bill

    await bureau.call("RecordReceipt", a_receipt(part), by=PARTNER, today=april)  # paid on 20 March

    (entry,) = await bureau.rows("SELECT booked_month FROM account_entry")
    assert entry["booked_month"] == date(2025, 4, 1)
    (booked,) = await bureau.rows("SELECT business_date FROM ledger_entry WHERE kind = 'settlement'")
    assert booked["business_date"] == april


async def test_a_receipt_number_counts_once_for_ever(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    bill = await a_bill(bureau, employer_id)
    await pay(bureau, bill, receipt_no="TAX-ONE", amount=money("10"))

    with pytest.raises(AlreadyExists, match="RECEIPT_NO_REUSED"):
        await pay(bureau, bill, receipt_no="TAX-ONE", amount=money("10"))
    assert (await bureau.call("GetBill", pb.GetBillRequest(bill_id=bill.bill_id))).bill.paid.fen == 1_000


async def test_the_same_request_again_gets_the_stored_reply(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    request = a_receipt(await a_bill(bureau, employer_id))

    first = await bureau.running.call_with_metadata("RecordReceipt", request, PARTNER, today=builders.TODAY)
    again = await bureau.running.call_with_metadata("RecordReceipt", request, PARTNER, today=builders.TODAY)

    assert first[0] == again[0]
    assert (first[1].replayed, again[1].replayed) == (False, True)
    request.amount.fen += 1
    with pytest.raises(Refused, match="REQUEST_ID_REUSED"):
        await bureau.call("RecordReceipt", request, by=PARTNER)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": money("0")}, "RECEIPT_AMOUNT_INVALID"),
        ({"amount": money("-5")}, "RECEIPT_AMOUNT_INVALID"),
        ({"amount": None}, "RECEIPT_AMOUNT_INVALID"),
        ({"paid_date": None}, "PAID_DATE_INVALID"),
        ({"paid_date": day(date(2025, 3, 21))}, "PAID_DATE_INVALID"),
        ({"paid_date": day(date(2025, 2, 28))}, "PAID_DATE_INVALID"),
        ({"receipt_no": "a b"}, "RECEIPT_NO_INVALID"),
        ({"receipt_no": "TAX\u0661\u0662"}, "RECEIPT_NO_INVALID"),
        ({"bill_id": "bil_" + "0" * 32}, "BILL_NOT_FOUND"),
    ],
)
async def test_a_receipt_that_breaks_a_rule_is_refused(bureau: Bureau, changes: dict[str, Any], reason: str) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    bill = await a_bill(bureau, employer_id)

    with pytest.raises((InvalidInput, NotFound), match=reason):
        await pay(bureau, bill, **changes)


async def test_money_of_january_for_december_is_booked_in_january(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id, start_month=month(Month(2024, 12)))
    bill = await a_bill(bureau, employer_id, Month(2024, 12))

    await pay(bureau, bill, paid_date=day(date(2025, 1, 8)))

    rows = await bureau.rows("SELECT year, booked_month FROM account_entry")
    assert [(row["year"], row["booked_month"]) for row in rows] == [(2025, date(2025, 1, 1))]
    months = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=one.person_id, year=2024))
    assert len(months.months) == 3


async def test_bills_are_listed_in_pages_bound_to_their_query(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, start_month=month(NOW.plus(-4)))
    made = [(await a_bill(bureau, employer_id, NOW.plus(-back))).bill_id for back in (4, 3, 2, 1, 0)]

    shown: list[str] = []
    token = ""
    while True:
        page = await bureau.call(
            "ListBills", pb.ListBillsRequest(employer_id=employer_id, page_size=2, page_token=token)
        )
        shown += [bill.bill_id for bill in page.bills]
        token = page.next_page_token
        if not token:
            break

    assert shown == made[::-1]
    first = await bureau.call("ListBills", pb.ListBillsRequest(employer_id=employer_id, page_size=2))
    for wrong in (
        pb.ListBillsRequest(page_size=2, page_token=first.next_page_token),
        pb.ListBillsRequest(employer_id=employer_id, page_token="abc"),
    ):
        with pytest.raises(InvalidInput, match="PAGE_TOKEN_INVALID"):
            await bureau.call("ListBills", wrong)
    with pytest.raises(InvalidInput, match="PAGE_SIZE_INVALID"):
        await bureau.call("ListBills", pb.ListBillsRequest(page_size=201))
    paid = await bureau.call("ListBills", pb.ListBillsRequest(state=model.BILL_STATE_PAID))
    assert list(paid.bills) == []


async def test_an_agent_sees_the_bills_of_the_own_employer(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    bill = await a_bill(bureau, employer_id)
    agent = a_principal(["EMPLOYER_AGENT"], employer_ids=[ids.parse("emp", employer_id)])
    stranger = a_principal(["EMPLOYER_AGENT"], employer_ids=[ids.new_id()])

    for rpc, request in (
        ("GetBill", pb.GetBillRequest(bill_id=bill.bill_id)),
        ("ListBillLines", pb.ListBillLinesRequest(bill_id=bill.bill_id)),
    ):
        await bureau.call(rpc, request, by=agent)
        with pytest.raises(NotFound, match="BILL_NOT_FOUND"):
            await bureau.call(rpc, request, by=stranger)


async def test_a_big_bill_is_assessed_and_settled_within_the_deadline_of_a_call(bureau: Bureau) -> None:
    """Five thousand persons put into the tables as an import would; a chunk of facts holds 500."""
    employer_id = await bureau.employer()
    count = 5_000
    await bureau.rows(
        """
        WITH one AS (
            INSERT INTO person (person_id, id_no_index, id_no_sealed, name_sealed, birth_date, sex, division)
            SELECT gen_random_uuid(), decode(md5(n::text), 'hex'), '', '', '1990-01-01', 'male', '990000'
            FROM generate_series(1, $2::integer) AS n RETURNING person_id
        ), work AS (
            INSERT INTO employment (enrollment_id, person_id, employer_id, track, start_month)
            SELECT gen_random_uuid(), person_id, $1, 'male_60', $3 FROM one RETURNING enrollment_id, person_id
        ), wage AS (
            INSERT INTO declared_wage (enrollment_id, from_month, wage_fen)
            SELECT enrollment_id, $3, 300000 + (random() * 3000000)::integer FROM work
        )
        INSERT INTO participation (participation_id, enrollment_id, person_id, employer_id, scheme, state, track,
                                   start_month)
        SELECT gen_random_uuid(), enrollment_id, person_id, $1, scheme, 'ACTIVE', 'male_60', $3
        FROM work CROSS JOIN (VALUES (110), (210), (410)) AS part (scheme)
        """,
        ids.parse("emp", employer_id), count, NOW.first_day,
    )  # fmt: skip

    bill = await a_bill(bureau, employer_id)
    reply = await pay(bureau, bill)

    assert (bill.person_count, reply.settled_count) == (count, count)
    sizes = [
        len(events.ContributionsSettled.FromString(row["payload"]).facts)
        for row in await bureau.rows(
            "SELECT payload FROM outbox WHERE subject = 'hrss.enrollment.v1.ContributionsSettled'"
        )
    ]
    assert sum(sizes) == count
    assert max(sizes) == 500


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 10_000_000), min_size=1, max_size=40), st.sampled_from(["0.50", "0.80", "1.20", "1.50"]))
async def test_the_set_form_of_a_bill_is_the_law_person_by_person(bureau: Bureau, wages: list[int], step: str) -> None:
    employer_id = await bureau.employer(injury_class=5, injury_step={"decimal": step})
    for wage in wages:
        await bureau.call("EnrollPerson", an_enrollment(employer_id, id_no=an_id_no(), wage={"fen": wage}))

    bill = await a_bill(bureau, employer_id)

    terms = Terms(NOW, POLICY.contributions, EmployerTerms(5, Decimal(step)))
    rows = await bureau.rows("SELECT * FROM bill_line WHERE bill_id = $1", ids.parse("bil", bill.bill_id))
    assert len(rows) == len(wages)
    for row in rows:
        statement = billing.explain(Money(row["wage_fen"]), terms)
        stored = {f"{scheme}.{side}": row[f"{name}_fen"] for name, (scheme, side) in CHARGES.items()}
        assert stored == {line.code: line.amount.fen for line in statement.lines}
        assert row["account_fen"] == billing.account_share(Money(row["wage_fen"]), terms).fen


def test_stored_terms_explain_as_the_law_itself() -> None:
    for value in (Month(2020, 3), Month(2025, 6), Month(2026, 1)):
        terms = Terms(value, POLICY.contributions, EmployerTerms(6, Decimal("1.20")))

        again = stored_terms.from_plain(stored_terms.to_plain(terms))

        for wage in (Money.yuan("3000"), Money.yuan("8123.45"), Money.yuan("40000")):
            assert billing.explain(wage, again) == billing.explain(wage, terms)
            assert billing.account_share(wage, again) == billing.account_share(wage, terms)


def test_a_bill_side_is_its_charge() -> None:
    assert set(CHARGES.values()) == {
        (Scheme.EMPLOYEE_PENSION, Side.EMPLOYER), (Scheme.EMPLOYEE_PENSION, Side.EMPLOYEE),
        (Scheme.UNEMPLOYMENT, Side.EMPLOYER), (Scheme.UNEMPLOYMENT, Side.EMPLOYEE), (Scheme.WORK_INJURY, Side.EMPLOYER),
    }  # fmt: skip
