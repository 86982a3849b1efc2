"""The proof of the books: green when all is well, and each rule names the row that somebody spoilt."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kernel import ids
from kernel.money import Money
from ops.servers import SERVICES
from services.enrollment.service import build
from services.enrollment.store.books import RULES
from tests.enrollment.builders import a_history_file, an_account_row, an_id_no, money
from tests.enrollment.collecting import (
    SUPERVISOR,
    a_receipts_file,
    a_row,
    ask,
    broken_by,
    checked,
    code_of,
    send,
    suspense,
)
from tests.enrollment.conftest import Bureau
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_collection_differences import LATER, a_january, settle, with_limits
from tests.enrollment.test_history import bring_in
from tests.enrollment.test_support import SPOILT_ACCOUNTS
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from pathlib import Path

    from chassis.database import Database

REASON = "多缴退回 (paid too much)"
SPOILT = {
    "BILL_IS_ITS_LINES": "UPDATE bill_line SET injury_employer_fen = injury_employer_fen + 1",
    "BILL_IS_RECEIPTS_AND_ARREARS": "UPDATE receipt SET amount_fen = amount_fen - 1",
    "DEMAND_IS_ITS_RECEIPTS": "UPDATE demand_receipt SET amount_fen = amount_fen + 1",
    "COLLECTED_LIES_SOMEWHERE": "UPDATE collected SET amount_fen = amount_fen + 1",
    "SUSPENSE_IS_WHAT_LIES_THERE": "UPDATE suspense SET amount_fen = amount_fen + 1",
    "RECEIPT_IS_BOOKED": "UPDATE ledger_entry SET key = 'x' || key WHERE kind = 'suspense_match'",
    "SETTLEMENT_IS_CONTRIBUTIONS": "DELETE FROM contribution WHERE scheme = 210",
    "SETTLEMENT_IS_BOOKED": """
        UPDATE ledger_posting SET account = 'fund:work_injury' WHERE account = 'fund:unemployment'
    """,
    "DIFFERENCE_IS_ITS_LINES": "UPDATE difference_line SET injury_employer_fen = injury_employer_fen + 1",
    "LINE_IS_CREDITED": "DELETE FROM account_entry WHERE source LIKE 'bill:%'",
    "DIFFERENCE_IS_CREDITED": "UPDATE difference SET credited_fen = credited_fen + 1",
    "ACCOUNT_IS_ITS_ENTRIES": "UPDATE account SET balance_fen = balance_fen + 1",
    "ENTRY_IS_BALANCED": "DELETE FROM ledger_posting WHERE account = 'tax:clearing'",
    "LEDGER_IS_COLLECTED": "UPDATE ledger_posting SET account = 'tax:elsewhere' WHERE account = 'tax:clearing'",
    "LEDGER_IS_PART_PAYMENTS": "UPDATE ledger_posting SET account = 'elsewhere' WHERE account = 'bills:received'",
    "LEDGER_IS_SUSPENSE": "UPDATE suspense SET left_fen = left_fen - 1, amount_fen = amount_fen - 1",
    "LEDGER_IS_DEMANDS": "UPDATE ledger_posting SET account = 'elsewhere' WHERE account = 'demands:received'",
    "LEDGER_IS_REFUNDS": "UPDATE refund SET amount_fen = amount_fen + 1",
    "LEDGER_IS_WITHHELD": "UPDATE difference SET withheld_fen = withheld_fen + 1",
    "LEDGER_IS_ACCOUNTS": "UPDATE account SET balance_fen = balance_fen + 1",
}


async def a_bit_of_everything(bureau: Bureau, tmp_path: Path) -> None:
    """Bills paid whole and in part, credit matched and refunded, a difference paid, an account brought in."""
    employer_id, _, _ = await a_january(bureau, "3000.00")
    await bring_in(bureau, a_history_file([an_account_row(an_id_no(), "陈志强", 2024, "5000.00")]))
    other = await bureau.employer()
    await bureau.enrolled(other)
    bill = await a_bill(bureau, other)
    await pay(bureau, bill, amount=money("10.00"))
    code = await code_of(bureau, other)
    await send(bureau, a_receipts_file([a_row("TAX-LOST", code, "lost", "30.00")]))
    (held,) = await suspense(bureau)
    await ask(bureau, "MatchSuspense", suspense_id=held.suspense_id, document=bill.bill_id, amount=money("5.00"))
    refund = (
        await ask(bureau, "PrepareRefund", suspense_id=held.suspense_id, amount=money("7.00"), reason=REASON)
    ).refund
    await ask(bureau, "DecideRefund", by=SUPERVISOR, refund_id=refund.refund_id, approve=True)
    async with with_limits(bureau, tmp_path, "5100", "25500") as later:
        await settle(later)
        (demand,) = (await ask(later, "ListDemands", employer_id=employer_id)).demands
        payer = await code_of(later, employer_id)
        half = Money(demand.total.fen // 2)
        rows = [a_row("DIF-1", payer, demand.demand_id, half, LATER)]
        await send(later, a_receipts_file(rows, day=LATER), today=LATER)


def test_every_rule_has_its_negative_control() -> None:
    assert [rule.code for rule in RULES] == [*SPOILT, *SPOILT_ACCOUNTS]


async def test_the_books_of_a_bit_of_everything_hold(bureau: Bureau, tmp_path: Path) -> None:
    await a_bit_of_everything(bureau, tmp_path)

    assert await checked(bureau) == []


async def test_each_rule_names_what_was_spoilt(database: Database, tmp_path: Path) -> None:
    service = build(database.settings)
    async with serve(service, database=database) as running:
        bureau = Bureau(database, service, running)
        await a_bit_of_everything(bureau, tmp_path)
        for code, spoil in SPOILT.items():
            found = await broken_by(bureau, spoil)
            assert code in found, (code, found)


@pytest.mark.parametrize("code", ["ACCOUNT_IS_ITS_ENTRIES"])
async def test_the_job_names_the_first_key(database: Database, tmp_path: Path, code: str) -> None:
    service = build(database.settings)
    async with serve(service, database=database) as running:
        bureau = Bureau(database, service, running)
        await a_bit_of_everything(bureau, tmp_path)
        await bureau.rows(SPOILT[code])
        first = (await bureau.rows("SELECT min(person_id::text) AS first FROM account"))[0]["first"]

        found = dict(await checked(bureau))

    assert set(found) == {code, "LEDGER_IS_ACCOUNTS"}
    assert f"per_{first.replace('-', '')}" in found[code]


async def test_hrss_reconcile_is_honest_about_what_it_found(database: Database, tmp_path: Path) -> None:
    service = build(database.settings)
    async with serve(service, database=database) as running:
        bureau = Bureau(database, service, running)
        await a_bit_of_everything(bureau, tmp_path)

        held = await reconcile(database)
        await bureau.rows(
            "UPDATE bill SET paid_fen = 1, state = 'PART_PAID' WHERE paid_fen BETWEEN 1 AND total_fen - 1"
        )
        bill_id = (await bureau.rows("SELECT bill_id FROM bill WHERE paid_fen = 1"))[0]["bill_id"]
        broken = await reconcile(database)
        nobody = await reconcile(database, service="training")

    assert held == (0, {"rules": len(RULES), "broken": []})
    code, found = broken
    assert code == 1
    assert {one["code"]: one["first"] for one in found["broken"]} == {
        "BILL_IS_RECEIPTS_AND_ARREARS": ids.to_text("bil", bill_id),
        "LEDGER_IS_PART_PAYMENTS": "bills:received",
    }
    assert nobody[0] == 2


async def reconcile(database: Database, *, service: str = "enrollment") -> tuple[int, dict[str, Any]]:
    """Run `hrss reconcile` beside a database; exit code and what it says."""
    url = database.settings.database_url
    urls = {f"HRSS_{name.upper()}_{kind}": url for name in SERVICES for kind in ("DATABASE_URL", "DATABASE_OWNER_URL")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.cli", "reconcile", service, "--json",
        env={**os.environ, **urls, "HRSS_KEYS_DIR": str(database.settings.keys_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, json.loads(output) if output else {}
