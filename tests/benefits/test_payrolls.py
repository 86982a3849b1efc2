"""Payrolls: every month once, arrears included, approved by a second person, answered by the bank."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

import pytest

from chassis import jobs
from kernel import ids
from kernel.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.benefits.commands import Approve, PageOf, PageOfPayrolls
from services.benefits.lifecycle import Answer, BenefitState, PaymentState, PayrollState
from services.benefits.operations import payments, payrolls, queries
from tests.benefits.builders import ACCOUNT, BANK, CLERK, SUPERVISOR, Benefits, Enrollment, month, refused
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.operations.payments import Orders
    from services.benefits.operations.queries import Payrolls
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import BenefitRow, PayrollRow
    from tests.plugins.databases import NewDatabase


async def a_pension(enrollment: Enrollment, benefits: Benefits) -> BenefitRow:
    approved = await benefits.approve(await benefits.prepare_pension(await enrollment.about_to_retire()))
    assert approved.benefit is not None
    return approved.benefit


async def an_unemployment(enrollment: Enrollment, benefits: Benefits) -> BenefitRow:
    shown = await benefits.prepare_unemployment(await enrollment.unemployed())
    approved = await benefits.approve(shown)
    assert approved.benefit is not None
    return approved.benefit


async def paid_months(database: Database, benefit: BenefitRow) -> list[tuple[date, int]]:
    rows = await owner_fetch(
        database, "SELECT month, amount_fen FROM payment WHERE benefit_id = $1 ORDER BY month", benefit.benefit_id
    )
    return [(row["month"], row["amount_fen"]) for row in rows]


async def orders(benefits: Benefits, payroll: PayrollRow, size: int = 0, token: str = "") -> Orders:
    command = PageOf(payroll.payroll_id, size, token)
    page: Orders = await benefits.run(lambda tx: payments.list_orders(tx, command), BANK)
    return page


async def only_payment(benefits: Benefits, payroll: PayrollRow) -> UUID:
    (one,) = (await orders(benefits, payroll)).orders
    return one.payment.payment_id


# Preparing ----------------------------------------------------------------------------------------------------------


async def test_a_payroll_pays_every_unpaid_month_since_the_first(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    lost = await an_unemployment(enrollment, benefits)

    payroll = await benefits.payroll("2026-02")

    # The cap is the minimum wage of each month: 2490 in 2025, 2660 from January 2026.
    assert await paid_months(database, lost) == [
        (date(2025, 8, 1), 249000),
        (date(2025, 9, 1), 249000),
        (date(2025, 10, 1), 249000),
        (date(2025, 11, 1), 249000),
        (date(2025, 12, 1), 249000),
        (date(2026, 1, 1), 266000),
        (date(2026, 2, 1), 266000),
    ]
    assert payroll.state is PayrollState.PREPARED
    assert payroll.payment_count == 7
    assert payroll.total == Money.yuan("17770")
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_the_next_payroll_pays_the_next_month_only(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    pension = await a_pension(enrollment, benefits)
    await benefits.payroll("2026-08", today=date(2026, 8, 5))

    second = await benefits.payroll("2026-09", today=date(2026, 9, 5))

    assert second.payment_count == 1
    assert [paid for paid, _ in await paid_months(database, pension)] == [date(2026, 8, 1), date(2026, 9, 1)]
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_a_benefit_that_starts_later_is_not_paid_yet(enrollment: Enrollment, benefits: Benefits) -> None:
    await a_pension(enrollment, benefits)  # from 2026-08

    payroll = await benefits.payroll("2026-07")

    assert payroll.state is PayrollState.PREPARED
    assert (payroll.payment_count, payroll.total) == (0, Money.ZERO)


async def test_the_same_month_again_is_the_same_payroll(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    first = await benefits.payroll("2025-09")
    rows = await owner_fetch(database, "SELECT 1 FROM payment")

    again = await benefits.payroll("2025-09")

    assert again.payroll_id == first.payroll_id
    assert again.digest == first.digest
    assert len(await owner_fetch(database, "SELECT 1 FROM payment")) == len(rows) == 2
    assert len(await owner_fetch(database, "SELECT 1 FROM job")) == 1


async def test_four_starts_at_once_are_one_payroll(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)

    started = await asyncio.gather(*(benefits.start_payroll("2025-09") for _ in range(4)))
    await benefits.work_off_jobs()

    assert len({row.payroll_id for row in started}) == 1
    assert len(await owner_fetch(database, "SELECT 1 FROM job")) == 1
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_who_came_after_the_approval_is_paid_by_a_supplement(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    first = await benefits.payroll("2025-09")
    await benefits.approve_payroll(first)
    again = await benefits.payroll("2025-09")
    late = await an_unemployment(enrollment, benefits)

    supplement = await benefits.payroll("2025-09")

    assert again.payroll_id == first.payroll_id  # nobody was left to pay
    assert (first.sequence, supplement.sequence) == (1, 2)
    assert supplement.payment_count == 2
    assert [paid for paid, _ in await paid_months(database, late)] == [date(2025, 8, 1), date(2025, 9, 1)]
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_chunks_cover_every_benefit_once(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    for _ in range(5):
        await an_unemployment(enrollment, benefits)

    payroll = await benefits.payroll("2025-09", size=2)

    assert payroll.payment_count == 10
    (job,) = await owner_fetch(database, "SELECT id FROM job")
    found: jobs.Job = await benefits.run(lambda tx: jobs.get(tx, job["id"]))
    assert (found.state, found.chunk_count, found.done_count) == ("DONE", 4, 10)  # one plans, three pay
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_a_month_that_has_not_begun_is_refused(benefits: Benefits) -> None:
    with refused(Refused, "MONTH_NOT_STARTED"):
        await benefits.start_payroll("2026-08", today=date(2026, 7, 31))

    await benefits.start_payroll("2026-08", today=date(2026, 8, 1))


async def test_a_missing_parameter_holds_back_one_benefit_and_pays_the_others(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    held, paid = await an_unemployment(enrollment, benefits), await an_unemployment(enrollment, benefits)
    # A calculation whose division has no class of the minimum wage, as after a change of the policy files.
    await owner_fetch(
        database,
        """
        INSERT INTO calculation SELECT '\\x' || repeat('00', 32), kind, policy_version,
          jsonb_set(inputs, '{division}', '"110101"'), statement, total_fen, provisional FROM calculation LIMIT 1
        """.replace("'\\x' || repeat('00', 32)", "decode(repeat('00', 32), 'hex')"),
    )
    await owner_fetch(
        database,
        "UPDATE benefit SET digest = decode(repeat('00', 32), 'hex') WHERE benefit_id = $1",
        held.benefit_id,
    )

    payroll = await benefits.payroll("2025-08")

    assert payroll.state is PayrollState.PREPARED
    assert await paid_months(database, held) == []
    assert len(await paid_months(database, paid)) == 1
    rejects = await benefits.run(lambda tx: jobs.rejects(tx, payroll.job_id))
    assert [one.code for _, one in rejects] == ["POLICY_PARAMETER_MISSING"]
    assert "minimum_wage_class[110101]" in rejects[0][1].text_zh

    # Who cannot be paid gets one more try, and another one only when the others or the law change.
    await benefits.approve_payroll(payroll)
    empty = await benefits.payroll("2025-08")
    await benefits.approve_payroll(empty)
    assert (empty.sequence, empty.payment_count) == (2, 0)
    assert (await benefits.payroll("2025-08")).payroll_id == empty.payroll_id
    late = await an_unemployment(enrollment, benefits)
    more = await benefits.payroll("2025-08")
    assert (more.sequence, more.payment_count) == (3, 1)
    assert len(await paid_months(database, late)) == 1


# Approving ----------------------------------------------------------------------------------------------------------


async def test_an_approved_payroll_is_released_and_booked(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.payroll("2025-09")

    approved = await benefits.approve_payroll(payroll)

    assert approved.state is PayrollState.APPROVED
    postings = await owner_fetch(database, "SELECT account, amount_fen FROM ledger_posting ORDER BY amount_fen")
    assert [tuple(row) for row in postings] == [("fund:unemployment", -498000), ("clearing:bank", 498000)]
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_the_same_person_may_not_approve_the_payroll(enrollment: Enrollment, benefits: Benefits) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.payroll("2025-09")

    with refused(Forbidden, "SAME_PERSON"):
        await benefits.approve_payroll(payroll, a_principal(["SUPERVISOR"], subject=CLERK.subject))


async def test_a_payroll_that_changed_is_not_approved(enrollment: Enrollment, benefits: Benefits) -> None:
    lost = await an_unemployment(enrollment, benefits)
    payroll = await benefits.payroll("2025-12")
    await enrollment.hired(lost.person_id, "2025-11")

    with refused(Refused, "PAYROLL_CHANGED"):
        await benefits.approve_payroll(payroll)


async def test_amounts_changed_behind_the_back_are_not_released(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.payroll("2025-09")
    await owner_fetch(database, "UPDATE payment SET amount_fen = amount_fen + 1")

    with refused(Refused, "PAYROLL_CHANGED"):
        await benefits.approve_payroll(payroll)


async def test_only_a_prepared_payroll_is_approved(enrollment: Enrollment, benefits: Benefits) -> None:
    await an_unemployment(enrollment, benefits)
    started = await benefits.start_payroll("2025-09")
    with refused(Refused, "PAYROLL_NOT_PREPARED"):
        await benefits.approve_payroll(started)

    payroll = await benefits.payroll("2025-09")
    await benefits.approve_payroll(payroll)
    with refused(Refused, "PAYROLL_NOT_PREPARED"):
        await benefits.approve_payroll(payroll)
    with refused(NotFound, "PAYROLL_NOT_FOUND"):
        await benefits.run(lambda tx: payrolls.approve(tx, Approve(ids.new_id(), b"")), SUPERVISOR)


async def test_four_approvals_at_once_book_once(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.payroll("2025-09")

    outcomes = await asyncio.gather(*(benefits.approve_payroll(payroll) for _ in range(4)), return_exceptions=True)

    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
    assert all(one.reason == "PAYROLL_NOT_PREPARED" for one in outcomes if isinstance(one, DomainError))
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_an_approval_that_came_too_late_is_asked_again(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.payroll("2025-09")
    await owner_fetch(database, "UPDATE approval SET expires = now() - interval '1 day'")
    with refused(Refused, "APPROVAL_EXPIRED"):
        await benefits.approve_payroll(payroll)

    again = await benefits.start_payroll("2025-09")

    assert (await benefits.approve_payroll(again)).state is PayrollState.APPROVED
    assert await violations(database.settings.database_owner_url, policy) == []


# The bank -----------------------------------------------------------------------------------------------------------


async def test_the_bank_fetches_orders_page_by_page_and_each_look_is_audited(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.approve_payroll(await benefits.payroll("2025-10"))

    first = await orders(benefits, payroll, size=2)
    second = await orders(benefits, payroll, size=2, token=first.next_page_token)

    assert [len(page.orders) for page in (first, second)] == [2, 1]
    assert second.next_page_token == ""
    assert {one.payee.account for one in first.orders} == {ACCOUNT}
    assert {one.payee.name for one in first.orders} == {"张三"}
    assert len({one.payment.payment_id for page in (first, second) for one in page.orders}) == 3
    rows = await owner_fetch(database, "SELECT detail FROM audit WHERE action = 'payees_shown'")
    assert len(rows) == 2
    assert all(ACCOUNT not in row["detail"] for row in rows)


async def test_a_page_token_works_for_its_caller_and_list_only(enrollment: Enrollment, benefits: Benefits) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.approve_payroll(await benefits.payroll("2025-10"))
    token = (await orders(benefits, payroll, size=1)).next_page_token
    other_bank = a_principal(["PARTNER"], subject="bank-2", client="bank-2", scopes=["payments.write"])

    for wrong in (token[:-2] + "AA", "AAAA", "x" * 600, "ä"):
        with refused(InvalidInput, "PAGE_TOKEN_INVALID"):
            await orders(benefits, payroll, token=wrong)
    with refused(InvalidInput, "PAGE_TOKEN_INVALID"):
        command = PageOf(payroll.payroll_id, 1, token)
        await benefits.run(lambda tx: payments.list_orders(tx, command), other_bank)
    for size in (-1, 201):
        with refused(InvalidInput, "PAGE_SIZE_INVALID"):
            await orders(benefits, payroll, size=size)


async def test_orders_of_a_payroll_that_was_not_approved_are_not_given_out(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.payroll("2025-09")

    with refused(Refused, "PAYROLL_NOT_APPROVED"):
        await orders(benefits, payroll)
    with refused(NotFound, "PAYROLL_NOT_FOUND"):
        command = PageOf(ids.new_id(), 0, "")
        await benefits.run(lambda tx: payments.list_orders(tx, command), BANK)


async def test_a_confirmed_payment_is_booked_said_and_counted(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.approve_payroll(await benefits.payroll("2025-08"))

    shown = await benefits.answer(await only_payment(benefits, payroll))

    assert shown.payment.state is PaymentState.CONFIRMED
    assert (shown.payment.bank_reference, shown.payment.simulated) == ("BANK-0001", True)
    counted = await benefits.start_payroll("2025-08")
    assert (counted.confirmed_count, counted.returned_count) == (1, 0)
    said = [row["subject"] for row in await owner_fetch(database, "SELECT subject FROM outbox ORDER BY seq")]
    assert said[-1] == "hrss.benefits.v1.PaymentConfirmed"
    balances = await owner_fetch(database, "SELECT account, sum(amount_fen)::bigint FROM ledger_posting GROUP BY 1")
    assert {tuple(row) for row in balances} == {
        ("fund:unemployment", -249000),
        ("clearing:bank", 0),
        ("paid:unemployment", 249000),
    }
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_a_returned_payment_is_still_owed(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.approve_payroll(await benefits.payroll("2025-08"))

    shown = await benefits.answer(await only_payment(benefits, payroll), Answer.RETURN)

    assert shown.payment.state is PaymentState.RETURNED
    rows = await owner_fetch(database, "SELECT 1 FROM ledger_posting WHERE account = 'returned:unemployment'")
    assert len(rows) == 1
    said = [row["subject"] for row in await owner_fetch(database, "SELECT subject FROM outbox ORDER BY seq")]
    assert said[-1] == "hrss.benefits.v1.PaymentReturned"
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_the_bank_answers_once(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    payroll = await benefits.approve_payroll(await benefits.payroll("2025-08"))
    payment_id = await only_payment(benefits, payroll)

    outcomes = await asyncio.gather(
        *(benefits.answer(payment_id, answer) for answer in (*Answer,) if answer is not Answer.WITHDRAW),
        benefits.answer(payment_id),
        return_exceptions=True,
    )

    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
    assert {one.reason for one in outcomes if isinstance(one, DomainError)} == {"PAYMENT_ALREADY_ANSWERED"}
    with refused(Refused, "PAYMENT_ALREADY_ANSWERED"):
        await benefits.answer(payment_id)
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_what_was_not_released_cannot_be_answered(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    await an_unemployment(enrollment, benefits)
    await benefits.payroll("2025-08")
    (row,) = await owner_fetch(database, "SELECT payment_id FROM payment")

    with refused(Refused, "PAYMENT_NOT_APPROVED"):
        await benefits.answer(row["payment_id"])
    with refused(NotFound, "PAYMENT_NOT_FOUND"):
        await benefits.answer(ids.new_id())


@pytest.mark.parametrize("reference", ["", "abc", "x" * 65, "张三的汇款", "with blank", "ref\n"])
async def test_an_answer_has_a_bank_reference(benefits: Benefits, reference: str) -> None:
    with refused(InvalidInput, "BANK_REFERENCE_REQUIRED"):
        await benefits.answer(ids.new_id(), reference=reference)


async def test_a_simulated_answer_is_nothing_in_production(new_database: NewDatabase, policy: BenefitsPolicy) -> None:
    production = Benefits(await new_database("benefits", env="prod"), policy)

    with refused(Forbidden, "SIMULATION_REFUSED"):
        await production.answer(ids.new_id())


@pytest.mark.parametrize(
    ("answer", "said_last"), [(Answer.CONFIRM, "PaymentConfirmed"), (Answer.RETURN, "PaymentReturned")]
)
async def test_the_last_month_answered_ends_the_benefit(
    database: Database,
    policy: BenefitsPolicy,
    enrollment: Enrollment,
    benefits: Benefits,
    *,
    answer: Answer,
    said_last: str,
) -> None:
    lost = await an_unemployment(enrollment, benefits)  # until 2027-07
    end = date(2027, 9, 1)
    payroll = await benefits.payroll("2027-09", today=end)
    assert payroll.payment_count == 24
    await benefits.approve_payroll(payroll, today=end)
    rows = await owner_fetch(database, "SELECT payment_id FROM payment ORDER BY month")
    for row in rows[:-1]:
        await benefits.answer(row["payment_id"], today=end)
    (benefit,) = await owner_fetch(database, "SELECT state FROM benefit")
    assert benefit["state"] == BenefitState.ACTIVE

    await benefits.answer(rows[-1]["payment_id"], answer, today=end)

    (benefit,) = await owner_fetch(database, "SELECT * FROM benefit WHERE benefit_id = $1", lost.benefit_id)
    assert (benefit["state"], benefit["end_reason"], benefit["last_month"]) == ("ENDED", "EXHAUSTED", date(2027, 7, 1))
    said = [row["subject"] for row in await owner_fetch(database, "SELECT subject FROM outbox ORDER BY seq")]
    assert said[-2:] == [f"hrss.benefits.v1.{said_last}", "hrss.benefits.v1.BenefitEnded"]
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_a_last_month_that_was_never_answered_blocks_no_later_benefit(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    lost = await an_unemployment(enrollment, benefits)  # until 2027-07
    parts = await enrollment.hired(lost.person_id, "2027-09")
    await enrollment.paid(lost.person_id, "2027-09", "2028-12", "9000")
    await enrollment.left(lost.person_id, parts, "2028-12")
    today = date(2029, 1, 20)
    await benefits.approve_payroll(await benefits.payroll("2028-12", today=today), today=today)
    (row,) = await owner_fetch(database, "SELECT state FROM benefit")  # the bank answers nothing
    assert row["state"] == BenefitState.ACTIVE

    shown = await benefits.prepare_unemployment(lost.person_id, "2029-01-10", today=today)
    again = await benefits.approve(shown, today=today)

    assert again.benefit is not None
    rows = await owner_fetch(database, "SELECT state, end_reason, last_month FROM benefit ORDER BY benefit_id")
    assert [tuple(one) for one in rows] == [
        ("ENDED", "EXHAUSTED", date(2027, 7, 1)),
        ("ACTIVE", None, again.benefit.last_month.first_day if again.benefit.last_month else None),
    ]
    (last,) = await owner_fetch(database, "SELECT payment_id FROM payment WHERE month = '2027-07-01'")
    await benefits.answer(last["payment_id"], today=today)  # late, and nothing else happens
    assert await violations(database.settings.database_owner_url, policy) == []


@pytest.mark.parametrize("ends_first", [True, False])
async def test_what_comes_back_for_a_month_after_the_end_is_neither_recovered_nor_owed(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits, *, ends_first: bool
) -> None:
    lost = await an_unemployment(enrollment, benefits)
    await benefits.approve_payroll(await benefits.payroll("2025-09"))
    rows = await owner_fetch(database, "SELECT payment_id FROM payment ORDER BY month")
    if ends_first:
        await enrollment.hired(lost.person_id, "2025-09")
    for row in rows:
        await benefits.answer(row["payment_id"], Answer.RETURN)
    if not ends_first:
        await enrollment.hired(lost.person_id, "2025-09")

    balances = await owner_fetch(
        database,
        "SELECT account, sum(amount_fen)::bigint FROM ledger_posting GROUP BY 1"
        " HAVING account !~ '^(receivable|overpaid):' OR sum(amount_fen) <> 0",
    )
    assert {tuple(row) for row in balances} == {
        ("fund:unemployment", -249000),
        ("clearing:bank", 0),
        ("returned:unemployment", 249000),  # August
    }
    assert await owner_fetch(database, "SELECT 1 FROM overpayment WHERE settled_date IS NULL") == []
    assert await violations(database.settings.database_owner_url, policy) == []


# Lists --------------------------------------------------------------------------------------------------------------


async def test_payments_of_a_person_are_listed_newest_first(enrollment: Enrollment, benefits: Benefits) -> None:
    lost = await an_unemployment(enrollment, benefits)
    await benefits.payroll("2025-10")
    command = PageOf(lost.person_id, 2, "")

    page = await benefits.run(lambda tx: queries.payments(tx, command))
    rest = await benefits.run(lambda tx: queries.payments(tx, PageOf(lost.person_id, 2, page.next_page_token)))

    months = [one.payment.month for one in (*page.payments, *rest.payments)]
    assert months == [month("2025-10"), month("2025-09"), month("2025-08")]
    assert all(one.calculation.statement.total == one.payment.amount for one in page.payments)
    assert page.payments[0].payroll_state is PayrollState.PREPARED
    with refused(NotFound, "PERSON_NOT_FOUND"):
        await benefits.run(lambda tx: queries.payments(tx, PageOf(ids.new_id(), 0, "")))


async def test_payrolls_are_listed_by_state(enrollment: Enrollment, benefits: Benefits) -> None:
    await an_unemployment(enrollment, benefits)
    for text in ("2025-08", "2025-09", "2025-10"):
        payroll = await benefits.payroll(text)
    await benefits.approve_payroll(payroll)

    async def listed(state: PayrollState | None, size: int = 0, token: str = "") -> Payrolls:
        command = PageOfPayrolls(state, size, token)
        page: Payrolls = await benefits.run(lambda tx: queries.list_payrolls(tx, command))
        return page

    page = await listed(None, size=2)
    rest = await listed(None, size=2, token=page.next_page_token)
    assert [str(one.month) for one in (*page.payrolls, *rest.payrolls)] == ["2025-10", "2025-09", "2025-08"]
    assert [str(one.month) for one in (await listed(PayrollState.APPROVED)).payrolls] == ["2025-10"]
    with refused(InvalidInput, "PAGE_TOKEN_INVALID"):
        await listed(PayrollState.PREPARED, token=page.next_page_token)


async def test_an_end_and_an_answer_at_once_block_nobody(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    lost = await an_unemployment(enrollment, benefits)
    payroll = await benefits.approve_payroll(await benefits.payroll("2025-12"))
    found = [one.payment.payment_id for one in (await orders(benefits, payroll)).orders]

    outcomes = await asyncio.gather(
        *(benefits.answer(payment_id) for payment_id in found),
        enrollment.hired(lost.person_id, "2025-10"),
        return_exceptions=True,
    )

    assert [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, Conflict)] == []
    assert await violations(database.settings.database_owner_url, policy) == []
