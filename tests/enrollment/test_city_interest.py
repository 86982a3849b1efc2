"""A year's interest in set form: equal to the law person by person, explained for ever, whole after any kill."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import transaction
from chassis.principal import Principal
from chassis.worker import Worker
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.dated import Confidence, DatedValue
from kernel.money import Money
from services.enrollment.domain.account import Method, YearTerms, year_terms
from services.enrollment.operations import accounts
from services.enrollment.service import open_office
from services.enrollment.store import accounts as store
from services.enrollment.store import terms as stored_terms
from tests.enrollment.builders import TODAY
from tests.enrollment.test_city import PERSONS, seeded
from tests.enrollment.test_races import run_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.enrollment.accounting import Year
    from tests.enrollment.conftest import Bureau

SYSTEM = Principal.system("enrollment")
amounts = st.integers(1, 10**7)
booked = st.lists(st.tuples(st.integers(1, 12), amounts), max_size=14)
people = st.lists(st.tuples(st.integers(0, 10**10), booked), min_size=1, max_size=12)
# Digits as rates are published: four after the point; and the factor of the law and others.
rates = st.integers(0, 1200).map(lambda value: Decimal(value) / 10_000)
factors = st.sampled_from([Decimal("1.083"), Decimal("1.0833"), Decimal(1)])


def a_value(key: str, value: Decimal, *, provisional: bool = False) -> DatedValue[Decimal]:
    """A row of law."""
    day = date(2025, 1, 1)
    return DatedValue(
        value, day, None, Confidence.CERTAIN, ("MOHRSS-2017-31",), key, "personal-account.yaml", provisional
    )


@st.composite
def terms(draw: st.DrawFn) -> YearTerms:
    """The law of a year: either method, a rate that may be provisional."""
    rate = a_value("interest_rate", draw(rates), provisional=draw(st.booleans()))
    if draw(st.booleans()):
        return YearTerms(2025, rate, Method.MONTHLY_PRODUCT)
    return YearTerms(2025, rate, Method.ANNUAL_FACTOR, a_value("annual_factor", draw(factors)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people, terms())
async def test_the_set_form_is_the_law_account_by_account(
    bureau_database: asyncpg.Connection[asyncpg.Record], drawn: list[tuple[int, list[tuple[int, int]]]], law: YearTerms
) -> None:
    """The statement alone, in a transaction that goes back: no rows of a life are needed to compare arithmetic."""
    connection = bureau_database
    back = connection.transaction()
    await back.start()
    try:
        person_ids = sorted(ids.new_id() for _ in drawn)
        terms_id = ids.new_id()
        for person_id, (opening, credits_) in zip(person_ids, drawn, strict=True):
            await _an_account(connection, person_id, opening, credits_)

        rows = await connection.fetch(
            store.CLOSE,
            2025,
            *law.on_opening.as_integer_ratio(),
            *law.on_new.as_integer_ratio(),
            law.method is Method.MONTHLY_PRODUCT,
            law.provisional,
            "v",
            "platform",
            terms_id,
            person_ids[0],
            person_ids[-1],
        )

        found = {row["person_id"]: row for row in rows}
        stored = {
            row["person_id"]: row for row in await connection.fetch("SELECT * FROM account_year WHERE year = 2025")
        }
        for person_id, (opening, credits_) in zip(person_ids, drawn, strict=True):
            monthly: dict[int, Money] = {}
            for month, fen in credits_:
                monthly[month] = monthly.get(month, Money.ZERO) + Money(fen)
            expected = law.close(Money(opening), monthly)
            interest = expected.interest_on_opening + expected.interest_on_new
            assert found[person_id]["interest_fen"] == stored[person_id]["interest_fen"] == interest.fen
            assert found[person_id]["balance_fen"] == stored[person_id]["closing_fen"] == expected.closing.fen
            assert stored[person_id]["provisional"] == expected.provisional
            pairs = zip(stored[person_id]["booked_months"], stored[person_id]["booked_fen"], strict=True)
            assert sorted(pairs) == sorted(credits_)
    finally:
        await back.rollback()


@pytest.fixture
async def bureau_database(bureau: Bureau) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection of the service's own role."""
    connection = await asyncpg.connect(bureau.database.settings.database_url)
    yield connection
    await connection.close()


async def _an_account(
    connection: asyncpg.Connection[asyncpg.Record], person_id: UUID, opening: int, credits_: list[tuple[int, int]]
) -> None:
    await connection.execute(
        "INSERT INTO person (person_id, id_no_index, id_no_sealed, name_sealed, birth_date, sex, division)"
        " VALUES ($1, $2, '', '', '1990-01-01', 'male', '990000')",
        person_id,
        person_id.bytes,
    )
    balance = opening + sum(fen for _, fen in credits_)
    first, closed = (2024, 2024) if opening else (2025, None)
    await connection.execute("INSERT INTO account VALUES ($1, $2, $3, $4)", person_id, balance, first, closed)
    if opening:
        await connection.execute(
            "INSERT INTO account_year (person_id, year, opening_fen, contribution_fen, interest_fen, imported_fen,"
            " closing_fen, provisional, policy_version, source) VALUES ($1, 2024, 0, 0, 0, $2, $2, false, '', 'file')",
            person_id,
            opening,
        )
    await connection.executemany(
        "INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)"
        " VALUES ($1, 'CONTRIBUTION', $2, 2025, $3, $4)",
        [(person_id, f"bill:{at}", date(2025, month, 1), fen) for at, (month, fen) in enumerate(credits_)],
    )


@given(terms(), st.integers(0, 10**10), st.dictionaries(st.integers(1, 12), amounts.map(Money)))
def test_kept_terms_explain_as_the_law_itself(law: YearTerms, opening: int, monthly: dict[int, Money]) -> None:
    again = stored_terms.account_from_plain(json.loads(json.dumps(stored_terms.account_to_plain(law))))

    assert again.close(Money(opening), monthly) == law.close(Money(opening), monthly)


async def _closing(bureau: Bureau, year: int) -> str:
    """The id of a job that closes a year, planned in chunks that are small."""
    request = pb.CloseAccountYearRequest(request_id=f"close-{year}", year=year)
    reply = await bureau.call("CloseAccountYear", request, today=date(year + 1, 1, 10))
    job_id: str = reply.job.job_id
    return job_id


async def _years(bureau: Bureau, person_id: UUID) -> list[Year]:
    async def read(tx: Transaction) -> list[Year]:
        return list(await store.years(tx, person_id))

    return await transaction.run(bureau.database, read, principal=SYSTEM, today=TODAY, read_only=True)


async def test_a_year_of_the_city_is_closed_and_every_statement_adds_up(bureau: Bureau) -> None:
    await seeded(bureau)
    job_id = await _closing(bureau, 2025)

    await bureau.run_jobs()

    job = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job_id))).job
    accounts_ = await bureau.rows("SELECT person_id, balance_fen FROM account ORDER BY person_id")
    assert (job.state, job.done_count) == (job_pb2.JOB_STATE_DONE, len(accounts_))
    law = year_terms(2025, open_office(bureau.database.settings).policy.account)
    for row in accounts_[:20]:
        closed, brought = await _years(bureau, row["person_id"])
        assert closed.statement == law.close(brought.imported, {}).statement
        assert closed.statement is not None
        assert closed.statement.total.fen == closed.closing.fen == row["balance_fen"]
    said = [len(message) for message in await _messages(bureau)]
    assert sum(said) == len(accounts_)
    assert max(said) <= 500


async def _messages(bureau: Bureau) -> list[list[events.AccountCredited.Fact]]:
    rows = await bureau.rows("SELECT payload FROM outbox WHERE subject = 'hrss.enrollment.v1.AccountCredited'")
    return [list(events.AccountCredited.FromString(row["payload"]).facts) for row in rows]


@pytest.mark.parametrize("step", ["chunk_taken:3", "chunk_before_done:2", "before_commit:3"])
async def test_interest_that_is_killed_goes_on_where_it_was(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await seeded(bureau)
    monkeypatch.setattr(accounts, "CHUNK_ACCOUNTS", 50)
    job_id = await _closing(bureau, 2025)
    assert await Worker(bureau.database, bureau.service.jobs).run_one()  # plans, as small as this test wants it

    await run_process(bureau, HRSS_TEST_CRASH=step)
    between = await bureau.rows("SELECT FROM account_year WHERE year = 2025")
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    job = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job_id))).job
    total = (await bureau.rows("SELECT count(*) AS accounts FROM account"))[0]["accounts"]
    assert len(between) < total == job.done_count == job.total_count
    assert total < PERSONS
    closed = await bureau.rows("SELECT sum(interest_fen)::bigint AS fen FROM account_year WHERE year = 2025")
    entries = await bureau.rows("SELECT sum(amount_fen)::bigint AS fen FROM account_entry WHERE kind = 'INTEREST'")
    assert closed == entries
    assert sum(fact.amount.fen for message in await _messages(bureau) for fact in message) == closed[0]["fen"]


async def test_a_year_that_was_closed_with_its_statement_is_read_as_before(bureau: Bureau) -> None:
    """What a release before this one stored."""
    await seeded(bureau, 3)
    law = year_terms(2025, open_office(bureau.database.settings).policy.account)
    (row,) = await bureau.rows("SELECT person_id, balance_fen FROM account ORDER BY person_id LIMIT 1")
    old = law.close(Money(row["balance_fen"]), {3: Money(40_000)})
    columns = (
        "person_id, year, opening_fen, contribution_fen, interest_fen, imported_fen, closing_fen, statement,"
        " provisional, policy_version, source"
    )
    await bureau.rows(
        f"INSERT INTO account_year ({columns}) VALUES ($1, 2025, $2, 40000, $3, 0, $4, $5, false, 'v', 'platform')",
        row["person_id"],
        row["balance_fen"],
        (old.interest_on_opening + old.interest_on_new).fen,
        old.closing.fen,
        old.statement.canonical(),
    )

    shown, _ = await _years(bureau, row["person_id"])

    assert shown.statement == old.statement
    with pytest.raises(asyncpg.CheckViolationError, match="account_year_explained"):
        await bureau.rows("UPDATE account_year SET statement = NULL WHERE year = 2025")
    await bureau.rows("DELETE FROM account_year WHERE year = 2025")  # it was never booked, and the books are checked
