"""The tables themselves: rows fit the schema, rights and constraints hold, and the oracle sees what is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import asyncpg
import pytest

from chassis.sealed import SealBroken
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput, Refused
from services.enrollment import history_file, roster_file
from services.enrollment.operations.archive import Archive
from services.enrollment.rpc.enrollment import EnrollmentRpc
from services.enrollment.service import build, open_office
from services.enrollment.store import people, rows
from tests.enrollment.builders import (
    CLERK,
    NOW,
    PARTNER,
    TODAY,
    a_history_file,
    a_receipt,
    an_account_row,
    an_enrollment,
    an_id_no,
)
from tests.enrollment.conftest import Bureau
from tests.enrollment.test_accounts import a_settlement, close, work
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_history import bring_in
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import serve
from tests.system import oracle_enrollment

if TYPE_CHECKING:
    from chassis.database import Database

APPEND_ONLY = [
    "bill_line", "receipt", "contribution", "account_entry", "account_year", "account_settlement", "ledger_entry",
    "ledger_posting", "audit", "overlap_refund", "contribution_refunded", "scheme_account_entry", "back_payment",
]  # fmt: skip


async def test_rows_have_the_columns_of_their_tables(database: Database) -> None:
    found = await owner_fetch(
        database,
        "SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = 'public'",
    )
    stored: dict[str, dict[str, bool]] = {}
    for row in found:
        stored.setdefault(row["table_name"], {})[row["column_name"]] = row["is_nullable"] == "YES"

    for name, table in rows.Table.metadata.tables.items():
        declared = {column.name: bool(column.nullable) for column in table.columns}
        assert declared == {column: stored[name][column] for column in declared}, name
        assert stored[name].keys() - declared.keys() <= {"created"}, name


async def test_the_service_cannot_rewrite_what_is_append_only(database: Database) -> None:
    connection = await asyncpg.connect(database.settings.database_url)
    try:
        for table in APPEND_ONLY:
            column = await connection.fetchval(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_name = $1 AND is_identity = 'NO' LIMIT 1",
                table,
            )
            rewrites = (f"DELETE FROM {table}", f"TRUNCATE {table}", f"UPDATE {table} SET {column} = {column}")
            for statement in rewrites:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
    finally:
        await connection.close()


async def test_no_role_of_the_service_deletes_persons(database: Database) -> None:
    connection = await asyncpg.connect(database.settings.database_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM person")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE person SET person_id = person_id")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE person_version SET name_sealed = ''")
        with pytest.raises(asyncpg.RaiseError, match="merged"):  # and moves rows only between merged records
            await connection.execute(
                "SELECT move_person_rows(gen_random_uuid(), gen_random_uuid(), '{}')",
            )
    finally:
        await connection.close()


BILLED_TWICE = """
    INSERT INTO bill_line
    SELECT gen_random_uuid(), person_id, enrollment_id, month, 1, 1, 1, 0, 0, 0, 0, 1 FROM bill_line
"""
EMPLOYED_TWICE = """
    INSERT INTO employment (enrollment_id, person_id, employer_id, track, start_month)
    SELECT gen_random_uuid(), person_id, employer_id, track, '2025-01-01' FROM employment
"""


IMPOSSIBLE = [
    ("UPDATE account SET balance_fen = -1", "account_balance_fen_check"),
    ("UPDATE bill SET paid_fen = total_fen + 1", "bill_check"),
    ("UPDATE bill SET state = 'PART_PAID'", "bill_check"),
    ("UPDATE bill SET total_fen = total_fen + 1", "bill_check"),
    ("UPDATE employment SET end_month = '2025-03-01'", "employment_check"),
    ("UPDATE employment SET start_month = '2025-03-02'", "employment_start_month_check"),
    ("UPDATE participation SET state = 'ENDED'", "participation_check"),
    ("UPDATE participation SET scheme = 130", "participation_scheme_check"),
    ("UPDATE declared_wage SET wage_fen = 0", "declared_wage_wage_fen_check"),
    (
        "INSERT INTO receipt SELECT gen_random_uuid(), receipt_no, bill_id, 1, paid_date, true FROM receipt",
        "receipt_r",
    ),
    ("UPDATE receipt SET amount_fen = -1", "receipt_amount_fen_check"),
    ("UPDATE account_entry SET amount_fen = 0", "account_entry_"),
    ("UPDATE account_entry SET year = 2024", "account_entry_"),
    ("UPDATE contribution SET state = 'UNPAID'", "contribution_"),
    (BILLED_TWICE, "bill_line_person_month"),
    (EMPLOYED_TWICE, "employment_one_open"),
]


async def test_the_database_itself_refuses_what_cannot_be(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    await pay(bureau, await a_bill(bureau, employer_id))

    for spoil, constraint in IMPOSSIBLE:  # each fails, so the next one finds the same rows
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refusal:
            await bureau.rows(spoil)
        assert str(refusal.value.constraint_name).startswith(constraint), spoil


SPOILT = [
    ("UPDATE account SET balance_fen = balance_fen + 1", "ACCOUNT_IS_ITS_ENTRIES"),
    ("DELETE FROM account_entry WHERE kind = 'INTEREST'", "closed years are what was booked in them"),
    ("UPDATE receipt SET amount_fen = amount_fen - 1", "BILL_IS_RECEIPTS_AND_ARREARS"),
    ("DELETE FROM contribution WHERE scheme = 210", "SETTLEMENT_IS_CONTRIBUTIONS"),
    ("UPDATE contribution SET employer_fen = employer_fen + 1", "SETTLEMENT_IS_CONTRIBUTIONS"),
    ("UPDATE bill_line SET injury_employer_fen = injury_employer_fen + 1", "BILL_IS_ITS_LINES"),
    ("UPDATE bill_line SET account_fen = account_fen - 1", "LINE_IS_CREDITED"),
    (
        "UPDATE account_year SET opening_fen = opening_fen + 1, closing_fen = closing_fen + 1",
        "closed years chain",
    ),
    ("DELETE FROM account_year", "closed years follow one another up to the last one"),
    ("DELETE FROM ledger_posting WHERE account = 'tax:clearing'", "ENTRY_IS_BALANCED"),
    ("DELETE FROM participation WHERE scheme = 410", "participations have the months of their employment"),
    ("DELETE FROM declared_wage", "every enrolment has a wage from its first month"),
    ("DELETE FROM outbox", "versions are as many as the facts that were said"),
]


async def test_the_oracle_sees_what_was_spoilt(database: Database) -> None:
    service = build(database.settings)
    async with serve(service, database=database) as running:
        bureau = Bureau(database, service, running)
        employer_id = await bureau.employer()
        await bureau.enrolled(employer_id)
        await bring_in(bureau, a_history_file([an_account_row(an_id_no(), "陈志强", 2024, "5000.00")]))
        await pay(bureau, await a_bill(bureau, employer_id))
        await close(bureau, 2025, date(2026, 1, 5))

    assert await oracle_enrollment.unseen(database.settings.database_owner_url, SPOILT) == []


SPOILT_SETTLEMENT = [
    (
        """
        INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)
        SELECT person_id, 'INTEREST', 'spoilt', 2025, '2025-03-01', -100000000 FROM account
        """,
        "a settlement takes back at most the interest that was booked",
    ),
    ("UPDATE account SET balance_fen = 499999", "a settlement never takes away an imported balance"),
    (
        "UPDATE account_entry SET amount_fen = amount_fen + 1 WHERE kind = 'CONTRIBUTION'",
        "a settled account holds the shares of the months up to retirement",
    ),
    ("DELETE FROM account_entry WHERE amount_fen < 0", "LEDGER_IS_WITHHELD"),
]


async def test_the_oracle_sees_a_spoilt_settlement(database: Database) -> None:
    service = build(database.settings)
    async with serve(service, database=database) as running:
        bureau = Bureau(database, service, running)
        employer_id, id_no = await bureau.employer(), an_id_no(date(1964, 3, 1))
        one = await bureau.enrolled(employer_id, id_no=id_no, name="陈志强")
        await bring_in(bureau, a_history_file([an_account_row(id_no, "陈志强", 2024, "5000.00")]))
        for value in (NOW, NOW.next):
            await work(bureau, employer_id, value, value)
        await bureau.call("SettleAccount", a_settlement(one.person_id, NOW), today=date(2025, 5, 2))

    assert await oracle_enrollment.unseen(database.settings.database_owner_url, SPOILT_SETTLEMENT) == []


async def test_production_refuses_simulators_and_the_test_region(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    bill = await a_bill(bureau, employer_id)
    office = replace(open_office(bureau.database.settings), is_production=True)

    async with serve(
        [
            EnrollmentRpc(
                office, Archive(office.files, history_file.open_file), Archive(office.files, roster_file.open_file)
            )
        ],
        database=bureau.database,
    ) as production:
        with pytest.raises(Refused, match="RECEIPT_SIMULATED"):
            await production.call("RecordReceipt", a_receipt(bill), PARTNER, today=TODAY)
        with pytest.raises(InvalidInput, match="ID_NO_INVALID") as refusal:
            await production.call("EnrollPerson", an_enrollment(employer_id), CLERK, today=TODAY)
        assert refusal.value.metadata == {"cause": "TEST_REGION"}
        reply = await production.call("RecordReceipt", a_receipt(bill, simulated=False), PARTNER, today=TODAY)

    assert reply.settled_count == 1


async def test_names_and_numbers_stand_nowhere_in_clear(bureau: Bureau) -> None:
    id_no, phone, name = an_id_no(), "13912345678", "欧阳静怡"
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, id_no=id_no, phone=phone, name=name)
    await bureau.call("FindPerson", pb.FindPersonRequest(id_no=id_no))

    tables = await bureau.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in (row["tablename"] for row in tables):
        for row in await bureau.rows(f'SELECT * FROM "{table}"'):
            for value in row.values():
                data = value if isinstance(value, bytes) else str(value).encode()
                assert id_no.encode() not in data, table
                assert phone.encode() not in data, table
                assert name.encode() not in data, table


async def test_a_sealed_name_opens_in_its_own_row_only(bureau: Bureau) -> None:
    one = await bureau.enrolled(await bureau.employer())
    (row,) = await bureau.rows("SELECT person_id, name_sealed FROM person")
    sealer = bureau.database.sealer

    assert people.open_name(sealer, ids.parse("per", one.person_id), row["name_sealed"]) == "张建国"
    with pytest.raises(SealBroken):
        people.open_name(sealer, ids.new_id(), row["name_sealed"])
