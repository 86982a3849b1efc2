"""Interest of the accounts beside the employee pension: the law's year in set form, once, nothing after its closing."""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis.worker import Worker
from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from kernel import ids
from kernel.errors import AlreadyExists, InvalidInput, Refused
from kernel.money import Money
from services.enrollment.domain.account import Credits, account_year
from services.enrollment.domain.contributions import Scheme
from services.enrollment.operations import cover_interest
from services.enrollment.service import build, open_office
from tests.enrollment.builders import NOW, PARTNER, day
from tests.enrollment.collecting import broken_by, checked, ledger
from tests.enrollment.conftest import Bureau
from tests.enrollment.cover_builders import a_government, a_post, a_request_id, a_single_receipt
from tests.enrollment.test_bills import pay
from tests.enrollment.test_cover_posts import a_post_bill
from tests.enrollment.test_cover_residents import a_resident_cover, a_year
from tests.enrollment.test_races import run_process
from tests.enrollment.test_support import SPOILT_ACCOUNTS
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugins.databases import NewDatabase

RESIDENT = model.SCHEME_RESIDENT_PENSION
NEXT_YEAR = date(NOW.year + 1, 1, 20)


async def close(
    bureau: Bureau, year: int, scheme: model.Scheme.ValueType = RESIDENT, *, today: date = NEXT_YEAR
) -> Any:
    """Start to close a year."""
    request = pb.CloseSchemeAccountYearRequest(request_id=a_request_id("close"), year=year, scheme=scheme)
    return (await bureau.call("CloseSchemeAccountYear", request, today=today)).job


async def years_of(bureau: Bureau, person_id: str) -> list[pb.SchemeAccountYear]:
    """The closed years of a person."""
    reply = await bureau.call("ListSchemeAccountYears", pb.ListSchemeAccountYearsRequest(person_id=person_id))
    return list(reply.years)


async def a_paid_year(bureau: Bureau) -> str:
    """A resident whose 1,000 yuan and 90 of subsidy were booked in March; the person."""
    cover = await a_resident_cover(bureau)
    payment = (await bureau.call("AssessResidentYear", a_year(cover.cover_id))).payment
    receipt = a_single_receipt(
        pb.RecordResidentPaymentRequest, 100_000, resident_payment_id=payment.resident_payment_id
    )
    await bureau.call("RecordResidentPayment", receipt, by=PARTNER)
    return cover.person_id


async def test_a_year_is_closed_explained_and_booked(office: Bureau) -> None:
    person_id = await a_paid_year(office)
    employer_id = await a_government(office)
    post = (await office.call("EnrollPost", a_post(employer_id))).enrollment
    await pay(office, await a_post_bill(office, employer_id))

    for scheme in (RESIDENT, model.SCHEME_GOVERNMENT_PENSION, model.SCHEME_OCCUPATIONAL_ANNUITY):
        await close(office, NOW.year, scheme)
    await office.run_jobs()

    (year,) = await years_of(office, person_id)
    # 1,090.00 in March: ten months of 3 %, 1,090 × 10 × 0.03 ÷ 12 = 27.25.
    assert (year.opening.fen, year.contribution.fen, year.interest.fen) == (0, 109_000, 2_725)
    assert sum(line.amount.fen for line in year.statement.lines) == 109_000 + 2_725
    assert "LOCAL:NT-RATE-RESIDENT" in {source for use in year.statement.lines for one in use.parameters
                                        for source in one.sources}  # fmt: skip
    found = {one.scheme: one.interest.fen for one in await years_of(office, post.person_id)}
    assert found == {  # 64,000 × 10 × 0.0262 ÷ 12 and 96,000 × 10 × 0.035 ÷ 12
        model.SCHEME_GOVERNMENT_PENSION: 1_397, model.SCHEME_OCCUPATIONAL_ANNUITY: 2_800,
    }  # fmt: skip
    names = ("accounts:resident_pension", "fund:resident_pension", "accounts:government_pension")
    assert [await ledger(office, name) for name in names] == [111_725, -2_725, 65_397]
    assert await checked(office) == []
    assert "SCHEME_YEAR_IS_BOOKED" in await broken_by(
        office, SPOILT_ACCOUNTS["SCHEME_YEAR_IS_BOOKED"], "SCHEME_YEAR_IS_BOOKED"
    )


async def test_what_comes_after_the_closing_is_booked_in_january(office: Bureau) -> None:
    cover = await a_resident_cover(office)
    payment = (await office.call("AssessResidentYear", a_year(cover.cover_id))).payment
    await a_paid_year(office)
    await close(office, NOW.year)
    await office.run_jobs()
    late = a_single_receipt(pb.RecordResidentPaymentRequest, 100_000, resident_payment_id=payment.resident_payment_id)
    late.paid_date.CopyFrom(day(date(NOW.year, 12, 30)))

    await office.call("RecordResidentPayment", late, by=PARTNER, today=NEXT_YEAR)

    reply = await office.call("ListSchemeAccounts", pb.ListSchemeAccountsRequest(person_id=cover.person_id))
    assert {(one.booked_month.year, one.booked_month.month) for one in reply.accounts[0].entries} == {(NOW.year + 1, 1)}
    with pytest.raises(AlreadyExists, match="SCHEME_YEAR_CLOSED"):
        await close(office, NOW.year)
    with pytest.raises(AlreadyExists, match="SCHEME_YEAR_CLOSED"):
        await close(office, NOW.year - 1)
    with pytest.raises(Refused, match="ACCOUNT_YEAR_OPEN"):
        await close(office, NOW.year + 2, today=date(NOW.year + 3, 1, 1))
    with pytest.raises(Refused, match="YEAR_NOT_OVER"):
        await close(office, NOW.year + 1)
    with pytest.raises(InvalidInput, match="SCHEME_INVALID"):
        await close(office, NOW.year, model.SCHEME_UNEMPLOYMENT)


async def test_a_rate_that_nobody_knows_is_refused_by_name(bureau: Bureau) -> None:
    for scheme, key in (
        (RESIDENT, "interest_rate.resident"),
        (model.SCHEME_GOVERNMENT_PENSION, "interest_rate.government"),
        (model.SCHEME_OCCUPATIONAL_ANNUITY, "interest_rate.annuity"),
    ):
        with pytest.raises(Refused, match="POLICY_PARAMETER_MISSING") as refused:
            await close(bureau, NOW.year, scheme)
        assert refused.value.metadata["key"] == key

    assert await bureau.rows("SELECT FROM scheme_year") == []


async def test_the_set_form_is_the_law_account_by_account(
    new_database: NewDatabase, local_values: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cover_interest, "CHUNK_ACCOUNTS", 60)
    database = await new_database("enrollment", policy_local=local_values)
    service = build(database.settings)
    async with serve(service, database=database) as running:
        bureau = Bureau(database, service, running)
        booked = await random_accounts(bureau, random.Random(170), 200)
        for year in (2023, 2024):
            await close(bureau, year)
            assert await Worker(bureau.database, bureau.service.jobs).run_one()  # the plan, in small chunks
            if year == 2024:
                await run_process(bureau, HRSS_TEST_CRASH="chunk_before_done:2", HRSS_POLICY_LOCAL=str(local_values))
                await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")
            await bureau.run_jobs()

        office = open_office(database.settings)
        rows = await bureau.rows("SELECT person_id, year, interest_fen FROM scheme_account_year")
        found = {(row["person_id"], row["year"]): row["interest_fen"] for row in rows}
        for person_id, entries in booked.items():
            opening = Money.ZERO
            for year in (2023, 2024):
                rate = office.policy.scheme_interest[Scheme.RESIDENT_PENSION].on(date(year, 12, 31))
                monthly = {month: Money(fen) for (of, month), fen in entries.items() if of == year}
                expected = account_year(opening, Credits(year, monthly), rate)
                interest = expected.interest_on_opening + expected.interest_on_new
                assert found.get((person_id, year), 0) == interest.fen
                opening = expected.closing
        balances = await bureau.rows("SELECT sum(balance_fen) AS held FROM scheme_account")
        total = sum(sum(entries.values()) for entries in booked.values()) + sum(found.values())
        assert balances[0]["held"] == total


async def random_accounts(bureau: Bureau, chance: random.Random, count: int) -> dict[Any, dict[tuple[int, int], int]]:
    """Resident accounts with what was booked in 2023 and 2024, by year and month."""
    booked = {}
    for _ in range(count):
        person_id = ids.new_id()
        months = {(2023, chance.randint(1, 12)), *((chance.choice((2023, 2024)), chance.randint(1, 12)),)}
        booked[person_id] = {month: chance.randint(1, 10 ** chance.randint(1, 9)) for month in months}
    flat = [(one, year, month, fen) for one, entries in booked.items() for (year, month), fen in entries.items()]
    await bureau.rows(
        """
        WITH one AS (SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::bigint[])
                     AS one (person_id, year, month, fen)
        ), person AS (
            INSERT INTO person (person_id, id_no_index, id_no_sealed, name_sealed, phone_sealed, birth_date, sex,
                                division)
            SELECT DISTINCT person_id, decode(md5(person_id::text), 'hex'), '\\x00'::bytea, '\\x00'::bytea,
                   NULL::bytea, '1980-01-01'::date, 'male', '320613' FROM one
        ), account AS (
            INSERT INTO scheme_account (person_id, scheme, balance_fen)
            SELECT person_id, 170, sum(fen) FROM one GROUP BY person_id
        )
        INSERT INTO scheme_account_entry (person_id, scheme, part, source, booked_month, amount_fen)
        SELECT person_id, 170, 'PAYMENT', 'payment:' || year || month, make_date(year, month, 1), fen FROM one
        """,
        *(list(column) for column in zip(*flat, strict=True)),
    )
    return booked
