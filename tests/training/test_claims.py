"""A claim from the certificate to the bank's answer: who may decide, what changes, what is never paid twice."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from kernel import ids
from kernel.errors import AlreadyExists, DomainError, Forbidden, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.training.domain.skill_subsidy import PersonStatus
from services.training.lifecycle import Answer, ClaimState, OrderState
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal
from tests.system.oracle_training import violations
from tests.training.builders import ACCOUNT, CLERK, SUPERVISOR, TODAY, a_key, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from chassis.database import Database
    from chassis.transaction import Transaction
    from services.training.policy import TrainingPolicy
    from tests.training.builders import Neighbours, Training


@pytest.fixture(autouse=True)
async def the_oracle_is_content(database: Database, policy: TrainingPolicy) -> AsyncIterator[None]:
    """Whatever a test did, the books balance and every amount is recomputed the same."""
    yield
    assert await violations(database.settings.database_owner_url, policy) == []


async def events(database: Database) -> list[str]:
    rows = await owner_fetch(database, "SELECT subject FROM outbox ORDER BY seq")
    return [row["subject"].rpartition(".")[2] for row in rows]


async def test_a_certificate_is_subsidised(database: Database, neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    submitted = await training.submit(person_id)
    prepared = await training.prepare(submitted)
    approved = await training.approve(prepared)
    assert approved.order is not None
    paid = await training.answer(approved.order.order_id)

    assert submitted.claim.state is ClaimState.SUBMITTED
    assert submitted.claim.failures == []
    assert prepared.calculation is not None
    assert prepared.calculation.statement.total == Money.yuan("2000")
    assert prepared.claim.insured_months == 26  # 2024-01 to 2026-02, the month of the certificate
    assert approved.claim.state is ClaimState.APPROVED
    assert (paid.state, paid.amount) == (OrderState.CONFIRMED, Money.yuan("2000"))
    names = ["CertificateRecorded", "ClaimSubmitted", "ClaimApproved", "SubsidyPaid"]
    assert await events(database) == names
    books = await owner_fetch(database, "SELECT account, sum(amount_fen) AS fen FROM ledger_posting GROUP BY account")
    assert {row["account"]: row["fen"] for row in books} == {
        "fund:unemployment": -200_000,
        "clearing:bank": 0,
        "paid:skill_subsidy": 200_000,
    }


async def test_numbers_and_accounts_are_sealed(database: Database, neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    await training.submit(person_id)

    for table in ("certificate", "payee", "claim", "outbox", "audit"):
        rows = str([tuple(row) for row in await owner_fetch(database, f"SELECT * FROM {table}")])
        assert a_key().number not in rows
        assert ACCOUNT not in rows
        assert "张三" not in rows


async def test_a_returned_subsidy_stays_owed(database: Database, neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    order = (await training.granted(person_id)).order
    assert order is not None

    returned = await training.answer(order.order_id, Answer.RETURN)

    assert returned.state is OrderState.RETURNED
    assert "SubsidyPaid" not in await events(database)
    with refused(Refused, "PAYMENT_ALREADY_ANSWERED"):
        await training.answer(order.order_id)
    with refused(Refused, "SUBSIDY_ALREADY_GRANTED"):
        await training.submit(person_id)


async def test_the_bank_names_its_payment(neighbours: Neighbours, training: Training) -> None:
    with refused(InvalidInput, "BANK_REFERENCE_REQUIRED"):
        await training.answer(ids.new_id(), bank_reference="x")
    with refused(NotFound, "PAYMENT_NOT_FOUND"):
        await training.answer(ids.new_id())


async def test_every_failed_condition_is_stored_and_refuses_the_preparation(
    neighbours: Neighbours, training: Training
) -> None:
    person_id = await neighbours.person()
    await training.record(person_id, issued="2025-02-10", is_subsidised_elsewhere=True)

    shown = await training.submit(person_id)

    expected = ["PERSON_STATUS", "WINDOW", "NOT_ENOUGH_MONTHS", "CROSS_SUBSIDY"]
    assert [failure["reason"] for failure in shown.claim.failures] == expected
    with refused(Refused, "CLAIM_NOT_ELIGIBLE") as caught:
        await training.prepare(shown)
    assert caught.value.metadata["reasons"] == ", ".join(expected)
    assert "MOHRSS-2017-40" in caught.value.source


async def test_what_was_on_its_way_makes_a_claim_eligible(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.person()
    await training.record(person_id)
    shown = await training.submit(person_id)
    await neighbours.hired(person_id, "2025-01")
    await neighbours.settled(person_id, "2025-01", "2026-02")

    prepared = await training.prepare(shown, today=date(2027, 5, 1))  # the window counts to the application

    assert prepared.claim.failures == []
    assert prepared.claim.apply_date == TODAY


async def test_who_draws_the_unemployment_benefit_may_claim(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.person()
    await neighbours.settled(person_id, "2024-01", "2026-02")
    await neighbours.draws(person_id, "2026-05", "2027-04")
    await training.record(person_id)

    found = await training.check(person_id)

    assert found.facts.status is PersonStatus.DRAWING
    assert found.assessment.eligible
    assert found.calculation is not None


async def test_somebody_elses_certificate_is_not_found(neighbours: Neighbours, training: Training) -> None:
    await training.record(await neighbours.employee())
    other = await neighbours.employee()

    found = await training.check(other)

    assert found.assessment.reasons == ("CERTIFICATE_NOT_FOUND",)
    assert found.calculation is None
    with refused(Refused, "CERTIFICATE_NOT_FOUND"):
        await training.submit(other)


async def test_nobody_decides_alone(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    clerk_too = a_principal(["SUPERVISOR", "CLERK"], subject=CLERK.subject, purpose="x")
    claimant = a_principal(["SUPERVISOR", "CLERK"], person_id=person_id, purpose="x")
    shown = await training.submit(person_id, principal=CLERK)

    with refused(Forbidden, "SAME_PERSON"):
        await training.reject(shown, clerk_too)
    with refused(Forbidden, "SAME_PERSON"):
        await training.prepare(shown, claimant)
    with refused(Refused, "CLAIM_NOT_PREPARED"):
        await training.approve(shown)
    prepared = await training.prepare(shown)
    for principal in (clerk_too, claimant):
        with refused(Forbidden, "SAME_PERSON"):
            await training.approve(prepared, principal)
    await training.approve(prepared)
    for again in (training.approve, training.reject, training.prepare):
        with refused(Refused, "CLAIM_CLOSED"):
            await again(prepared)


async def test_a_rejected_claim_may_be_claimed_again(
    database: Database, neighbours: Neighbours, training: Training
) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    first = await training.prepare(await training.submit(person_id))
    with refused(AlreadyExists, "CLAIM_OPEN"):
        await training.submit(person_id)
    with refused(InvalidInput, "REJECTION_REASON_REQUIRED"):
        await training.reject(first, reason="-")
    rejected = await training.reject(first)

    again = await training.granted(person_id)

    assert (rejected.claim.state, rejected.claim.rejection_reason) == (ClaimState.REJECTED, "材料不全")
    assert again.claim.state is ClaimState.APPROVED
    assert (await events(database)).count("ClaimRejected") == 1


async def test_a_fact_between_the_two_persons_asks_for_a_new_preparation(
    neighbours: Neighbours, training: Training
) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    prepared = await training.prepare(await training.submit(person_id))
    with refused(AlreadyExists, "APPROVAL_PENDING"):
        await training.prepare(prepared)
    await neighbours.settled(person_id, "2023-12", "2023-12")

    with refused(Refused, "CLAIM_CHANGED"):
        await training.approve(prepared)
    again = await training.prepare(prepared)
    with refused(Refused, "CLAIM_CHANGED"):
        await training.approve(prepared)

    assert (await training.approve(again)).claim.insured_months == 27


async def test_an_institution_that_was_faster_stops_the_approval(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    prepared = await training.prepare(await training.submit(person_id))
    told = await training.record(person_id, is_subsidised_elsewhere=True)

    assert told.subsidised_elsewhere
    with refused(Refused, "CLAIM_NOT_ELIGIBLE"):
        await training.approve(prepared)
    rejected = await training.reject(prepared)
    assert [failure["reason"] for failure in rejected.claim.failures] == ["CROSS_SUBSIDY"]


async def test_one_subsidy_a_year(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.employee("2023-01")
    second, third = a_key("S1111111111"), a_key("S2222222222")
    await training.record(person_id)
    await training.record(person_id, second, occupation="4-14-01-02", level=5)
    await training.record(person_id, third, level=4)
    both = [await training.prepare(await training.submit(person_id, key)) for key in (a_key(), second)]
    await training.approve(both[0])

    with refused(Refused, "CLAIM_NOT_ELIGIBLE") as caught:
        await training.approve(both[1])
    next_year = await training.check(person_id, second, date(2027, 1, 5))
    lower = await training.check(person_id, third, date(2027, 1, 5))

    assert caught.value.metadata["reasons"] == "YEAR_LIMIT"
    assert next_year.assessment.eligible
    assert lower.assessment.reasons == ("LOWER_LEVEL",)


async def test_four_submissions_and_four_approvals_at_once_are_one(
    database: Database, neighbours: Neighbours, training: Training
) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)

    async def tried(work: object) -> object:
        try:
            return await work  # type: ignore[misc] # a coroutine of any operation
        except DomainError as error:
            return error.reason

    submitted = await asyncio.gather(*(tried(training.submit(person_id)) for _ in range(4)))
    (claim,) = [one for one in submitted if not isinstance(one, str)]
    prepared = await training.prepare(claim)  # type: ignore[arg-type] # the one that is no reason
    approved = await asyncio.gather(*(tried(training.approve(prepared)) for _ in range(4)))

    assert sorted(one for one in submitted if isinstance(one, str)) == ["CLAIM_OPEN"] * 3
    assert sorted(one for one in approved if isinstance(one, str)) == ["CLAIM_CLOSED"] * 3
    assert len(await owner_fetch(database, "SELECT 1 FROM subsidy_order")) == 1


async def test_a_certificate_is_recorded_once(database: Database, neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.person()
    row = await training.record(person_id)

    again = await training.record(person_id)

    assert again.certificate_id == row.certificate_id
    assert await events(database) == ["CertificateRecorded"]
    with refused(AlreadyExists, "CERTIFICATE_DIFFERS"):
        await training.record(person_id, level=2)
    with refused(AlreadyExists, "CERTIFICATE_DIFFERS"):
        await training.record(await neighbours.person())
    with refused(NotFound, "PERSON_NOT_FOUND"):
        await training.record(ids.new_id())
    with refused(InvalidInput, "ISSUE_DATE_INVALID"):
        await training.record(person_id, a_key("S999999999"), issued=str(TODAY + timedelta(days=1)))


async def test_a_level_without_an_amount_is_not_prepared(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id, level=2)
    shown = await training.submit(person_id)

    with refused(DomainError, "POLICY_PARAMETER_MISSING"):
        await training.prepare(shown)


async def test_the_app_role_rewrites_no_payment(database: Database, neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.employee()
    await training.record(person_id)
    await training.granted(person_id)

    for statement in ("UPDATE subsidy_order SET amount_fen = 1", "DELETE FROM subsidy_order", "DELETE FROM claim"):
        with pytest.raises(Exception, match="permission denied"):
            await training.run(changing(statement), SUPERVISOR)


def changing(statement: str) -> Callable[[Transaction], Awaitable[int]]:
    """The work of one raw statement."""

    async def work(tx: Transaction) -> int:
        return await tx.execute(statement)

    return work
