"""Accounts between the pensions of residents and employees: the age and the years decide, and no fen is lost."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import cover_service_pb2 as cover_pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import moving_service_pb2 as pb
from kernel.calendar import Month
from kernel.errors import AlreadyExists, NotFound, Refused
from tests.enrollment.builders import NOW, PARTNER, TODAY, a_history_file, a_month_row, an_account_row, an_id_no, month
from tests.enrollment.collecting import broken_by, checked, ledger
from tests.enrollment.cover_builders import CLERK_COUNTER, a_request_id, a_single_receipt
from tests.enrollment.test_cover_residents import a_resident_cover, a_year
from tests.enrollment.test_history import bring_in
from tests.enrollment.test_support import SPOILT_ACCOUNTS, resident_account

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

OF_AGE = date(1964, 6, 1)  # sixty in June 2024, before the delay began
NAME = "王守田"
TO_EMPLOYEE, TO_RESIDENT = pb.BRIDGE_DIRECTION_TO_EMPLOYEE, pb.BRIDGE_DIRECTION_TO_RESIDENT


async def an_insured(bureau: Bureau, months: int, *, birth: date = OF_AGE) -> str:
    """Somebody with employee months up to 2023, 5,000 yuan on the account, and a resident year paid now; the person."""
    id_no = an_id_no(birth)
    last = Month(2023, 12)
    rows = [a_month_row(id_no, NAME, str(last.plus(-place))) for place in range(months)]
    await bring_in(bureau, a_history_file([*rows, an_account_row(id_no, NAME, 2024, "5000.00")]))
    cover = await a_resident_cover(bureau, id_no=id_no)
    payment = (await bureau.call("AssessResidentYear", a_year(cover.cover_id))).payment
    receipt = a_single_receipt(
        cover_pb.RecordResidentPaymentRequest, 100_000, resident_payment_id=payment.resident_payment_id
    )
    await bureau.call("RecordResidentPayment", receipt, by=PARTNER)
    return cover.person_id


async def bridge(bureau: Bureau, person_id: str, direction: pb.BridgeDirection.ValueType) -> pb.PensionBridge:
    """Move an account."""
    request = pb.BridgePensionRequest(request_id=a_request_id("bridge"), person_id=person_id, direction=direction)
    made: pb.PensionBridge = (await bureau.call("BridgePension", request, by=CLERK_COUNTER)).bridge
    return made


async def employee_account(bureau: Bureau, person_id: str) -> tuple[int, list[tuple[str, int]]]:
    """Balance of the employee account, and its entries with their months."""
    rows = await bureau.rows(
        "SELECT kind, amount_fen FROM account_entry WHERE person_id = $1::uuid ORDER BY created, amount_fen",
        person_id.removeprefix("per_"),
    )
    return sum(row["amount_fen"] for row in rows), [(row["kind"], row["amount_fen"]) for row in rows]


async def test_with_fifteen_years_the_resident_account_goes_up_in_the_employees(office: Bureau) -> None:
    person_id = await an_insured(office, 180)
    total = await ledger(office, "accounts:employee_pension")

    made = await bridge(office, person_id, TO_EMPLOYEE)

    assert (made.amount.fen, made.employee_months) == (109_000, 180)  # payment and subsidy
    assert await employee_account(office, person_id) == (
        609_000, [("IMPORTED_BALANCE", 500_000), ("CONTRIBUTION", 109_000)],
    )  # fmt: skip
    assert sum(fen for _, fen in await resident_account(office, person_id)) == 0
    assert [await ledger(office, name) for name in ("accounts:resident_pension", "accounts:employee_pension")] == [
        0, total + 109_000,
    ]  # fmt: skip
    (cover,) = await office.rows("SELECT end_month, end_reason FROM cover")
    assert tuple(cover) == (NOW.first_day, "STOPPED")
    shown = await office.call("GetPensionBridge", pb.GetPensionBridgeRequest(person_id=person_id), by=CLERK_COUNTER)
    assert shown.bridge == made
    with pytest.raises(AlreadyExists, match="BRIDGED_BEFORE"):
        await bridge(office, person_id, TO_EMPLOYEE)
    assert await checked(office) == []
    code = "BRIDGE_IS_ITS_ENTRIES"
    assert code in await broken_by(office, SPOILT_ACCOUNTS[code], code)


async def test_with_less_the_employee_account_goes_to_the_residents(office: Bureau) -> None:
    person_id = await an_insured(office, 179)

    made = await bridge(office, person_id, TO_RESIDENT)

    assert (made.amount.fen, made.employee_months) == (500_000, 179)
    assert await resident_account(office, person_id) == [("BRIDGED", 500_000), ("PAYMENT", 100_000), ("SUBSIDY", 9_000)]
    assert (await employee_account(office, person_id))[0] == 0
    booked = await office.rows("SELECT booked_month FROM scheme_account_entry WHERE part = 'BRIDGED'")
    assert booked[0][0] == date(NOW.year, 1, 1)  # so that the year earns what it would have earned
    assert await checked(office) == []


async def test_what_stands_against_a_move_is_named(office: Bureau) -> None:
    young = await an_insured(office, 12, birth=date(1966, 1, 1))
    person_id = await an_insured(office, 12)
    other = await a_resident_cover(office, id_no=an_id_no(OF_AGE))
    refusals: list[tuple[str, Any, str]] = [
        (young, TO_RESIDENT, "BRIDGE_TOO_EARLY"),
        (person_id, TO_EMPLOYEE, "BRIDGE_DIRECTION_WRONG"),
        (other.person_id, TO_RESIDENT, "NOTHING_TO_BRIDGE"),
    ]

    for who, direction, reason in refusals:
        with pytest.raises(Refused, match=reason):
            await bridge(office, who, direction)
    with pytest.raises(NotFound, match="PERSON_NOT_FOUND"):
        await bridge(office, "per_" + "1" * 32, TO_RESIDENT)
    with pytest.raises(NotFound, match="BRIDGE_NOT_FOUND"):
        await office.call("GetPensionBridge", pb.GetPensionBridgeRequest(person_id=person_id), by=CLERK_COUNTER)
    cover = await office.rows("SELECT cover_id FROM cover WHERE person_id = $1::uuid", person_id.removeprefix("per_"))
    end = cover_pb.EndCoverRequest(
        request_id="end", cover_id=f"cov_{cover[0][0].hex}", end_month=month(NOW), reason=model.END_REASON_STOPPED
    )
    await office.call("EndCover", end)
    with pytest.raises(Refused, match="NO_RESIDENT_COVER"):
        await bridge(office, person_id, TO_RESIDENT)
    assert Month.of(TODAY) == NOW
    assert await office.rows("SELECT FROM pension_bridge") == []
