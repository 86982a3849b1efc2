"""Personal accounts: yearly interest, settlement at retirement, and what refuses both."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from chassis import transaction
from chassis.principal import Principal
from hrss.benefits.v1 import benefits_events_pb2 as benefit_events
from hrss.benefits.v1 import benefits_pb2
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound, Refused
from services.enrollment.events import on_benefit_ended, on_benefit_started
from services.enrollment.operations import accounts, announcing
from tests.enrollment import builders
from tests.enrollment.builders import CLERK, PARTNER, a_receipt, an_enrollment, an_id_no, day, money, month
from tests.enrollment.conftest import run_side_by_side
from tests.enrollment.test_bills import an_assessment
from tests.enrollment.test_cover_residents import a_resident_cover

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

JANUARY = Month(2025, 1)
OF_AGE = date(1964, 3, 1)


async def work(bureau: Bureau, employer_id: str, first: Month, last: Month, *, pay_later: int = 0) -> None:
    """Bill and pay every month, each paid so many months later."""
    for value in Month.range(first, last):
        paid_on = value.plus(pay_later).last_day
        bill = (await bureau.call("AssessBill", an_assessment(employer_id, value), today=paid_on)).bill
        if bill.state != model.BILL_STATE_PAID:
            await bureau.call("RecordReceipt", a_receipt(bill, paid_date=day(paid_on)), by=PARTNER, today=paid_on)


async def an_insured(bureau: Bureau, *, wage: str = "4952.00", **changes: Any) -> tuple[str, model.Enrollment]:
    """An employer with one man of sixty who begins in January 2025; the floor of 2025 credits 396.16 a month."""
    employer_id = await bureau.employer()
    values = {"id_no": an_id_no(OF_AGE), "start_month": month(JANUARY), "wage": money(wage), **changes}
    one = await bureau.enrolled(employer_id, today=date(2025, 1, 2), **values)
    return employer_id, one


async def close(bureau: Bureau, year: int, today: date) -> job_pb2.Job:
    """Close a year to its end."""
    request = pb.CloseAccountYearRequest(request_id=f"close-{builders.number()}", year=year)
    job = (await bureau.call("CloseAccountYear", request, today=today)).job
    await bureau.run_jobs()
    done: job_pb2.Job = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job.job_id))).job
    return done


def a_settlement(person_id: str, value: Month) -> pb.SettleAccountRequest:
    """A request to settle an account."""
    return pb.SettleAccountRequest(
        request_id=f"settle-{builders.number()}", person_id=person_id, retirement_month=month(value)
    )


async def test_a_closed_year_has_the_interest_of_the_law(bureau: Bureau) -> None:
    employer_id, one = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2025, 12))

    job = await close(bureau, 2025, date(2026, 1, 10))

    assert (job.state, job.done_count, job.rejected_count) == (job_pb2.JOB_STATE_DONE, 1, 0)
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    (year,) = account.years
    # 12 × 396.16 = 4,753.92; P = 396.16 × 78 = 30,900.48; interest 30,900.48 × 0.015 ÷ 12 = 38.63 (half-up of 38.6256).
    assert (year.contribution.fen, year.interest.fen, year.closing.fen) == (475_392, 3_863, 479_255)
    assert account.balance == year.closing
    assert year.closed
    assert year.statement.total == year.closing
    assert {use.key for line in year.statement.lines for use in line.parameters} == {"interest_rate"}
    credited = await bureau.said(events.AccountCredited)
    assert [fact.header.version for fact in credited] == list(range(1, 14))
    assert (credited[-1].kind, credited[-1].amount.fen) == (events.AccountCredited.CREDIT_KIND_INTEREST, 3_863)


async def test_a_year_is_closed_once(bureau: Bureau) -> None:
    employer_id, one = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2025, 2))
    await close(bureau, 2025, date(2026, 1, 10))

    again = await close(bureau, 2025, date(2026, 1, 11))

    assert (again.state, again.total_count, again.done_count) == (job_pb2.JOB_STATE_DONE, 0, 0)
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    assert len(account.years) == 1


async def test_many_accounts_are_closed_in_chunks_side_by_side(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "CHUNK_ACCOUNTS", 7)
    employer_id = await bureau.employer()
    for _ in range(25):
        await bureau.enrolled(employer_id, today=date(2025, 1, 2), start_month=month(JANUARY), wage=money("4952"))
    await work(bureau, employer_id, JANUARY, JANUARY)
    request = pb.CloseAccountYearRequest(request_id="close", year=2025)
    job = (await bureau.call("CloseAccountYear", request, today=date(2026, 1, 5))).job

    await run_side_by_side(bureau)

    done = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job.job_id))).job
    assert (done.state, done.total_count, done.done_count) == (job_pb2.JOB_STATE_DONE, 25, 25)
    chunks = await bureau.rows("SELECT done_count FROM job_chunk ORDER BY number")
    assert [row["done_count"] for row in chunks] == [0, 7, 7, 7, 4]
    # 396.16 booked in January earns twelve months: 396.16 × 12 × 0.015 ÷ 12 = 5.94.
    assert {fact.amount.fen for fact in (await bureau.said(events.AccountCredited))[25:]} == {594}


async def test_years_are_closed_in_order(bureau: Bureau) -> None:
    employer_id, _ = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2025, 1))

    job = await close(bureau, 2026, date(2027, 1, 10))

    assert (job.state, job.rejected_count) == (job_pb2.JOB_STATE_DONE, 1)
    rejects = await bureau.call("ListEnrollmentJobRejects", pb.ListEnrollmentJobRejectsRequest(job_id=job.job_id))
    assert [reject.code for reject in rejects.rejects] == ["ACCOUNT_YEAR_OPEN"]


async def test_an_unpublished_rate_makes_the_year_provisional(bureau: Bureau) -> None:
    employer_id, one = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2026, 1))
    await close(bureau, 2025, date(2027, 1, 10))

    await close(bureau, 2026, date(2027, 1, 10))

    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    assert [(year.year, year.statement.provisional) for year in account.years] == [(2026, True), (2025, False)]
    assert account.years[0].opening == account.years[1].closing


async def test_money_that_comes_after_the_closing_is_booked_in_the_next_year(bureau: Bureau) -> None:
    employer_id, one = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2025, 11))
    today = date(2026, 1, 10)
    bill = (await bureau.call("AssessBill", an_assessment(employer_id, Month(2025, 12)), today=today)).bill
    await close(bureau, 2025, today)

    await bureau.call("RecordReceipt", a_receipt(bill, paid_date=day(date(2025, 12, 30))), by=PARTNER, today=today)

    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    assert [(year.year, year.contribution.fen) for year in account.years] == [(2026, 39_616), (2025, 11 * 39_616)]


@pytest.mark.parametrize(
    ("year", "kind", "reason"),
    [
        (2025, Refused, "YEAR_NOT_OVER"),
        (2026, Refused, "YEAR_NOT_OVER"),
        (0, InvalidInput, "YEAR_INVALID"),
        (1995, InvalidInput, "YEAR_INVALID"),
        (2101, InvalidInput, "YEAR_INVALID"),
    ],
)
async def test_a_year_that_cannot_be_closed_is_refused(
    bureau: Bureau, year: int, kind: type[Exception], reason: str
) -> None:
    with pytest.raises(kind, match=reason):
        await close(bureau, year, date(2025, 12, 31))


async def test_a_settlement_in_the_first_year_is_the_worked_example(bureau: Bureau) -> None:
    """WE-069 with an opening of nothing: 5 × 396.16, P = 396.16 × 15 = 5,942.40, interest 7.43."""
    employer_id, one = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2025, 5))
    await end(bureau, one, Month(2025, 5))

    reply = await bureau.call("SettleAccount", a_settlement(one.person_id, Month(2025, 5)), today=date(2025, 6, 2))

    assert reply.balance.fen == 5 * 39_616 + 743
    assert reply.statement.total == reply.balance
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    assert (account.balance, account.settle_month) == (reply.balance, month(Month(2025, 5)))
    assert [(year.interest.fen, year.closed) for year in account.years] == [(743, True)]
    (fact,) = await bureau.said(events.AccountSettled)
    assert (fact.header.aggregate_id, fact.balance, fact.provisional) == (one.person_id, reply.balance, False)
    assert fact.contributions_version == 5  # five settled months went before
    with pytest.raises(Refused, match="ACCOUNT_ALREADY_SETTLED"):
        await bureau.call("SettleAccount", a_settlement(one.person_id, Month(2025, 5)), today=date(2025, 6, 2))


async def end(bureau: Bureau, one: model.Enrollment, value: Month) -> None:
    """End an enrolment with a month."""
    await bureau.call(
        "EndEnrollment",
        pb.EndEnrollmentRequest(
            request_id=f"end-{builders.number()}", enrollment_id=one.enrollment_id, end_month=month(value),
            reason=model.END_REASON_RETIRED,
        ),
        today=value.last_day,
    )  # fmt: skip


async def test_the_last_month_is_usually_paid_in_the_next_and_earns_nothing(bureau: Bureau) -> None:
    employer_id, one = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2025, 5), pay_later=1)

    reply = await bureau.call("SettleAccount", a_settlement(one.person_id, Month(2025, 5)), today=date(2025, 7, 2))

    codes = {line.code: line.amount.fen for line in reply.statement.lines}
    # Booked in February to May: P = 396.16 × (4 + 3 + 2 + 1) = 3,961.60, interest 4.95; May's came in June.
    assert (codes["contribution"], codes["contribution_after"], codes["interest_on_new"]) == (158_464, 39_616, 495)


async def test_a_settlement_after_the_year_was_closed_gives_the_surplus_back(bureau: Bureau) -> None:
    employer_id, one = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2025, 5))
    await end(bureau, one, Month(2025, 5))
    await close(bureau, 2025, date(2026, 1, 10))

    reply = await bureau.call("SettleAccount", a_settlement(one.person_id, Month(2025, 5)), today=date(2026, 2, 2))

    assert reply.balance.fen == 5 * 39_616 + 743
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    assert account.balance == reply.balance
    credited = await bureau.said(events.AccountCredited)
    assert credited[-1].amount.fen < 0


async def test_a_settled_account_takes_nothing_of_later_months(bureau: Bureau) -> None:
    employer_id, one = await an_insured(bureau)
    other = await bureau.enrolled(employer_id, today=date(2025, 1, 2), start_month=month(JANUARY), wage=money("4952"))
    await work(bureau, employer_id, JANUARY, Month(2025, 5))
    settled = await bureau.call("SettleAccount", a_settlement(one.person_id, Month(2025, 5)), today=date(2025, 6, 2))

    await work(bureau, employer_id, Month(2025, 6), Month(2025, 6))

    balances = [
        (await bureau.call("GetAccount", pb.GetAccountRequest(person_id=who.person_id))).balance.fen
        for who in (one, other)
    ]
    assert balances == [settled.balance.fen, 6 * 39_616]
    credited = await bureau.said(events.AccountCredited)
    assert credited[-1].header.aggregate_id == other.person_id
    books = await bureau.rows("SELECT amount_fen FROM ledger_posting WHERE account = 'refunds:after_settlement'")
    assert [row["amount_fen"] for row in books] == [39_616]


async def test_what_stands_in_the_way_of_a_settlement_is_named(bureau: Bureau) -> None:
    employer_id, one = await an_insured(bureau)
    person_id = one.person_id

    with pytest.raises(NotFound, match="PERSON_NOT_FOUND"):
        await bureau.call("SettleAccount", a_settlement("per_" + "0" * 32, JANUARY), today=date(2025, 6, 2))
    with pytest.raises(NotFound, match="ACCOUNT_NOT_FOUND"):
        await bureau.call("SettleAccount", a_settlement(person_id, JANUARY), today=date(2025, 6, 2))
    await work(bureau, employer_id, JANUARY, Month(2025, 2))
    with pytest.raises(Refused, match="MONTH_NOT_STARTED"):
        await bureau.call("SettleAccount", a_settlement(person_id, Month(2025, 7)), today=date(2025, 6, 2))
    with pytest.raises(Refused, match="CONTRIBUTIONS_OPEN") as refusal:  # March is not even billed
        await bureau.call("SettleAccount", a_settlement(person_id, Month(2025, 5)), today=date(2025, 6, 2))
    assert refusal.value.metadata == {"month": "2025-03"}
    await bureau.call("AssessBill", an_assessment(employer_id, Month(2025, 3)), today=date(2025, 6, 2))
    with pytest.raises(Refused, match="CONTRIBUTIONS_OPEN"):  # billed, not paid
        await bureau.call("SettleAccount", a_settlement(person_id, Month(2025, 3)), today=date(2025, 6, 2))
    with pytest.raises(Refused, match="ACCOUNT_YEAR_OPEN") as refusal:
        await bureau.call("SettleAccount", a_settlement(person_id, Month(2026, 1)), today=date(2026, 2, 2))
    assert refusal.value.metadata == {"year": "2025"}
    with pytest.raises(Refused, match="RETIREMENT_MONTH_INVALID") as refusal:
        await bureau.call("SettleAccount", a_settlement(person_id, Month(2024, 12)), today=date(2025, 6, 2))
    assert refusal.value.metadata == {"earliest": "2025-01"}


@pytest.mark.parametrize(
    ("sex", "post", "birth", "earliest"),
    [
        ("male", model.POST_PRODUCTION, date(1965, 6, 1), "2025-06"),
        ("female", model.POST_MANAGEMENT, date(1970, 6, 30), "2025-06"),
        ("female", model.POST_PRODUCTION, date(1975, 6, 15), "2025-06"),
    ],
)
async def test_nobody_is_settled_before_the_original_age_of_the_track(
    bureau: Bureau, sex: str, post: int, birth: date, earliest: str
) -> None:
    employer_id, one = await an_insured(bureau, id_no=an_id_no(birth, sex=sex), post=post)
    await work(bureau, employer_id, JANUARY, Month(2025, 6))

    with pytest.raises(Refused, match="RETIREMENT_MONTH_INVALID") as refusal:
        await bureau.call("SettleAccount", a_settlement(one.person_id, Month(2025, 5)), today=date(2025, 7, 2))

    assert refusal.value.metadata == {"earliest": earliest}
    assert await bureau.call("SettleAccount", a_settlement(one.person_id, Month(2025, 6)), today=date(2025, 7, 2))


@pytest.mark.parametrize("closed", [False, True])
async def test_a_settlement_does_not_depend_on_the_day_it_is_made(bureau: Bureau, *, closed: bool) -> None:
    """Months after the retirement that were paid meanwhile go to the refunds."""
    employer_id, one = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, Month(2025, 6))
    if closed:
        await close(bureau, 2025, date(2026, 1, 10))

    reply = await bureau.call("SettleAccount", a_settlement(one.person_id, Month(2025, 3)), today=date(2026, 2, 2))

    # P = 396.16 × (3 + 2 + 1) = 2,376.96; interest 2,376.96 × 0.015 ÷ 12 = 2.97.
    assert reply.balance.fen == 3 * 39_616 + 297 == 119_145
    books = await bureau.rows("SELECT amount_fen FROM ledger_posting WHERE account = 'refunds:after_settlement'")
    assert [row["amount_fen"] for row in books] == [3 * 39_616]
    credited = await bureau.said(events.AccountCredited)
    assert next((fact.kind, fact.amount.fen) for fact in credited if fact.amount.fen < 0) == (
        events.AccountCredited.CREDIT_KIND_CONTRIBUTION,
        -3 * 39_616,
    )
    assert credited[-1].balance == reply.balance
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    assert (account.balance, account.years[0].closing) == (reply.balance, reply.balance)


async def test_a_credit_says_the_month_of_its_booking(bureau: Bureau) -> None:
    employer_id, _ = await an_insured(bureau)
    await work(bureau, employer_id, JANUARY, JANUARY, pay_later=2)

    await close(bureau, 2025, date(2026, 1, 10))

    credited = await bureau.said(events.AccountCredited)
    assert [(fact.year, fact.booked_month) for fact in credited] == [
        (2025, month(Month(2025, 3))),
        (2025, month(Month(2025, 12))),
    ]


async def test_a_pension_that_starts_ends_the_participations(bureau: Bureau) -> None:
    id_no = an_id_no(date(1964, 3, 1))
    employer_id, one = await an_insured(bureau, id_no=id_no)
    fact = benefit_events.BenefitStarted.Fact(
        person_id=one.person_id,
        kind=benefits_pb2.BENEFIT_KIND_EMPLOYEE_PENSION,
        retirement_month=month(Month(2025, 3)),
    )

    await hear(bureau, fact)
    await hear(bureau, fact)  # a second pension event of the same person changes nothing more

    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=one.person_id))
    assert {(part.state, part.end_month.month, part.end_reason) for part in insurance.participations} == {
        (model.PARTICIPATION_STATE_ENDED, 3, model.END_REASON_RETIRED)
    }
    assert len(await bureau.said(events.ParticipationEnded)) == 3
    with pytest.raises(Refused, match="PERSON_RETIRED"):
        await bureau.call("EnrollPerson", an_enrollment(employer_id, id_no=id_no), by=CLERK)


@pytest.mark.parametrize(
    "kind", [benefits_pb2.BENEFIT_KIND_EMPLOYEE_PENSION, benefits_pb2.BENEFIT_KIND_GOVERNMENT_PENSION]
)
async def test_a_pension_that_is_revoked_opens_what_it_ended(
    bureau: Bureau, kind: benefits_pb2.BenefitKind.ValueType
) -> None:
    id_no = an_id_no(date(1964, 3, 1))
    _, one = await an_insured(bureau, id_no=id_no)
    for fact in (
        benefit_events.BenefitStarted.Fact(person_id=one.person_id, kind=kind, retirement_month=month(Month(2025, 3))),
        benefit_events.BenefitEnded.Fact(
            person_id=one.person_id, kind=kind, reason=benefits_pb2.BENEFIT_END_REASON_REVOKED
        ),
    ):
        await hear(bureau, fact)

    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=one.person_id))
    assert {part.state for part in insurance.participations} == {model.PARTICIPATION_STATE_ACTIVE}
    started = await bureau.said(events.ParticipationStarted)
    assert len(started) == 2 * len(await bureau.said(events.ParticipationEnded))  # those that began, and again
    died = benefit_events.BenefitEnded.Fact(
        person_id=one.person_id, kind=kind, reason=benefits_pb2.BENEFIT_END_REASON_DIED
    )
    await hear(bureau, died)
    assert await bureau.said(events.ParticipationStarted) == started


async def test_a_resident_pension_ends_the_cover_of_residents_alone(bureau: Bureau) -> None:
    person_id = (await a_resident_cover(bureau)).person_id
    kind = benefits_pb2.BENEFIT_KIND_RESIDENT_PENSION
    await hear(
        bureau,
        benefit_events.BenefitStarted.Fact(person_id=person_id, kind=kind, first_month=month(Month(2026, 3))),
    )
    (ended,) = await bureau.said(events.ParticipationEnded)
    assert ended.reason == model.END_REASON_RETIRED
    await hear(
        bureau,
        benefit_events.BenefitEnded.Fact(
            person_id=person_id, kind=kind, reason=benefits_pb2.BENEFIT_END_REASON_REVOKED
        ),
    )
    first, again = await bureau.said(events.ParticipationStarted)
    assert first.header.aggregate_id == again.header.aggregate_id == ended.header.aggregate_id


async def test_participations_of_late_schemes_are_announced_again_as_they_stand(bureau: Bureau) -> None:
    await an_insured(bureau)  # an employee's, which everybody listened to
    person_id = (await a_resident_cover(bureau)).person_id
    before = await bureau.said(events.ParticipationStarted)

    async def again(after: UUID) -> UUID | None:
        last: UUID | None = await transaction.run(
            bureau.database,
            lambda tx: announcing.announce(tx, after, size=1),
            principal=Principal.system("enrollment"),
            today=date(2026, 3, 28),
        )
        return last

    last = await again(UUID(int=0))
    assert last is not None
    assert await again(last) is None
    said = await bureau.said(events.ParticipationStarted)
    (one,) = said[len(before) :]
    (first,) = [fact for fact in before if fact.header.aggregate_id == one.header.aggregate_id]
    assert (one.person_id, one.header.version) == (person_id, first.header.version + 1)
    one.header.CopyFrom(first.header)
    assert one == first


async def test_other_benefits_end_nothing(bureau: Bureau) -> None:
    _, one = await an_insured(bureau)

    await hear(
        bureau,
        benefit_events.BenefitStarted.Fact(
            person_id=one.person_id, kind=benefits_pb2.BENEFIT_KIND_UNEMPLOYMENT, first_month=month(Month(2025, 3))
        ),
    )

    shown = await bureau.call("GetEnrollment", pb.GetEnrollmentRequest(enrollment_id=one.enrollment_id))
    assert not shown.enrollment.HasField("end_month")


async def hear(bureau: Bureau, fact: benefit_events.BenefitStarted.Fact | benefit_events.BenefitEnded.Fact) -> None:
    """Let the handler take a fact, as the inbox would."""
    handler: Any = on_benefit_started if isinstance(fact, benefit_events.BenefitStarted.Fact) else on_benefit_ended
    await transaction.run(
        bureau.database,
        lambda tx: handler(tx, fact),
        principal=Principal.system("enrollment"),
        today=date(2025, 3, 28),
    )
